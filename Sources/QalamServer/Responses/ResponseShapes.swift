// SPDX-License-Identifier: Apache-2.0

/// The shapes of the Responses API.
enum ResponseShapes {
    /// The body of `POST /v1/responses`.
    static let request = Shape.named(
        "CreateResponse",
        .ruled(
            .object(
                asked + [
                    .may("background", .bool), .may("include", ItemShapes.include),
                    .may("max_output_tokens", .integer(1 ... .max)), .may("max_tool_calls", .count),
                    .may("metadata", ToolFields.metadata), .may("store", .bool), .may("stream", .bool),
                    .may(
                        "stream_options",
                        .object([
                            .may(
                                "include_obfuscation",
                                .only([false], because: "obfuscation of streams is not supported."))
                        ])),
                    .may("top_logprobs", .integer(0...20)), .may("temperature", .number(0...2)),
                    .may("top_p", .number(0...1)), .may("seed", .integer(.min ... .max)),
                    .may("stop", SamplingFields.stop),
                ] + ChatShapes.withoutEffect + refused),
            [
                before, .streamOptions,
                Shape.Rule(
                    [.value("background", [.null, false]), .value("store", [.null, true])], blame: "store",
                    "A response in the background must be stored: leave store out."),
            ]))

    /// The body of `POST /v1/responses/input_tokens`.
    static let count = Shape.named(
        "CountInputTokens",
        .ruled(.object(asked + [.may("personality", .refused("there are no personalities here."))]), [before]))

    private static let before = Shape.Rule.either(
        "previous_response_id", "conversation",
        "previous_response_id and conversation both say what came before: give one of them.")

    /// What says what is asked.
    private static let asked: [Shape.Member] = [
        .may("model", .word), .may("input", .either([.text, .array(ItemShapes.item, 0...4096)])),
        .may("instructions", .text), .may("previous_response_id", .word),
        .may("conversation", .either([.word, .object([.must("id", .word)])])), .may("parallel_tool_calls", .bool),
        .may(
            "reasoning",
            .object([
                .may("effort", ToolFields.efforts),
                .may("summary", .only(["auto"], because: "only \"auto\" is supported: reasoning is sent as it is.")),
                .may("generate_summary", .only(["auto"], because: "only \"auto\" is supported.")),
                .may("context", .only(["auto"], because: "only \"auto\" is supported.")),
                .may("mode", .only(["standard"], because: "only \"standard\" is supported.")),
            ])),
        .may(
            "text",
            .object([
                .may("format", format),
                .may("verbosity", .only(["medium"], because: "only \"medium\" is supported: ask for it in a message.")),
            ])),
        .may("tool_choice", toolChoice), .may("tools", .array(tool, 0...128)),
        .may("truncation", .oneOf(["auto", "disabled"])),
    ]

    private static let format = Shape.tagged(
        by: "type", fallback: nil,
        [
            .init("text", []), .init("json_object", []),
            .init(
                "json_schema",
                [
                    .must("name", ToolFields.name), .must("schema", .anyObject), .may("description", .text),
                    .may("strict", .bool),
                ]),
        ])

    private static let noBuiltIn = "there are no built-in tools here but image_generation: only functions."

    private static let tool = Shape.tagged(
        by: "type", fallback: nil,
        [
            .init(
                "function",
                [
                    .must("name", ToolFields.name), .may("parameters", .anyObject), .may("strict", .bool),
                    .may("description", .text),
                    .may(
                        "allowed_callers", .only([["direct"]], because: "only [\"direct\"] is supported.")),
                    .may("async", .only([false], because: "functions are not called asynchronously.")),
                    .may("defer_loading", .only([false], because: "functions are always loaded.")),
                    .may("output_schema", .refused("the output of functions is not checked: leave it out.")),
                ]),
            .init(PictureTool.name, ImageShapes.tool),
        ]
            + [
                "file_search", "web_search", "web_search_preview", "computer_use_preview", "computer", "mcp",
                "code_interpreter", "local_shell", "shell", "custom", "apply_patch", "namespace",
                "tool_search",
            ].map { .init($0, refused: noBuiltIn) })

    private static let toolChoice = Shape.either([
        .oneOf(["none", "auto", "required"]),
        .tagged(
            by: "type", fallback: nil,
            [
                .init("function", [.must("name", ToolFields.name)]), .init(PictureTool.name, []),
                .init(
                    "allowed_tools",
                    [
                        .must("mode", .oneOf(["auto", "required"])),
                        .must(
                            "tools",
                            .array(
                                .tagged(
                                    by: "type", fallback: nil, [.init("function", [.must("name", ToolFields.name)])]),
                                1...128)),
                    ]),
            ]
                + ["file_search", "web_search_preview", "mcp", "custom", "code_interpreter", "shell", "apply_patch"].map
            {
                .init($0, refused: noBuiltIn)
            }),
    ])

    private static let refused: [Shape.Member] = [
        .may("prompt", .refused("stored prompts are not supported: send the instructions.")),
        .may("moderation", .refused("moderation is not supported.")),
        .may("context_management", .refused("contexts are not compacted: use truncation.")),
        .may("prompt_cache_options", .refused("the cache of prompts has no options: leave it out.")),
        .may("access_programs", .refused("there are no access programs here.")),
        .may("background_options", .refused("background responses have no options: leave it out.")),
        .may("image", .refused("there are no images here.")),
    ]

    /// The body of an answer.
    static let response = Shape.named(
        "Response",
        .object([
            .must("id", .text), .must("object", .oneOf(["response"])), .must("created_at", .count),
            .must("status", .oneOf(["completed", "failed", "in_progress", "cancelled", "queued", "incomplete"])),
            .must("background", .bool), .maybe("completed_at", .count), .maybe("error", .anyObject),
            .maybe("incomplete_details", .anyObject), .maybe("instructions", .text),
            .maybe("max_output_tokens", .count), .maybe("max_tool_calls", .count), .must("model", .text),
            .must("output", .list(.anyObject)), .must("parallel_tool_calls", .bool),
            .maybe("previous_response_id", .text), .maybe("conversation", .anyObject), .must("reasoning", .anyObject),
            .must("store", .bool), .must("temperature", .number(0...2)), .must("text", .anyObject),
            .must("tool_choice", .anything), .must("tools", .list(.anyObject)), .must("top_logprobs", .count),
            .must("top_p", .number(0...1)), .must("truncation", .text), .maybe("usage", .anyObject),
            .maybe("user", .text), .must("metadata", .map(.text, atMost: .max)), .must("service_tier", .text),
            .maybe("safety_identifier", .text), .maybe("prompt_cache_key", .text),
        ]))
}
