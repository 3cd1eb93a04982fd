// SPDX-License-Identifier: Apache-2.0
import QalamEngine
import QalamModels
import TestSupport
import Testing

@Suite struct ConstrainedTests {
    /// Answers keep to their grammar, end with it, and are the same beside others and with proposals.
    @Test func answersKeepToTheGrammar() throws {
        let decoder = try tinyDecoder(contextLength: 128)
        // Tokens below 256 are bytes, 299 ends an answer.
        let vocabulary = GrammarVocabulary(count: 300, endTokens: [299]) { $0 < 256 ? [UInt8($0)] : nil }
        let grammar = try Grammar(regex: "(ab|ba){4,8}")
        let requests = (0..<6).map { i in
            var wanted = request(prompt(10 + i), tokens: 40, temperature: i.isMultiple(of: 2) ? 1 : 0, seed: UInt64(i))
            wanted.grammar = GrammarMatcher(grammar, vocabulary)
            wanted.stopTokens = [299]
            return wanted
        }
        var proposing = requests
        for i in proposing.indices {
            proposing[i].speculation = i.isMultiple(of: 2) ? .promptLookup(length: 5) : .draft(length: 3)
        }
        var scheduler = try Scheduler(
            decoder, draft: try tinyDecoder(contextLength: 128, seed: 3), EngineConfiguration())
        let together = run(&scheduler, proposing).answers
        #expect(together.map(\.tokens) == requests.map { generate(decoder, $0) })
        for answer in together {
            let text = answer.tokens.map { String(UnicodeScalar(UInt8($0))) }.joined()
            #expect(text.wholeMatch(of: /(ab|ba){4,8}/) != nil, "\(text)")
            #expect(answer.reason == .stop)
        }
        #expect(scheduler.statistics.usedPages == 0)
    }
}
