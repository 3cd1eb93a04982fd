// SPDX-License-Identifier: Apache-2.0

/// The items that conversations and responses are made of: their shapes as they come in.
enum ItemShapes {
    /// One item, by its type.
    static let item = Shape.named(
        "InputItem",
        .tagged(
            by: "type", fallback: "message",
            [message, call, callOutput, reasoning, picture, Compaction.item, reference] + others))

    /// One item of a conversation: it holds no references.
    static let keptItem = Shape.named(
        "Item",
        .tagged(
            by: "type", fallback: "message",
            [message, call, callOutput, reasoning, picture, Compaction.item]
                + [.init("item_reference", refused: "references stand in a response's input, not in a conversation.")]
                + others))

    private static let status = Shape.Member.may("status", .oneOf(["in_progress", "completed", "incomplete"]))
    private static let id = Shape.Member.may("id", .string(1...64))

    private static let message = Shape.Variant(
        "message",
        [
            .must("role", .oneOf(["user", "assistant", "system", "developer"])),
            .must("content", .either([.text, .array(part, 0...1024)])), id, status,
            .may("phase", .oneOf(["commentary", "final_answer"])),
        ])

    private static let part = Shape.tagged(
        by: "type", fallback: nil,
        [
            .init("input_text", [.must("text", .text)]),
            .init(
                "output_text",
                [
                    .must("text", .text), .may("annotations", .list(.anything)), .may("logprobs", .list(.anything)),
                ]),
            .init("refusal", [.must("refusal", .text)]),
            .init("input_image", refused: "the models served here take nothing but text."),
            .init("input_audio", refused: "the models served here take nothing but text."),
            .init("input_file", refused: "the models served here take nothing but text: send the file's text."),
        ])

    private static let call = Shape.Variant(
        "function_call",
        [
            .must("call_id", .string(1...64)), .must("name", ToolFields.name), .must("arguments", .text), id, status,
        ])

    private static let callOutput = Shape.Variant(
        "function_call_output",
        [
            .must("call_id", .string(1...64)),
            .must(
                "output",
                .either([
                    .text,
                    .array(.tagged(by: "type", fallback: nil, [.init("input_text", [.must("text", .text)])]), 0...1024),
                ])), id, status,
        ])

    private static let reasoning = Shape.Variant(
        "reasoning",
        [
            .may("id", .string(1...64)),
            .must("summary", texts("summary_text")), .may("content", texts("reasoning_text")),
            .may("encrypted_content", .refused("reasoning is not encrypted here: leave it out.")), status,
        ])

    private static func texts(_ type: String) -> Shape {
        .list(.tagged(by: "type", fallback: nil, [.init(type, [.must("text", .text)])]))
    }

    private static let picture = Shape.Variant(
        PictureTool.call,
        [
            .must("id", .string(1...64)), .must("status", .text), .may("result", .text),
            .may("revised_prompt", .text), .may("action", .text), .may("seed", .integer(.min ... .max)),
        ] + PictureTool.described.map { .may($0, .text) })

    private static let reference = Shape.Variant("item_reference", [.must("id", .string(1...64))])

    private static let others = [
        "file_search_call", "web_search_call", "computer_call", "computer_call_output",
        "code_interpreter_call", "local_shell_call", "local_shell_call_output", "mcp_list_tools",
        "mcp_approval_request", "mcp_approval_response", "mcp_call", "custom_tool_call", "custom_tool_call_output",
        "shell_call", "shell_call_output", "apply_patch_call", "apply_patch_call_output",
    ].map { Shape.Variant($0, refused: "there are no tools of this kind here: only functions.") }

    /// What `include` may ask for: all of it belongs to tools that are not there, so there is nothing to add, but for
    /// log-probabilities.
    static let includable = [
        "file_search_call.results", "web_search_call.results", "web_search_call.action.sources",
        "message.input_image.image_url", "computer_call_output.output.image_url", "code_interpreter_call.outputs",
        "message.output_text.logprobs",
    ]
    static let include = Shape.array(.oneOf(includable), 0...16)
    static let includeParameter = Route.Parameter(name: "include", shape: include)
}
