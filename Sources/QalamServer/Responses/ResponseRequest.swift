// SPDX-License-Identifier: Apache-2.0

import QalamEngine

/// The body of `POST /v1/responses`.
struct ResponseRequest: Sendable {
    /// What was sent.
    let body: JSONValue
    /// How to write the answer.
    private(set) var options = ChatOptions()

    /// Reads a request.
    /// - Throws: `APIError` with status 400 that names the first field at fault
    init(_ body: JSONValue, _ configuration: ServerConfiguration) throws(APIError) {
        self.body = body
        try ResponseShapes.request.check(RequestField(body: body))
        try SamplingFields.read(body, into: &options)
        options.maxTokens = body["max_output_tokens"]?.int
        if (body["include"]?.elements ?? []).contains("message.output_text.logprobs") {
            options.logprobs = body["top_logprobs"]?.int ?? 0
        } else if let count = body["top_logprobs"]?.int, count > 0 {
            throw APIError(
                "top_logprobs is only allowed when message.output_text.logprobs is included.", param: "top_logprobs",
                code: "invalid_parameter_combination")
        }
        try Self.readAsked(body, configuration, into: &options)
    }

    /// Reads what counting tokens needs too: tools, formats, reasoning.
    static func readAsked(
        _ body: JSONValue, _ configuration: ServerConfiguration, into options: inout ChatOptions
    ) throws(APIError) {
        ToolFields.effort(body["reasoning"]?["effort"]?.text, into: &options)
        options.output = try ToolFields.format(
            body["text"]?["format"], at: "text.format", flat: true, limit: configuration.schemaDepthLimit)
        options.parallelToolCalls = body["parallel_tool_calls"]?.flag ?? true
        for (index, tool) in (body["tools"]?.elements ?? []).enumerated() {
            if tool["type"]?.text == PictureTool.name {
                options.tools.append(PictureTool.function)
                continue
            }
            options.tools.append(
                Tool(
                    name: tool["name"]?.text ?? "", description: tool["description"]?.text,
                    parameters: try ToolFields.schema(
                        tool["parameters"], at: "tools[\(index)].parameters", limit: configuration.schemaDepthLimit),
                    strict: tool["strict"]?.flag ?? true))
        }
        try readToolChoice(body["tool_choice"], into: &options)
        try ToolFields.check(options)
    }

    private static func readToolChoice(_ choice: JSONValue?, into options: inout ChatOptions) throws(APIError) {
        switch choice?.text ?? choice?["type"]?.text {
        case "none": options.toolChoice = .none
        case "required": options.toolChoice = .required
        case "function": options.toolChoice = .named(choice?["name"]?.text ?? "")
        case PictureTool.name?: options.toolChoice = .named(PictureTool.name)
        case "allowed_tools":
            let names = Set((choice?["tools"]?.elements ?? []).compactMap { $0["name"]?.text })
            if let unknown = names.first(where: { name in !options.tools.contains { $0.name == name } }) {
                throw RequestField(path: "tool_choice.tools", value: .null).error(
                    "names \(unknown.prefix(64)), which is none of the tools.")
            }
            options.tools.removeAll { !names.contains($0.name) }
            options.toolChoice = choice?["mode"]?.text == "required" ? .required : .auto
        default: break
        }
    }

    /// `stream`.
    var streams: Bool { body["stream"]?.flag ?? false }
    /// `background`.
    var isInBackground: Bool { body["background"]?.flag ?? false }
    /// `store`, which is true unless said otherwise.
    var stores: Bool { body["store"]?.flag ?? true }
    /// The conversation that the response goes on with.
    var conversation: String? { body["conversation"]?.text ?? body["conversation"]?["id"]?.text }
}
