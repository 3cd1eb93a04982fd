// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import QalamTensors

/// Draws tokens from logits as `SamplingOptions` say; holds the random stream and the counts that penalties need.
///
/// The order of steps is that of `transformers`: penalties, temperature, top-k, top-p, min-p, draw.
package struct Sampler: Sendable {
    private let options: SamplingOptions
    private var random: CounterRandom
    /// Times each token was generated.
    private var generated: [Int32: Int] = [:]
    /// Tokens in prompt or answer: for the repetition penalty.
    private var seen: Set<Int32>
    private var candidates: [Candidate] = []

    private struct Candidate {
        var id: Int32
        var logit: Float
        var probability: Float = 0
    }

    /// A sampler for a conversation that starts with `prompt`.
    package init(_ options: SamplingOptions, prompt: [Int32]) {
        self.options = options
        random = CounterRandom(seed: options.seed ?? UInt64.random(in: 0 ... .max))
        seen = options.repetitionPenalty == 1 ? [] : Set(prompt)
    }

    /// Draws the next token from its logits (V) and remembers it.
    package mutating func next(_ logits: UnsafeBufferPointer<Float>) -> Int32 {
        let id = options.temperature <= 0 && !hasPenalties ? likeliest(logits) : draw(logits)
        generated[id, default: 0] += 1
        if options.repetitionPenalty != 1 { seen.insert(id) }
        return id
    }

    private var hasPenalties: Bool {
        options.repetitionPenalty != 1 || options.frequencyPenalty != 0 || options.presencePenalty != 0
    }

    /// The first of the largest; NaN counts as the smallest.
    private func likeliest(_ logits: UnsafeBufferPointer<Float>) -> Int32 {
        var best = 0
        for i in logits.indices where logits[i] > logits[best] || logits[best].isNaN { best = i }
        return Int32(best)
    }

    private mutating func draw(_ logits: UnsafeBufferPointer<Float>) -> Int32 {
        gather(logits)
        if options.temperature <= 0 { return candidates.max { $0.logit < $1.logit }?.id ?? 0 }
        // Most of the vocabulary is far below the best; what is under e^-20 of it can't be drawn in practice.
        let best = candidates.reduce(-Float.infinity) { max($0, $1.logit) }
        let floor = best - 20 * options.temperature
        candidates.removeAll { !($0.logit >= floor) }
        guard !candidates.isEmpty else { return likeliest(logits) }
        candidates.sort { ($0.logit, $1.id) > ($1.logit, $0.id) }
        if options.topK > 0, candidates.count > options.topK { candidates.removeLast(candidates.count - options.topK) }
        normalise()
        if options.topP < 1 { keepNucleus() }
        if options.minP > 0 {
            let least = options.minP * candidates[0].probability
            candidates.removeAll { $0.probability < least }
        }
        return pick()
    }

    /// Every token with its logit after penalties.
    private mutating func gather(_ logits: UnsafeBufferPointer<Float>) {
        candidates.removeAll(keepingCapacity: true)
        candidates.reserveCapacity(logits.count)
        for i in logits.indices { candidates.append(Candidate(id: Int32(i), logit: logits[i])) }
        if options.repetitionPenalty != 1 {
            for id in seen where candidates.indices.contains(Int(id)) {
                let logit = candidates[Int(id)].logit
                candidates[Int(id)].logit =
                    logit > 0 ? logit / options.repetitionPenalty : logit * options.repetitionPenalty
            }
        }
        guard options.frequencyPenalty != 0 || options.presencePenalty != 0 else { return }
        for (id, count) in generated {
            candidates[Int(id)].logit -= Float(count) * options.frequencyPenalty + options.presencePenalty
        }
    }

    /// Probabilities of the candidates, which are sorted.
    private mutating func normalise() {
        let best = candidates[0].logit
        var sum: Float = 0
        for i in candidates.indices {
            candidates[i].probability = exp((candidates[i].logit - best) / options.temperature)
            sum += candidates[i].probability
        }
        for i in candidates.indices { candidates[i].probability /= sum }
    }

    /// The smallest set of likeliest tokens whose probabilities reach `topP`.
    private mutating func keepNucleus() {
        var sum: Float = 0
        var kept = 0
        while kept < candidates.count, kept == 0 || sum < options.topP {
            sum += candidates[kept].probability
            kept += 1
        }
        candidates.removeLast(candidates.count - kept)
    }

    private mutating func pick() -> Int32 {
        let total = candidates.reduce(0) { $0 + Double($1.probability) }
        var rest = random.uniform() * total
        for candidate in candidates {
            rest -= Double(candidate.probability)
            if rest < 0 { return candidate.id }
        }
        return candidates[candidates.count - 1].id
    }
}

extension SamplingOptions {
    /// Checks the ranges.
    ///
    /// - Throws: `EngineError.badOption` that names the option.
    package func validate() throws(EngineError) {
        func check(_ valid: Bool, _ name: String, _ range: String) throws(EngineError) {
            if !valid { throw .badOption(name: name, why: "must be \(range)") }
        }
        try check(temperature >= 0 && temperature.isFinite, "temperature", "0 or more")
        try check(topK >= 0, "top_k", "0 (off) or more")
        try check(topP > 0 && topP <= 1, "top_p", "above 0 and at most 1")
        try check(minP >= 0 && minP <= 1, "min_p", "from 0 to 1")
        try check(repetitionPenalty > 0 && repetitionPenalty.isFinite, "repetition_penalty", "above 0")
        try check(frequencyPenalty.isFinite, "frequency_penalty", "a finite number")
        try check(presencePenalty.isFinite, "presence_penalty", "a finite number")
    }
}
