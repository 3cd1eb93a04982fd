// SPDX-License-Identifier: Apache-2.0

import QalamEngine

/// Turns what a model writes into the events of Anthropic's streams; knows nothing of sockets.
struct MessageWriter {
    private enum Block: Equatable {
        case text, thinking
        case call(Int)
    }

    private let model: String
    private let id = "msg_" + randomText(length: 24)
    private var answer = Answer()
    private var block: Block?
    private var index = 0
    private(set) var hasFailed = false

    init(model: any ServedModel) {
        self.model = model.id
    }

    /// The first event.
    func opening() -> ServerSentEvent {
        let message = message(answer).setting("content", []).setting("stop_reason", .null)
        return .named("message_start", ["type": "message_start", "message": message])
    }

    /// The events of what happens.
    mutating func events(for event: AnswerEvent) -> [ServerSentEvent] {
        switch event {
        case .tick, .ended: return []
        case .failed(let error):
            hasFailed = true
            return [.named("error", ErrorStyle.anthropic.json(APIError(error), requestID: nil))]
        case .event(_, let event):
            answer.take(event)
            switch event {
            case .text(let text, _):
                let start = open(.text, ["type": "text", "text": ""])
                return text.isEmpty ? start : start + [delta(["type": "text_delta", "text": .string(text)])]
            case .reasoning(let text, _):
                return open(.thinking, ["type": "thinking", "thinking": "", "signature": ""])
                    + [delta(["type": "thinking_delta", "thinking": .string(text)])]
            case .toolCallStarted(let number, let id, let name):
                return open(
                    .call(number),
                    ["type": "tool_use", "id": .string(id), "name": .string(name), "input": [:]])
            case .toolCallArguments(_, let text):
                return [delta(["type": "input_json_delta", "partial_json": .string(text)])]
            case .finished: return close() + ending()
            }
        }
    }

    private mutating func open(_ next: Block, _ content: JSONValue) -> [ServerSentEvent] {
        guard block != next else { return [] }
        let events = close()
        block = next
        return events + [
            .named(
                "content_block_start",
                ["type": "content_block_start", "index": .integer(index), "content_block": content])
        ]
    }

    private func delta(_ delta: JSONValue) -> ServerSentEvent {
        .named(
            "content_block_delta", ["type": "content_block_delta", "index": .integer(index), "delta": delta])
    }

    private mutating func close() -> [ServerSentEvent] {
        guard block != nil else { return [] }
        defer {
            block = nil
            index += 1
        }
        return [.named("content_block_stop", ["type": "content_block_stop", "index": .integer(index)])]
    }

    private func ending() -> [ServerSentEvent] {
        [
            .named(
                "message_delta",
                [
                    "type": "message_delta",
                    "delta": ["stop_reason": Self.reason(answer.finish), "stop_sequence": nil],
                    "usage": Self.json(answer.usage),
                ]), .named("message_stop", ["type": "message_stop"]),
        ]
    }

    /// A whole answer as one body.
    func message(_ answer: Answer) -> JSONValue {
        var content: [JSONValue] = []
        if !answer.reasoning.isEmpty {
            content.append(["type": "thinking", "thinking": .string(answer.reasoning), "signature": ""])
        }
        if !answer.text.isEmpty { content.append(["type": "text", "text": .string(answer.text)]) }
        for call in answer.calls {
            let input = (try? JSONValue(parsing: Array(call.arguments.utf8))) ?? [:]
            content.append([
                "type": "tool_use", "id": .string(call.id), "name": .string(call.name), "input": input,
            ])
        }
        return [
            "id": .string(id), "type": "message", "role": "assistant", "model": .string(model),
            "content": .array(content), "stop_reason": Self.reason(answer.finish), "stop_sequence": nil,
            "usage": Self.json(answer.usage),
        ]
    }

    private static func reason(_ finish: FinishReason) -> JSONValue {
        switch finish {
        case .stop: "end_turn"
        case .length: "max_tokens"
        case .toolCalls: "tool_use"
        }
    }

    /// What an answer cost; Anthropic counts what was in the cache apart.
    private static func json(_ usage: Usage) -> JSONValue {
        [
            "input_tokens": .integer(usage.promptTokens - usage.cachedTokens),
            "cache_creation_input_tokens": 0, "cache_read_input_tokens": .integer(usage.cachedTokens),
            "output_tokens": .integer(usage.completionTokens),
        ]
    }
}
