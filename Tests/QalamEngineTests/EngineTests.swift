// SPDX-License-Identifier: Apache-2.0
import Foundation
import QalamEngine
import QalamModels
import QalamTensors
import TestSupport
import Testing

@Suite struct EngineTests {
    @Test func endsAtLimitsAndStopTokens() async throws {
        let decoder = try tinyDecoder(contextLength: 16)
        let engine = try Engine(try tinyDecoder(contextLength: 16))
        let free = generate(decoder, request([1, 2, 3], tokens: 100))
        #expect(free.count == 13)  // the context holds 16
        var stopping = request([1, 2, 3], tokens: 100)
        let stop = free[5]
        stopping.stopTokens = [stop]
        var events: [GenerationEvent] = []
        for try await event in try engine.generate(stopping) { events.append(event) }
        let before = try #require(free.firstIndex(of: stop))
        let usage = Usage(promptTokens: 3, completionTokens: before + 1)
        #expect(
            events == [.started(cachedTokens: 0)] + free[..<before].map { .token($0, nil) } + [.finished(.stop, usage)])
    }

    /// Dropping the stream ends the request.
    @Test func droppingFrees() async throws {
        let engine = try Engine(try tinyDecoder(contextLength: 4096))
        let stream = try engine.generate(request([1, 2, 3], tokens: 4000))
        try await Task {
            for try await _ in stream { break }
        }.value
        _ = consume stream
        #expect(try await rests(engine))
    }

    /// Clients come, read a little or nothing, and leave; in the end no page is missing.
    @Test func storm() async throws {
        var configuration = EngineConfiguration()
        configuration.maxSequences = 8
        configuration.stepTokens = 24
        configuration.kvMemory = 24 * (try pageBytes())
        let engine = try Engine(try tinyDecoder(contextLength: 256), configuration)
        await withTaskGroup(of: Void.self) { group in
            for i in 0..<64 {
                group.addTask {
                    var wanted = request(prompt(60 + i, seed: i % 5), tokens: 80)
                    wanted.client = "\(i % 7)"
                    wanted.priority = i % 3
                    guard let stream = try? engine.generate(wanted) else { return }
                    var rest = i % 9
                    if rest == 0 { return }
                    let reader = Task {
                        do {
                            for try await _ in stream {
                                rest -= 1
                                if rest == 0 { break }
                            }
                        } catch { Issue.record(error) }
                    }
                    if i.isMultiple(of: 4) { reader.cancel() }
                    await reader.value
                }
            }
        }
        #expect(try await rests(engine))
        let wanted = request(prompt(100, seed: 1), tokens: 10)
        let after = try await collect(try engine.generate(wanted))
        #expect(after.tokens == generate(try tinyDecoder(contextLength: 256), wanted))
    }

    @Test func manyCallersAtOnce() async throws {
        let decoder = try tinyDecoder()
        let engine = try Engine(try tinyDecoder())
        try await withThrowingTaskGroup(of: (Int, [Int32]).self) { group in
            for i in 0..<8 {
                group.addTask {
                    let stream = try engine.generate(request([Int32(i), 5], tokens: 15))
                    return (i, try await collect(stream).tokens)
                }
            }
            for try await (i, tokens) in group {
                #expect(tokens == generate(decoder, request([Int32(i), 5], tokens: 15)))
            }
        }
    }

    @Test func refusesWhatItCannotServe() throws {
        var configuration = EngineConfiguration()
        configuration.kvMemory = try pageBytes()
        let engine = try Engine(try tinyDecoder(), configuration)
        #expect(throws: EngineError.memoryOverflow(prompt: 40, limit: 32)) {
            _ = try engine.generate(request(prompt(40), tokens: 1))
        }
        #expect(throws: EngineError.contextOverflow(prompt: 64, limit: 64)) {
            _ = try engine.generate(request(prompt(64), tokens: 1))
        }
        for (prompt, tokens) in [([], 1), ([300], 1), ([-1], 1), ([1], 0)] as [([Int32], Int)] {
            let bad = request(prompt, tokens: tokens)
            #expect(throws: EngineError.self) { _ = try engine.generate(bad) }
        }
        var drafted = request([1], tokens: 1)
        drafted.speculation = .draft(length: 2)
        #expect(throws: EngineError.self) { _ = try engine.generate(drafted) }
        configuration.kvMemory = 1
        #expect(throws: EngineError.self) { _ = try Engine(try tinyDecoder(), configuration) }
    }

    @Test func refusesWhenBusy() async throws {
        var configuration = EngineConfiguration()
        configuration.maxSequences = 1
        configuration.queueLimit = 1
        let engine = try Engine(try tinyDecoder(contextLength: 4096), configuration)
        var streams = try (0..<2).map { _ in try engine.generate(request([1, 2], tokens: 4000)) }
        #expect(throws: EngineError.busy(limit: 2)) { _ = try engine.generate(request([1, 2], tokens: 1)) }
        #expect(streams.count == 2)
        streams.removeAll()
        #expect(try await rests(engine))
        #expect(try await collect(try engine.generate(request([1, 2], tokens: 3))).tokens.count == 3)
    }

    /// Whether an engine soon has nothing to do and all its pages.
    private func rests(_ engine: Engine) async throws -> Bool {
        for _ in 0..<1000 {
            let now = engine.statistics
            if now.running == 0, now.waiting == 0, now.usedPages == 0, now.pages > 0 { return true }
            try await Task.sleep(for: .milliseconds(10))
        }
        return false
    }
}
