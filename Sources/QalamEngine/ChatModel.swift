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

/// How the next token is drawn from the model's distribution.
public struct SamplingOptions: Sendable, Equatable {
    /// Divides the logits; 0 always takes the likeliest token.
    public var temperature: Float = 0.7
    /// Keeps only the k likeliest tokens; 0 keeps all.
    public var topK = 0
    /// Keeps the likeliest tokens whose probabilities sum to p; 1 keeps all.
    ///
    /// Nucleus sampling (Holtzman et al. 2020).
    public var topP: Float = 1
    /// Keeps tokens at least `minP` times as likely as the likeliest; 0 keeps all.
    ///
    /// Min-p sampling (Nguyen et al. 2024).
    public var minP: Float = 0
    /// Divides positive and multiplies negative logits of tokens seen in the context; 1 is off.
    ///
    /// The penalty of CTRL (Keskar et al. 2019).
    public var repetitionPenalty: Float = 1
    /// Subtracted from a token's logit for each time it was generated.
    public var frequencyPenalty: Float = 0
    /// Subtracted from a token's logit once it was generated at all.
    public var presencePenalty: Float = 0
    /// The same seed gives the same text; nil draws one.
    public var seed: UInt64?

    /// The defaults: temperature 0.7, everything else off.
    public init() {}
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

    /// `promptTokens` read, `completionTokens` written.
    public init(promptTokens: Int, completionTokens: Int) {
        self.promptTokens = promptTokens
        self.completionTokens = completionTokens
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

    /// One sentence that says what to do.
    public var description: String {
        switch self {
        case .contextOverflow(let prompt, let limit):
            "This model's maximum context length is \(limit) tokens, and the messages take \(prompt): shorten them."
        case .badMessages(let why): "The conversation can't be rendered for this model: \(why)"
        case .badOption(let name, let why): "\(name) \(why)"
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
