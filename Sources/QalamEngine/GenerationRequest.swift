// SPDX-License-Identifier: Apache-2.0

/// What a caller asks of the engine: token ids in, token ids out.
package struct GenerationRequest: Sendable {
    /// The prompt; not empty, shorter than the context.
    package var prompt: [Int32]
    /// How tokens are drawn.
    package var sampling: SamplingOptions
    /// The most tokens to generate.
    package var maxTokens: Int
    /// Tokens that end the generation.
    package var stopTokens: Set<Int32>
    /// What the answer must be like; nil for anything.
    package var grammar: GrammarMatcher?
    /// How many of the likeliest tokens to report with each token, beside its own log-probability; nil reports nothing.
    package var logprobs: Int?
    /// Higher ones go first, and may interrupt lower ones when memory is short.
    package var priority = 0
    /// Whose request it is: clients of one priority take turns.
    package var client = ""
    /// Whether several tokens are tried at once; the result is the same.
    package var speculation = Speculation.off
    /// What is done with the prompt.
    package var work = Work.write
    /// Which adapter computes it; 0 is the model alone.
    ///
    /// Prefixes are shared within one adapter only.
    package var adapter = 0

    /// A request.
    package init(prompt: [Int32], sampling: SamplingOptions, maxTokens: Int, stopTokens: Set<Int32>) {
        self.prompt = prompt
        self.sampling = sampling
        self.maxTokens = maxTokens
        self.stopTokens = stopTokens
    }
}

/// What the engine does with a prompt.
package enum Work: Sendable, Equatable {
    /// Writes on.
    case write
    /// Reports how likely each token of the prompt but the first is, with so many of the likeliest.
    case score(top: Int)
    /// Makes one vector of the prompt's last hidden states.
    case pool(Pooling)
    /// Compares these tokens as the next one, by their logits.
    case compare([Int32])
}

/// Which hidden states of a decoder stand for a text.
package enum Pooling: Sendable, Equatable {
    /// The last token's.
    case last
    /// The mean over its tokens.
    case mean
}

/// What the engine reports of one request.
package enum GenerationEvent: Sendable, Equatable {
    /// Its turn has come; so many tokens of its prompt need not be computed.
    case started(cachedTokens: Int)
    /// The next token, with log-probabilities if asked for; a stop token is not reported.
    case token(Int32, TokenLogprobs?)
    /// The next token of a prompt that is scored; the first one has none before it and is not reported.
    case promptToken(TokenLogprobs)
    /// The vector of a text, or the logits of tokens that are compared.
    case numbers([Float])
    /// The end, with the tokens read and written, a stop token included.
    case finished(FinishReason, Usage)
}
