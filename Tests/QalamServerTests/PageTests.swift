// SPDX-License-Identifier: Apache-2.0

import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import QalamServer
import Testing

@Suite("The page")
struct PageTests {
    private static let folder = URL(filePath: #filePath).deletingLastPathComponent()
        .appending(path: "../../Sources/QalamServer/Page")

    @Test(
        "each file is served as it is, with its type",
        arguments: [
            ("/", "index.html", "text/html; charset=utf-8"), ("/style.css", "style.css", "text/css; charset=utf-8"),
            ("/script.js", "script.js", "text/javascript; charset=utf-8"),
            ("/client.js", "client.js", "text/javascript; charset=utf-8"),
            ("/markdown.js", "markdown.js", "text/javascript; charset=utf-8"),
            ("/parts.js", "parts.js", "text/javascript; charset=utf-8"),
            ("/store.js", "store.js", "text/javascript; charset=utf-8"),
            ("/strings.js", "strings.js", "text/javascript; charset=utf-8"),
        ])
    func files(path: String, name: String, type: String) async throws {
        try await withServer(.saying("a")) { client in
            let response = try await client.send(.get, path)
            #expect(response.status == .ok)
            #expect(response.headers[.contentType] == type)
            #expect(Data(response.body.readableBytesView) == (try Data(contentsOf: Self.folder.appending(path: name))))
            let tag = try #require(response.headers[.eTag])
            let again = try await client.send(.get, path, headers: [.ifNoneMatch: tag])
            #expect(again.status == .notModified && again.body.readableBytes == 0)
        }
    }

    @Test("the page may run nothing but its own files, and nobody may embed it")
    func policy() async throws {
        try await withServer(.saying("a")) { client in
            let headers = try await client.send(.get, "/").headers
            let policy = try #require(headers[.contentSecurityPolicy])
            for part in [
                "default-src 'none'", "script-src 'self'", "connect-src 'self'", "frame-ancestors 'none'",
                "base-uri 'none'",
            ] {
                #expect(policy.contains(part))
            }
            #expect(!policy.contains("unsafe"))
            #expect(headers[.frameOptions] == "DENY")
            #expect(headers[.referrerPolicy] == "no-referrer")
        }
    }

    @Test("the page fetches nothing from elsewhere and builds nothing from HTML")
    func sources() throws {
        let names = try FileManager.default.contentsOfDirectory(atPath: Self.folder.path)
        for name in names {
            let text = try String(contentsOf: Self.folder.appending(path: name), encoding: .utf8)
            for word in [
                "innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "https://",
                "//cdn", "@import",
            ] {
                #expect(!text.contains(word), "\(name) has \(word)")
            }
        }
    }

    @Test("both languages have the same words")
    func languages() throws {
        let text = try String(contentsOf: Self.folder.appending(path: "strings.js"), encoding: .utf8)
        let halves = text.split(separator: "  ar: {")
        #expect(halves.count == 2)
        let names = halves.map { $0.matches(of: #/\n +(\w+):/#).map(\.1) }
        #expect(names.first?.drop { $0 != "skip" } == names.last?[...])
    }
}
