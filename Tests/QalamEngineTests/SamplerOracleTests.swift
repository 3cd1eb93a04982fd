// SPDX-License-Identifier: Apache-2.0
import Foundation
import QalamEngine
import QalamTensors
import Testing

/// The filters against the plainest way to write them, on vocabularies large enough for every path.
@Suite struct SamplerOracleTests {
    /// One distribution over tokens, likeliest first.
    private typealias Oracle = [(id: Int32, p: Double)]

    @Test(arguments: [1, 40, 700, 5000], [Float(0.4), 1, 3])
    func keepsWhatTheDefinitionKeeps(size: Int, temperature: Float) {
        let logits = makeLogits(size, seed: UInt64(size))
        for (topK, share, least) in [(0, 1, 0), (5, 1, 0), (50, 0.8, 0), (0, 0.9, 0), (0, 0.5, 0.2), (300, 1, 0.05)] {
            var candidates = Candidates()
            var cut = Candidates.Cut()
            (cut.topK, cut.topP, cut.minP) = (topK, Float(share), Float(least))
            _ = logits.withUnsafeBufferPointer { candidates.gather($0, temperature: temperature, cut) }
            var oracle = softmax(logits, temperature)
            if topK > 0 { oracle = normalised(oracle.prefix(topK)) }
            if share < 1 { oracle = normalised(nucleus(oracle, share)) }
            if least > 0 { oracle = normalised(oracle.filter { $0.p >= least * oracle[0].p }) }
            expectSame(candidates, oracle)
        }
    }

