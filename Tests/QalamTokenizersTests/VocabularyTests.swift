// SPDX-License-Identifier: Apache-2.0

import Foundation
import QalamTokenizers
import Testing

/// Vocabularies of GGUF files, made here and read from llama.cpp's own where the folder of shared data is there.
struct VocabularyTests {
    private func check(_ texts: [String], _ tokenizer: Tokenizer, as other: Tokenizer) {
        for text in texts {
            #expect(tokenizer.encode(text) == other.encode(text), "\(text.debugDescription)")
        }
    }

    @Test(arguments: ["gpt2", "o200k", "llama3", "qwen2", "tekken", "digits", "whole", "llama"])
    func givesTheSameIDsThroughGGUF(file: String) throws {
        let tokenizer = try Fixtures.tokenizer(file)
        let again = try Tokenizer(vocabulary: try tokenizer.ggufVocabulary())
        check(try Fixtures.cases().texts, again, as: tokenizer)
        #expect(again.sequencePrefix == tokenizer.sequencePrefix)
        #expect(again.sequenceSuffix == tokenizer.sequenceSuffix)
        #expect(try again.ggufVocabulary() == tokenizer.ggufVocabulary())
    }

    @Test(arguments: ["llama", "bert", "gpt2"])
    func writesTokenizerJSONFromGGUF(file: String) throws {
        let tokenizer = try Fixtures.tokenizer(file)
        let vocabulary = try Tokenizer(vocabulary: try tokenizer.ggufVocabulary())
        let again = try Fixtures.tokenizer(json: try vocabulary.tokenJSON())
        check(try Fixtures.cases().texts, again, as: vocabulary)
    }

    @Test
    func readsWordPieceAndUnigram() throws {
        let texts = ["the king", "I am a man, sir.", "العربية", "to be or not to be"]
        for (file, model) in [("bert", "bert"), ("unigram", "t5")] {
            let tokenizer = try Fixtures.tokenizer(file)
            let data = try tokenizer.ggufVocabulary()
            #expect(data.model == model)
            let again = try Tokenizer(vocabulary: data)
            check(texts, again, as: tokenizer)
            #expect(again.sequencePrefix == tokenizer.sequencePrefix)
            #expect(again.sequenceSuffix == tokenizer.sequenceSuffix)
        }
    }

    @Test
    func namesThePattern() throws {
        for (file, name) in [
            ("gpt2", "gpt-2"), ("llama3", "dbrx"), ("whole", "llama-bpe"), ("qwen2", "qwen2"), ("o200k", "gpt-4o"),
            ("digits", "smollm"), ("tekken", "tekken"),
        ] {
            #expect(try Fixtures.tokenizer(file).ggufVocabulary().pre == name)
        }
        #expect(throws: TokenizerError.self) { try Fixtures.tokenizer("cl100k").ggufVocabulary() }
        #expect(throws: TokenizerError.self) { try Fixtures.tokenizer("prefix").ggufVocabulary() }
    }

    @Test
    func userDefinedTokensAreAlwaysFound() throws {
        var data = try Fixtures.tokenizer("gpt2").ggufVocabulary()
        let size = TokenID(data.tokens.count)
        data.tokens.append("<think>".utf8)
        data.types.append(VocabularyData.Kind.userDefined.rawValue)
        data.tokens.append("<|x|>".utf8)
        data.types.append(VocabularyData.Kind.control.rawValue)
        let tokenizer = try Tokenizer(vocabulary: data)
        #expect(tokenizer.encode("<think><|x|>") == [size, size + 1])
        let plain = tokenizer.encode("<think><|x|>", allowSpecial: false)
        #expect(plain.first == size)
        #expect(plain.count > 2)
        #expect(tokenizer.decode(plain) == "<think><|x|>")
    }

    @Test
    func phi3TakesWhitespaceBehindSpecialTokens() throws {
        var data = try Fixtures.tokenizer("llama").ggufVocabulary()
        data.name = "Phi-3 mini"
        let tokenizer = try Tokenizer(vocabulary: data)
        #expect(tokenizer.encode("<|end|>\n a") == tokenizer.encode("<|end|>a"))
        #expect(tokenizer.encode("<s>\n a") != tokenizer.encode("<s>a"))
    }

