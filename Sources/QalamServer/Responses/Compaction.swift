// SPDX-License-Identifier: Apache-2.0

import Foundation
import Hummingbird
import QalamEngine

/// `/v1/responses/compact`: a long conversation as a short one, its own words and a summary that the model writes.
///
/// The summary travels in `encrypted_content`, which clients hand back as it is. It is encoded, not encrypted: there is
/// nothing in it that its owner may not read.
enum Compaction {
    /// The type of the items that hold summaries.
    static let type = "compaction"
    /// The tokens that a summary may have, or a quarter of the model's context if that is less.
    private static let summaryLimit = 1024
    private static let demand =
        "Summarize the conversation so far, so that it can go on from the summary alone: what was asked, found and "
        + "decided, and what is still open. Write nothing but the summary."

    /// The body of a request.
    static let request = Shape.named(
        "CompactResponse",
        .object(
            [
                .must("model", .word), .may("input", .either([.text, .array(ItemShapes.item, 0...4096)])),
                .may("instructions", .text), .may("previous_response_id", .word),
                .may("prompt_cache_options", .refused("the cache of prompts has no options: leave it out.")),
                .may("image", .refused("there are no images here.")),
            ] + ChatShapes.withoutEffect))

    /// The body of an answer.
    static let answer = Shape.named(
        "CompactedResponse",
        .object([
            .must("id", .text), .must("object", .oneOf(["response.compaction"])), .must("created_at", .count),
            .must("output", .list(.anyObject)), .must("usage", .anyObject),
        ]))

    /// An item that comes in.
    static let item = Shape.Variant(type, [.may("id", .string(1...64)), .must("encrypted_content", .text)])

    /// The summary in an item; nil: there is none of this server's.
    static func summary(_ item: JSONValue) -> String? {
        item["encrypted_content"]?.text.flatMap { Data(base64Encoded: $0) }.flatMap {
            String(validating: $0, as: UTF8.self)
        }
    }

    /// Answers a request.
    static func create(_ call: Call) async throws -> Response {
        let body = try await call.json(request)
        let model = try call.platform.models.chat(body["model"]?.text)
        let context = try await ResponseContext(body, conversation: nil, call.platform.store)
        // Of nothing there is nothing to say, so the model isn't asked.
        guard context.messages.contains(where: { $0.role != "system" }) else {
            return Response(json: compacted(context.asked, Answer()))
        }
        var options = ChatOptions()
        options.client = call.asker.client
        options.thinking = false
        options.maxTokens = min(summaryLimit, max(model.contextLength / 4, 1))
        let messages = context.messages + [ChatMessage(role: "user", content: demand)]
        let generation = try await Generation(model, count: 1, call.platform, call.asker) { _ in
            try await call.platform.chat(model, messages, options)
        }
        return try await call.watched { compacted(context.asked, try await generation.collect()[0]) }
    }

    private static func compacted(_ asked: [JSONValue], _ answer: Answer) -> JSONValue {
        let item: JSONValue = [
            "type": .string(type), "id": .string("cmp_" + randomText(length: 32)),
            "encrypted_content": .string(Data(answer.text.utf8).base64EncodedString()),
        ]
        return [
            "id": .string("resp_" + randomText(length: 48)), "object": "response.compaction",
            "created_at": .integer(Platform.now), "output": .array(asked + [item]),
            "usage": ResponseObject.json(answer.usage),
        ]
    }
}
