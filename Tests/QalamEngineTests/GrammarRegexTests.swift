// SPDX-License-Identifier: Apache-2.0
import QalamEngine
import Testing

/// Regular expressions against Swift's own, over all short texts.
@Suite struct GrammarRegexTests {
    @Test(arguments: [
        "", "a", "ab|ba", "a*", "(ab)+", "a?b?a?", "(a|b)*abb", "[ab]{2,3}", "a{2}b{0,2}", "(?:a|ab)(?:b|)", "a{2,}",
        "(a*)*", "(a*b*)*", "(|a)+", "[^a]*", ".b.", "(a|aa)+b", "a+?b*?", "(?<x>ab|b)a", "((a)|(b))+", "^ab$",
        "\\x61b",
        "[a-b]+", "[^b-z]+", "\\u0061{1,2}", "(a{1,2}){2}", "\\w+", "[\\w]a", "\\Wa|b", "(?:){3}a", "a{0}b",
    ])
    func whole(pattern: String) throws {
        let regex = try Regex(pattern)
        let grammar = try Grammar(regex: pattern)
        for text in allTexts("ab", length: 6) {
            #expect(grammar.accepts(text) == (text.wholeMatch(of: regex) != nil), "\(text)")
        }
    }

    @Test(arguments: ["ab", "^a", "b$", "^ab*$", "a{2}", "^$", "", "a|^b", "ba$|^bb", "[^a]{2}", "^.{2,3}$"])
    func anywhere(pattern: String) throws {
        let regex = try Regex(pattern)
        let grammar = try Grammar.schema("{\"type\": \"string\", \"pattern\": \"\(pattern)\"}")
        let short = try Grammar.schema("{\"type\": \"string\", \"pattern\": \"\(pattern)\", \"maxLength\": 4}")
        for text in allTexts("ab", length: 6) {
            let matches = text.firstMatch(of: regex) != nil
            #expect(grammar.accepts("\"\(text)\"") == matches, "\(text)")
            #expect(short.accepts("\"\(text)\"") == (matches && text.count <= 4), "\(text)")
        }
    }

    /// Masks near and far from the end of a count, against every token, those longer than the count leaves included.
    @Test(arguments: ["[a-z ]{1,45}", "a{30}[a-zé]{3,40}", "(?:ab?|b){20,50}", "(?:a{2}b{0,3}){18,40}", "[^c]{25}"])
    func countsAreExact(pattern: String) throws {
        var random = SplitMix(state: 21)
        let regex = try Regex(pattern).matchingSemantics(.unicodeScalar)
        let grammar = try Grammar(regex: pattern)
        let list = try Grammar.schema(
            "{\"type\": \"array\", \"items\": {\"type\": \"string\", \"pattern\": \"^(?:\(pattern))$\"}}")
        var ended = 0
        for _ in 0..<6 {
            guard let text = grammar.randomText(&random, steps: 60) else { continue }
            ended += 1
            #expect(String(decoding: text, as: UTF8.self).wholeMatch(of: regex) != nil)
            _ = list.randomText(&random, steps: 40)
        }
        #expect(ended > 0)
    }

    @Test func charactersAreUTF8() throws {
        let grammar = try Grammar(regex: "[à-ü]日.[^x]\\p{Lu}")
        #expect(grammar.accepts("é日😀yÉ"))
        #expect(grammar.accepts("ü日\u{7FF}\u{FFFF}Ω"))
        #expect(!grammar.accepts("ÿ日😀yÉ"))
        #expect(!grammar.accepts("é日\nyÉ"))
        #expect(!grammar.accepts("é日😀yé"))
        let any = try Grammar(regex: ".")
        func begins(_ bytes: ArraySlice<UInt8>) -> Bool {
            var matcher = GrammarMatcher(any, TestVocabulary.bytes)
            return matcher.accept(bytes: bytes)
        }
        #expect(!begins([0xED, 0xA0]), "no surrogates")
        #expect(!begins([0xC0]), "no overlong forms")
        #expect(!begins([0xF4, 0x90]), "nothing past U+10FFFF")
        #expect(begins([0xF4, 0x8F]))
    }

    @Test(arguments: [
        ("(?=a)b", "lookahead"), ("(?!a)b", "negative lookahead"), ("(?<=a)b", "lookbehind"),
        ("(?<!a)b", "negative lookbehind"), ("(a)\\1", "a backreference"), ("\\bа", "a word boundary"),
        ("(?i)a", "flags in a group"), ("a++", "a possessive quantifier"), ("(?>a)", "an atomic group"),
        ("a^b", "^ within the expression"), ("a$b", "$ before the end"), ("[[:alpha:]]", "a POSIX class"),
        ("\\p{Script=Greek}", "\\p{Script=Greek}"), ("(^a)", "^ within the expression"),
    ])
    func refusesByName(pattern: String, name: String) {
        do {
            _ = try Grammar(regex: pattern)
            Issue.record("\(pattern) was taken")
        } catch {
            guard case .unsupportedRegex(name, _) = error else {
                Issue.record("\(pattern): \(error)")
                return
            }
        }
    }

    @Test(arguments: [
        "(", ")", "a)", "[", "[a", "[b-a]", "*", "a**", "a{2,1}", "a{,2}", "{", "\\", "\\x1", "\\u12", "\\u{110000}",
        "\\ud800", "(?<x", "\\p{", "a{1000001}", "a{999999}", "((a{1000}){1000}){1000}", "[^\\s\\S]", "\\c1", "(?",
        String(repeating: "(", count: 5_000), "(?<", "a{", "[\\", "[a-", "\\u{", "\\pL",
    ])
    func refusesWhatIsDamaged(pattern: String) {
        #expect(throws: GrammarError.self) { try Grammar(regex: pattern) }
    }
}
