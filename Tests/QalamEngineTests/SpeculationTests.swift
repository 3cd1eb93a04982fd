// SPDX-License-Identifier: Apache-2.0
import QalamEngine
import QalamModels
import QalamTensors
import TestSupport
import Testing

@Suite struct SpeculationTests {
    /// Whatever is proposed, the answer is that without proposals: greedy, drawn, with penalties, near the end.
    @Test(arguments: [Speculation.promptLookup(length: 8), .draft(length: 4), .draft(length: 1)], [Float(0), 0.3, 1])
    func sameAnswer(speculation: Speculation, temperature: Float) throws {
        let decoder = try tinyDecoder(contextLength: 128)
        // The model itself as its draft is mostly right; another one mostly wrong.
        for draft in [try tinyDecoder(contextLength: 128), try tinyDecoder(contextLength: 100, seed: 2)] {
            var scheduler = try Scheduler(decoder, draft: draft, EngineConfiguration())
            var requests = (0..<4).map { i in
                var wanted = request(
                    prompt(20 + i * 9, seed: i) + prompt(20, seed: i), tokens: 40, temperature: temperature,
                    seed: UInt64(i))
                wanted.speculation = speculation
                return wanted
            }
            requests[1].maxTokens = 3
            requests[2].sampling.frequencyPenalty = 0.5
            requests[3].sampling.mirostat = Mirostat(target: 3)
            requests[3].maxTokens = 1000  // to the end of the context
            let answers = run(&scheduler, requests).answers
            #expect(answers.map(\.tokens) == requests.map { generate(decoder, plain($0)) })
            #expect(scheduler.statistics.usedPages == 0 && scheduler.statistics.draftPages == 0)
        }
    }

    /// A draft that is the model itself is always right.
    @Test func acceptsWhatIsRight() throws {
        var scheduler = try Scheduler(
            try tinyDecoder(contextLength: 128), draft: try tinyDecoder(contextLength: 128), EngineConfiguration())
        var wanted = request(prompt(20), tokens: 61, temperature: 1)
        wanted.speculation = .draft(length: 4)
        _ = run(&scheduler, [wanted])
        #expect(scheduler.statistics.proposedTokens > 30)
        #expect(scheduler.statistics.acceptedTokens == scheduler.statistics.proposedTokens)
    }

    /// A text that repeats itself is found again in itself.
    @Test func findsRepetitions() throws {
        let decoder = try tinyDecoder(contextLength: 256)
        var scheduler = try Scheduler(decoder, EngineConfiguration())
        var wanted = request(prompt(20), tokens: 200)
        // Greedy answers of small models run in circles.
        wanted.speculation = .promptLookup(length: 8)
        let answer = run(&scheduler, [wanted]).answers[0]
        #expect(answer.tokens == generate(decoder, plain(wanted)))
        #expect(scheduler.statistics.acceptedTokens > 50)
    }

    /// Stop tokens among the proposals end the answer where they would have.
    @Test func stopsInsideAProposal() throws {
        let decoder = try tinyDecoder(contextLength: 256)
        let free = generate(decoder, request(prompt(20), tokens: 60))
        for stop in Set(free.suffix(30)) {
            var wanted = request(prompt(20), tokens: 60)
            wanted.stopTokens = [stop]
            wanted.speculation = .draft(length: 5)
            var scheduler = try Scheduler(decoder, draft: try tinyDecoder(contextLength: 256), EngineConfiguration())
            let answer = run(&scheduler, [wanted]).answers[0]
            #expect(answer.tokens == Array(free.prefix { $0 != stop }))
            #expect(answer.usage.completionTokens == answer.tokens.count + 1)
            #expect(scheduler.statistics.usedPages == 0)
        }
    }

    private func plain(_ request: GenerationRequest) -> GenerationRequest {
        var plain = request
        plain.speculation = .off
        return plain
    }
}
