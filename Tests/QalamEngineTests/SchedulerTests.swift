// SPDX-License-Identifier: Apache-2.0
import QalamEngine
import QalamModels
import QalamTensors
import TestSupport
import Testing

@Suite struct SchedulerTests {
    private let pageSize = KVPages.pageTokens

    /// Pages filled in pieces and token by token give what one pass over everything gives.
    @Test(arguments: DecoderFamily.allCases)
    func pagesAgreeWithOnePass(family: DecoderFamily) throws {
        let decoder = try tinyDecoder(family, contextLength: 512)
        let start = prompt(300)
        let tokens = generate(decoder, request(start, tokens: 12))
        var all = start
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

    /// Sixteen requests beside one another get what each gets alone, whatever the limits, threads and precision.
    @Test(arguments: [
        Load(maxSequences: 16, stepTokens: 512), Load(maxSequences: 16, stepTokens: 17, pages: 20),
        Load(maxSequences: 3, stepTokens: 5), Load(maxSequences: 16, stepTokens: 64, pages: 9, prefixCache: false),
        Load(maxSequences: 16, stepTokens: 64, threads: 1), Load(maxSequences: 16, stepTokens: 40, precision: .int8),
        Load(maxSequences: 5, stepTokens: 40, precision: .float16, threads: 2),
    ])
    func sameAnswerWhateverTheLoad(load: Load) throws {
        let decoder = try tinyDecoder(contextLength: 256)
        let requests = (0..<16).map { i in
            var wanted = request(
                prompt(5 + i * 11, seed: i / 4), tokens: 20 + i, temperature: i % 3 == 0 ? 0 : 1, seed: UInt64(i))
            wanted.priority = i % 2
            wanted.client = "\(i % 3)"
            if i % 5 == 1 { wanted.speculation = .promptLookup(length: 6) }
            if i % 5 == 2 { wanted.sampling.repetitionPenalty = 1.3 }
            return wanted
        }
        var alone = EngineConfiguration()
        alone.cachePrecision = load.precision
        alone.maxSequences = 1
        let expected = try requests.map { wanted in
            var plain = wanted
            plain.speculation = .off
            var scheduler = try Scheduler(decoder, alone)
            return run(&scheduler, [plain]).answers[0].tokens
        }
        let before = Device.cpu.threads
        defer { Device.cpu.threads = before }
        if let threads = load.threads { Device.cpu.threads = threads }
        var scheduler = try Scheduler(decoder, try load.configuration)
        for _ in 0..<2 {  // the second time everything is in the prefix cache
            #expect(run(&scheduler, requests).answers.map(\.tokens) == expected)
            #expect(scheduler.statistics.usedPages == 0)
        }
        if load.pages == 9 { #expect(scheduler.statistics.preemptions > 0) }
    }

    @Test func countsWhatTheCacheHad() throws {
        let decoder = try tinyDecoder(contextLength: 256)
        var scheduler = try Scheduler(decoder, EngineConfiguration())
        let first = run(&scheduler, [request(prompt(100), tokens: 10)]).answers[0]
        #expect(first.usage == Usage(promptTokens: 100, completionTokens: 10, cachedTokens: 0))
        // The next turn of the conversation: all is there but the last token of the answer, which was not run.
        let next = prompt(100) + first.tokens + prompt(50, seed: 9)
        #expect(run(&scheduler, [request(next, tokens: 2)]).answers[0].usage.cachedTokens == 109)
        // One token is always computed; a text that parts from another within a page takes what they share.
        #expect(run(&scheduler, [request(prompt(64), tokens: 2)]).answers[0].usage.cachedTokens == 63)
        let parting = prompt(70) + prompt(30, seed: 8)
        #expect(run(&scheduler, [request(parting, tokens: 2)]).answers[0].usage.cachedTokens == 70)
        var adapted = request(prompt(100), tokens: 1)
        adapted.adapter = 1
        #expect(run(&scheduler, [adapted]).answers[0].usage.cachedTokens == 0)
    }

    /// Answers to one prompt compute it once, even when they are asked for at the same time.
    @Test func choicesShareThePrompt() throws {
        let decoder = try tinyDecoder(contextLength: 256)
        var scheduler = try Scheduler(decoder, EngineConfiguration())
        let requests = (0..<4).map { request(prompt(130), tokens: 8, temperature: 1, seed: UInt64($0)) }
        let answers = run(&scheduler, requests).answers
        #expect(answers.map(\.usage.cachedTokens) == [0, 128, 128, 128])
        #expect(Set(answers.map(\.tokens)).count > 1)
    }

    @Test func theOldestOfThePriorityGoesOn() throws {
        let decoder = try tinyDecoder(contextLength: 256)
        var configuration = EngineConfiguration()
        configuration.kvMemory = 8 * (try pageBytes())
        configuration.prefixCache = false
        var scheduler = try Scheduler(decoder, configuration)
        #expect(scheduler.limit == 8 * pageSize)
        let requests = (0..<3).map { i in
            var wanted = request(prompt(60, seed: i), tokens: 120)
            wanted.priority = i == 2 ? 1 : 0
            return wanted
        }
        let (answers, ended) = run(&scheduler, requests)
        #expect(ended == [2, 0, 1])
        #expect(answers.map(\.tokens) == requests.map { generate(decoder, $0) })
        #expect(scheduler.statistics.preemptions > 0)
    }

    /// One that has all the memory ends where it is full.
    @Test func endsWhereMemoryEnds() throws {
        var configuration = EngineConfiguration()
        configuration.kvMemory = 2 * (try pageBytes())
        var scheduler = try Scheduler(try tinyDecoder(contextLength: 256), configuration)
        let answer = run(&scheduler, [request(prompt(60), tokens: 100)]).answers[0]
        #expect(answer.tokens.count == 4 && answer.reason == .length)
    }

    @Test func aUrgentRequestTakesAPlace() throws {
        let decoder = try tinyDecoder(contextLength: 256)
        var configuration = EngineConfiguration()
        configuration.maxSequences = 1
        var scheduler = try Scheduler(decoder, configuration)
        let slow = request(prompt(10), tokens: 30)
        _ = scheduler.add(slow)
        var tokens: [Int: [Int32]] = [:]
        var order: [Int] = []
        func note(_ id: Int, _ event: GenerationEvent) {
            if case .token(let token, _) = event { tokens[id, default: []].append(token) }
            if case .finished = event { order.append(id) }
        }
        for _ in 0..<5 { scheduler.step(note) }
        var urgent = request(prompt(12, seed: 3), tokens: 5)
        urgent.priority = 1
        _ = scheduler.add(urgent)
        while !scheduler.isEmpty { scheduler.step(note) }
        #expect(order == [2, 1])
        #expect(tokens == [1: generate(decoder, slow), 2: generate(decoder, urgent)])
    }

    @Test func clientsTakeTurns() throws {
        var configuration = EngineConfiguration()
        configuration.maxSequences = 1
        var scheduler = try Scheduler(try tinyDecoder(), configuration)
        let requests = ["a", "a", "a", "a", "b", "c"].enumerated().map { i, client in
            var wanted = request(prompt(8, seed: i), tokens: 2)
            wanted.client = client
            return wanted
        }
        #expect(run(&scheduler, requests).ended == [0, 4, 5, 1, 2, 3])
    }

    @Test func removingFreesAtAnyMoment() throws {
        let decoder = try tinyDecoder(contextLength: 256)
        var configuration = EngineConfiguration()
        configuration.stepTokens = 20
        configuration.maxSequences = 4
        for steps in 0..<14 {
            var scheduler = try Scheduler(decoder, configuration)
            let ids = (0..<6).map { scheduler.add(request(prompt(50, seed: $0), tokens: 9)) }
            for _ in 0..<steps { scheduler.step { _, _ in } }
            for id in ids { scheduler.remove(id) }
            #expect(scheduler.isEmpty && scheduler.statistics.usedPages == 0)
        }
    }
}

/// A configuration to run under.
struct Load: Sendable {
    var maxSequences: Int
    var stepTokens: Int
    var pages: Int?
    var prefixCache = true
    var precision = CachePrecision.float32
    var threads: Int?

    var configuration: EngineConfiguration {
        get throws {
            var configuration = EngineConfiguration()
            configuration.maxSequences = maxSequences
            configuration.stepTokens = stepTokens
            configuration.prefixCache = prefixCache
            configuration.cachePrecision = precision
            if let pages { configuration.kvMemory = pages * (try pageBytes()) }
            return configuration
        }
    }
}
