// SPDX-License-Identifier: Apache-2.0
internal import QalamModels
internal import QalamTokenizers

/// Writes conversations in the layout of a model's chat template.
struct Conversation: Sendable {
    private let template: ChatTemplate?
    private let specials: [String: TemplateValue]
    /// How answers are read.
    let format: AnswerFormat

    init(_ folder: ModelFolder) {
        template = folder.chatTemplate
        format = AnswerFormat(template: folder.chatTemplateSource ?? "")
        var values: [String: TemplateValue] = [:]
        for (name, id) in [("bos_token", folder.config.bosToken), ("eos_token", folder.config.eosTokens.first)] {
            let text = folder.tokenizer.specialTokens.first { $0.value == id }?.key
            values[name] = .string(text ?? "")
        }
        specials = values
    }

    /// The text of a conversation, ending where the assistant speaks.
    ///
    /// - Throws: `EngineError` if there is no template, or the template objects
    func render(_ messages: [ChatMessage], _ options: ChatOptions) throws(EngineError) -> String {
        guard let template else {
            throw .badMessages("it has no chat template, so it can only continue text (qalam generate).")
        }
        var variables = specials
        for (name, json) in options.templateVariables {
            variables[name] = try Self.value(json, of: "chat_template_kwargs.\(name)")
        }
        var messages = messages
        let tools = options.visibleTools
        if format.showsTools {
            var list: [TemplateValue] = []
            for tool in tools { list.append(try Self.value(tool)) }
            if !list.isEmpty { variables["tools"] = .array(list) }
        } else {
            messages = Self.withTools(messages, tools)
        }
        var list: [TemplateValue] = []
        for message in messages { list.append(try value(message)) }
        variables["messages"] = .array(list)
        variables["add_generation_prompt"] = .bool(true)
        if let thinking = options.thinking {
            variables["enable_thinking"] = .bool(thinking)
            variables["thinking"] = .bool(thinking)
        }
        do {
            return try template.render(variables)
        } catch {
            throw .badMessages(String(describing: error))
        }
    }

    // MARK: Values

    private func value(_ message: ChatMessage) throws(EngineError) -> TemplateValue {
        let role = message.role == "developer" && !format.knowsDevelopers ? "system" : message.role
        var members: [(key: String, value: TemplateValue)] = [
            (key: "role", value: .string(role)), (key: "content", value: .string(message.content)),
        ]
        if let name = message.name { members.append((key: "name", value: .string(name))) }
        if let reasoning = message.reasoning {
            members.append((key: "reasoning_content", value: .string(reasoning)))
            members.append((key: "thinking", value: .string(reasoning)))
        }
        if let id = message.toolCallID { members.append((key: "tool_call_id", value: .string(id))) }
        if !message.toolCalls.isEmpty {
            var calls: [TemplateValue] = []
            for call in message.toolCalls {
                let arguments = try Self.value(call.arguments, of: "messages.tool_calls.function.arguments")
                calls.append(
                    .object([
                        (key: "id", value: .string(call.id)), (key: "type", value: .string("function")),
                        (
                            key: "function",
                            value: .object([
                                (key: "name", value: .string(call.name)), (key: "arguments", value: arguments),
                            ])
                        ),
                    ]))
            }
            members.append((key: "tool_calls", value: .array(calls)))
        }
        return .object(members)
    }

    private static func value(_ tool: Tool) throws(EngineError) -> TemplateValue {
        var function: [(key: String, value: TemplateValue)] = [(key: "name", value: .string(tool.name))]
        if let description = tool.description { function.append((key: "description", value: .string(description))) }
        let parameters = try value(tool.parameters ?? Tool.noParameters, of: "tools.function.parameters")
        function.append((key: "parameters", value: parameters))
        return .object([(key: "type", value: .string("function")), (key: "function", value: .object(function))])
    }

    private static func value(_ json: String, of name: String) throws(EngineError) -> TemplateValue {
        do {
            return try TemplateValue(json: Array(json.utf8))
        } catch {
            throw .badOption(name: name, why: "must be JSON: \(error)")
        }
    }

    // MARK: Templates without tools

    /// The same conversation with tools, calls and their results told in words, for templates that know none of them:
    /// in the manner of Hermes, which most models have seen.
    private static func withTools(_ messages: [ChatMessage], _ tools: [Tool]) -> [ChatMessage] {
        var result = messages.map { message in
            var message = message
            for call in message.toolCalls {
                let name = JSONText.quoted(call.name)
                let call = "{\"name\": \(name), \"arguments\": \(call.arguments)}"
                message.content += "\(message.content.isEmpty ? "" : "\n")<tool_call>\n\(call)\n</tool_call>"
            }
            message.toolCalls = []
            if message.role == "tool" {
                message.role = "user"
                message.content = "<tool_response>\n\(message.content)\n</tool_response>"
                message.toolCallID = nil
            }
            return message
        }
        guard !tools.isEmpty else { return result }
        let list = tools.map { tool in
            let description = tool.description.map { ", \"description\": \(JSONText.quoted($0))" } ?? ""
            return "{\"name\": \(JSONText.quoted(tool.name))\(description), \"parameters\": "
                + "\(tool.parameters ?? Tool.noParameters)}"
        }
        let text = """
            You may call functions. Their signatures:
            <tools>
            \(list.joined(separator: "\n"))
            </tools>
            To call one, write:
            <tool_call>
            {"name": <its name>, "arguments": <a JSON object>}
            </tool_call>
            """
        if let first = result.first, first.role == "system" || first.role == "developer" {
            result[0].content += "\n\n" + text
        } else {
            result.insert(.system(text), at: 0)
        }
        return result
    }
}

extension Tool {
    /// The schema of a function without arguments.
    static let noParameters = #"{"type": "object", "properties": {}, "additionalProperties": false}"#
}

extension ChatOptions {
    /// The tools that the model is told of.
    var visibleTools: [Tool] {
        switch toolChoice {
        case .none: []
        case .auto, .required: tools
        case .named(let name): tools.filter { $0.name == name }
        }
    }

    /// Checks what does not depend on the model.
    ///
    /// - Throws: `EngineError.badOption` that names the option
    func validate() throws(EngineError) {
        var names: Set<String> = []
        for tool in tools where !names.insert(tool.name).inserted {
            throw .badOption(name: "tools", why: "has two functions called \(tool.name).")
        }
        if tools.contains(where: { $0.name.isEmpty }) {
            throw .badOption(name: "tools", why: "has a function without a name.")
        }
        switch toolChoice {
        case .named(let name) where !names.contains(name):
            throw .badOption(name: "tool_choice", why: "names the function \(name), which is not among the tools.")
        case .required where tools.isEmpty:
            throw .badOption(name: "tool_choice", why: "requires a call, and there are no tools.")
        default: break
        }
        if forcesCall, output != .text {
            throw .badOption(name: "response_format", why: "can't be had together with a call that is required.")
        }
    }

    /// Whether the answer must be a tool call.
    var forcesCall: Bool {
        switch toolChoice {
        case .none, .auto: false
        case .required, .named: true
        }
    }
}
