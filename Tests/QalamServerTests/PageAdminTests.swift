// SPDX-License-Identifier: Apache-2.0

import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import QalamEngine
import QalamServer
import QalamStore
import Testing

@Suite("Keys, sessions and models on the page")
struct PageAdminTests {
    private let html: HTTPFields = [.accept: "text/html,application/xhtml+xml"]

    @Test("the first key must be able to make others, and is made on this machine; then keys are listed and revoked")
    func keys() async throws {
        let store = try Store()
        try await withServer(.saying("a"), store: store) { client in
            let session = try await client.send(.get, "/page/session").json
            #expect(session["may_make_first_key"] == true && session["writers"] == ["fake"])
            #expect(session["painters"] == [])
            let weak = try await client.send(.post, "/page/keys", #"{"name": "a", "scopes": ["infer"]}"#)
            #expect(weak.status == .badRequest)
            let body = #"{"name": "root", "scopes": ["infer", "admin"], "days": 2, "tokens_per_minute": 100}"#
            let made = try await client.send(.post, "/page/keys", body).json
            let secret = try #require(made["secret"]?.text)
            let headers: HTTPFields = [.authorization: "Bearer \(secret)"]
            #expect(try await client.send(.get, "/page/keys").status == .unauthorized)
            let list = try await client.send(.get, "/page/keys", headers: headers).json
            #expect(list["data"]?.elements?.count == 1 && !list.encoded.contains(secret))
            let second = try await client.send(
                .post, "/page/keys", #"{"name": "b", "scopes": ["infer"]}"#, headers: headers
            ).json
            let other: HTTPFields = [.authorization: "Bearer \(try #require(second["secret"]?.text))"]
            for path in ["/page/keys", "/page/usage", "/page/models"] {
                #expect(try await client.send(.get, path, headers: other).status == .forbidden)
                #expect(try await client.send(.get, path, headers: headers).status == .ok)
            }
            #expect(try await client.send(.get, "/page/session", headers: other).json["key"]?["name"] == "b")
            let id = try #require(second["id"]?.text)
            let gone = try await client.send(.delete, "/page/keys/\(id)", headers: headers)
            #expect(try gone.json["revoked_at"]?.int != nil)
            #expect(try await client.send(.get, "/v1/models", headers: other).status == .unauthorized)
            #expect(try await client.send(.delete, "/page/keys/none", headers: headers).status == .notFound)
        }
        var open = ServerConfiguration()
        open.host = "0.0.0.0"
        open.insecure = true
        try await withServer(.saying("a"), configuration: open) { client in
            let refused = try await client.send(.post, "/page/keys", #"{"name": "a", "scopes": ["admin"]}"#)
            #expect(refused.status == .forbidden)
        }
    }

    @Test("a browser without a key sees a door; with one it gets a cookie that no script can read")
    func door() async throws {
        let store = try Store()
        let secret = try await store.add(APIKey(name: "a+b", scopes: [.infer], created: 1))
        try await withServer(.saying("a"), store: store) { client in
            let door = try await client.send(.get, "/", headers: html)
            #expect(door.status == .unauthorized && door.text.contains("<form method=post action=\"/page/session\">"))
            #expect(door.headers[.wwwAuthenticate]?.hasPrefix("Bearer") == true)
            #expect(door.headers[.contentSecurityPolicy]?.contains("unsafe") == false)
            let wrong = try await client.send(.post, "/page/session", "key=sk-qalam-1", headers: html)
            #expect(wrong.status == .unauthorized && wrong.text.contains("role=alert"))
            let right = try await client.send(.post, "/page/session", "key=\(secret)", headers: html)
            #expect(right.status == .seeOther && right.headers[.location] == "/")
            let cookie = try #require(right.headers[.setCookie])
            for part in ["HttpOnly", "SameSite=Lax", "Path=/"] { #expect(cookie.contains(part)) }
            let headers: HTTPFields = [.cookie: "other=1; " + String(cookie.prefix { $0 != ";" })]
            #expect(try await client.send(.get, "/", headers: headers).status == .ok)
            #expect(try await client.send(.get, "/v1/models", headers: headers).status == .ok)
            let out = try await client.send(.delete, "/page/session", headers: headers)
            #expect(out.headers[.setCookie]?.contains("Max-Age=0") == true)
        }
    }

    @Test("usage is shown by day, key and model")
    func usage() async throws {
        let store = try Store()
        let entry = UsageEntry(
            key: "k", model: "fake", day: "2026-01-31", requests: 1, promptTokens: 2, cachedTokens: 3,
            completionTokens: 4)
        try await store.add([entry])
        try await withServer(.saying("a"), store: store) { client in
            let all = try await client.send(.get, "/page/usage?days=100000").json
            #expect(
                all["data"] == [
                    [
                        "day": "2026-01-31", "key": "k", "model": "fake", "requests": 1, "prompt_tokens": 2,
                        "cached_tokens": 3, "completion_tokens": 4,
                    ]
                ])
            #expect(try await client.send(.get, "/page/usage?days=0").status == .badRequest)
        }
    }

    /// A shelf with one model on it.
    private struct FakeShelf: ModelShelf {
        func models() -> [(name: String, bytes: Int)] { [("org/small", 5)] }

        func fetch(
            _ name: String, progress: @escaping @Sendable (_ done: Int, _ total: Int) -> Void
        ) async throws -> any ServedModel {
            guard name == "org/small" else { throw EngineError.unknownModel(name, known: ["org/small"]) }
            progress(2, 5)
            return FakeModel.saying("b", id: "small")
        }
    }

    @Test("a model is fetched with its progress told, and served at once")
    func models() async throws {
        var configuration = ServerConfiguration()
        configuration.port = 0
        let server = QalamServer(
            models: [FakeModel.saying("a")], store: try Store(), configuration: configuration, shelf: FakeShelf(),
            logger: quiet)
        try await server.makeApplication().test(.router) { client in
            let list = try await client.send(.get, "/page/models").json
            #expect(list["can_fetch"] == true && list["data"] == [["name": "org/small", "bytes": 5]])
            let events = try await client.send(.post, "/page/models", #"{"name": "org/small"}"#).text
            #expect(events.contains(#"data: {"done":2,"total":5}"#) && events.contains(#"data: {"model":"small"}"#))
            #expect(try await client.chat(model: "small").status == .ok)
            let none = try await client.send(.post, "/page/models", #"{"name": "org/none"}"#).text
            #expect(none.contains("model_not_fetched"))
        }
        try await withServer(.saying("a")) { client in
            #expect(try await client.send(.get, "/page/models").json["can_fetch"] == false)
            let none = try await client.send(.post, "/page/models", #"{"name": "a/b"}"#)
            #expect(none.status == .forbidden)
        }
    }
}
