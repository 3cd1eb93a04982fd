// SPDX-License-Identifier: Apache-2.0
import Foundation
import QalamEngine
import QalamTokenizers
import TestSupport
import Testing

/// JSON Schema: what is taken, what is refused, and that what is written is valid.
@Suite struct GrammarSchemaTests {
    /// A schema with texts that it admits and texts that it does not (Tests/Fixtures/schemas/cases.json).
    struct Case {
        let schema: JSONValue
        let yes: [String]
        let no: [String]
        var bytes: [UInt8] { Array(schema.json.utf8) }

        static func all() throws -> [Case] {
            let data = try Data(contentsOf: fixture("schemas/cases.json"))
            return try JSONParser.parse(Array(data), file: "cases.json").elements.map {
                Case(
                    schema: $0["schema"] ?? .null, yes: $0["yes"]?.elements.map(\.text) ?? [],
                    no: $0["no"]?.elements.map(\.text) ?? [])
            }
        }
    }

    @Test func admitsWhatIsValid() throws {
        for test in try Case.all() {
            let grammar = try Grammar(jsonSchema: test.bytes)
            for text in test.yes { #expect(grammar.accepts(text), "\(test.schema.json) \(text)") }
            for text in test.no { #expect(!grammar.accepts(text), "\(test.schema.json) \(text)") }
        }
    }

    private func refused(_ kind: String) throws -> [JSONValue] {
        let data = try Data(contentsOf: fixture("schemas/refused.json"))
        return try JSONParser.parse(Array(data), file: "refused.json")[kind]?.elements ?? []
    }

    @Test func refusesByName() throws {
        for fields in try refused("byName").map(\.elements) {
            #expect(throws: GrammarError.unsupported(pointer: fields[1].text, keyword: fields[2].text)) {
                try Grammar.schema(fields[0].text)
            }
        }
    }

    @Test func refusesWhatIsDamagedOrCannotBe() throws {
        for schema in try refused("damaged").map(\.text) {
            #expect(throws: GrammarError.self, "\(schema)") { try Grammar.schema(schema) }
        }
    }

    /// Every schema cut off at every byte, and with each byte changed.
    @Test func damageNeverCrashes() throws {
        var random = SplitMix(state: 9)
        for test in try Case.all() {
            let bytes = test.bytes
            for length in bytes.indices where bytes.count > 4 {
                #expect(throws: GrammarError.self) { try Grammar(jsonSchema: Array(bytes[..<length])) }
            }
            for index in bytes.indices {
                var changed = bytes
                changed[index] = UInt8(truncatingIfNeeded: random.next())
                _ = try? Grammar(jsonSchema: changed)
            }
        }
    }

    @Test func randomTextsAreValid() throws {
        var random = SplitMix(state: 5)
        for test in try Case.all() {
            let grammar = try Grammar(jsonSchema: test.bytes)
            let oracle = SchemaOracle(root: test.schema)
            var ended = 0
            for _ in 0..<12 {
                guard let text = grammar.randomText(&random, steps: 60) else { continue }
                ended += 1
                guard let value = try parsed(text) else { continue }
                #expect(try oracle.validates(value), "\(test.schema.json) \(String(decoding: text, as: UTF8.self))")
            }
            #expect(ended > 0, "\(test.schema.json)")
        }
    }

    @Test func forcedBytesAreThoseWithoutChoice() throws {
        let schema = """
            {"type":"object","properties":{"answer":{"enum":["yes","yellow"]}},"required":["answer"],
            "additionalProperties":false}
            """
        var matcher = GrammarMatcher(try Grammar.schema(schema), TestVocabulary.mixed)
        #expect(matcher.forcedBytes() == Array("{".utf8))
        for (text, next) in [("{\"", "answer\":"), ("answer\": \"", "ye")] {
            let accepted = matcher.accept(bytes: Array(text.utf8)[...])
            #expect(accepted && matcher.forcedBytes() == Array(next.utf8))
        }
        let (other, last) = (matcher.accept(bytes: [0x6E]), matcher.accept(bytes: Array("yes\"}".utf8)[...]))
        #expect(!other && last && matcher.isComplete && !matcher.isFinished)
        #expect(matcher.mask().only == TestVocabulary.endToken)
        let (more, end) = (matcher.accept(bytes: [0x7D]), matcher.accept(TestVocabulary.endToken))
        #expect(!more && end && matcher.isFinished)
    }
}
