// SPDX-License-Identifier: Apache-2.0

/// One turn of a conversation.
public struct ChatMessage: Sendable, Equatable {
    /// Who speaks: "system", "developer", "user", "assistant" or "tool".
    public var role: String
    /// What they say; empty for a turn that only calls tools.
    public var content: String
    /// The speaker's name, for templates that show it.
    public var name: String?
    /// The tools that the assistant called in this turn.
    public var toolCalls: [ToolCall]
    /// Which call a turn of "tool" answers.
    public var toolCallID: String?
    /// What the assistant thought before it spoke.
    public var reasoning: String?

    /// A turn by `role` saying `content`.
    public init(
        role: String, content: String, name: String? = nil, toolCalls: [ToolCall] = [], toolCallID: String? = nil,
        reasoning: String? = nil
    ) {
        self.role = role
        self.content = content
        self.name = name
        self.toolCalls = toolCalls
        self.toolCallID = toolCallID
        self.reasoning = reasoning
    }
}

/// A call of a tool by a model.
public struct ToolCall: Sendable, Equatable {
    /// What the answer to it refers to.
    public var id: String
    /// The tool.
    public var name: String
    /// Its arguments, as the text of a JSON object.
    public var arguments: String

    /// The call `id` of `name`.
    public init(id: String, name: String, arguments: String) {
        self.id = id
        self.name = name
        self.arguments = arguments
    }
}

/// A function that a model may call.
public struct Tool: Sendable, Hashable {
    /// What it is called by.
    public var name: String
    /// What it does, for the model to read.
    public var description: String?
    /// The JSON Schema of its arguments; nil takes none.
    public var parameters: String?
    /// Whether arguments are held to the schema even where the model is free to call it or not.
    public var strict: Bool

    /// The function `name`.
    public init(name: String, description: String? = nil, parameters: String? = nil, strict: Bool = false) {
        self.name = name
        self.description = description
        self.parameters = parameters
        self.strict = strict
    }
}

/// Whether a model calls tools.
public enum ToolChoice: Sendable, Equatable {
    /// It does not see them.
    case none
    /// As it likes.
    case auto
    /// It must call one at least.
    case required
    /// It must call this one.
    case named(String)
}
