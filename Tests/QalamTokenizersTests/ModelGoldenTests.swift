// SPDX-License-Identifier: Apache-2.0

import Foundation
import QalamTokenizers
import Testing

/// Tokenizers that are not byte-level, against what Hugging Face `tokenizers` gave (`make_models.py`).
struct ModelGoldenTests {
    static let files = ["llama", "gemma", "metaspace", "unigram", "fallback", "bert"]

    private struct Goldens: Decodable {
        struct Variant: Decodable {
            let normalizer: String
            let preTokenizer: String
            let ids: [[TokenID]]
        }

        let texts: [String]
        let ids: [String: [[TokenID]]]
        let plain: [String: [[TokenID]]]
        /// Ids of "" and "a b" with what goes around a text.
        let ends: [String: [[TokenID]]]
        let decode: [String: [Fixtures.Cases.Decoding]]
        let variants: [Variant]
    }

    private func goldens() throws -> (Goldens, texts: [String]) {
        let goldens = try JSONDecoder().decode(Goldens.self, from: try Fixtures.data("models.json"))
        return (goldens, try Fixtures.cases().texts + goldens.texts)
    }

    private func check(_ texts: [String], _ expected: [[TokenID]], _ encode: (String) -> [TokenID]) {
        #expect(texts.count == expected.count)
        for (text, ids) in zip(texts, expected) {
            #expect(encode(text) == ids, "\(text.debugDescription)")
        }
    }

    @Test(arguments: files)
    func encodesAsHuggingFace(file: String) throws {
        let (goldens, texts) = try goldens()
        let tokenizer = try Fixtures.tokenizer(file)
        check(texts, try #require(goldens.ids[file])) { tokenizer.encode($0) }
        check(goldens.texts, try #require(goldens.plain[file])) { tokenizer.encode($0, allowSpecial: false) }
        check(["", "a b"], try #require(goldens.ends[file])) { tokenizer.encode($0, addSpecial: true) }
    }

    @Test(arguments: files)
    func decodesAsHuggingFace(file: String) throws {
        let tokenizer = try Fixtures.tokenizer(file)
        for item in try #require(goldens().0.decode[file]) {
            #expect(tokenizer.decode(item.ids) == item.text, "\(item.ids)")
            var stream = StreamDecoder(tokenizer)
            let streamed = item.ids.map { stream.append($0) }.joined() + stream.finish()
            #expect(streamed.utf8.elementsEqual(item.text.utf8), "\(item.ids)")
        }
    }

    @Test(arguments: files)
    func writesWhatItReads(file: String) throws {
        let (goldens, texts) = try goldens()
        let tokenizer = try Fixtures.tokenizer(file)
        let again = try Fixtures.tokenizer(json: try tokenizer.tokenJSON())
        check(texts, try #require(goldens.ids[file])) { again.encode($0) }
        #expect(try again.tokenJSON() == tokenizer.tokenJSON())
    }

    @Test
    func doesEveryStepAsHuggingFace() throws {
        let (goldens, texts) = try goldens()
        let base = try #require(
            try JSONSerialization.jsonObject(with: try Fixtures.data("steps.json")) as? [String: Any])
        let some = stride(from: 0, to: texts.count, by: 2).map { texts[$0] }
        for variant in goldens.variants {
            var file = base
            for (key, text) in [("normalizer", variant.normalizer), ("pre_tokenizer", variant.preTokenizer)] {
                file[key] = try JSONSerialization.jsonObject(with: Data(text.utf8))
            }
            let tokenizer = try Fixtures.tokenizer(json: try JSONSerialization.data(withJSONObject: file))
            for (text, ids) in zip(some, variant.ids) {
                #expect(
                    tokenizer.encode(text) == ids,
                    "\(variant.normalizer) \(variant.preTokenizer) \(text.debugDescription)")
            }
            let again = try Fixtures.tokenizer(json: try tokenizer.tokenJSON())
            #expect(again.encode("The Naïve  thé 12.") == tokenizer.encode("The Naïve  thé 12."))
        }
    }

    @Test
    func leavesInvalidBytesToByteTokens() throws {
        for file in ["llama", "gemma"] {
            let tokenizer = try Fixtures.tokenizer(file)
            let bytes: [UInt8] = [0x61, 0xFF, 0xE4, 0xB8, 0x62, 0xC3]
            let ids = tokenizer.encode(bytes: bytes, allowSpecial: false)
            let text = ids.flatMap { tokenizer.bytes(of: $0) ?? [] }
            #expect(text.filter { $0 != 0x20 } == bytes)
        }
    }

    @Test(arguments: files)
    func takesLongWords(file: String) throws {
        let tokenizer = try Fixtures.tokenizer(file)
        for unit in ["a", "the", "é", "مرحبا", "😀"] {
            let text = String(repeating: unit, count: 100_000 / unit.utf8.count)
            let ids = tokenizer.encode(text)
            #expect(!ids.isEmpty)
            if ["llama", "gemma", "fallback"].contains(file) {
                #expect(tokenizer.decode(ids).drop { $0 == " " } == text[...])
            }
        }
    }

    @Test
    func keepsTheFirstSpaceInsideAText() throws {
        let tokenizer = try Fixtures.tokenizer("llama")
        let ids = tokenizer.encode("the king")
        var first = StreamDecoder(tokenizer)
        #expect(ids.map { first.append($0) }.joined() == "the king")
        var behind = StreamDecoder(tokenizer, skipSpecial: true, continuesText: true)
        #expect(([1] + ids).map { behind.append($0) }.joined() == " the king")
    }

    @Test
    func changedBytesAreErrorsOrAnotherTokenizer() throws {
        var generator = SeededGenerator(state: 21)
        for file in Self.files {
            let data = [UInt8](try Fixtures.data("\(file).json"))
            for _ in 0..<150 {
                var bytes = data
                for _ in 0...Int(generator.next() % 3) {
                    bytes[Int(generator.next() % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: generator.next())
                }
                if let tokenizer = try? Tokenizer(json: bytes, file: "changed.json") {
                    _ = tokenizer.decode(tokenizer.encode("Hello <s> wörld 123 ﬁ"))
                }
            }
        }
    }
}
