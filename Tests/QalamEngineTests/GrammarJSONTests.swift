// SPDX-License-Identifier: Apache-2.0
import Foundation
import QalamEngine
import Testing

/// Any JSON against Foundation's reader.
@Suite struct GrammarJSONTests {
    /// Foundation's verdict, but for a comma before the end of a list, which it lets pass.
    private func isJSON(_ text: String) -> Bool {
        (try? JSONSerialization.jsonObject(with: Data(text.utf8), options: .fragmentsAllowed)) != nil
            && !text.replacing(/"([^"\\]|\\.)*"/, with: "0").contains(/,[ \n]*[\]}]/)
    }

    @Test(arguments: [("[],\"1-.e0", 5), ("{}\":,a\\", 6), ("01-+.eE", 6), ("\"\\un0Dd8", 5)])
    func allShortTexts(alphabet: String, length: Int) throws {
        let grammar = try Grammar.json()
        for text in allTexts(alphabet, length: length) where grammar.accepts(text) != isJSON(text) {
            // Foundation has no room for 1e1000.
            if text.contains(/[eE][+]?[0-9]{4}/) { continue }
            Issue.record("\(text): \(grammar.accepts(text))")
        }
    }

    @Test func escapesOfSurrogatesComeInPairs() throws {
        let grammar = try Grammar.json()
        #expect(grammar.accepts(#""\ud83d\uDE00""#))
        #expect(!grammar.accepts(#""\ud83d""#))
        #expect(!grammar.accepts(#""\ud83dx""#))
        #expect(!grammar.accepts(#""\ud83d\u0041""#))
        #expect(!grammar.accepts(#""\ude00""#))
        #expect(grammar.accepts(#""\u00e9\uD7FF\uE000""#))
    }

    @Test func whiteSpaceIsBounded() throws {
        let grammar = try Grammar.json()
        #expect(grammar.accepts("{\n  \"a\": [\n    1,\n    2\n  ]\n}"))
        #expect(grammar.accepts("{\"a\":1,\"b\":{}}") && grammar.accepts("{ \"a\": 1, \"b\": { } }"))
        #expect(!grammar.accepts("{  \"a\": 1}") || !grammar.accepts("[1,   2]"))
        #expect(!grammar.accepts("[1,\n\n2]") && !grammar.accepts("[1, \n" + String(repeating: " ", count: 30) + "2]"))
    }

    @Test func anObjectIsAnObject() throws {
        let grammar = try Grammar.jsonObject()
        #expect(grammar.accepts("{\"a\": [1, {\"b\": null}]}"))
        #expect(!grammar.accepts("[]") && !grammar.accepts("1") && !grammar.accepts("{}{}"))
    }

    @Test func nestingIsBounded() throws {
        let grammar = try Grammar.json()
        #expect(grammar.accepts(String(repeating: "[", count: 100) + String(repeating: "]", count: 100)))
        #expect(!grammar.accepts(String(repeating: "[", count: 100_000) + String(repeating: "]", count: 100_000)))
    }

    @Test func longListsDoNotGrowTheStack() throws {
        let grammar = try Grammar.json()
        #expect(grammar.accepts("[" + String(repeating: "[1,{\"a\":2}],", count: 20_000) + "0]"))
    }

    @Test func randomTextsAreJSON() throws {
        let grammar = try Grammar.json()
        var random = SplitMix(state: 1)
        var ended = 0
        for _ in 0..<60 {
            guard let text = grammar.randomText(&random, steps: 60) else { continue }
            ended += 1
            // Foundation has no room for 1e999.
            let digits = String(decoding: text, as: UTF8.self)
            if digits.contains(/[eE][+-]?[0-9]{2,}|[0-9]{20}/) { continue }
            #expect(isJSON(digits), "\(digits)")
        }
        #expect(ended > 20)
    }
}
