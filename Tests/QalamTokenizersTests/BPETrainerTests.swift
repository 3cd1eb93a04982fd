import Foundation
import QalamTokenizers
import Testing

/// Training gives Hugging Face's vocabulary, whatever the threads, and keeps to its limits.
struct BPETrainerTests {
    private func train(
        _ documents: [[UInt8]], size: Int = 450, pattern: PreTokenizer = .gpt2, memory: Int = 1 << 30, threads: Int = 2
    ) throws -> (Tokenizer, BPETrainer.Statistics) {
        var trainer = BPETrainer(
            vocabularySize: size, pattern: pattern, specialTokens: ["<|endoftext|>"], memoryLimit: memory,
            threads: threads)
        for document in documents { try trainer.add(document) }
        let tokenizer = try trainer.finish()
        return (tokenizer, trainer.statistics)
    }

    private func corpus() throws -> [UInt8] { [UInt8](try Fixtures.data("corpus.txt")) }

    @Test(arguments: PreTokenizer.allCases)
    func learnsWhatHuggingFaceLearns(pattern: PreTokenizer) throws {
        let (tokenizer, statistics) = try train([try corpus()], pattern: pattern)
        let expected = try Fixtures.tokenizer(pattern.rawValue)
        #expect(try tokenizer.tokenJSON() == expected.tokenJSON())
        #expect(statistics.documents == 1)
        #expect(statistics.prunedPieces == 0)
        #expect(statistics.distinctPieces > 1000)
    }

    @Test
    func doesNotDependOnThreadsOrOrder() throws {
        let text = try corpus()
        // Large enough for many chunks; every copy ends in another place.
        let documents = (0..<40).map { Array(text.dropLast($0 * 37)) }
        let alone = try train([documents.flatMap { $0 }], threads: 1).0.tokenJSON()
        #expect(try train([documents.flatMap { $0 }], threads: 7).0.tokenJSON() == alone)
        let separate = try train(documents, threads: 1).0.tokenJSON()
        #expect(try train(documents.reversed(), threads: 5).0.tokenJSON() == separate)
    }

    @Test(arguments: PreTokenizer.allCases)
    func doesNotDependOnWhereTextIsCut(pattern: PreTokenizer) throws {
        let text = try corpus() + Array(try Fixtures.cases().texts.joined(separator: "\n").utf8)
        let whole = try train([text], pattern: pattern)
        for chunk in [1, 50, 5000] {
            var trainer = BPETrainer(
                vocabularySize: 450, pattern: pattern, specialTokens: ["<|endoftext|>"], memoryLimit: 1 << 30,
                threads: 2, chunkSize: chunk)
            try trainer.add(text)
            #expect(try trainer.finish().tokenJSON() == whole.0.tokenJSON())
            #expect(trainer.statistics == whole.1)
        }
    }

    @Test
    func keepsToItsMemoryAndSaysWhatWasLost() throws {
        var generator = SeededGenerator(state: 5)
        var text = Array(String(repeating: "the common words of the common text ", count: 2000).utf8)
        for _ in 0..<200_000 { text += Array(" \(String(generator.next() % 10_000_000_000, radix: 36))".utf8) }
        let (first, statistics) = try train([text], size: 300, memory: 1 << 20, threads: 1)
        #expect(statistics.prunedPieces > 10_000)
        #expect(statistics.prunedOccurrences >= statistics.prunedPieces)
        #expect(statistics.distinctPieces < 10_000)
        let (second, again) = try train([text], size: 300, memory: 1 << 20, threads: 3)
        #expect(statistics == again)
        #expect(try first.tokenJSON() == second.tokenJSON())
        #expect(first.encode(" common").count == 1)
    }

    @Test
    func doesNotLearnFromSpecialTokens() throws {
        let text = Array(String(repeating: "<|endoftext|>", count: 1000).utf8)
        let (tokenizer, statistics) = try train([text], size: 300)
        #expect(statistics.distinctPieces == 0)
        #expect(tokenizer.vocabularySize == 257)
        #expect(tokenizer.encode("<|endoftext|>") == [0])
    }

    @Test
    func neverMakesPlainTextAControlToken() throws {
        var trainer = BPETrainer(vocabularySize: 300, pattern: .gpt2, specialTokens: ["ab"])
        try trainer.add(Array(String(repeating: "x ab", count: 10).utf8.map { $0 }))
        try trainer.add(Array(String(repeating: "acb", count: 10).utf8))
        let tokenizer = try trainer.finish()
        #expect(tokenizer.encode("ab", allowSpecial: false).count == 2)
        #expect(tokenizer.encode("ab") == [0])
    }

    @Test
    func endsWhereNothingIsLeftToMerge() throws {
        let (tokenizer, _) = try train([Array("aaaa aaaa".utf8)], size: 5000)
        #expect(tokenizer.vocabularySize < 265)
        #expect(tokenizer.decode(tokenizer.encode("aaaa aaaa")) == "aaaa aaaa")
        let (empty, _) = try train([], size: 300)
        #expect(empty.vocabularySize == 257)
        #expect(empty.encode("hé").count == 3)
    }

    @Test
    func takesOneLongPiece() throws {
        var generator = SeededGenerator(state: 6)
        let text = (0..<300_000).map { _ in UInt8(ascii: "a") + UInt8(generator.next() % 4) }
        let (tokenizer, _) = try train([text, [0xFF, 0xFE, 0x00]], size: 600)
        #expect(tokenizer.vocabularySize == 600)
        #expect(Array(tokenizer.decode(tokenizer.encode(bytes: text, allowSpecial: false)).utf8) == text)
    }

    @Test
    func reportsProgress() throws {
        var trainer = BPETrainer(vocabularySize: 900, pattern: .llama3, specialTokens: [])
        try trainer.add(try corpus())
        var reports: [(Int, Int)] = []
        _ = try trainer.finish { reports.append(($0, $1)) }
        #expect(reports.count == 3)
        #expect(reports.last.map { $0 == (900, 900) } == true)
    }

    @Test
    func refusesImpossibleSettings() {
        func failure(_ size: Int, _ special: [String], _ memory: Int = 1 << 30) -> TokenizerError? {
            var trainer = BPETrainer(
                vocabularySize: size, pattern: .gpt2, specialTokens: special, memoryLimit: memory)
            return #expect(throws: TokenizerError.self) { _ = try trainer.finish() }
        }
        for error in [
            failure(255, []), failure(256, ["<s>"]), failure(1 << 30, []), failure(300, ["<s>", "<s>"]),
            failure(300, [""]), failure(300, [], 5),
        ] {
            guard case .badSetting = error else {
                Issue.record("\(String(describing: error))")
                continue
            }
        }
    }
}
