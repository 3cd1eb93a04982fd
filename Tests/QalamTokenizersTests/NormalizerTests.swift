// SPDX-License-Identifier: Apache-2.0

import Foundation
import QalamTokenizers
import Testing

/// Normalized text, against what Hugging Face `tokenizers` gave (`make_forms.py`), and the time that long runs take.
struct NormalizerTests {
    private static let steps = [
        "NFC": #"{"type":"NFC"}"#, "NFD": #"{"type":"NFD"}"#, "NFKC": #"{"type":"NFKC"}"#, "NFKD": #"{"type":"NFKD"}"#,
        "StripAccents": #"{"type":"Sequence","normalizers":[{"type":"NFKD"},{"type":"StripAccents"}]}"#,
        "BertNormalizer": #"{"type":"BertNormalizer"}"#,
    ]

    private struct Goldens: Decodable {
        let texts: [String]
        let forms: [String: [String]]
    }

    /// Decoding what this encodes gives the text as the normalizer leaves it.
    private func tokenizer(_ name: String, normalizer: String) throws -> Tokenizer {
        let text = String(decoding: try Fixtures.data("gpt2.json"), as: UTF8.self)
        return try Fixtures.tokenizer(
            json: Data(text.replacing("\"normalizer\":null", with: "\"normalizer\":\(normalizer)").utf8))
    }

    @Test(arguments: steps.keys.sorted())
    func givesTheFormsOfHuggingFace(name: String) throws {
        let goldens = try JSONDecoder().decode(Goldens.self, from: try Fixtures.data("forms.json"))
        let tokenizer = try tokenizer(name, normalizer: try #require(Self.steps[name]))
        for (text, form) in zip(goldens.texts, try #require(goldens.forms[name])) {
            let found = tokenizer.decode(tokenizer.encode(text))
            #expect(found.utf8.elementsEqual(form.utf8), "\(text.debugDescription): \(found.debugDescription)")
        }
    }

    @Test(.timeLimit(.minutes(1)), arguments: steps.keys.sorted())
    func takesLongRunsInLinearTime(name: String) throws {
        let tokenizer = try tokenizer(name, normalizer: try #require(Self.steps[name]))
        for unit in ["\u{301}", "\u{301}\u{323}", "e\u{323}\u{301}", "\u{1100}\u{1161}\u{11A8}", "가", "َّ", "中", " "] {
            let text = String(repeating: unit, count: (1 << 18) / unit.utf8.count)
            #expect(!tokenizer.encode("a" + text).isEmpty)
        }
    }

    @Test
    func tokensLookedForInNormalizedTextDecodeToIt() throws {
        let tokenizer = try Fixtures.tokenizer("llama")
        let ids = tokenizer.encode("a [n] b")
        let id = try #require(ids.first { tokenizer.decode([$0]) == "[n]" })
        #expect(tokenizer.decode([ids[0], id]) == "a [n]")
    }

    @Test
    func bytesThatNoTextHasMayLackTokens() throws {
        let text = String(decoding: try Fixtures.data("gpt2.json"), as: UTF8.self)
        let range = try #require(text.firstRange(of: /"À":[0-9]+,/))
        let tokenizer = try Fixtures.tokenizer(json: Data(text.replacingCharacters(in: range, with: "").utf8))
        #expect(tokenizer.decode(tokenizer.encode("Hello é")) == "Hello é")
        #expect(tokenizer.decode(tokenizer.encode(bytes: [0x61, 0xC0, 0x62], allowSpecial: false)) == "a?b")
    }
}
