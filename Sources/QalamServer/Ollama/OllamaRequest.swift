// SPDX-License-Identifier: Apache-2.0

import QalamEngine

/// What Ollama's clients ask, as options and a conversation.
enum OllamaRequest {
    /// The model called `name`; Ollama's clients add `:latest` to names without a tag.
    static func model<Model>(
        _ name: String?, _ find: (String?) throws(APIError) -> Model
    ) throws(APIError) -> Model {
        do throws(APIError) {
            return try find(name)
        } catch {
            guard let name, name.hasSuffix(":latest") else { throw error }
            return try find(String(name.dropLast(7)))
        }
    }

    /// The options of a checked body.
    static func options(
        _ body: JSONValue, _ model: any ServedModel, _ configuration: ServerConfiguration
    ) throws(APIError) -> ChatOptions {
        var options = ChatOptions()
        let given = body["options"] ?? [:]
        try SamplingFields.read(given.setting("repetition_penalty", given["repeat_penalty"]), into: &options)
        if let typical = given["typical_p"]?.double { options.sampling.typicalP = Float(typical) }
        // -1 is the whole context, as 0 is here; Ollama's 0 is no penalty at all.
        switch given["repeat_last_n"]?.int {
        case 0?: options.sampling.repetitionPenalty = 1
        case let count?: options.sampling.penaltyWindow = max(count, 0)
        case nil: break
        }
        if let count = given["num_predict"]?.int, count >= 0 { options.maxTokens = max(count, 1) }
        if let context = given["num_ctx"]?.int, context > model.contextLength {
            throw RequestField(path: "options.num_ctx", value: .null).error(
                "must be at most \(model.contextLength), the context of this model, but is \(context).")
        }
        switch body["format"] {
        case .string("json")?: options.output = .json
        case .object?:
            let schema = try ToolFields.schema(body["format"], at: "format", limit: configuration.schemaDepthLimit)
            options.output = schema.map { .jsonSchema($0) } ?? .json
        default: break
        }
        if let flag = body["think"]?.flag { options.thinking = flag }
        ToolFields.effort(body["think"]?.text, into: &options)
        for (index, tool) in (body["tools"]?.elements ?? []).enumerated() {
            let function = tool["function"]
            options.tools.append(
                Tool(
                    name: function?["name"]?.text ?? "", description: function?["description"]?.text,
                    parameters: try ToolFields.schema(
                        function?["parameters"], at: "tools[\(index)].function.parameters",
                        limit: configuration.schemaDepthLimit)))
        }
        try ToolFields.check(options)
        return options
    }

    /// The conversation of a checked body; results of tools answer the calls before them in their order.
    static func conversation(_ messages: JSONValue?) -> [ChatMessage] {
        var conversation: [ChatMessage] = []
        var open: [String] = []
        for (index, message) in (messages?.elements ?? []).enumerated() {
            let calls = (message["tool_calls"]?.elements ?? []).enumerated().map { number, call in
                ToolCall(
                    id: call["id"]?.text ?? "call_\(index)_\(number)", name: call["function"]?["name"]?.text ?? "",
                    arguments: (call["function"]?["arguments"] ?? [:]).encoded)
            }
            let role = message["role"]?.text ?? "user"
            var answered = message["tool_call_id"]?.text
            if role == "tool", answered == nil, !open.isEmpty { answered = open.removeFirst() }
            if !calls.isEmpty { open = calls.map(\.id) }
            conversation.append(
                ChatMessage(
                    role: role, content: message["content"]?.text ?? "", name: message["tool_name"]?.text,
                    toolCalls: calls, toolCallID: answered, reasoning: message["thinking"]?.text))
        }
        return conversation
    }
}
