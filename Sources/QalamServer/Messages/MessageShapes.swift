// SPDX-License-Identifier: Apache-2.0

/// The shapes of Anthropic's Messages API.
enum MessageShapes {
    private static let onlyText = "the models served here take nothing but text."

    /// Marks of what to cache: prompts are cached by themselves.
    private static let cache = Shape.Member.may(
        "cache_control", .object([.must("type", .oneOf(["ephemeral"])), .may("ttl", .oneOf(["5m", "1h"]))]))

    private static let text = Shape.Variant(
        "text", [.must("text", .text), cache, .may("citations", .only([[]], because: "citations are not supported."))])

    private static let texts = Shape.array(.tagged(by: "type", fallback: nil, [text]), 0...1024)

    private static let block = Shape.tagged(
        by: "type", fallback: nil,
        [
            text,
            .init(
                "tool_use",
                [.must("id", .string(1...64)), .must("name", ToolFields.name), .must("input", .anyObject), cache]),
            .init(
                "tool_result",
                [
                    .must("tool_use_id", .string(1...64)), .may("content", .either([.text, texts])),
                    .may("is_error", .bool), cache,
                ]),
            .init("thinking", [.must("thinking", .text), .may("signature", .text)]),
            .init("redacted_thinking", refused: "thinking is not encrypted here."),
            .init("image", refused: onlyText), .init("document", refused: onlyText),
            .init("search_result", refused: onlyText),
        ])

    private static let tool = Shape.tagged(
        by: "type", fallback: "custom",
        [
            .init(
                "custom",
                [
                    .must("name", ToolFields.name), .may("description", .text), .must("input_schema", .anyObject),
                    cache,
                    .may("strict", .bool),
                ])
        ])

    private static let parallel = Shape.Member.may("disable_parallel_tool_use", .bool)

    private static let asked: [Shape.Member] = [
        .must("model", .word),
        .must(
            "messages",
            .array(
                .object([
                    .must("role", .oneOf(["user", "assistant"])),
                    .must("content", .either([.text, .array(block, 1...1024)])),
                ]), 1...4096)),
        .may("system", .either([.text, texts])), .may("tools", .array(tool, 0...128)),
        .may(
            "tool_choice",
            .tagged(
                by: "type", fallback: nil,
                [
                    .init("auto", [parallel]), .init("any", [parallel]), .init("none", []),
                    .init("tool", [.must("name", ToolFields.name), parallel]),
                ])),
        .may(
            "thinking",
            .tagged(
                by: "type", fallback: nil,
                [
                    .init("enabled", [.may("budget_tokens", .integer(1024 ... .max)), .may("display", .text)]),
                    .init("adaptive", [.may("display", .text)]), .init("disabled", []),
                ])),
    ]

    /// The body of `POST /v1/messages`.
    static let request = Shape.named(
        "CreateMessage",
        .object(
            asked + [
                .must("max_tokens", .integer(1 ... .max)), .may("temperature", .number(0...1)),
                .may("top_p", .number(0...1)), .may("top_k", .integer(0...Int(Int32.max))),
                .may("stop_sequences", .array(.word, 0...64)), .may("stream", .bool),
                .may("metadata", .object([.may("user_id", .text)])),
                .may("service_tier", .oneOf(["auto", "standard_only"])),
                .may("container", .refused("containers are not supported.")),
                .may("mcp_servers", .only([[]], because: "MCP servers are not supported.")),
                .may("context_management", .refused("contexts are not edited.")),
                .may("output_config", .object([.may("format", format), .may("effort", ToolFields.efforts)])),
            ]))

    private static let format = Shape.tagged(
        by: "type", fallback: nil, [.init("json_schema", [.must("schema", .anyObject)])])

    /// The body of `POST /v1/messages/count_tokens`.
    static let count = Shape.named("CountMessageTokens", .object(asked))

    /// The body of an answer.
    static let message = Shape.named(
        "Message",
        .object([
            .must("id", .text), .must("type", .oneOf(["message"])), .must("role", .oneOf(["assistant"])),
            .must("model", .text), .must("content", .list(.anyObject)),
            .must("stop_reason", .oneOf(["end_turn", "max_tokens", "tool_use"])), .maybe("stop_sequence", .text),
            .must("usage", .map(.count, atMost: .max)),
        ]))
}
