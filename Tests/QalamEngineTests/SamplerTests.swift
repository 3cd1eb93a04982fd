// SPDX-License-Identifier: Apache-2.0
import Foundation
import QalamEngine
import Testing

@Suite struct SamplerTests {
    private let logits: [Float] = [2, 1, 0, -1, -2]

    /// Frequencies follow softmax(logits / temperature).
    @Test(arguments: [Float(0.5), 1, 2])
    func followsTheDistribution(temperature: Float) {
        let counts = counts { $0.temperature = temperature }
        let weights = logits.map { exp(Double($0 / temperature)) }
        let total = weights.reduce(0, +)
        for (count, weight) in zip(counts, weights) { #expect(abs(Double(count) / 4000 - weight / total) < 0.04) }
    }

    @Test func zeroTemperatureTakesTheLikeliest() {
        #expect(counts { $0.temperature = 0 } == [4000, 0, 0, 0, 0])
    }

    @Test func filters() {
        #expect(kept { $0.topK = 2 } == [0, 1])
        #expect(kept { $0.topP = 0.6 } == [0])
        #expect(kept { $0.topP = 0.7 } == [0, 1])
        #expect(kept { $0.minP = 0.3 } == [0, 1])  // e^-1 = 0.37 of the likeliest, e^-2 = 0.14
        // Probabilities 0.64 0.23 0.09 0.03 0.01: surprises 0.45 1.45 2.45 …, entropy 0.99.
        #expect(kept { $0.typicalP = 0.2 } == [1])
        #expect(kept { $0.typicalP = 0.6 } == [0, 1])
        #expect(
            kept {
                $0.xtcProbability = 1
                $0.xtcThreshold = 0.08
            } == [2, 3, 4])
        #expect(kept { $0.logitBias = [0: -100, 4: 100, 7: 1] } == [4])
    }

