// SPDX-License-Identifier: Apache-2.0

/// The shapes of chat completions.
enum ChatShapes {
    /// The body of `POST /v1/chat/completions`.
    static let request = Shape.named(
        "CreateChatCompletion",
        .ruled(
            .object(honoured + SamplingFields.members + withoutEffect + refused),
            [
                .either(
                    "max_tokens", "max_completion_tokens",
                    "max_tokens and max_completion_tokens mean the same: give one of them."),
                .streamOptions,
                Shape.Rule(
                    [.value("top_logprobs", [.null, 0]), .value("logprobs", [true])], blame: "top_logprobs",
                    "top_logprobs is only allowed when logprobs is true."),
            ]))

    /// The most answers to one conversation.
    private static let choiceLimit = 16

    private static let honoured: [Shape.Member] = [
        .may("model", .word), .must("messages", .array(ChatMessageShapes.message, 1...4096)),
        .may("max_tokens", .integer(1 ... .max)), .may("max_completion_tokens", .integer(1 ... .max)),
        .may("stop", SamplingFields.stop), .may("n", .integer(1...choiceLimit)), .may("stream", .bool),
        .may(
            "stream_options",
            .object([
                .may("include_usage", .bool),
                .may("include_obfuscation", .only([false], because: "obfuscation of streams is not supported.")),
            ])),
        .may("logprobs", .bool), .may("top_logprobs", .integer(0...20)), .may("response_format", format),
        .may("tools", .array(tool, 0...128)), .may("tool_choice", toolChoice), .may("parallel_tool_calls", .bool),
        .may("reasoning_effort", ToolFields.efforts), .may("store", .bool), .may("metadata", ToolFields.metadata),
        .may("chat_template_kwargs", .map(.anything, atMost: 32)),
    ]

    private static let format = Shape.tagged(
        by: "type", fallback: nil,
        [
            .init("text", []), .init("json_object", []),
            .init(
                "json_schema",
                [
                    .must(
                        "json_schema",
                        .object([
                            .must("name", ToolFields.name), .may("description", .text), .may("schema", .anyObject),
                            .may("strict", .bool),
                        ]))
                ]),
            .init("regex", [.must("regex", .word)]), .init("grammar", [.must("grammar", .word)]),
        ])

    private static let tool = Shape.tagged(
        by: "type", fallback: nil,
        [
            .init(
                "function",
                [
                    .must(
                        "function",
                        .object([
                            .must("name", ToolFields.name), .may("description", .text), .may("parameters", .anyObject),
                            .may("strict", .bool),
                        ]))
                ]),
            .init("custom", refused: "custom tools are not supported: use a function with one string."),
        ])

    private static let named: [Shape.Member] = [.must("function", .object([.must("name", ToolFields.name)]))]

    private static let toolChoice = Shape.either([
        .oneOf(["none", "auto", "required"]),
        .tagged(
            by: "type", fallback: nil,
            [
                .init("function", named),
                .init(
                    "allowed_tools",
                    [
                        .must(
                            "allowed_tools",
                            .object([
                                .must("mode", .oneOf(["auto", "required"])),
                                .must(
                                    "tools",
                                    .array(.tagged(by: "type", fallback: nil, [.init("function", named)]), 1...128)),
                            ]))
                    ]),
                .init("custom", refused: "custom tools are not supported."),
            ]),
    ])

    /// For OpenAI's bookkeeping, or for a cache that works by itself: they change no answer at OpenAI either.
    static let withoutEffect: [Shape.Member] = [
        .may("user", .text), .may("safety_identifier", .text), .may("prompt_cache_key", .text),
        .may(
            "service_tier",
            .only(["auto", "default"], because: "only \"auto\" and \"default\" are supported: there is one tier.")),
        .may(
            "prompt_cache_retention",
            .only(["in_memory", "in-memory"], because: "only \"in_memory\" is supported: prompts are kept in memory.")),
    ]

    private static let refused: [Shape.Member] = [
        .may("modalities", .only([["text"]], because: "only [\"text\"] is supported.")),
        .may("functions", .only([[]], because: "functions are not supported: give them as tools.")),
        .may("function_call", .only(["none", "auto"], because: "functions are not supported: use tool_choice.")),
        .may("verbosity", .only(["medium"], because: "only \"medium\" is supported: ask for it in a message.")),
        .may("audio", .refused("audio output is not supported.")),
        .may("moderation", .refused("moderation is not supported.")),
        .may("prediction", .refused("predicted outputs are not supported.")),
        .may("prompt_cache_options", .refused("the cache of prompts has no options: leave it out.")),
        .may("web_search_options", .refused("web search is not supported.")),
    ]

    /// The body of an answer.
    static let completion = Shape.named(
        "ChatCompletion",
        .object([
            .must("id", .text), .must("object", .oneOf(["chat.completion"])), .must("created", .count),
            .must("model", .text), .must("choices", .list(choice)), .must("usage", usage),
            .must("service_tier", .text), .must("system_fingerprint", .text),
            .may("metadata", .map(.text, atMost: .max)),
        ]))

    private static let choice = Shape.object([
        .must("index", .count),
        .must(
            "message",
            .object([
                .must("role", .oneOf(["assistant"])), .maybe("content", .text), .may("reasoning_content", .text),
                .may("tool_calls", .list(toolCall)), .maybe("refusal", .text), .must("annotations", .list(.anything)),
            ])),
        .maybe("logprobs", .anyObject), .must("finish_reason", .oneOf(["stop", "length", "tool_calls"])),
    ])

    private static let toolCall = Shape.object([
        .must("id", .text), .must("type", .oneOf(["function"])),
        .must("function", .object([.must("name", .text), .must("arguments", .text)])),
    ])

    private static let usage = Shape.object([
        .must("prompt_tokens", .count), .must("completion_tokens", .count), .must("total_tokens", .count),
        .must("prompt_tokens_details", .map(.count, atMost: .max)),
        .must("completion_tokens_details", .map(.count, atMost: .max)),
    ])
}
