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

/// How the tokens are proposed that one pass of the model checks together.
package enum Speculation: Sendable, Equatable {
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

/// What the engine reports of one request.
package enum GenerationEvent: Sendable, Equatable {
    /// Its turn has come; so many tokens of its prompt need not be computed.
    case started(cachedTokens: Int)
    /// The next token, with log-probabilities if asked for; a stop token is not reported.
    case token(Int32, TokenLogprobs?)
    /// The end, with the tokens read and written, a stop token included.
    case finished(FinishReason, Usage)
}
