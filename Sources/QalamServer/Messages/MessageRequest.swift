// SPDX-License-Identifier: Apache-2.0

import QalamEngine

/// The body of `POST /v1/messages`, as a conversation and options.
struct MessageRequest: Sendable {
    private(set) var messages: [ChatMessage] = []
    private(set) var options = ChatOptions()

    /// Reads a checked body.
    init(_ body: JSONValue, _ configuration: ServerConfiguration) throws(APIError) {
        options.sampling.temperature = 1
        try SamplingFields.read(body, into: &options)
        options.maxTokens = body["max_tokens"]?.int
        options.stop = (body["stop_sequences"]?.elements ?? []).compactMap(\.text)
        switch body["thinking"]?["type"]?.text {
        case "enabled", "adaptive": options.thinking = true
        case "disabled": options.thinking = false
        default: break
        }
        ToolFields.effort(body["output_config"]?["effort"]?.text, into: &options)
        options.output = try ToolFields.format(
            body["output_config"]?["format"], at: "output_config.format", flat: true,
            limit: configuration.schemaDepthLimit)
        for (index, tool) in (body["tools"]?.elements ?? []).enumerated() {
            options.tools.append(
                Tool(
                    name: tool["name"]?.text ?? "", description: tool["description"]?.text,
                    parameters: try ToolFields.schema(
                        tool["input_schema"], at: "tools[\(index)].input_schema",
                        limit: configuration.schemaDepthLimit), strict: tool["strict"]?.flag ?? false))
        }
        let choice = body["tool_choice"]
        switch choice?["type"]?.text {
        case "none": options.toolChoice = .none
        case "any": options.toolChoice = .required
        case "tool": options.toolChoice = .named(choice?["name"]?.text ?? "")
        default: break
        }
        options.parallelToolCalls = !(choice?["disable_parallel_tool_use"]?.flag ?? false)
        try ToolFields.check(options)
        if let system = Self.text(body["system"]), !system.isEmpty {
            messages = [ChatMessage(role: "system", content: system)]
        }
        for message in body["messages"]?.elements ?? [] { add(message) }
    }

    /// Adds a turn: results of tools become turns of their own, before what else the user says.
    private mutating func add(_ message: JSONValue) {
        let role = message["role"]?.text ?? "user"
        guard let blocks = message["content"]?.elements else {
            messages.append(ChatMessage(role: role, content: message["content"]?.text ?? ""))
            return
        }
        var turn = ChatMessage(role: role, content: "")
        var hasTurn = false
        for block in blocks {
            switch block["type"]?.text {
            case "tool_result":
                messages.append(
                    ChatMessage(
                        role: "tool", content: Self.text(block["content"]) ?? "",
                        toolCallID: block["tool_use_id"]?.text))
                continue
            case "tool_use":
                turn.toolCalls.append(
                    ToolCall(
                        id: block["id"]?.text ?? "", name: block["name"]?.text ?? "",
                        arguments: (block["input"] ?? [:]).encoded))
            case "thinking": turn.reasoning = (turn.reasoning ?? "") + (block["thinking"]?.text ?? "")
            default: turn.content += block["text"]?.text ?? ""
            }
            hasTurn = true
        }
        if hasTurn { messages.append(turn) }
    }

    private static func text(_ content: JSONValue?) -> String? {
        if let text = content?.text { return text }
        return content?.elements.map { $0.compactMap { $0["text"]?.text }.joined() }
    }
}