    @Test(arguments: [3, 60, 2000], [Float(0.2), 0.6, 0.95])
    func typicalAgrees(size: Int, share: Float) {
        let logits = makeLogits(size, seed: 7)
        let oracle = softmax(logits, 1)
        let entropy = -oracle.reduce(0) { $0 + $1.p * log($1.p) }
        let ordered = oracle.sorted { abs(-log($0.p) - entropy) < abs(-log($1.p) - entropy) }
        let expected = Set(nucleus(ordered, Double(share)).map(\.id))
        // At temperature 1 and with nothing else on, what is ever drawn is what is kept.
        var options = SamplingOptions()
        options.temperature = 1
        options.typicalP = share
        options.seed = 11
        let drawn = Set(draw(options, 3000, from: logits))
        #expect(drawn.isSubset(of: expected))
        if expected.count < 20 { #expect(drawn.count >= expected.count / 2) }
    }

    /// A χ² test at odds of one in a thousand: with a fixed seed it is right or wrong for good.
    @Test func longDrawsFollowTheExactDistribution() {
        let logits = makeLogits(24, seed: 5).map { $0 / 2 }
        var options = SamplingOptions()
        options.temperature = 0.9
        options.topK = 12
        options.topP = 0.97
        options.minP = 0.02
        options.seed = 99
        var oracle = normalised(softmax(logits, 0.9).prefix(12))
        oracle = normalised(nucleus(oracle, Double(Float(0.97))))
        oracle = normalised(oracle.filter { $0.p >= 0.02 * oracle[0].p })
        let count = 20000
        let tokens = draw(options, count, from: logits)
        var statistic = 0.0
        for (id, p) in oracle {
            let expected = p * Double(count)
            let found = Double(tokens.count { $0 == id })
            statistic += (found - expected) * (found - expected) / expected
        }
        #expect(tokens.allSatisfy { id in oracle.contains { $0.id == id } })
        #expect(statistic < 33)  // χ² of 11 degrees of freedom: 31.3 at 0.001
    }

    /// Without filters nothing is collected: the shares of 8 stretches of a vocabulary are as they should be, and what
    /// is masked is never drawn.
    @Test func drawsFromAllOfALargeVocabulary() {
        var logits = makeLogits(2000, seed: 6)
        for i in stride(from: 0, to: 2000, by: 3) { logits[i] = -.infinity }
        for i in 512..<768 { logits[i] = -.infinity }
        var options = SamplingOptions()
        options.temperature = 1.5
        options.seed = 4
        let tokens = draw(options, 20000, from: logits)
        #expect(tokens.allSatisfy { logits[Int($0)] > -.infinity })
        var statistic = 0.0
        let oracle = softmax(logits, 1.5)
        for stretch in [0, 1, 3, 4, 5, 6, 7] {
            let expected = oracle.filter { $0.id / 256 == stretch }.reduce(0) { $0 + $1.p } * 20000
            let found = Double(tokens.count { $0 / 256 == stretch })
            statistic += (found - expected) * (found - expected) / expected
        }
        #expect(statistic < 22.5)  // χ² of 6 degrees of freedom at 0.001
    }

    /// The penalty of every token, by trying every suffix at every place.
    @Test(arguments: 1...8)
    func dryAgrees(seed: UInt64) {
        var random = CounterRandom(seed: seed)
        var dry = RepeatPenalty()
        dry.multiplier = 0.8
        dry.allowedLength = Int.random(in: 1...3, using: &random)
        dry.window = seed.isMultiple(of: 2) ? 0 : 20
        dry.breakers = seed.isMultiple(of: 3) ? [0] : []
        let tokens = (0..<60).map { _ in Int32.random(in: 0..<3, using: &random) }
        let seen = dry.window > 0 ? Array(tokens.suffix(dry.window)) : tokens
        var penalties = [Float](repeating: 0, count: 4)
        for end in 1..<seen.count where !dry.breakers.contains(seen[end]) {
            var length = 0
            while length < end, seen[end - 1 - length] == seen[seen.count - 1 - length],
                !dry.breakers.contains(seen[end - 1 - length])
            { length += 1 }
            guard length >= dry.allowedLength else { continue }
            let penalty = dry.multiplier * pow(dry.base, Float(length - dry.allowedLength))
            penalties[Int(seen[end])] = max(penalties[Int(seen[end])], penalty)
        }
        var options = SamplingOptions()
        options.temperature = 0
        options.dry = dry
        // Equal logits: the token with the least penalty wins, the first of them.
        var sampler = Sampler(options, prompt: tokens)
        var (logits, scratch) = ([Float](repeating: 1, count: 4), Sampler.Scratch())
        logits.withUnsafeMutableBufferPointer {
            _ = sampler.next($0, Sampler.Context(tokens: tokens), &scratch)
        }
        for (logit, penalty) in zip(logits, penalties) { #expect(abs(1 - logit - penalty) <= 1e-5 * max(penalty, 1)) }
    }

    @Test func logprobsOfALargeVocabulary() throws {
        let logits = makeLogits(5003, seed: 8)
        var options = SamplingOptions()
        options.temperature = 0
        var sampler = Sampler(options, prompt: [])
        var (copy, scratch) = (logits, Sampler.Scratch())
        let logprobs = copy.withUnsafeMutableBufferPointer {
            sampler.next($0, Sampler.Context(tokens: [], logprobs: 20), &scratch).logprobs
        }
        let oracle = softmax(logits, 1).prefix(20)
        let top = try #require(logprobs?.top)
        #expect(top.map(\.token) == oracle.map(\.id))
        for (entry, expected) in zip(top, oracle) { #expect(abs(Double(entry.logprob) - log(expected.p)) < 2e-5) }
    }

    private func makeLogits(_ size: Int, seed: UInt64) -> [Float] {
        var random = CounterRandom(seed: seed)
        return (0..<size).map { _ in Float(random.normal() * 3) }
    }

    private func softmax(_ logits: [Float], _ temperature: Float) -> Oracle {
        let best = logits.max() ?? 0
        let weights = logits.enumerated().map { (id: Int32($0), p: exp(Double(($1 - best) / temperature))) }
        return normalised(weights.sorted { ($0.p, $1.id) > ($1.p, $0.id) })
    }

    private func normalised(_ list: some Sequence<(id: Int32, p: Double)>) -> Oracle {
        let total = list.reduce(0) { $0 + $1.p }
        return list.map { ($0.id, $0.p / total) }
    }

    private func nucleus(_ list: Oracle, _ share: Double) -> Oracle {
        var (kept, sum): (Oracle, Double) = ([], 0)
        for item in list where sum < share {
            kept.append(item)
            sum += item.p
        }
        return kept
    }

    private func expectSame(_ candidates: Candidates, _ oracle: Oracle) {
        // What is below e^-20 of the best is left out.
        let expected = oracle.filter { $0.p > 1e-8 * oracle[0].p }
        let found = Dictionary(uniqueKeysWithValues: candidates.remaining.map { ($0.id, Double($0.weight)) })
        #expect(expected.allSatisfy { found[$0.id] != nil })
        #expect(found.count <= oracle.count)
        for (id, p) in expected { #expect(abs((found[id] ?? 0) / candidates.total - p) < 2e-5) }
    }
}
