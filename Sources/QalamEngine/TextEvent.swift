// SPDX-License-Identifier: Apache-2.0

/// Why a generation ended.
public enum FinishReason: String, Sendable {
    /// The model ended its turn, or a stop string appeared.
    case stop
    /// The token limit or the end of the context was reached.
    case length
    /// The model called tools and waits for what they return.
    case toolCalls = "tool_calls"
}

/// Tokens read and written by one request.
public struct Usage: Sendable, Equatable {
    /// Tokens of the rendered conversation.
    public var promptTokens: Int
    /// Tokens generated, the ending token and the reasoning included.
    public var completionTokens: Int
    /// Tokens of the conversation that were computed for an earlier request.
    public var cachedTokens: Int
    /// Those of the tokens generated that were spent on reasoning.
    public var reasoningTokens: Int

    /// `promptTokens` read, `cachedTokens` of them from the cache, `completionTokens` written.
    public init(promptTokens: Int, completionTokens: Int, cachedTokens: Int = 0, reasoningTokens: Int = 0) {
        self.promptTokens = promptTokens
        self.completionTokens = completionTokens
        self.cachedTokens = cachedTokens
        self.reasoningTokens = reasoningTokens
    }
}

/// A token of a text and how likely the model thought it, by its own distribution: before masks, penalties, temperature
/// and filters.
public struct ScoredToken: Sendable, Equatable {
    /// Its id.
    public var token: Int32
    /// Its text, with U+FFFD where its bytes are no whole characters.
    public var text: String
    /// Its bytes.
    public var bytes: [UInt8]
    /// The natural logarithm of its probability; nil for the first token of a text, which nothing comes before.
    public var logprob: Float?
    /// The likeliest tokens in its place, likeliest first, as many as were asked for.
    public var top: [ScoredToken]

    /// The token `token`.
    public init(token: Int32, text: String, bytes: [UInt8], logprob: Float?, top: [ScoredToken] = []) {
        self.token = token
        self.text = text
        self.bytes = bytes
        self.logprob = logprob
        self.top = top
    }
}

/// What a generation reports, in order: pieces of reasoning, text and tool calls, then one `finished`.
public enum TextEvent: Sendable, Equatable {
    /// The next piece of the answer: whole characters; empty only where tokens are reported that have no text.
    ///
    /// With `ChatOptions.logprobs`, the tokens that end in this piece come with it.
    case text(String, tokens: [ScoredToken] = [])
    /// The next piece of what the model thinks before it answers, without the marks around it.
    case reasoning(String, tokens: [ScoredToken] = [])
    /// Tool call number `index` of this answer begins.
    case toolCallStarted(index: Int, id: String, name: String)
    /// The next piece of the arguments of tool call `index`; all together are the text of a JSON object.
    case toolCallArguments(index: Int, String)
    /// The end.
    case finished(FinishReason, Usage)
}
