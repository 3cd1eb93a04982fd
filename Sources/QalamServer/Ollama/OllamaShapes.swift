// SPDX-License-Identifier: Apache-2.0

/// The shapes of Ollama's API.
enum OllamaShapes {
    private static let options = Shape.object([
        .may("temperature", .number(0...2)), .may("top_p", .number(0...1)), .may("top_k", .integer(0...Int(Int32.max))),
        .may("min_p", .number(0...1)), .may("typical_p", .number(0...1)), .may("seed", .integer(.min ... .max)),
        .may("num_predict", .integer(-2 ... .max)), .may("num_ctx", .integer(1 ... .max)),
        .may("stop", .either([.word, .array(.word, 0...64)])), .may("repeat_penalty", .number(0.1...10)),
        .may("repeat_last_n", .integer(-1...1_000_000)), .may("presence_penalty", .number(-2...2)),
        .may("frequency_penalty", .number(-2...2)),
    ])

    private static let common: [Shape.Member] = [
        .must("model", .word), .may("stream", .bool), .may("options", options),
        .may("format", .either([.oneOf(["", "json"]), .anyObject])),
        .may("think", .either([.bool, .oneOf(["low", "medium", "high"])])),
        .may("keep_alive", .either([.text, .number(-1e9...1e9)])),
        .may("logprobs", .only([false], because: "log-probabilities are told by /v1 alone.")),
        .may("top_logprobs", .only([0], because: "log-probabilities are told by /v1 alone.")),
    ]

    private static let noImages = Shape.Member.may(
        "images", .only([[]], because: "the models served here take nothing but text."))

    private static let call = Shape.object([
        .may("id", .text), .may("type", .oneOf(["function"])),
        .must(
            "function",
            .object([
                .must("name", ToolFields.name), .may("arguments", .anyObject), .may("description", .text),
                .may("index", .count),
            ])),
    ])

    /// The body of `POST /api/chat`.
    static let chat = Shape.named(
        "OllamaChat",
        .object(
            common + [
                .may(
                    "messages",
                    .array(
                        .object([
                            .must("role", .oneOf(["system", "user", "assistant", "tool"])), .may("content", .text),
                            .may("thinking", .text), .may("tool_calls", .array(call, 0...128)),
                            .may("tool_name", .text), .may("tool_call_id", .text), noImages,
                        ]), 0...4096)),
                .may(
                    "tools",
                    .array(
                        .object([
                            .may("type", .oneOf(["function"])),
                            .must(
                                "function",
                                .object([
                                    .must("name", ToolFields.name), .may("description", .text),
                                    .may("parameters", .anyObject),
                                ])),
                        ]), 0...128)),
            ]))

    /// The body of `POST /api/generate`.
    static let generate = Shape.named(
        "OllamaGenerate",
        .object(
            common + [
                .may("prompt", .text), .may("system", .text), .may("raw", .bool), noImages,
                .may("suffix", .text),
                .may("template", .only([""], because: "a model's own template is used.")),
                .may("context", .only([[]], because: "send a conversation to /api/chat instead.")),
            ]))

    /// The body of `POST /api/embed`.
    static let embed = Shape.named(
        "OllamaEmbed",
        .object([
            .must("model", .word), .must("input", .either([.word, .array(.word, 1...2048)])),
            .may("dimensions", .integer(1...65_536)), .may("keep_alive", .either([.text, .number(-1e9...1e9)])),
            .may("truncate", .only([false], because: "texts that are too long are refused: set it to false.")),
            .may("options", .object([])),
        ]))

    /// The body of `POST /api/show`.
    static let show = Shape.named(
        "OllamaShow",
        .either([
            .object([.must("model", .word), .may("verbose", .bool)]),
            .object([.must("name", .word), .may("verbose", .bool)]),
        ]))
}
