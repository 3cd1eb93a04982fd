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
        .appending(path: "../../Sources/CQalamPage/files")

    /// The page's own files, by their paths in the folder; the libraries are not always there.
    private static func names() throws -> [String] {
        try FileManager.default.subpathsOfDirectory(atPath: folder.path)
            .filter { !$0.hasPrefix("libraries") && $0.contains(".") }
    }

    @Test("each file is served as it is, with its type, and not twice")
    func files() async throws {
        let types = [
            "html": "text/html; charset=utf-8", "css": "text/css; charset=utf-8",
            "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml", "png": "image/png",
            "webmanifest": "application/manifest+json",
        ]
        try await withServer(.saying("a")) { client in
            for name in try Self.names() where !name.hasPrefix("styles") {
                let path = name == "index.html" ? "/" : "/" + name
                let response = try await client.send(.get, path)
                #expect(response.status == .ok, "\(path)")
                let type = types[URL(filePath: name).pathExtension]
                #expect(response.headers[.contentType] == type, "\(path)")
                let bytes = try Data(contentsOf: Self.folder.appending(path: name))
                #expect(Data(response.body.readableBytesView) == bytes, "\(path)")
                let tag = try #require(response.headers[.eTag])
                let again = try await client.send(.get, path, headers: [.ifNoneMatch: tag])
                #expect(again.status == .notModified && again.body.readableBytes == 0)
            }
            let style = try await client.send(.get, "/style.css").text
            for name in try Self.names() where name.hasPrefix("styles") {
                let part = try String(contentsOf: Self.folder.appending(path: name), encoding: .utf8)
                #expect(style.contains(part), "\(name)")
            }
        }
    }

    @Test("the page may run nothing but its own files, and nobody may embed it")
    func policy() async throws {
        try await withServer(.saying("a")) { client in
            let headers = try await client.send(.get, "/").headers
            let policy = try #require(headers[.contentSecurityPolicy])
            for part in [
                "default-src 'none'", "script-src 'self'", "connect-src 'self'", "frame-ancestors 'none'",
                "base-uri 'none'", "require-trusted-types-for 'script'",
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
        for name in try Self.names() where !name.hasSuffix(".png") {
            let text = try String(contentsOf: Self.folder.appending(path: name), encoding: .utf8)
            for word in [
                "innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function",
                "https://", "//cdn", "@import", "style=",
            ] {
                #expect(!text.contains(word), "\(name) has \(word)")
            }
        }
    }

    @Test("both languages have the same words")
    func languages() throws {
        let words = try ["words-en.js", "words-ar.js"].map { name in
            let text = try String(contentsOf: Self.folder.appending(path: name), encoding: .utf8)
            return text.matches(of: #/[\n{,] +(\w+):/#).map { String($0.1) }
        }
        #expect(words[0] == words[1])
        #expect(words[0].count > 100)
    }

    @Test("every word that the page asks for is there")
    func words() throws {
        let text = try String(contentsOf: Self.folder.appending(path: "words-en.js"), encoding: .utf8)
        let known = Set(text.matches(of: #/[\n{,] +(\w+):/#).map { String($0.1) })
        for name in try Self.names() where name.hasSuffix(".js") || name.hasSuffix(".html") {
            let source = try String(contentsOf: Self.folder.appending(path: name), encoding: .utf8)
            let asked =
                source.matches(of: #/\bt\("(\w+)"\)/#).map(\.1)
                + source.matches(of: #/data-(?:text|label|placeholder)="(\w+)"/#).map(\.1)
            for word in asked { #expect(known.contains(String(word)), "\(name) asks for \(word)") }
        }
    }

    @Test("files have at most 500 lines")
    func lengths() throws {
        for name in try Self.names() where !name.hasSuffix(".png") {
            let text = try String(contentsOf: Self.folder.appending(path: name), encoding: .utf8)
            #expect(text.split(separator: "\n", omittingEmptySubsequences: false).count <= 501, "\(name)")
        }
    }
}
