// SPDX-License-Identifier: Apache-2.0

/// How a model marks what it thinks and which tools it calls, as its chat template shows.
package struct AnswerFormat: Sendable, Equatable {
    /// The marks around reasoning.
    package struct Marks: Sendable, Equatable {
        package var open: String
        package var close: String
    }

    /// How tool calls are written.
    package enum Calls: Sendable, Equatable {
        /// `<tool_call>{"name": …, "arguments": {…}}</tool_call>`: Hermes, Qwen, SmolLM.
        case tagged
        /// The whole answer is `{"name": …, "parameters": {…}}`: Llama 3.
        case bare
        /// `[TOOL_CALLS][{"name": …, "arguments": {…}}, …]`: Mistral.
        case listed
        /// `[TOOL_CALLS]name[ARGS]{…}`: newer ones of Mistral.
        case named
        /// `<|channel|>commentary to=functions.name <|constrain|>json<|message|>{…}<|call|>`: gpt-oss.
        case channels

        /// What tool calls start with, if they have a mark of their own.
        var opening: String {
            switch self {
            case .tagged: "<tool_call>"
            case .bare: "<|python_tag|>"
            case .listed, .named: "[TOOL_CALLS]"
            case .channels: "<|channel|>commentary to=functions."
            }
        }

        /// The key of the arguments.
        var argumentsKey: String { self == .bare ? "parameters" : "arguments" }

        /// Texts that are single tokens in vocabularies made for this format, special ones perhaps.
        var marks: [String] {
            switch self {
            case .tagged: ["<tool_call>", "</tool_call>"]
            case .bare: []
            case .listed: ["[TOOL_CALLS]"]
            case .named: ["[TOOL_CALLS]", "[ARGS]"]
            case .channels: ["<|constrain|>", "<|message|>"]
            }
        }
    }

    package var reasoning: Marks?
    package var calls = Calls.tagged
    /// Whether the template itself shows tools to the model.
    package var showsTools = false
    /// Whether the template has a turn for the developer beside the system's.
    package var knowsDevelopers = false

    /// The format of models with this template.
    package init(template: String) {
        let pairs = [Marks(open: "<think>", close: "</think>"), Marks(open: "[THINK]", close: "[/THINK]")]
        reasoning = pairs.first { template.contains($0.open) || template.contains($0.close) }
        knowsDevelopers = template.contains("developer")
        if template.contains("<|channel|>"), template.contains("<|message|>") {
            (reasoning, calls, showsTools) = (nil, .channels, true)
            return
        }
        guard template.contains("tools") else { return }
        if template.contains("[TOOL_CALLS]") {
            calls = template.contains("[ARGS]") ? .named : .listed
            showsTools = true
        } else if template.contains("<tool_call>"), !template.contains("<function=") {
            showsTools = true
        } else if template.contains("\"parameters\": dictionary") || template.contains("<|python_tag|>") {
            calls = .bare
            showsTools = true
        }
    }

    /// What a prompt must end with where the answer is constrained: a model that writes in channels opens them itself,
    /// and would otherwise be free to.
    package func opening(of options: ChatOptions) -> String {
        guard calls == .channels else { return "" }
        if options.forcesCall { return calls.opening }
        return options.output == .text ? "" : "<|channel|>final<|message|>"
    }

    /// Whether a prompt ends inside the model's reasoning, which the template has opened.
    package func isThinking(after prompt: String) -> Bool {
        guard let reasoning else { return false }
        var end = prompt[...]
        while end.last?.isWhitespace == true { end.removeLast() }
        return end.hasSuffix(reasoning.open)
    }
}
