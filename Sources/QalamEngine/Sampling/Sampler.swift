// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import QalamTensors

/// Draws one sequence's tokens as `SamplingOptions` say.
///
/// What it draws depends on the seed, the tokens so far and the logits alone: the random number of token i of the
/// answer is number i of the seed's stream, so no draw depends on how many were made before.
package struct Sampler: Sendable {
    private let options: SamplingOptions
    private let seed: UInt64
    private var counts: TokenCounts?
    /// Mirostat's μ, in bits.
    private var bound: Float
    private var drawn: UInt64 = 0

    /// Memory that all samplers of an engine share, so that none is taken per token.
    package struct Scratch: Sendable {
        fileprivate var candidates = Candidates()
        fileprivate var lengths: [Int32] = []
        fileprivate var worst: [Int32: Int32] = [:]
        /// Logits that were changed, and what they were; the earliest first.
        fileprivate var changed: [(id: Int32, logit: Float)] = []

        /// Empty.
        package init() {}
    }

    /// What a draw needs to know beside the logits.
    package struct Context {
        /// The prompt and the answer so far.
        package var tokens: [Int32]
        /// The tokens that the grammar allows; nil allows all.
        package var allowed: TokenMask?
        /// How many log-probabilities to report beside the token's own; nil reports none.
        package var logprobs: Int?

        /// After `tokens`, everything allowed, nothing reported.
        package init(tokens: [Int32], allowed: TokenMask? = nil, logprobs: Int? = nil) {
            self.tokens = tokens
            self.allowed = allowed
            self.logprobs = logprobs
        }
    }

    /// A sampler for an answer to `prompt`.
    package init(_ options: SamplingOptions, prompt: [Int32]) {
        self.options = options
        seed = options.seed ?? UInt64.random(in: 0 ... .max)
        bound = 2 * (options.mirostat?.target ?? 0)
        let repeats = options.repetitionPenalty != 1
        if repeats || options.frequencyPenalty != 0 || options.presencePenalty != 0 {
            counts = TokenCounts(prompt: prompt, window: options.penaltyWindow, countsPrompt: repeats)
        }
    }

    /// Draws the next token from its logits (V), which are changed, and remembers it.
    package mutating func next(
        _ logits: UnsafeMutableBufferPointer<Float>, _ context: Context, _ scratch: inout Scratch
    ) -> (token: Int32, logprobs: TokenLogprobs?) {
        let original = UnsafeBufferPointer(logits)
        let distribution = context.logprobs.map { Distribution(original, top: $0) }
        scratch.changed.removeAll(keepingCapacity: true)
        let token = draw(logits, context, &scratch)
        drawn += 1
        counts?.append(token, after: context.tokens)
        guard let distribution else { return (token, nil) }
        let logit = scratch.changed.first { $0.id == token }?.logit ?? logits[Int(token)]
        return (token, TokenLogprobs(logprob: logit - distribution.logSum, top: distribution.top))
    }

    private mutating func draw(
        _ logits: UnsafeMutableBufferPointer<Float>, _ context: Context, _ scratch: inout Scratch
    ) -> Int32 {
        if let allowed = context.allowed {
            if let only = allowed.only {
                follow(surprise: 0)
                return only
            }
            allowed.apply(to: logits)
        }
        penalise(logits, context.tokens, &scratch)
        let logits = UnsafeBufferPointer(logits)
        guard options.temperature > 0 else { return likeliest(logits, context.allowed) }
        if !hasFilters {
            let token = scratch.candidates.draw(logits, temperature: options.temperature, at: uniform(stream: 0))
            return token ?? likeliest(logits, context.allowed)
        }
        let best = scratch.candidates.gather(logits, temperature: options.temperature, cut)
        guard best.isFinite else { return likeliest(logits, context.allowed) }
        if options.mirostat != nil { return drawBounded(&scratch.candidates) }
        filter(&scratch.candidates)
        return scratch.candidates.item(at: uniform(stream: 0)).id
    }

    /// Whether anything is left out of the distribution.
    private var hasFilters: Bool {
        options.mirostat != nil || options.topK > 0 || options.topP < 1 || options.minP > 0 || options.typicalP < 1
            || options.xtcProbability > 0
    }

    /// Top-k, top-p and min-p; mirostat has its own.
    private var cut: Candidates.Cut {
        var cut = Candidates.Cut()
        guard options.mirostat == nil else { return cut }
        cut.topK = options.topK
        cut.topP = options.topP
        cut.minP = options.minP
        return cut
    }

    /// The first of the largest; NaN counts as the smallest.
    ///
    /// If none is above -∞, the first that is allowed.
    private func likeliest(_ logits: UnsafeBufferPointer<Float>, _ allowed: TokenMask?) -> Int32 {
        if let index = logits.indexOfLargest() { return Int32(index) }
        guard let allowed, let word = allowed.words.firstIndex(where: { $0 != 0 }) else { return 0 }
        return Int32(word * 32 + allowed.words[word].trailingZeroBitCount)
    }

    /// Number `drawn` of a stream of the seed, in 0..<1.
    private func uniform(stream: UInt64) -> Double {
        var random = CounterRandom(seed: seed, stream: stream, position: drawn)
        return random.uniform()
    }

    /// Changes single logits: bias, repetition, frequency and presence, DRY.
    private func penalise(
        _ logits: UnsafeMutableBufferPointer<Float>, _ tokens: [Int32], _ scratch: inout Scratch
    ) {
        func change(_ id: Int32, _ new: (Float) -> Float) {
            guard id >= 0, Int(id) < logits.count else { return }
            scratch.changed.append((id, logits[Int(id)]))
            logits[Int(id)] = new(logits[Int(id)])
        }
        for (id, bias) in options.logitBias { change(id) { $0 + bias } }
        for entry in counts?.entries ?? [] {
            change(entry.id) { old in
                var logit = old
                let penalty = options.repetitionPenalty
                if penalty != 1 { logit = logit > 0 ? logit / penalty : logit * penalty }
                guard entry.generated > 0 else { return logit }
                return logit - Float(entry.generated) * options.frequencyPenalty - options.presencePenalty
            }
        }
        guard options.dry.multiplier > 0 else { return }
        var (lengths, worst) = (scratch.lengths, scratch.worst)
        (scratch.lengths, scratch.worst) = ([], [:])
        options.dry.forEachMatch(in: tokens, lengths: &lengths, worst: &worst) { id, penalty in
            change(id) { $0 - penalty }
        }
        (scratch.lengths, scratch.worst) = (lengths, worst)
    }

    /// Typical and XTC, in this order, on what the cut has left.
    private func filter(_ candidates: inout Candidates) {
        if options.typicalP < 1 { keepTypical(&candidates) }
        if options.xtcProbability > 0, uniform(stream: 1) < Double(options.xtcProbability) {
            candidates.dropTop(weight: options.xtcThreshold * Float(candidates.total))
        }
    }

    /// Orders by how far a token's surprise is from the entropy, then keeps a share.
    private func keepTypical(_ candidates: inout Candidates) {
        let total = candidates.total
        var entropy = 0.0
        for item in candidates.remaining where item.weight > 0 {
            let p = Double(item.weight) / total
            entropy -= p * log(p)
        }
        candidates.rekey { item in
            item.weight > 0 ? -Float(abs(-log(Double(item.weight) / total) - entropy)) : -.infinity
        }
        candidates.keepShare(options.typicalP)
    }

    /// Mirostat 2: draws among the tokens whose surprise is within the bound, at least the likeliest.
    private mutating func drawBounded(_ candidates: inout Candidates) -> Int32 {
        let total = candidates.total
        candidates.keep(weight: min(1, Float(total * exp2(Double(-bound)))))
        let item = candidates.item(at: uniform(stream: 0))
        follow(surprise: -Float(log2(Double(item.weight) / total)))
        return item.id
    }

    /// Moves mirostat's bound after a token of this many bits by the model's distribution.
    private mutating func follow(surprise: Float) {
        guard let mirostat = options.mirostat, options.temperature > 0 else { return }
        bound -= mirostat.rate * (surprise - mirostat.target)
    }
}