    @Test
    func wrongListsAreLocated() throws {
        let good = try Fixtures.tokenizer("llama").ggufVocabulary()
        let bytes = try Fixtures.tokenizer("gpt2").ggufVocabulary()
        func field(_ data: VocabularyData, _ change: (inout VocabularyData) -> Void) -> String? {
            var data = data
            change(&data)
            switch #expect(throws: TokenizerError.self, performing: { try Tokenizer(vocabulary: data) }) {
            case .invalid(_, let field, _), .unsupported(_, let field, _): return field
            default: return nil
            }
        }
        #expect(field(good) { $0.model = "rwkv" } == "model")
        #expect(field(good) { $0.scores = [] } == "scores")
        #expect(field(good) { $0.scores.removeLast() } == "scores")
        #expect(field(good) { $0.types.append(1) } == "token_type")
        #expect(field(good) { $0.bosID = 1 << 20 } == "bos_token_id")
        #expect(field(good) { $0.unknownID = -1 } == "unknown_token_id")
        #expect(field(good) { $0.tokens = ByteStrings() } == "tokens")
        #expect(field(bytes) { $0.pre = nil } == "pre")
        #expect(field(bytes) { $0.pre = "unheard-of" } == "pre")
        #expect(field(bytes) { $0.merges.append("Ġ".utf8) } == "merges[\(bytes.merges.count)]")
        #expect(field(bytes) { $0.merges.append("zq zq".utf8) } == "merges[\(bytes.merges.count)]")
        #expect(
            field(bytes) {
                $0.tokens = ByteStrings(["a"])
                $0.types = []
            } == "tokens")
        var unigram = try Fixtures.tokenizer("unigram").ggufVocabulary()
        unigram.characterMap = [255, 255, 255, 255, 0]
        #expect(field(unigram) { _ in } == "precompiled_charsmap")
    }

    @Test
    func anyCharacterMapIsSafe() throws {
        var data = try Fixtures.tokenizer("unigram").ggufVocabulary()
        let map = data.characterMap
        var generator = SeededGenerator(state: 4)
        for _ in 0..<50 {
            data.characterMap = map
            for _ in 0..<20 {
                data.characterMap[4 + Int(generator.next() % UInt64(map.count - 4))] =
                    UInt8(truncatingIfNeeded: generator.next())
            }
            guard let tokenizer = try? Tokenizer(vocabulary: data) else { continue }
            #expect(tokenizer.encode("the ﬁ ①Ａ e\u{301} \u{AD}\u{3000} x").count < 1000)
        }
    }

    @Test(arguments: ["gpt-2", "llama-spm"])
    func encodesTheSamplesOfLlamaCpp(name: String) throws {
        let shared = Fixtures.root.deletingLastPathComponent().appending(path: "shared/data/tokenizers")
        guard let file = try unpacked(shared.appending(path: "ggml-vocab-\(name).gguf.xz")) else { return }
        let tokenizer = try Tokenizer(vocabulary: try vocabulary(of: file))
        let input = try String(contentsOf: shared.appending(path: "ggml-vocab-\(name).gguf.inp"), encoding: .utf8)
        let output = try String(contentsOf: shared.appending(path: "ggml-vocab-\(name).gguf.out"), encoding: .utf8)
        let lines = output.components(separatedBy: "\n")
        for (text, line) in zip(input.components(separatedBy: "\n__ggml_vocab_test__\n"), lines) {
            let ids = line.split(separator: " ").compactMap { TokenID($0) }
            #expect(tokenizer.encode(text) == ids, "\(text.debugDescription)")
            #expect(tokenizer.decode(ids) == text)
        }
    }

    /// The bytes of a packed file; nil, with the reason printed, where it or `xz` is not there.
    private func unpacked(_ packed: URL) throws -> [UInt8]? {
        guard FileManager.default.fileExists(atPath: packed.path(percentEncoded: false)) else {
            print("skipped: no \(packed.lastPathComponent) in the folder of shared data")
            return nil
        }
        return try Fixtures.withFolder { folder in
            let file = folder.appending(path: "unpacked")
            try Data().write(to: file)
            let process = Process()
            process.executableURL = URL(filePath: "/usr/bin/env")
            process.arguments = ["xz", "-dc", packed.path(percentEncoded: false)]
            process.standardOutput = try FileHandle(forWritingTo: file)
            try process.run()
            process.waitUntilExit()
            guard process.terminationStatus == 0 else {
                print("skipped: xz cannot unpack \(packed.lastPathComponent)")
                return nil
            }
            return [UInt8](try Data(contentsOf: file))
        }
    }

    /// The vocabulary in the metadata of a GGUF file (version 3): as much of a reader as these files need.
    private func vocabulary(of file: [UInt8]) throws -> VocabularyData {
        var data = VocabularyData(model: "", tokens: ByteStrings())
        var at = 16
        func number(_ size: Int) -> UInt64 {
            defer { at += size }
            return (0..<size).reduce(0) { $0 | UInt64(file[at + $1]) << UInt64(8 * $1) }
        }
        func text() -> ArraySlice<UInt8> {
            let count = Int(number(8))
            defer { at += count }
            return file[at..<at + count]
        }
        let sizes = [0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8]
        for _ in 0..<number(8) {
            let key = String(decoding: text(), as: UTF8.self)
            var kind = Int(number(4))
            var count = 1
            if kind == 9 {
                kind = Int(number(4))
                count = Int(number(8))
            }
            var texts = ByteStrings()
            var numbers: [UInt64] = []
            for _ in 0..<count {
                if kind == 8 { texts.append(text()) } else { numbers.append(number(try #require(sizes[kind]))) }
            }
            switch key {
            case "tokenizer.ggml.model": data.model = String(decoding: texts[0], as: UTF8.self)
            case "tokenizer.ggml.pre": data.pre = String(decoding: texts[0], as: UTF8.self)
            case "tokenizer.ggml.tokens": data.tokens = texts
            case "tokenizer.ggml.merges": data.merges = texts
            case "tokenizer.ggml.scores": data.scores = numbers.map { Float(bitPattern: UInt32($0)) }
            case "tokenizer.ggml.token_type": data.types = numbers.map { Int32(truncatingIfNeeded: $0) }
            default: break
            }
        }
        return data
    }
}
