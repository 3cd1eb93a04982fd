// SPDX-License-Identifier: Apache-2.0

/// One turn of a conversation.
public struct ChatMessage: Sendable, Equatable {
    /// Who speaks: "system", "user" or "assistant".
    public var role: String
    /// What they say.
    public var content: String

    /// A turn by `role` saying `content`.
    public init(role: String, content: String) {
        self.role = role
        self.content = content
    }
}

/// Why a generation ended.
public enum FinishReason: String, Sendable {
    /// The model ended its turn, or a stop string appeared.
    case stop
    /// The token limit or the end of the context was reached.
    case length
}

/// Tokens read and written by one request.
public struct Usage: Sendable, Equatable {
    /// Tokens of the rendered conversation.
    public var promptTokens: Int
    /// Tokens generated, the ending token included.
    public var completionTokens: Int
    /// Tokens of the conversation that were computed for an earlier request.
    public var cachedTokens: Int

    /// `promptTokens` read, `cachedTokens` of them from the cache, `completionTokens` written.
    public init(promptTokens: Int, completionTokens: Int, cachedTokens: Int = 0) {
        self.promptTokens = promptTokens
        self.completionTokens = completionTokens
        self.cachedTokens = cachedTokens
    }
}

/// What a chat request asks for beside its messages.
public struct ChatOptions: Sendable, Equatable {
    /// How tokens are drawn.
    public var sampling = SamplingOptions()
    /// The most tokens to write; nil writes until the model stops or the context is full.
    public var maxTokens: Int?
    /// Texts that end the answer; they are not part of it.
    public var stop: [String] = []
    /// Higher ones go first.
    public var priority = 0
    /// Whose request it is: clients of one priority take turns.
    public var client = ""

    /// The defaults.
    public init() {}
}

/// What a generation reports, in order: pieces of text, then one `finished`.
public enum TextEvent: Sendable, Equatable {
    /// The next piece of text: whole characters, never empty.
    case text(String)
    /// The end.
    case finished(FinishReason, Usage)
}

/// What can be wrong with a request to a model.
public enum EngineError: Error, Equatable, CustomStringConvertible {
    /// The prompt leaves no room for an answer.
    case contextOverflow(prompt: Int, limit: Int)
    /// The conversation can't be rendered for this model.
    case badMessages(String)
    /// A sampling option is out of its range.
    case badOption(name: String, why: String)
    /// The prompt's keys and values don't fit the memory set aside for them.
    case memoryOverflow(prompt: Int, limit: Int)
    /// As many requests run and wait as the engine takes.
    case busy(limit: Int)
    /// No model of this name can be opened.
    case unknownModel(String, known: [String])
    /// The models that are at work leave too little memory for another one.
    case noMemory(model: String, bytes: Int, free: Int)

    /// One sentence that says what to do.
    public var description: String {
        switch self {
        case .contextOverflow(let prompt, let limit):
            "This model's maximum context length is \(limit) tokens, and the messages take \(prompt): shorten them."
        case .badMessages(let why): "The conversation can't be rendered for this model: \(why)"
        case .badOption(let name, let why): "\(name) \(why)"
        case .memoryOverflow(let prompt, let limit):
            "The messages take \(prompt) tokens, and the memory for keys and values holds \(limit): shorten them, "
                + "or give it more (--kv-memory)."
        case .busy(let limit): "The model is already at work on \(limit) requests, its limit: try again in a moment."
        case .unknownModel(let name, let known):
            "There is no model \(name); there are: \(known.joined(separator: ", "))."
        case .noMemory(let model, let bytes, let free):
            "The model \(model) takes \(bytes >> 20) MiB, and \(free >> 20) MiB for models are free: try again "
                + "when the others are done, or give it more."
        }
    }
}

/// A model that can hold a conversation: the seam between the server and the engine.
public protocol ChatModel: Sendable {
    /// The name clients ask for.
    var id: String { get }
    /// When the model was made, in Unix seconds.
    var created: Int { get }
    /// The most tokens that prompt and answer may take together.
    var contextLength: Int { get }

    /// Answers a conversation, as a stream of text.
    ///
    /// Dropping the stream cancels the work.
    /// - Throws: `EngineError` before the first event if the request itself is bad.
    func chat(
        _ messages: [ChatMessage], _ options: ChatOptions
    ) async throws -> AsyncThrowingStream<TextEvent, any Error>
}
