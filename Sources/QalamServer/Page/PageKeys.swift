// SPDX-License-Identifier: Apache-2.0

import Foundation
import Hummingbird
import QalamStore

/// `/page/keys` and `/page/usage`: what `qalam keys` and `qalam usage` do, for people on the page.
enum PageKeys {
    private static let scopes = KeyScope.allCases.map(\.rawValue)

    /// A key, but for its secret.
    static let shape = Shape.named("PageKey", .object(members))
    private static let members: [Shape.Member] = [
        .must("id", .text), .must("object", .oneOf(["page.key"])), .must("name", .text), .must("prefix", .text),
        .must("scopes", .list(.oneOf(scopes))), .must("created_at", .count), .maybe("expires_at", .count),
        .maybe("revoked_at", .count), .maybe("requests_per_minute", .count), .maybe("tokens_per_minute", .count),
    ]

    private static let creation = Shape.object([
        .must("name", .string(1...64)), .must("scopes", .array(.oneOf(scopes), 1...3)),
        .may("days", .integer(1...100_000)), .may("requests_per_minute", .integer(1...1_000_000_000)),
        .may("tokens_per_minute", .integer(1...1_000_000_000)),
    ])

    private static let entry = Shape.named(
        "PageUsage",
        .object([
            .must("day", .text), .must("key", .text), .must("model", .text), .must("requests", .count),
            .must("prompt_tokens", .count), .must("cached_tokens", .count), .must("completion_tokens", .count),
        ]))

    static let routes: [Route] = [
        .get(
            "/page/keys", PageChats.tag, "List keys", scope: .admin,
            answer: .json(.object([.must("object", .oneOf(["list"])), .must("data", .list(shape))]))
        ) { call in
            Response(json: ["object": "list", "data": .array(try await call.platform.store.keys().map(json))])
        },
        .post(
            "/page/keys", PageChats.tag, "Make a key", scope: .admin, body: .json(creation),
            answer: .json(.object(members + [.must("secret", .text)])), create),
        .delete("/page/keys/{key_id}", PageChats.tag, "End a key for good", scope: .admin, answer: .json(shape)) {
            call in
            let id = call.parameter("key_id")
            do {
                try await call.platform.store.revoke(id, at: Platform.now)
            } catch StoreError.missing {
                throw APIError.noSuch("key", id)
            }
            guard let key = try await call.platform.store.keys().first(where: { $0.id == id }) else {
                throw APIError.noSuch("key", id)
            }
            return Response(json: json(key))
        },
        .get(
            "/page/usage", PageChats.tag, "What was used, by day, key and model", scope: .admin,
            query: [.init(name: "days", shape: .integer(1...100_000))],
            answer: .json(.object([.must("object", .oneOf(["list"])), .must("data", .list(entry))]))
        ) { call in
            let days = call.query["days"]?.int ?? 30
            let start = UsageMeter.day(Date(timeIntervalSinceNow: -Double(days - 1) * 86_400))
            let entries = try await call.platform.store.usage(since: start).map { entry -> JSONValue in
                [
                    "day": .string(entry.day), "key": .string(entry.key), "model": .string(entry.model),
                    "requests": .integer(entry.requests), "prompt_tokens": .integer(entry.promptTokens),
                    "cached_tokens": .integer(entry.cachedTokens),
                    "completion_tokens": .integer(entry.completionTokens),
                ]
            }
            return Response(json: ["object": "list", "data": .array(entries)])
        },
    ]

    /// A key, but for its secret.
    static func json(_ key: APIKey) -> JSONValue {
        [
            "id": .string(key.id), "object": "page.key", "name": .string(key.name), "prefix": .string(key.prefix),
            "scopes": .array(KeyScope.allCases.filter(key.scopes.contains).map { .string($0.rawValue) }),
            "created_at": .integer(key.created), "expires_at": JSONValue(key.expires),
            "revoked_at": JSONValue(key.revoked), "requests_per_minute": JSONValue(key.requestsPerMinute),
            "tokens_per_minute": JSONValue(key.tokensPerMinute),
        ]
    }

    private static func create(_ call: Call) async throws -> Response {
        let body = try await call.json(creation)
        let scopes = Set((body["scopes"]?.elements ?? []).compactMap { $0.text.flatMap(KeyScope.init) })
        if call.asker.key == nil {
            // The first key shuts the server: whoever makes it must be on this machine, and able to make others.
            guard call.platform.configuration.isLoopback else {
                throw APIError(
                    "The first key is made on the server's machine: qalam keys create.", status: .forbidden,
                    code: "first_key_not_here")
            }
            guard scopes.contains(.admin) else {
                throw RequestField(path: "scopes", value: .null).error(
                    "must hold \"admin\": without such a key nobody could make another one here.")
            }
        }
        let now = Platform.now
        let key = APIKey(
            name: body["name"]?.text ?? "", scopes: scopes, created: now,
            expires: body["days"]?.int.map { now + $0 * 86_400 },
            requestsPerMinute: body["requests_per_minute"]?.int, tokensPerMinute: body["tokens_per_minute"]?.int)
        let secret = try await call.platform.store.add(key)
        return Response(json: json(key).setting("secret", .string(secret)))
    }
}
