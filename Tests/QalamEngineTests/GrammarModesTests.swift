// SPDX-License-Identifier: Apache-2.0
import QalamEngine
import Testing

/// Grammars that hold for a part of an answer only.
@Suite struct GrammarModesTests {
    /// Bytes, 256 and 257 as marks around reasoning, 258 as the mark of a call, 259 ends.
    private static let vocabulary = GrammarVocabulary(count: 260, endTokens: [259]) { $0 < 256 ? [UInt8($0)] : nil }

    private func matcher() throws -> GrammarMatcher { GrammarMatcher(try Grammar(regex: "a+b"), Self.vocabulary) }

    private func takes(_ matcher: inout GrammarMatcher, _ text: String) -> Bool {
        text.utf8.allSatisfy { byte in
            let allowed = matcher.mask().contains(Int32(byte))
            let taken = matcher.accept(Int32(byte))
            #expect(allowed == taken)
            return taken
        }
    }

    private func takes(_ matcher: inout GrammarMatcher, _ token: Int32) -> Bool { matcher.accept(token) }

    @Test("a required call of gpt-oss begins with its name, since the prompt ends with the mark")
    func callsInChannels() throws {
        var options = ChatOptions()
        (options.tools, options.toolChoice) = ([Tool(name: "look")], .required)
        #expect(AnswerReaderTests.channels.opening(of: options) == "<|channel|>commentary to=functions.")
        let grammar = try Grammar(calls: options.tools, AnswerReaderTests.channels.calls, parallel: true)
        var matcher = GrammarMatcher(grammar, Self.vocabulary)
        var other = matcher
        #expect(takes(&matcher, "look <|constrain|>json<|message|>{}") && matcher.isComplete)
        #expect(!takes(&other, "other"))
    }

    @Test func reasoningMayComeFirst() throws {
        var matcher = try matcher()
        matcher.allowReasoning(open: 256, close: 257, isOpen: false)
        let start = matcher
        #expect(takes(&matcher, "aab") && matcher.isComplete)
        #expect(!matcher.mask().contains(256))
        matcher = start
        #expect(matcher.mask().contains(256) && !matcher.mask().contains(257))
        #expect(takes(&matcher, 256))
        #expect(takes(&matcher, "anything at all"))
        #expect(!matcher.mask().contains(259) && !matcher.isFinished)
        let ended = matcher.accept(259)
        #expect(!ended)
        #expect(takes(&matcher, 257))
        #expect(!takes(&matcher, "b"))
        #expect(takes(&matcher, "ab") && takes(&matcher, 259) && matcher.isFinished)
    }

    @Test func reasoningThatIsOpen() throws {
        var matcher = try matcher()
        matcher.allowReasoning(open: nil, close: 257, isOpen: true)
        #expect(takes(&matcher, "b") && takes(&matcher, 257))
        #expect(!takes(&matcher, "b") && takes(&matcher, "ab"))
    }

    @Test func holdsAfterAMark() throws {
        var matcher = try matcher()
        matcher.hold(after: 258)
        #expect(takes(&matcher, "free text") && matcher.mask().contains(259))
        for _ in 0..<2 {
            #expect(takes(&matcher, 258))
            #expect(!matcher.mask().contains(259))
            #expect(!takes(&matcher, "x"))
            #expect(takes(&matcher, "aab"))
            #expect(takes(&matcher, " free again "))
        }
        #expect(matcher.mask().contains(259))
    }

    /// Masks found ahead are those found on the way.
    @Test func preparedMasksAreTheSame() throws {
        let schema = """
            {"type": "object", "properties": {"a": {"type": "string", "maxLength": 40}, "b": {"type": "number"},
            "c": {"type": "array", "items": {"type": "string"}}}, "required": ["a", "b", "c"]}
            """
        let text = Array("{\"a\": \"hello world\\n日本\",\"b\": -12.5e3, \"c\": [\"x\", \"é\\\"\"]}".utf8)
        let (plain, prepared) = (try Grammar.schema(schema), try Grammar.schema(schema))
        prepared.prepare(TestVocabulary.mixed)
        var a = GrammarMatcher(plain, TestVocabulary.mixed)
        var b = GrammarMatcher(prepared, TestVocabulary.mixed)
        for byte in text {
            #expect(a.mask() == b.mask())
            let (first, second) = (a.accept(Int32(byte)), b.accept(Int32(byte)))
            #expect(first && second)
        }
        #expect(a.isComplete && b.isComplete)
    }
}
