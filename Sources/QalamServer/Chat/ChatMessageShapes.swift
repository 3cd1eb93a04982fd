// SPDX-License-Identifier: Apache-2.0

import QalamEngine

/// The messages of chat completions: their shapes, and how they become a conversation.
enum ChatMessageShapes {
    /// One message, by its role.
    static let message = Shape.tagged(
        by: "role", fallback: nil,
        [
            .init("system", [.must("content", content), name]), .init("developer", [.must("content", content), name]),
            .init("user", [.must("content", content), name]),
            .init(
                "assistant",
                [
                    .may("content", content), name, .may("tool_calls", .array(call, 0...128)),
                    .may("reasoning_content", .text), .may("reasoning", .text),
                    .may("annotations", .only([[]], because: "annotations are not supported.")),
                    .may("refusal", .text),
                    .may("audio", .refused("audio is not supported.")),
                    .may("function_call", .refused("function calls are not supported: use tool_calls.")),
                ],
                rules: [
                    .some(
                        of: ["content", "tool_calls", "refusal"],
                        wanted: "a string or an array of parts, unless there are tool_calls")
                ]),
            .init("tool", [.must("content", content), .must("tool_call_id", .word)]),
            .init("function", refused: "messages of functions are not supported: use tools."),
        ])

    private static let name = Shape.Member.may("name", .string(1...64))

    /// A string, or parts whose texts are joined.
    private static let content = Shape.either([.text, .array(part, 1...1024)])

    private static let part = Shape.tagged(
        by: "type", fallback: nil,
        [
            .init("text", [.must("text", .text)]), .init("refusal", [.must("refusal", .text)]),
            .init("image_url", refused: "the models served here take nothing but text."),
            .init("input_audio", refused: "the models served here take nothing but text."),
            .init(
                "file", refused: "the models served here take nothing but text: put the file's text into the message."),
        ])

    private static let call = Shape.tagged(
        by: "type", fallback: "function",
        [
            .init(
                "function",
                [
                    .must("id", .word),
                    .must("function", .object([.must("name", ToolFields.name), .must("arguments", .text)])),
                    .may("index", .count),
                ]),
            .init("custom", refused: "custom tools are not supported."),
        ])

    /// The conversation that checked messages make.
    static func conversation(_ messages: JSONValue?) -> [ChatMessage] {
        var conversation: [ChatMessage] = []
        for message in messages?.elements ?? [] {
            let role = message["role"]?.text ?? ""
            let calls = (message["tool_calls"]?.elements ?? []).map { call in
                ToolCall(
                    id: call["id"]?.text ?? "", name: call["function"]?["name"]?.text ?? "",
                    arguments: call["function"]?["arguments"]?.text ?? "{}")
            }
            let text = text(message["content"]) ?? message["refusal"]?.text
            conversation.append(
                ChatMessage(
                    role: role, content: text ?? "", name: message["name"]?.text, toolCalls: calls,
                    toolCallID: message["tool_call_id"]?.text,
                    reasoning: message["reasoning_content"]?.text ?? message["reasoning"]?.text))
        }
        return conversation
    }

    /// The text of a content; nil if there is none.
    static func text(_ content: JSONValue?) -> String? {
        switch content {
        case .string(let text): text
        case .array(let parts): parts.compactMap { ($0["text"] ?? $0["refusal"])?.text }.joined()
        default: nil
        }
    }
}
