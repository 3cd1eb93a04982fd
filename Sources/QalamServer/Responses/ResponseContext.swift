// SPDX-License-Identifier: Apache-2.0

import QalamEngine
import QalamStore

/// What a response answers: the items before it and its own, gathered from the store.
struct ResponseContext: Sendable {
    /// The items that came with the request.
    private(set) var input: [JSONValue] = []
    /// What people said, then and now.
    private(set) var asked: [JSONValue] = []
    /// The conversation to answer.
    private(set) var messages: [ChatMessage] = []

    /// The most responses that one goes back to.
    private static let chainLimit = 1000

    /// Gathers what `body` refers to.
    /// - Throws: `APIError` with status 404 if something isn't there
    init(_ body: JSONValue, conversation: String?, _ store: any PlatformStore) async throws {
        var items: [JSONValue] = []
        if let id = body["previous_response_id"]?.text {
            items = try await Self.chain(id, store)
        } else if let conversation {
            items = try await Self.items(.conversationItem, "conversation", conversation, store)
        }
        switch body["input"] {
        case .string(let text)?: input = [Items.kept(["role": "user", "content": .string(text)])]
        case .array(let given)?:
            for (index, item) in given.enumerated() {
                if item["type"]?.text == Compaction.type, Compaction.summary(item) == nil {
                    throw RequestField(path: "input[\(index)].encrypted_content", value: .null).error(
                        "holds no summary of this server's.")
                }
                guard item["type"] == "item_reference" else {
                    input.append(Items.kept(item))
                    continue
                }
                let id = item["id"]?.text ?? ""
                guard let found = items.first(where: { $0["id"]?.text == id }) else {
                    throw APIError.noSuch("item", id, param: "input[\(index)].id")
                }
                input.append(found)
                items.removeAll { $0["id"]?.text == id }
            }
        default: break
        }
        if let instructions = body["instructions"]?.text {
            messages = [ChatMessage(role: "system", content: instructions)]
        }
        messages += Items.conversation(items + input)
        asked = (items + input).filter { $0["type"] == "message" && $0["role"] == "user" }
    }

    /// What the response `id` and those before it were asked and answered, oldest first.
    private static func chain(_ id: String, _ store: any PlatformStore) async throws -> [JSONValue] {
        var parts: [[JSONValue]] = []
        var next: String? = id
        while let id = next, parts.count < chainLimit {
            let response = try await store.document(RecordKey(.response, id), "response", param: "previous_response_id")
            guard response["status"] == "completed" || response["status"] == "incomplete" else {
                throw RequestField(path: "previous_response_id", value: .null).error(
                    "is a response that is \(response["status"]?.text ?? "not complete").")
            }
            parts.append(
                try await items(.responseInput, "response", id, store) + (response["output"]?.elements ?? []))
            next = response["previous_response_id"]?.text
        }
        return parts.reversed().flatMap { $0 }
    }

    /// All records that belong to `parent`.
    private static func items(
        _ kind: RecordKind, _ noun: String, _ parent: String, _ store: any PlatformStore
    ) async throws -> [JSONValue] {
        if let parentKind = kind.parent {
            _ = try await store.document(RecordKey(parentKind, parent), noun, param: noun)
        }
        var items: [JSONValue] = []
        var query = RecordQuery(kind, in: parent, limit: 1000)
        while true {
            let page = try await store.list(query)
            items += try page.records.map { try $0.json }
            guard page.hasMore else { return items }
            query.after = page.records.last?.id
        }
    }

    /// Leaves out as few of the oldest messages as needed for the rest to fit: `truncation: "auto"`.
    ///
    /// What the system says stays; results of tools go with their calls.
    mutating func truncate(for model: any ChatModel, _ options: ChatOptions) async throws {
        let fixed = messages.prefix { $0.role == "system" || $0.role == "developer" }
        let turns = messages.dropFirst(fixed.count)
        // A turn may begin wherever no result stands alone.
        let starts = turns.indices.filter { turns[$0].role != "tool" }
        var low = 0
        var high = starts.count - 1
        guard high >= 0 else { return }
        while low < high {
            let middle = (low + high) / 2
            let rest = Array(fixed) + turns[starts[middle]...]
            if try await model.countTokens(rest, options) < model.contextLength {
                high = middle
            } else {
                low = middle + 1
            }
        }
        messages = Array(fixed) + turns[starts[low]...]
    }
}
