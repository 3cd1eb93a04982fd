// SPDX-License-Identifier: Apache-2.0
import Foundation
import QalamEngine
import QalamModels
import QalamTensors
import TestSupport
import Testing

@Suite struct EngineTests {
    /// A cache filled in chunks and token by token gives what one pass over everything gives.
    @Test(arguments: DecoderFamily.allCases)
    func cacheAgreesWithOnePass(family: DecoderFamily) throws {
        let decoder = try tinyDecoder(family, contextLength: 512)
        let prompt = (0..<300).map { Int32($0 * 7 % 300) }  // longer than a chunk
        let tokens = generate(decoder, request(prompt, tokens: 12))
        var all = prompt
        for token in tokens {
            var context = CausalContext(batch: 1, length: all.count)
            let hidden = decoder.hidden(all, &context)
            let logits = decoder.logits(hidden).values.suffix(decoder.config.vocabularySize)
            let best = try #require(logits.max())
            let index = try #require(logits.firstIndex(of: best)) - logits.startIndex
            #expect(token == Int32(index))
            all.append(token)
        }
        #expect(tokens.count == 12)
    }

    /// Requests beside one another get what each gets alone, token for token.
    @Test func batchAgreesWithAlone() throws {
        let decoder = try tinyDecoder()
        let requests = (0..<16).map { i in
            request((0...Int32(i * 2)).map { $0 * 3 + Int32(i) }, tokens: 20, temperature: 1, seed: UInt64(i))
        }
        let alone = requests.map { generate(decoder, $0) }
        var batch = Batch(decoder)
        var together: [Int: [Int32]] = [:]
        let ids = requests.map { batch.add($0) }
        while !batch.isEmpty {
            for (id, events) in batch.step() {
                for case .token(let token) in events { together[id, default: []].append(token) }
            }
        }
        #expect(ids.map { together[$0] ?? [] } == alone)
    }

    @Test func endsAtLimitsAndStopTokens() async throws {
        let decoder = try tinyDecoder(contextLength: 16)
        let engine = Engine(try tinyDecoder(contextLength: 16))
        let free = generate(decoder, request([1, 2, 3], tokens: 100))
        #expect(free.count == 13)  // the context holds 16
        var stopping = request([1, 2, 3], tokens: 100)
        let stop = free[5]
        stopping.stopTokens = [stop]
        var events: [GenerationEvent] = []
        for try await event in engine.generate(stopping) { events.append(event) }
        let before = try #require(free.firstIndex(of: stop))
        #expect(events == free[..<before].map { .token($0) } + [.finished(.stop, generated: before + 1)])
    }

    /// Dropping the stream ends the request.
    @Test func droppingFrees() async throws {
        let engine = Engine(try tinyDecoder(contextLength: 4096))
        let task = Task {
            for try await _ in engine.generate(request([1, 2, 3], tokens: 4000)) { break }
        }
        try await task.value
        for _ in 0..<500 where await engine.running > 0 { try await Task.sleep(for: .milliseconds(10)) }
        #expect(await engine.running == 0)
    }

    @Test func manyCallersAtOnce() async throws {
        let decoder = try tinyDecoder()
        let engine = Engine(try tinyDecoder())
        try await withThrowingTaskGroup(of: (Int, [Int32]).self) { group in
            for i in 0..<8 {
                group.addTask {
                    var tokens: [Int32] = []
                    for try await event in engine.generate(request([Int32(i), 5], tokens: 15)) {
                        if case .token(let token) = event { tokens.append(token) }
                    }
                    return (i, tokens)
                }
            }
            for try await (i, tokens) in group {
                #expect(tokens == generate(decoder, request([Int32(i), 5], tokens: 15)))
            }
        }
    }
}

/// A request without stop tokens.
private func request(
    _ prompt: [Int32], tokens: Int, temperature: Float = 0, seed: UInt64 = 1
) -> GenerationRequest {
    var options = SamplingOptions()
    options.temperature = temperature
    options.seed = seed
    return GenerationRequest(prompt: prompt, sampling: options, maxTokens: tokens, stopTokens: [])
}
