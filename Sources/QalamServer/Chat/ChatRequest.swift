// SPDX-License-Identifier: Apache-2.0

package import QalamEngine

/// The body of `POST /v1/chat/completions`.
///
/// Every field is honoured, or refused with an error that names it; none is dropped. The few that have no effect here
/// (`user`, `prompt_cache_key` …) have none on the answer at OpenAI either. docs/api.md has the table.
package struct ChatRequest: Sendable, Equatable {
    /// `model`: the name of the model asked.
    package var model: String?
    /// `messages`: the conversation.
    package var messages: [ChatMessage] = []
    /// How to write the answer.
    package var options = ChatOptions()
    /// `n`: how many answers to write.
    package var choices = 1
    /// `stream`: whether to send the answer while it is written.
    package var stream = false
    /// `stream_options.include_usage`: whether the stream ends with the count of tokens.
    package var includeUsage = false
    /// `store`: whether to keep the answer.
    package var store = false
    /// `metadata`, kept with the answer.
    package var metadata: JSONValue = [:]

    /// Reads a request.
    /// - Throws: `APIError` with status 400 that names the first field at fault
    package init(_ body: JSONValue, _ configuration: ServerConfiguration = .init()) throws(APIError) {
        try ChatShapes.request.check(RequestField(body: body))
        model = body["model"]?.text
        messages = ChatMessageShapes.conversation(body["messages"])
        try SamplingFields.read(body, into: &options)
        options.maxTokens = body["max_completion_tokens"]?.int ?? body["max_tokens"]?.int
        choices = body["n"]?.int ?? 1
        stream = body["stream"]?.flag ?? false
        includeUsage = body["stream_options"]?["include_usage"]?.flag ?? false
        store = body["store"]?.flag ?? false
        metadata = body.given("metadata") ?? [:]
        if body["logprobs"]?.flag == true { options.logprobs = body["top_logprobs"]?.int ?? 0 }
        options.output = try ToolFields.format(
            body["response_format"], at: "response_format", flat: false, limit: configuration.schemaDepthLimit)
        options.parallelToolCalls = body["parallel_tool_calls"]?.flag ?? true
        for variable in body["chat_template_kwargs"]?.members ?? [] {
            options.templateVariables[variable.name] = variable.value.encoded
        }
        ToolFields.effort(body["reasoning_effort"]?.text, into: &options)
        try readTools(body, configuration)
        try ToolFields.check(options)
    }

    /// Every field that OpenAI or this server knows.
    package static let fieldNames = ChatShapes.request.memberNames

    private mutating func readTools(_ body: JSONValue, _ configuration: ServerConfiguration) throws(APIError) {
        for (index, tool) in (body["tools"]?.elements ?? []).enumerated() {
            let function = tool["function"] ?? .null
            options.tools.append(
                Tool(
                    name: function["name"]?.text ?? "", description: function["description"]?.text,
                    parameters: try ToolFields.schema(
                        function["parameters"], at: "tools[\(index)].function.parameters",
                        limit: configuration.schemaDepthLimit),
                    strict: function["strict"]?.flag ?? false))
        }
        guard let choice = body["tool_choice"], choice != .null else { return }
        switch choice.text ?? choice["type"]?.text {
        case "none": options.toolChoice = .none
        case "required": options.toolChoice = .required
        case "function": options.toolChoice = .named(choice["function"]?["name"]?.text ?? "")
        case "allowed_tools":
            let allowed = choice["allowed_tools"] ?? .null
            let names = Set((allowed["tools"]?.elements ?? []).compactMap { $0["function"]?["name"]?.text })
            if let unknown = names.first(where: { name in !options.tools.contains { $0.name == name } }) {
                throw RequestField(path: "tool_choice.allowed_tools.tools", value: .null).error(
                    "names \(unknown.prefix(64)), which is none of the tools.")
            }
            options.tools.removeAll { !names.contains($0.name) }
            options.toolChoice = allowed["mode"]?.text == "required" ? .required : .auto
        default: options.toolChoice = .auto
        }
    }
}
