// SPDX-License-Identifier: Apache-2.0

import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import QalamServer
import QalamStore
import Testing

@Suite("Keys, limits and CORS")
struct AccessTests {
    private func bearer(_ key: String) -> HTTPFields { [.authorization: "Bearer \(key)"] }

    private func key(
        _ store: Store, _ scopes: Set<KeyScope> = [.infer], requests: Int? = nil, tokens: Int? = nil,
        expires: Int? = nil
    ) async throws -> (id: String, secret: String) {
        let key = APIKey(
            name: "k", scopes: scopes, created: 1, expires: expires, requestsPerMinute: requests,
            tokensPerMinute: tokens)
        return (key.id, try await store.add(key))
    }

    @Test("without keys none is needed; with one it is needed on every route but /healthz")
    func everywhere() async throws {
        let store = try Store()
        let routes: [(HTTPRequest.Method, String)] = [
            (.get, "/"), (.get, "/app.js"), (.get, "/v1/models"), (.get, "/v1/models/fake"), (.get, "/metrics"),
            (.get, "/openapi.json"), (.post, "/v1/chat/completions"), (.get, "/v1/chat/completions"),
            (.post, "/v1/completions"), (.post, "/v1/embeddings"), (.post, "/v1/responses"), (.get, "/v1/files"),
            (.post, "/v1/files"), (.post, "/v1/uploads"), (.get, "/v1/batches"), (.post, "/v1/conversations"),
            (.post, "/v1/messages"), (.get, "/api/tags"), (.post, "/api/chat"), (.post, "/v1/rerank"),
            (.post, "/tokenize"),
        ]
        try await withServer(.saying("a"), store: store) { client in
            for (method, path) in routes {
                #expect(try await client.send(method, path).status != .unauthorized, "\(path)")
            }
            let good = try await key(store, [.admin])
            let revoked = try await key(store)
            try await store.revoke(revoked.id, at: 2)
            let expired = try await key(store, expires: 2)
            for (method, path) in routes {
                for wrong in ["", "sk-qalam-0", revoked.secret, expired.secret] {
                    let response = try await client.send(method, path, headers: wrong.isEmpty ? [:] : bearer(wrong))
                    #expect(response.status == .unauthorized, "\(path) \(wrong)")
                    #expect(response.headers[.wwwAuthenticate] != nil)
                }
                let response = try await client.send(method, path, headers: bearer(good.secret))
                #expect(response.status != .unauthorized && response.status != .forbidden, "\(path)")
            }
            #expect(try await client.send(.get, "/healthz").status == .ok)
            for name in ["x-api-key", "Authorization"] {
                let basic = "Basic " + Data("me:\(good.secret)".utf8).base64EncodedString()
                let value = name == "x-api-key" ? good.secret : basic
                let headers: HTTPFields = [try #require(HTTPField.Name(name)): value]
                #expect(try await client.send(.get, "/v1/models", headers: headers).status == .ok)
            }
        }
    }

    @Test("a key reaches as far as its scopes")
    func scopes() async throws {
        let store = try Store()
        let infer = try await key(store)
        let train = try await key(store, [.train])
        try await withServer(.saying("a"), store: store) { client in
            #expect(try await client.send(.get, "/v1/models", headers: bearer(infer.secret)).status == .ok)
            let refused = try await client.send(.get, "/v1/models", headers: bearer(train.secret))
            #expect(refused.status == .forbidden)
            #expect(try refused.json["error"]?["code"] == "missing_scope")
            #expect(try await client.send(.get, "/metrics", headers: bearer(infer.secret)).status == .forbidden)
        }
    }

    @Test("a key's requests and tokens a minute are held to")
    func rates() async throws {
        let store = try Store()
        let requests = try await key(store, requests: 2)
        let tokens = try await key(store, tokens: 5)
        try await withServer(.saying("a"), store: store) { client in
            func status(_ secret: String) async throws -> Int {
                let body = #"{"model": "fake", "messages": [{"role": "user", "content": "Hi"}]}"#
                let response = try await client.send(.post, "/v1/chat/completions", body, headers: bearer(secret))
                if response.status == .tooManyRequests {
                    #expect((response.headers[.retryAfter].flatMap { Int($0) } ?? 0) > 0)
                    #expect(try response.json["error"]?["code"] == "rate_limit_exceeded")
                }
                return response.status.code
            }
            for (secret, expected) in [(requests.secret, [200, 200, 429]), (tokens.secret, [200, 429])] {
                var statuses: [Int] = []
                for _ in expected { statuses.append(try await status(secret)) }
                #expect(statuses == expected)
            }
            // What the page is made of is not counted.
            for path in ["/", "/app.js", "/page/chats"] {
                #expect(try await client.send(.get, path, headers: bearer(requests.secret)).status == .ok)
            }
        }
    }

    @Test("usage is written by key and model")
    func usage() async throws {
        let store = try Store()
        let key = try await key(store)
        try await withServer(.saying("a", "b"), live: true, store: store) { client in
            let body = #"{"model": "fake", "messages": [{"role": "user", "content": "Hi"}], "n": 2}"#
            let response = try await client.send(
                .post, "/v1/chat/completions", body, headers: bearer(key.secret))
            #expect(response.status == .ok)
            var entries: [UsageEntry] = []
            for _ in 0..<100 where entries.isEmpty {
                try await Task.sleep(for: .milliseconds(50))
                entries = try await store.usage(since: "2000-01-01")
            }
            #expect(entries.map(\.key) == [key.id] && entries.map(\.requests) == [1])
            #expect(entries.map(\.promptTokens) == [7] && entries.map(\.completionTokens) == [4])
        }
    }

    @Test("pages of other sites are let in only where that is allowed")
    func cors() async throws {
        var configuration = ServerConfiguration()
        configuration.corsOrigins = ["https://app.example"]
        try await withServer(.saying("a"), configuration: configuration) { client in
            let origin: HTTPFields = [.origin: "https://app.example"]
            let allowed = try await client.send(.get, "/v1/models", headers: origin)
            #expect(allowed.status == .ok && allowed.headers[.accessControlAllowOrigin] == "https://app.example")
            let missing = try await client.send(.get, "/v1/models/x", headers: origin)
            #expect(missing.status == .notFound)
            #expect(missing.headers[.accessControlAllowOrigin] == "https://app.example")
            var ask = origin
            ask[.accessControlRequestMethod] = "POST"
            ask[.accessControlRequestHeaders] = "authorization"
            let preflight = try await client.send(.options, "/v1/chat/completions", headers: ask)
            #expect(preflight.status == .noContent)
            #expect(preflight.headers[.accessControlAllowHeaders] == "authorization")
            let other = try await client.send(.get, "/v1/models", headers: [.origin: "https://evil.example"])
            #expect(other.status == .forbidden && other.headers[.accessControlAllowOrigin] == nil)
        }
    }

    @Test("other machines are served only with a key, or if told so")
    func open() async throws {
        var configuration = ServerConfiguration()
        configuration.host = "0.0.0.0"
        configuration.port = 0
        let server = QalamServer(
            models: [FakeModel.saying("a")], store: try Store(), configuration: configuration, logger: quiet)
        await #expect(throws: ServerError.open(host: "0.0.0.0")) { try await server.run { _ in } }
    }

    @Test("traces go on, and metrics tell routes, tokens and times")
    func operation() async throws {
        try await withServer(.saying("a")) { client in
            let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
            let name = try #require(HTTPField.Name("traceparent"))
            #expect(try await client.send(.get, "/v1/models", headers: [name: trace]).headers[name] == trace)
            #expect(try await client.send(.get, "/v1/models", headers: [name: "x\u{1F}"]).headers[name] == nil)
            _ = try await client.chat()
            let text = try await client.send(.get, "/metrics").text
            for part in [
                #"qalam_requests_total{route="/v1/models",method="GET",status="200"} 2"#,
                #"qalam_prompt_tokens_total{model="fake"} 7"#, #"qalam_first_token_seconds_count{model="fake"} 1"#,
            ] {
                #expect(text.contains(part), "\(part) not in \(text)")
            }
        }
    }
}
