// SPDX-License-Identifier: Apache-2.0

import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Logging
import QalamEngine
import QalamServer
import QalamStore

/// A logger that keeps quiet.
let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

/// Runs `test` against a server of `models`, without a network unless `live`.
func withServer<Value>(
    _ models: FakeModel..., live: Bool = false, configuration: ServerConfiguration = .init(),
    store: Store? = nil, _ test: @Sendable (any TestClientProtocol) async throws -> Value
) async throws -> Value {
    try await withServer(of: models, live: live, configuration: configuration, store: store, test)
}

/// Runs `test` against a server of models of any kind.
func withServer<Value>(
    of models: [any ServedModel], live: Bool = false, configuration: ServerConfiguration = .init(),
    store: Store? = nil, _ test: @Sendable (any TestClientProtocol) async throws -> Value
) async throws -> Value {
    var configuration = configuration
    configuration.port = 0
    let server = QalamServer(
        models: models, store: try store ?? Store(), configuration: configuration, logger: quiet)
    return try await server.makeApplication().test(live ? .live : .router, test)
}

extension TestClientProtocol {
    /// Sends a request, with a body of JSON or not.
    func send(
        _ method: HTTPRequest.Method, _ path: String, _ body: String? = nil, headers: HTTPFields = [:]
    ) async throws -> TestResponse {
        try await execute(uri: path, method: method, headers: headers, body: body.map { ByteBuffer(string: $0) })
    }

    /// Asks for a chat with these further fields.
    func chat(_ fields: String = "", model: String = "fake") async throws -> TestResponse {
        try await send(
            .post, "/v1/chat/completions",
            #"{"model": "\#(model)", "messages": [{"role": "user", "content": "Hi"}]\#(fields)}"#)
    }
}

extension TestResponse {
    /// The body as text.
    var text: String { String(buffer: body) }

    /// The body as JSON.
    var json: JSONValue {
        get throws { try JSONValue(parsing: Array(body.readableBytesView)) }
    }
}

/// A plain connection, for what a proper client would not do.
struct RawConnection: Sendable {
    private let descriptor: Int32

    /// Connects to this machine, whichever of its addresses the server is on.
    init(port: Int) throws {
        var hints = addrinfo()
        #if canImport(Darwin)
            hints.ai_socktype = SOCK_STREAM
        #else
            hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        #endif
        var addresses: UnsafeMutablePointer<addrinfo>?
        getaddrinfo("localhost", String(port), &hints, &addresses)
        defer { freeaddrinfo(addresses) }
        var connected: Int32?
        var next = addresses
        while let address = next?.pointee, connected == nil {
            let candidate = socket(address.ai_family, address.ai_socktype, address.ai_protocol)
            if connect(candidate, address.ai_addr, address.ai_addrlen) == 0 {
                connected = candidate
            } else {
                close(candidate)
            }
            next = address.ai_next
        }
        guard let connected else { throw POSIXError(.ECONNREFUSED) }
        descriptor = connected
        // Waiting in `recv` would take one of the few threads that everything here shares.
        _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
    }

    /// Sends bytes as they are.
    func write(_ text: String) {
        let bytes = Array(text.utf8)
        _ = Foundation.send(descriptor, bytes, bytes.count, 0)
    }

    /// Sends a request to complete a chat with these further fields.
    func postChat(_ fields: String = "") {
        post(#"{"model": "fake", "messages": [{"role": "user", "content": "Hi"}]\#(fields)}"#)
    }

    /// Sends a request with this body.
    func post(_ body: String, headers: String = "Host: localhost") {
        write(
            "POST /v1/chat/completions HTTP/1.1\r\n\(headers)\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
    }

    /// Reads until the text so far holds `mark`, or the server closes, or `limit` has passed.
    func read(until mark: String, limit: Duration = .seconds(20)) async throws -> String {
        let end = ContinuousClock.now + limit
        var text: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while !String(decoding: text, as: UTF8.self).contains(mark), ContinuousClock.now < end {
            let count = recv(descriptor, &buffer, buffer.count, 0)
            if count > 0 {
                text += buffer[..<count]
            } else if count < 0, errno == EAGAIN {
                try await Task.sleep(for: .milliseconds(5))
            } else {
                break
            }
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// Goes away without a word.
    func hangUp() {
        close(descriptor)
    }
}
