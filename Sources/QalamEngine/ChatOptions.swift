// SPDX-License-Identifier: Apache-2.0

/// What a request asks for beside its messages or its text.
public struct ChatOptions: Sendable, Equatable {
    /// How tokens are drawn.
    public var sampling = SamplingOptions()
    /// The most tokens to write; nil writes until the model stops or the context is full.
    public var maxTokens: Int?
    /// Texts that end the answer; they are not part of it.
    ///
    /// Reasoning and tool calls are not searched for them.
    public var stop: [String] = []
    /// Higher ones go first.
    public var priority = 0
    /// Whose request it is: clients of one priority take turns.
    public var client = ""
    /// How many of the likeliest tokens to report with each token, beside its own log-probability; nil reports nothing.
    public var logprobs: Int?
    /// What the answer must look like; what a model thinks first is free.
    public var output = OutputFormat.text
    /// The tools that a chat may call.
    public var tools: [Tool] = []
    /// Whether it calls them.
    public var toolChoice = ToolChoice.auto
    /// Whether it may call several in one turn.
    public var parallelToolCalls = true
    /// Whether several tokens are tried at once; the answer is the same.
    ///
    /// Nil asks the draft model for up to four if one was opened.
    public var speculation: Speculation?
    /// The adapter that answers, by the name it was opened with; nil is the model alone.
    public var adapter: String?
    /// Whether a model that can think aloud does; nil leaves it to the template.
    public var thinking: Bool?
    /// What comes behind the text to be written, when a text is continued.
    public var suffix: String?
    /// More variables for the chat template: names, and values as JSON text.
    public var templateVariables: [String: String] = [:]

    /// The defaults.
    public init() {}
}

/// What an answer must look like.
public enum OutputFormat: Sendable, Hashable {
    /// Anything.
    case text
    /// A JSON object.
    case json
    /// JSON that this schema (draft 2020-12, a stated subset) admits.
    case jsonSchema(String)
    /// A text that this regular expression (ECMA-262) matches as a whole.
    case regex(String)
    /// A text of the rule `root` of a grammar in llama.cpp's notation (GBNF).
    case grammar(String)
}

/// How tokens are proposed that one pass of the model checks together.
public enum Speculation: Sendable, Equatable {
    /// One token at a time.
    case off
    /// What followed the last three tokens earlier in the text, at most `length` tokens (Saxena 2023).
    case promptLookup(length: Int)
    /// What the engine's draft model would say, at most `length` tokens (Leviathan et al. 2023).
    case draft(length: Int)

    /// The most tokens proposed at once.
    var length: Int {
        switch self {
        case .off: 0
        case .promptLookup(let length), .draft(let length): max(length, 0)
        }
    }
}

/// A text, or its tokens.
public enum TextInput: Sendable, Equatable, ExpressibleByStringLiteral {
    /// Text, to which the model's own start is added.
    case text(String)
    /// Token ids as they are.
    case tokens([Int32])

    /// A text.
    public init(stringLiteral text: String) { self = .text(text) }
}