    @Test func mirostatFollowsItsTarget() {
        let flat = (1...400).map { -1.3 * log(Float($0)) }  // Zipf: 1.8 bits at the least, 4.6 on average
        for target in [Float(2), 4, 6] {
            var options = SamplingOptions()
            options.temperature = 1
            options.seed = 3
            options.mirostat = Mirostat(target: target, rate: 0.1)
            let tokens = draw(options, 3000, from: flat)
            let total = flat.reduce(0) { $0 + exp(Double($1)) }
            let surprises = tokens.dropFirst(500).map { -log2(exp(Double(flat[Int($0)])) / total) }
            #expect(abs(surprises.reduce(0, +) / Double(surprises.count) - Double(target)) < 0.2 || target > 5)
            if target == 2 { #expect(surprises.allSatisfy { $0 < 8 }) }
        }
    }

    @Test func sameSeedSameTokens() {
        var options = SamplingOptions()
        options.temperature = 1
        options.seed = 5
        #expect(draw(options, 50) == draw(options, 50))
        var other = options
        other.seed = 6
        #expect(draw(options, 50) != draw(other, 50))
    }

    @Test func penalties() {
        // A generated token falls behind the next one each time.
        var options = SamplingOptions()
        options.temperature = 0
        options.frequencyPenalty = 1.1
        #expect(draw(options, 3) == [0, 1, 0])
        options = SamplingOptions()
        options.temperature = 0
        options.presencePenalty = 10
        #expect(draw(options, 5) == [0, 1, 2, 3, 4])
        options.penaltyWindow = 2
        #expect(draw(options, 6) == [0, 1, 2, 0, 1, 2])
        options = SamplingOptions()
        options.temperature = 0
        options.repetitionPenalty = 4
        #expect(draw(options, 2) == [0, 1])
        #expect(draw(options, 1, prompt: [0]) == [1])
        options.penaltyWindow = 1
        #expect(draw(options, 1, prompt: [0, 3]) == [0])
    }

    @Test func damagedLogitsStillGiveAToken() {
        let damaged: [[Float]] = [
            [.nan, 1, .nan], [.nan, .nan, .nan], [-.infinity, -.infinity, 0], [.infinity, 0, .nan],
            [-.infinity, -.infinity, -.infinity],
        ]
        for logits in damaged {
            for temperature in [Float(0), 1] {
                var options = SamplingOptions()
                options.temperature = temperature
                #expect((0..<3).contains(draw(options, 1, from: logits)[0]))
            }
        }
    }

    @Test func masks() {
        var options = SamplingOptions()
        options.temperature = 1
        var sampler = Sampler(options, prompt: [])
        #expect(next(&sampler, logits, allowed: [3]) == 3)
        for _ in 0..<50 { #expect([1, 4].contains(next(&sampler, logits, allowed: [1, 4]))) }
        let damaged: [Float] = [1, .nan, -.infinity, .nan]
        #expect([1, 2].contains(next(&sampler, damaged, allowed: [1, 2])))
        options.temperature = 0
        options.logitBias = [0: 100]
        sampler = Sampler(options, prompt: [])
        #expect(next(&sampler, logits, allowed: [2, 4]) == 2)
    }

    @Test func reportsLogprobsOfTheModel() throws {
        var options = SamplingOptions()
        options.temperature = 0
        options.logitBias = [3: 50]
        options.repetitionPenalty = 2
        var sampler = Sampler(options, prompt: [3, 0])
        var copy = logits
        var scratch = Sampler.Scratch()
        let result = copy.withUnsafeMutableBufferPointer {
            sampler.next($0, Sampler.Context(tokens: [3, 0], logprobs: 2), &scratch)
        }
        let total = logits.reduce(0) { $0 + exp(Double($1)) }
        let expected = logits.map { Float(Double($0) - log(total)) }
        let logprobs = try #require(result.logprobs)
        #expect(result.token == 3)
        #expect(abs(logprobs.logprob - expected[3]) < 1e-5)
        #expect(logprobs.top.map(\.token) == [0, 1])
        for entry in logprobs.top { #expect(abs(entry.logprob - expected[Int(entry.token)]) < 1e-5) }
    }

    @Test func optionsOutOfRangeAreNamed() {
        let bad: [(String, (inout SamplingOptions) -> Void)] = [
            ("temperature", { $0.temperature = -1 }), ("temperature", { $0.temperature = .nan }),
            ("top_p", { $0.topP = 0 }), ("top_p", { $0.topP = 1.1 }),
            ("min_p", { $0.minP = -0.1 }), ("top_k", { $0.topK = -1 }),
            ("repetition_penalty", { $0.repetitionPenalty = 0 }),
            ("frequency_penalty", { $0.frequencyPenalty = .infinity }),
            ("typical_p", { $0.typicalP = 0 }), ("xtc_probability", { $0.xtcProbability = 2 }),
            ("dry_base", { $0.dry.base = 0.5 }), ("mirostat_eta", { $0.mirostat = Mirostat(rate: 0) }),
            ("logit_bias", { $0.logitBias = [1: .nan] }), ("penalty_window", { $0.penaltyWindow = -1 }),
        ]
        for (name, change) in bad {
            var options = SamplingOptions()
            change(&options)
            let error = #expect(throws: EngineError.self) { try options.validate() }
            if case .badOption(let found, _) = error { #expect(found == name) } else { Issue.record("\(name)") }
        }
    }

    private func next(_ sampler: inout Sampler, _ logits: [Float], allowed: [Int]) -> Int32 {
        var word: UInt32 = 0
        for id in allowed { word |= 1 << UInt32(id) }
        var (copy, scratch) = (logits, Sampler.Scratch())
        return copy.withUnsafeMutableBufferPointer {
            sampler.next($0, Sampler.Context(tokens: [], allowed: TokenMask(words: [word])), &scratch).token
        }
    }

    private func draw(
        _ options: SamplingOptions, _ count: Int, prompt: [Int32] = [], from logits: [Float]? = nil
    ) -> [Int32] {
        QalamEngineTests.draw(options, count, prompt: prompt, from: logits ?? self.logits)
    }

    private func counts(_ change: (inout SamplingOptions) -> Void) -> [Int] {
        var options = SamplingOptions()
        options.temperature = 1
        options.seed = 1
        change(&options)
        let tokens = draw(options, 4000)
        return logits.indices.map { index in tokens.count { $0 == Int32(index) } }
    }

    private func kept(_ change: (inout SamplingOptions) -> Void) -> [Int] {
        counts(change).enumerated().filter { $1 > 0 }.map(\.offset)
    }
}

/// Draws `count` tokens from the same logits.
func draw(_ options: SamplingOptions, _ count: Int, prompt: [Int32] = [], from logits: [Float]) -> [Int32] {
    var sampler = Sampler(options, prompt: prompt)
    var (tokens, scratch) = (prompt, Sampler.Scratch())
    for _ in 0..<count {
        var copy = logits
        let token = copy.withUnsafeMutableBufferPointer {
            sampler.next($0, Sampler.Context(tokens: tokens), &scratch).token
        }
        tokens.append(token)
    }
    return Array(tokens.dropFirst(prompt.count))
}
