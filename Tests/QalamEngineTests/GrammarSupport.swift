// SPDX-License-Identifier: Apache-2.0
import Foundation
import QalamEngine
import QalamTokenizers
import Testing

/// Vocabularies for the tests of grammars: the end token comes last.
enum TestVocabulary {
    /// Every byte is a token.
    static let bytes = GrammarVocabulary(count: 257, endTokens: [256]) { $0 < 256 ? [UInt8($0)] : nil }

    /// Bytes, and pieces that begin and end anywhere: across the parts of JSON, within a character, the same twice.
    static let pieces: [[UInt8]] = {
        let texts = [
            "{\"", "\":", "\": ", "\",", "\", \"", "\"}", "\"}}", "[[", "]]", "],", "[]", "{}", ": [", "\n  ",
            "\n    \"", " \"",
            "true", "tru", "false", "null", "nul", "hello", " world", "a", "ab", "abc", "aaaa", "12", "-1", "0.", ".5",
            "e+", "1e", "123456", "\\\"", "\\n", "\\u00", "\\ud83d", "\\udc", "é", "ü\"", "日本", "😀", "name", "age",
            "\"name\":", "2024-", "-02-", "x\":1", "}, {", "  ", " ", ",", "\"a\":", "\"b\":", "1}", "1]",
            "the quick brown fox jumps", "aaaaaaaaaaaaaaaaaaaaaaaa", "aaaaaaaaaaaaaaaa", "aaaaaaaaaaaaaaaaa\"",
            "                    ", "éééééééééééé", "bbbbbbbbbbbbbbbbbb\",\"", "bbbbbbbbbbbbbbbbbbbbbbbbb\"]",
        ]
        let halves: [[UInt8]] = [
            [0xC3], [0xA9, 0x22], [0xE6, 0x97], [0xA5, 0xE6], [0xF0, 0x9F], [0x98, 0x80, 0x22, 0x2C],
        ]
        return (0...255).map { [UInt8($0)] } + texts.map { Array($0.utf8) } + halves
    }()
    static let endToken = Int32(pieces.count + 1)
    /// The token before the end token is special.
    static let mixed = GrammarVocabulary(count: pieces.count + 2, endTokens: [endToken]) {
        $0 < pieces.count ? pieces[Int($0)] : nil
    }
}

extension Grammar {
    /// Whether `text` is complete.
    func accepts(_ text: String) -> Bool {
        var matcher = GrammarMatcher(self, TestVocabulary.bytes)
        for byte in text.utf8 where !matcher.accept(Int32(byte)) { return false }
        return matcher.isComplete
    }

    static func schema(_ text: String) throws -> Grammar { try Grammar(jsonSchema: Array(text.utf8)) }

    /// A complete text of tokens drawn at random among those allowed; nil if it did not end in time.
    ///
    /// The mask is held against every token of the vocabulary at each step where `checked`.
    func randomText(_ random: inout SplitMix, steps: Int, checked: Bool = true) -> [UInt8]? {
        var matcher = GrammarMatcher(self, TestVocabulary.mixed)
        var text: [UInt8] = []
        for _ in 0..<steps {
            let mask = matcher.mask()
            if checked { checkMask(matcher, mask) }
            if matcher.isComplete, random.next() % 4 == 0 || mask.count == 1 {
                let ended = matcher.accept(TestVocabulary.endToken)
                #expect(ended && matcher.isFinished)
                return text
            }
            let allowed = TestVocabulary.pieces.indices.filter { mask.contains(Int32($0)) }
            guard !allowed.isEmpty else {
                Issue.record("a dead end after \(String(decoding: text, as: UTF8.self))")
                return nil
            }
            // What closes is preferred, so that texts end.
            let closing = allowed.filter { [0x22, 0x5D, 0x7D].contains(TestVocabulary.pieces[$0].last) }
            let choice = random.next() % 3 == 0 && !closing.isEmpty ? closing : allowed
            let token = choice[Int(random.next() % UInt64(choice.count))]
            let accepted = matcher.accept(Int32(token))
            #expect(accepted)
            text += TestVocabulary.pieces[token]
        }
        return nil
    }

    private func checkMask(_ matcher: GrammarMatcher, _ mask: TokenMask) {
        for token in 0...TestVocabulary.endToken {
            var copy = matcher
            let accepts = copy.accept(token)
            if accepts != mask.contains(token) {
                Issue.record("token \(token): mask \(mask.contains(token)), \(accepts)")
            }
        }
    }
}

/// The value of an answer; nil where a number is past what a double can hold.
func parsed(_ text: [UInt8]) throws -> JSONValue? {
    if String(decoding: text, as: UTF8.self).contains(/[eE][+-]?[0-9]{2,}|[0-9]{200}/) { return nil }
    return try JSONParser.parse(text, file: "answer")
}

/// Random numbers that are the same on every run.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
        return z ^ z >> 31
    }
}

/// All texts over an alphabet of at most `length` characters.
func allTexts(_ alphabet: String, length: Int) -> [String] {
    var all = [""]
    var last = [""]
    for _ in 0..<length {
        last = last.flatMap { text in alphabet.map { text + String($0) } }
        all += last
    }
    return all
}
