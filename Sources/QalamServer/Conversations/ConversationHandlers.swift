// SPDX-License-Identifier: Apache-2.0

import Hummingbird
import QalamStore

/// `/v1/conversations`: items that responses go on from.
enum ConversationHandlers {
    private static let path = "/v1/conversations/{conversation_id}"
    private static let items = Shape.array(ItemShapes.keptItem, 0...20)
    private static let creation = Shape.named(
        "CreateConversation", .object([.may("items", items), .may("metadata", ToolFields.metadata)]))
    private static let update = Shape.object([.must("metadata", ToolFields.metadata)])
    private static let newItems = Shape.object([.must("items", .array(ItemShapes.keptItem, 1...20))])
    private static let shape = Shape.named(
        "Conversation",
        .object([
            .must("id", .text), .must("object", .oneOf(["conversation"])), .must("created_at", .count),
            .must("metadata", .map(.text, atMost: .max)),
        ]))

    static let routes: [Route] = [
        .post(
            "/v1/conversations", "Conversations", "Start a conversation", body: .json(creation), answer: .json(shape),
            create),
        .get(path, "Conversations", "Get a conversation", answer: .json(shape)) { call in
            Response(json: try await call.platform.store.document(key(call), "conversation"))
        },
        .post(
            path, "Conversations", "Change a conversation's metadata", body: .json(update), answer: .json(shape)
        ) { call in
            let body = try await call.json(update)
            let document = try await call.platform.store.update(key(call), "conversation") {
                ($0.setting("metadata", body["metadata"] ?? [:]), [])
            }
            return Response(json: document)
        },
        .delete(
            path, "Conversations", "Delete a conversation", answer: .json(Listing.deletedShape("conversation.deleted"))
        ) { call in
            let key = key(call)
            do {
                try await call.platform.store.apply([.delete(key)])
            } catch StoreError.missing {
                throw APIError.noSuch("conversation", key.id)
            }
            return Response(json: ["id": .string(key.id), "object": "conversation.deleted", "deleted": true])
        },
        .post(
            path + "/items", "Conversations", "Add items", query: [ItemShapes.includeParameter],
            body: .json(newItems), answer: .json(Listing.shape(of: .anyObject)), addItems),
        .get(
            path + "/items", "Conversations", "List items",
            query: Listing.parameters() + [ItemShapes.includeParameter],
            answer: .json(Listing.shape(of: .anyObject))
        ) { call in
            let id = key(call).id
            _ = try await call.platform.store.document(key(call), "conversation")
            let query = Listing.query(.conversationItem, in: id, call, newestFirst: true)
            return try await Response(json: Listing.page(query, call.platform.store))
        },
        .get(
            path + "/items/{item_id}", "Conversations", "Get an item", query: [ItemShapes.includeParameter]
        ) { call in
            let key = RecordKey(.conversationItem, call.parameter("item_id"), in: key(call).id)
            return Response(json: try await call.platform.store.document(key, "item"))
        },
        .delete(path + "/items/{item_id}", "Conversations", "Delete an item", answer: .json(shape)) { call in
            let item = RecordKey(.conversationItem, call.parameter("item_id"), in: key(call).id)
            let conversation = try await call.platform.store.document(key(call), "conversation")
            do {
                try await call.platform.store.apply([.delete(item)])
            } catch StoreError.missing {
                throw APIError.noSuch("item", item.id)
            }
            return Response(json: conversation)
        },
    ]

    private static func key(_ call: Call) -> RecordKey { RecordKey(.conversation, call.parameter("conversation_id")) }

    private static func create(_ call: Call) async throws -> Response {
        let body = try await call.json(creation)
        let id = "conv_" + randomText(length: 32)
        let now = Platform.now
        let metadata = body.given("metadata") ?? [:]
        let document: JSONValue = [
            "id": .string(id), "object": "conversation", "created_at": .integer(now), "metadata": metadata,
        ]
        let items = (body["items"]?.elements ?? []).map(Items.kept)
        try await call.platform.store.apply(
            [.insert(RecordKey(.conversation, id), created: now, body: document.encoded)] + insertions(items, into: id))
        return Response(json: document)
    }

    private static func addItems(_ call: Call) async throws -> Response {
        let body = try await call.json(newItems)
        let items = (body["items"]?.elements ?? []).map(Items.kept)
        let id = key(call).id
        do {
            try await call.platform.store.apply(insertions(items, into: id))
        } catch StoreError.missing {
            throw APIError.noSuch("conversation", id)
        }
        return Response(json: [
            "object": "list", "data": .array(items), "first_id": items.first?["id"] ?? .null,
            "last_id": items.last?["id"] ?? .null, "has_more": false,
        ])
    }

    /// The changes that add kept items to a conversation.
    static func insertions(_ items: [JSONValue], into id: String) -> [RecordChange] {
        items.map { item in
            let key = RecordKey(.conversationItem, item["id"]?.text ?? "", in: id)
            return .insert(key, created: Platform.now, body: item.encoded)
        }
    }
}
