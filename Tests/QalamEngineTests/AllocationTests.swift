// SPDX-License-Identifier: Apache-2.0
import CAllocationCounter
import QalamEngine
import QalamFormats
import QalamModels
import TestSupport
import Testing

/// Decoding asks the system for no memory: what a step needs is what the step before had.
@Suite(.enabled("allocations are counted with glibc only") { allocations_of_this_thread() >= 0 })
struct AllocationTests {
    /// Tests beside this one use the same device and may take its storages, so the best step counts: what every step
    /// asks for would be in it.
    @Test(arguments: DecoderFamily.allCases)
    func decodingTakesNoMemory(family: DecoderFamily) throws {
        let least = try leastOfAStep(try tinyDecoder(family, contextLength: 512))
        #expect(least == 0)
    }

    @Test(arguments: [DecoderFamily.mixtral, .qwen3MoE])
    func neitherDoExperts(family: DecoderFamily) throws {
        var config = try tinyDecoder(family, contextLength: 512).config
        config.experts = DecoderConfig.Experts(count: 6, used: 2)
        let decoder = try Decoder(config, Weights(FreshWeights(seed: 1), trainable: false))
        let least = try leastOfAStep(decoder)
        #expect(least == 0)
    }

    /// The fewest allocations of a step that decodes three sequences.
    private func leastOfAStep(_ decoder: Decoder) throws -> Int {
        var configuration = EngineConfiguration()
        configuration.prefixCache = false
        var scheduler = try Scheduler(decoder, configuration)
        for i in 0..<3 {
            var wanted = request(prompt(5 + i, seed: i), tokens: 400, temperature: i == 0 ? 0 : 1, seed: UInt64(i))
            wanted.sampling.topK = 20
            wanted.sampling.topP = 0.9
            _ = scheduler.add(wanted)
        }
        var tokens = 0, least = Int.max
        for _ in 0..<380 {
            let before = allocations_of_this_thread()
            scheduler.step { _, event in if case .token = event { tokens += 1 } }
            least = min(least, allocations_of_this_thread() - before)
        }
        #expect(tokens > 3 * 300)
        return least
    }
}
