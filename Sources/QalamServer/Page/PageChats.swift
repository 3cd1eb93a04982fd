// SPDX-License-Identifier: Apache-2.0

import Hummingbird
import QalamStore

/// `/page/chats`: the conversations of the page, kept as people see them.
///
/// Each is a tree: a message follows its parent, an edited or rewritten one stands beside the first as another child.
/// `head` is the message at the end of the branch that is shown. They belong to the name of the key they were made
/// with, so that a new key of the same name goes on with them.
enum PageChats {
    /// The heading of the page's own routes.
    static let tag = "The page's own"
    private static let path = "/page/chats/{chat_id}"

    static let routes: [Route] = [
        .get(
            "/page/chats", tag, "List and search conversations, the last changed first",
            query: [
                .init(name: "search", shape: .string(0...256)), .init(name: "label", shape: .string(1...64)),
                .init(name: "offset", shape: .count), .init(name: "limit", shape: .integer(1...500)),
            ], answer: .json(PageChatShapes.list), list),
        .post(
            "/page/chats", tag, "Keep a new conversation", body: .json(PageChatShapes.creation),
            answer: .json(PageChatShapes.whole), create),
        .get(path, tag, "Get a conversation with all its messages", answer: .json(PageChatShapes.whole)) { call in
            Response(json: try await whole(call, document(call)))
        },
        .post(
            path, tag, "Rename, label or set up a conversation", body: .json(PageChatShapes.update),
            answer: .json(PageChatShapes.chat)
        ) { call in
            let body = try await call.json(PageChatShapes.update)
            _ = try await document(call)
            return Response(json: shown(try await change(call, body, messages: [])))
        },
        .delete(path, tag, "Delete a conversation", answer: .json(Listing.deletedShape("page.chat.deleted"))) { call in
            _ = try await document(call)
            try await call.platform.store.apply([.delete(key(call))])
            return Response(json: ["id": .string(key(call).id), "object": "page.chat.deleted", "deleted": true])
        },
        .post(
            path + "/messages", tag, "Add messages, or change those with the same ids",
            body: .json(PageChatShapes.addition), answer: .json(PageChatShapes.chat)
        ) { call in
            let body = try await call.json(PageChatShapes.addition)
            _ = try await document(call)
            let messages = body["messages"]?.elements ?? []
            try await checkParents(messages, in: key(call).id, call.platform.store)
            return Response(json: shown(try await change(call, body, messages: messages)))
        },
        .get("/page/labels", tag, "List the labels in use", answer: .json(PageChatShapes.labels)) { call in
            let labels = try await call.platform.store.chatLabels(owner: owner(call))
            return Response(json: [
                "object": "list",
                "data": .array(labels.map { ["label": .string($0.label), "count": .integer($0.count)] }),
            ])
        },
    ]

    private static func key(_ call: Call) -> RecordKey { RecordKey(.chat, call.parameter("chat_id")) }
    private static func owner(_ call: Call) -> String { call.asker.key?.name ?? "" }

    /// The conversation asked for.
    /// - Throws: `APIError` with status 404 if there is none, or it is somebody else's
    private static func document(_ call: Call) async throws -> JSONValue {
        let chat = try await call.platform.store.document(key(call), "conversation")
        guard chat["owner"]?.text == owner(call) else { throw APIError.noSuch("conversation", key(call).id) }
        return chat
    }

    /// A conversation as it is shown.
    private static func shown(_ chat: JSONValue) -> JSONValue { chat.setting("owner", nil) }

    private static func whole(_ call: Call, _ chat: JSONValue) async throws -> JSONValue {
        let id = chat["id"]?.text ?? ""
        let records = try await call.platform.store.list(
            RecordQuery(.chatMessage, in: id, limit: PageChatShapes.messageLimit)
        ).records
        return shown(chat).setting("messages", .array(try records.map { try $0.json }))
    }

    private static func list(_ call: Call) async throws -> Response {
        let words = (call.query["search"]?.text ?? "").split(whereSeparator: \.isWhitespace).map(String.init)
        let page = try await call.platform.store.chats(
            ChatQuery(
                owner: owner(call), label: call.query["label"]?.text, words: words,
                offset: call.query["offset"]?.int ?? 0, limit: call.query["limit"]?.int ?? 100))
        return Response(json: [
            "object": "list", "data": .array(try page.records.map { shown(try $0.json) }),
            "has_more": .bool(page.hasMore),
        ])
    }

    private static func create(_ call: Call) async throws -> Response {
        let body = try await call.json(PageChatShapes.creation)
        let id = "chat_" + randomText(length: 32)
        let now = Platform.now
        let chat: JSONValue = [
            "id": .string(id), "object": "page.chat", "title": body["title"] ?? "",
            "labels": body.given("labels") ?? [],
            "created_at": .integer(now), "updated_at": .integer(now), "head": body.given("head") ?? .null,
            "settings": body.given("settings") ?? [:], "owner": .string(owner(call)),
        ]
        let messages = body["messages"]?.elements ?? []
        try await checkParents(messages, in: id, call.platform.store)
        try await call.platform.store.apply(
            [.insert(RecordKey(.chat, id), created: now, body: chat.encoded)] + puts(messages, into: id))
        return Response(json: try await whole(call, chat))
    }

    /// Makes the changes that a checked body asks for; new messages bring the conversation to the top of the list.
    private static func change(_ call: Call, _ body: JSONValue, messages: [JSONValue]) async throws -> JSONValue {
        let key = key(call)
        return try await call.platform.store.update(key, "conversation") { chat in
            var chat = chat
            for name in ["title", "labels", "settings", "head"] {
                if let value = body.given(name) { chat = chat.setting(name, value) }
            }
            if !messages.isEmpty { chat = chat.setting("updated_at", .integer(Platform.now)) }
            return (chat, puts(messages, into: key.id))
        }
    }

    private static func puts(_ messages: [JSONValue], into id: String) -> [RecordChange] {
        messages.map { message in
            let key = RecordKey(.chatMessage, message["id"]?.text ?? "", in: id)
            return .put(key, created: Platform.now, body: message.encoded)
        }
    }

    /// Refuses messages that follow one that isn't there.
    private static func checkParents(
        _ messages: [JSONValue], in chat: String, _ store: any PlatformStore
    ) async throws {
        var known = Set<String>()
        for (index, message) in messages.enumerated() {
            if let id = message["id"]?.text { known.insert(id) }
            guard let parent = message["parent"]?.text, !known.contains(parent) else { continue }
            guard try await store.find(RecordKey(.chatMessage, parent, in: chat)) != nil else {
                throw APIError.noSuch("message", parent, param: "messages[\(index)].parent")
            }
            known.insert(parent)
        }
    }
}
