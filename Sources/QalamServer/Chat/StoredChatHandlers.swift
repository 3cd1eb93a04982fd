// SPDX-License-Identifier: Apache-2.0

import Hummingbird
import QalamStore

/// Chat completions that were asked to be stored.
enum StoredChatHandlers {
    private static let path = "/v1/chat/completions/{completion_id}"
    private static let update = Shape.object([.must("metadata", ToolFields.metadata)])
    private static let message = Shape.anyObject

    static let routes: [Route] = [
        .get(
            "/v1/chat/completions", "Chat", "List stored completions",
            query: Listing.parameters() + [
                .init(name: "model", shape: .word), .init(name: "metadata", shape: ToolFields.metadata),
            ], answer: .json(Listing.shape(of: ChatShapes.completion)), list),
        .get(path, "Chat", "Get a stored completion", answer: .json(ChatShapes.completion)) { call in
            Response(json: try await call.platform.store.document(key(call), "chat completion"))
        },
        .post(
            path, "Chat", "Change a stored completion's metadata", body: .json(update),
            answer: .json(ChatShapes.completion)
        ) { call in
            let body = try await call.json(update)
            let document = try await call.platform.store.update(key(call), "chat completion") {
                ($0.setting("metadata", body["metadata"] ?? [:]), [])
            }
            return Response(json: document)
        },
        .delete(
            path, "Chat", "Delete a stored completion", answer: .json(Listing.deletedShape("chat.completion.deleted"))
        ) { call in
            let key = key(call)
            do {
                try await call.platform.store.apply([.delete(key)])
            } catch StoreError.missing {
                throw APIError.noSuch("chat completion", key.id)
            }
            return Response(json: ["id": .string(key.id), "object": "chat.completion.deleted", "deleted": true])
        },
        .get(
            path + "/messages", "Chat", "List what a stored completion was asked", query: Listing.parameters(),
            answer: .json(Listing.shape(of: message))
        ) { call in
            let key = key(call)
            _ = try await call.platform.store.document(key, "chat completion")
            let query = Listing.query(.completionMessage, in: key.id, call, newestFirst: false)
            return try await Response(json: Listing.page(query, call.platform.store))
        },
    ]

    private static func key(_ call: Call) -> RecordKey { RecordKey(.completion, call.parameter("completion_id")) }

    private static func list(_ call: Call) async throws -> Response {
        var query = Listing.query(.completion, call, newestFirst: false)
        if let model = call.query["model"]?.text { query.filters.append(("$.model", model)) }
        for member in call.query["metadata"]?.members ?? [] {
            query.filters.append(("$.metadata.\(try jsonPath(member.name))", member.value.text ?? ""))
        }
        return try await Response(json: Listing.page(query, call.platform.store))
    }

    /// A member's name in SQLite's paths, which know no escapes.
    private static func jsonPath(_ name: String) throws(APIError) -> String {
        guard !name.contains("\"") else {
            throw RequestField(path: "metadata", value: .null).error("can't be asked for by a name with quotes.")
        }
        return "\"\(name)\""
    }

    /// Keeps a completion with what it was asked.
    static func keep(
        _ completion: JSONValue, _ chat: ChatRequest, _ body: JSONValue, _ store: any PlatformStore
    ) async throws {
        guard let id = completion["id"]?.text else { return }
        let now = Platform.now
        let document = completion.setting("metadata", chat.metadata)
        let messages: [RecordChange] = (body["messages"]?.elements ?? []).enumerated().map { index, message in
            let key = RecordKey(.completionMessage, "\(id)-\(index)", in: id)
            return .insert(key, created: now, body: shown(message, id: key.id).encoded)
        }
        try await store.apply([.insert(RecordKey(.completion, id), created: now, body: document.encoded)] + messages)
    }

    /// A message with an id of its own; parts stand beside the text.
    private static func shown(_ message: JSONValue, id: String) -> JSONValue {
        let parts = message["content"]?.elements
        return message.setting("id", .string(id))
            .setting("content", JSONValue(ChatMessageShapes.text(message["content"])))
            .setting("content_parts", parts.map(JSONValue.array) ?? .null)
    }
}
