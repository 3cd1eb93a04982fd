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
        options = SamplingOptions()
        options.temperature = 0
        options.repetitionPenalty = 4
        #expect(draw(options, 2) == [0, 1])
        #expect(draw(options, 1, prompt: [0]) == [1])
    }

    @Test func damagedLogitsStillGiveAToken() {
        for logits in [[Float.nan, 1, .nan], [.nan, .nan, .nan], [-.infinity, -.infinity, 0]] as [[Float]] {
            for temperature in [Float(0), 1] {
                var options = SamplingOptions()
                options.temperature = temperature
                var sampler = Sampler(options, prompt: [])
                let token = logits.withUnsafeBufferPointer { sampler.next($0) }
                #expect((0..<3).contains(token))
            }
        }
    }

    @Test func optionsOutOfRangeAreNamed() {
        let bad: [(String, (inout SamplingOptions) -> Void)] = [
            ("temperature", { $0.temperature = -1 }), ("temperature", { $0.temperature = .nan }),
            ("top_p", { $0.topP = 0 }), ("top_p", { $0.topP = 1.1 }),
            ("min_p", { $0.minP = -0.1 }), ("top_k", { $0.topK = -1 }),
            ("repetition_penalty", { $0.repetitionPenalty = 0 }),
            ("frequency_penalty", { $0.frequencyPenalty = .infinity }),
        ]
        for (name, change) in bad {
            var options = SamplingOptions()
            change(&options)
            let error = #expect(throws: EngineError.self) { try options.validate() }
            if case .badOption(let found, _) = error { #expect(found == name) } else { Issue.record("\(name)") }
        }
    }

    private func draw(_ options: SamplingOptions, _ count: Int, prompt: [Int32] = []) -> [Int32] {
        var sampler = Sampler(options, prompt: prompt)
        return (0..<count).map { _ in logits.withUnsafeBufferPointer { sampler.next($0) } }
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
