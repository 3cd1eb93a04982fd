import Foundation
import QalamTokenizers
import Testing

/// Damaged and unsupported files give errors that say where, never a crash or a hang.
struct DamagedFileTests {
    private func failure(json data: Data) -> TokenizerError? {
        do {
            _ = try Fixtures.tokenizer(json: data)
            return nil
        } catch {
            return error as? TokenizerError
        }
    }

    @Test
    func everyTruncationOfAJSONFileIsAnError() throws {
        let data = [UInt8](try Fixtures.data("flags.json"))
        for count in 0..<data.count {
            let error = #expect(throws: TokenizerError.self) {
                try Tokenizer(json: Array(data[..<count]), file: "cut.json")
            }
            guard case .malformed("cut.json", let offset, _) = error else {
                Issue.record("\(count): \(String(describing: error))")
                continue
            }
            #expect(offset <= count)
        }
    }

    @Test
    func changedBytesAreErrorsOrAnotherTokenizer() throws {
        let data = [UInt8](try Fixtures.data("whole.json"))
        var generator = SeededGenerator(state: 8)
        for _ in 0..<3000 {
            var bytes = data
            for _ in 0...Int(generator.next() % 3) {
                bytes[Int(generator.next() % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: generator.next())
            }
            do {
                let tokenizer = try Tokenizer(json: bytes, file: "changed.json")
                let ids = tokenizer.encode("Hello<|endoftext|> wörld 123")
                #expect(ids.allSatisfy { tokenizer.bytes(of: $0) != nil })
            } catch {
                #expect(!error.description.isEmpty)
            }
        }
    }

    @Test
    func everyTruncationOfARankFileIsAnErrorOrShorter() throws {
        let data = [UInt8](try Fixtures.data("small.tiktoken"))
        for count in 0..<data.count {
            let cut = Array(data[..<count])
            let tokenizer = try? Tokenizer(ranks: cut, file: "cut.tiktoken", pattern: .gpt2, specialTokens: [:])
            // The first 256 lines are the bytes; behind them a cut at or in a number leaves a good, smaller file.
            #expect((tokenizer?.vocabularySize ?? 256) >= 256)
            if count < 1000 { #expect(tokenizer == nil) }
        }
    }

    @Test(arguments: [
        ("\"normalizer\":null", "\"normalizer\":{\"type\":\"NFKC\"}", "normalizer.type"),
        ("\"normalizer\":null", "\"normalizer\":{\"type\":\"Lowercase\"}", "normalizer.type"),
        ("\"byte_fallback\":false", "\"byte_fallback\":true", "model.byte_fallback"),
        ("\"dropout\":null", "\"dropout\":0.1", "model.dropout"),
        ("\"continuing_subword_prefix\":null", "\"continuing_subword_prefix\":\"##\"", "continuing_subword_prefix"),
        ("\"type\":\"BPE\"", "\"type\":\"Unigram\"", "model.type"),
        ("\"use_regex\":true", "\"use_regex\":false", "pre_tokenizer.use_regex"),
        ("\"use_regex\":true", "\"use_regexes\":true", "pre_tokenizer.use_regexes"),
        ("\"decoder\":{\"type\":\"ByteLevel\"", "\"decoder\":{\"type\":\"WordPiece\"", "decoder.type"),
        ("\"version\":\"1.0\"", "\"version\":\"1.0\",\"extra\":1", "extra"),
    ])
    func unsupportedFieldsAreNamed(from: String, to: String, field: String) throws {
        let text = String(decoding: try Fixtures.data("gpt2.json"), as: UTF8.self)
        let range = try #require(text.range(of: from))
        let error = failure(json: Data(text.replacingCharacters(in: range, with: to).utf8))
        guard case .unsupported(_, let found, _) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(found.hasSuffix(field))
        #expect(error?.description.contains(field) == true)
    }

    @Test
    func anUnknownPatternIsShown() throws {
        let text = String(decoding: try Fixtures.data("llama3.json"), as: UTF8.self)
        let range = try #require(text.range(of: "{1,3}"))
        let error = failure(json: Data(text.replacingCharacters(in: range, with: "{1,4}").utf8))
        guard case .unsupported(_, let field, let value) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(field == "pre_tokenizer.pretokenizers[0].pattern.Regex")
        #expect(value.contains("{1,4}"))
    }

    @Test(arguments: [
        ("\"!\":1,", "", "model.vocab"),  // a byte without a token
        ("\"!\":1,", "\"!\":2,", "model.vocab"),  // an id given twice
        ("\"!\":1,", "\"!\":-1,", "model.vocab.!"),
        ("\"!\":1,", "\"!\":99999999999,", "model.vocab.!"),
        ("\"!\":1,", "\"!\":1.5,", "model.vocab.!"),
        ("\"!\":1,", "\"!\":\"1\",", "model.vocab.!"),
        ("\"merges\":[[", "\"merges\":[[\"zq\",\"k\"],[", "model.merges[0]"),
        ("\"merges\":[[", "\"merges\":[[\"a\"],[", "model.merges[0]"),
        ("\"merges\":[[", "\"merges\":[\"a b c\",[", "model.merges[0]"),
        ("\"merges\":[[", "\"merges\":[[\"\",\"a\"],[", "model.merges[0]"),
        ("\"id\":0", "\"id\":5", "model.vocab"),
        ("\"content\":\"<|endoftext|>\"", "\"content\":7", "added_tokens[0].content"),
        ("\"add_prefix_space\":false", "\"add_prefix_space\":3", "pre_tokenizer.add_prefix_space"),
    ])
    func wrongValuesAreLocated(from: String, to: String, field: String) throws {
        let text = String(decoding: try Fixtures.data("gpt2.json"), as: UTF8.self)
        let range = try #require(text.range(of: from))
        let error = failure(json: Data(text.replacingCharacters(in: range, with: to).utf8))
        guard case .invalid(_, let found, _) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(found.hasSuffix(field))
    }

    @Test
    func deepNestingIsAnError() {
        for opening in ["[", "{\"a\":", "{\"model\":["] {
            let error = failure(json: Data(String(repeating: opening, count: 200_000).utf8))
            guard case .malformed = error else {
                Issue.record("\(String(describing: error))")
                return
            }
        }
    }

    @Test(arguments: [
        ("IQ== 0\nIg== x\n", 7), ("IQ== 0\n@@== 1\n", 7), ("IQ== 0\nIg== 0\n", 7), ("IQ==\n", 0),
        ("IQ== 0\nIg== 99999999\n", 7), ("IQ== 0\n", 7), ("", 0),
    ])
    func badRankLinesAreLocated(text: String, offset: Int) throws {
        try Fixtures.withFolder { folder in
            let file = folder.appending(path: "bad.tiktoken")
            try Data(text.utf8).write(to: file)
            let error = #expect(throws: TokenizerError.self) {
                try Tokenizer(tiktoken: file, pattern: .gpt2, specialTokens: [:])
            }
            guard case .malformed(let name, let found, _) = error else {
                Issue.record("\(String(describing: error))")
                return
            }
            #expect(found == offset)
            #expect(name.hasSuffix("bad.tiktoken"))
        }
    }

    @Test
    func specialTokensMustHaveIdsOfTheirOwn() {
        for special: [String: TokenID] in [["<s>": 5], ["<s>": -1], ["": 1000], ["<s>": 1000, "</s>": 1000]] {
            #expect(throws: TokenizerError.self) {
                try Tokenizer(
                    tiktoken: Fixtures.folder.appending(path: "small.tiktoken"), pattern: .gpt2, specialTokens: special)
            }
        }
    }

    @Test
    func aFolderIsWrittenAndReadBack() throws {
        let tokenizer = try Fixtures.tokenizer("qwen2")
        try Fixtures.withFolder { folder in
            let model = folder.appending(path: "new/model")
            try tokenizer.write(to: model)
            try tokenizer.write(to: model)
            #expect(try Tokenizer(contentsOf: model).tokenJSON() == tokenizer.tokenJSON())
            // A file where the folder should be.
            let error = #expect(throws: TokenizerError.self) {
                try tokenizer.write(to: model.appending(path: "tokenizer.json"))
            }
            guard case .unwritable = error else {
                Issue.record("\(String(describing: error))")
                return
            }
        }
    }

    @Test
    func aMissingFileIsNamed() {
        let error = #expect(throws: TokenizerError.self) {
            try Tokenizer(contentsOf: URL(filePath: "/nonexistent/tokenizer.json"))
        }
        #expect(error?.description.contains("/nonexistent/tokenizer.json") == true)
    }
}
