// SPDX-License-Identifier: Apache-2.0

import HTTPTypes
import HummingbirdTesting
import QalamServer
import Testing

@Suite("The guard against other web pages")
struct BrowserGuardTests {
    /// The status that a request with these headers gets.
    private func status(_ headers: String, _ configuration: ServerConfiguration = .init()) async throws -> String {
        try await withServer(.saying("a"), live: true, configuration: configuration) { client in
            let connection = try RawConnection(port: #require(client.port))
            defer { connection.hangUp() }
            connection.post(#"{"model": "fake", "messages": [{"role": "user", "content": "x"}]}"#, headers: headers)
            return String(try await connection.read(until: "\r\n").dropFirst("HTTP/1.1 ".count).prefix(3))
        }
    }

    @Test(
        "names of this machine are fine",
        arguments: [
            "Host: localhost", "Host: localhost:8080", "Host: LOCALHOST", "Host: 127.0.0.1:1", "Host: [::1]:8080",
            "Host: [::1]",
            "Host: localhost:8080\r\nOrigin: http://localhost:8080",
        ])
    func fine(headers: String) async throws {
        #expect(try await status(headers) == "200")
    }

    @Test(
        "other names and other pages are refused",
        arguments: [
            "Host: evil.example", "Host: evil.example:8080", "Host: localhost.evil.example",
            "Host: 127.0.0.1.evil.example",
            "Host: [::2]", "Host: 192.168.1.5", "Host: localhost:8080\r\nOrigin: http://evil.example",
            "Host: localhost:8080\r\nOrigin: null", "Host: localhost:8080\r\nOrigin: http://localhost:3000",
            "Host: localhost:8080\r\nOrigin: ",
        ])
    func refused(headers: String) async throws {
        #expect(try await status(headers) == "403")
    }

    @Test("names can be allowed")
    func allowed() async throws {
        var configuration = ServerConfiguration()
        configuration.allowedHosts = ["chat.example"]
        #expect(try await status("Host: chat.example", configuration) == "200")
        #expect(try await status("Host: chat.example\r\nOrigin: https://chat.example", configuration) == "200")
        #expect(try await status("Host: localhost\r\nOrigin: https://chat.example:444", configuration) == "200")
        #expect(try await status("Host: other.example", configuration) == "403")
    }

    @Test("a server for all machines has no names of its own, but still refuses other pages")
    func open() async throws {
        var configuration = ServerConfiguration()
        configuration.host = "0.0.0.0"
        #expect(try await status("Host: any.example", configuration) == "200")
        #expect(try await status("Host: any.example\r\nOrigin: http://evil.example", configuration) == "403")
    }
}
