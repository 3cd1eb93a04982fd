import Foundation
import QalamTokenizers
import Testing

/// Any bytes go in and come out again, in whole and in streams.
struct BytesTests {
    private func randomBytes(_ count: Int, _ generator: inout SeededGenerator) -> [UInt8] {
        let pieces: [[UInt8]] = [
            Array("the ".utf8), Array("é".utf8), Array("中".utf8), Array("😀".utf8), [0xC3], [0xE4, 0xB8],
            [0xF0, 0x9F, 0x98], [0x80], [0xFF], [0xED, 0xA0, 0x80], [0xC0, 0xAF], [0xF4, 0x90, 0x80, 0x80],
            [0x0D, 0x0A], [0x20], [0x00], [0x27, 0x73],
        ]
        var bytes: [UInt8] = []
        while bytes.count < count { bytes += pieces[Int(generator.next() % UInt64(pieces.count))] }
        return bytes
    }

    @Test(arguments: ["gpt2", "cl100k", "o200k", "llama3", "qwen2", "tekken", "digits", "whole"])
    func invalidTextComesBackExactly(file: String) throws {
        let tokenizer = try Fixtures.tokenizer(file)
        var generator = SeededGenerator(state: 1)
        for round in 0..<400 {
            let bytes = randomBytes(round % 60, &generator)
            let ids = tokenizer.encode(bytes: bytes, allowSpecial: true)
            #expect(ids.flatMap { tokenizer.bytes(of: $0) ?? [] } == bytes)
            #expect(tokenizer.decode(ids) == String(decoding: bytes, as: UTF8.self))
        }
    }

    @Test
    func everySingleByteAndPairComesBack() throws {
        let tokenizer = try Fixtures.tokenizer("o200k")
        for first in UInt8.min...UInt8.max {
            for second in stride(from: 0, through: 255, by: 5).map({ UInt8($0) }) {
                let ids = tokenizer.encode(bytes: [first, second], allowSpecial: false)
                #expect(ids.flatMap { tokenizer.bytes(of: $0) ?? [] } == [first, second])
            }
        }
    }

    @Test
    func textBehindOtherTextDoesNotChangeIt() throws {
        // The same text at every distance from the end of its memory takes the same paths.
        let tokenizer = try Fixtures.tokenizer("llama3")
        let whole = Array("Now is the winter of our discontent 123 — ١٢٣ العربية ".utf8)
        for count in 0..<whole.count {
            let short = tokenizer.encode(bytes: Array(whole[..<count]), allowSpecial: false)
            let text = Array(whole[..<count]) + Array("<|endoftext|>xxxxxxxxxxxxxxxxxxxxxxxx".utf8)
            let long = tokenizer.encode(bytes: text, allowSpecial: true)
            #expect(Array(long.prefix { $0 != 0 }) == short)
        }
    }

    @Test
    func streamsNeverSplitACharacter() throws {
        let tokenizer = try Fixtures.tokenizer("gpt2")
        var generator = SeededGenerator(state: 2)
        for round in 0..<300 {
            let bytes = randomBytes(round % 40, &generator)
            // One id for each byte is the hardest way to cut the text.
            let ids = bytes.flatMap { tokenizer.encode(bytes: [$0], allowSpecial: false) }
            var stream = StreamDecoder(tokenizer)
            var text = ""
            for id in ids { text += stream.append(id) }
            text += stream.finish()
            #expect(text.unicodeScalars.elementsEqual(String(decoding: bytes, as: UTF8.self).unicodeScalars))
        }
    }

    @Test
    func streamsGiveACharacterWithItsLastByte() throws {
        let tokenizer = try Fixtures.tokenizer("gpt2")
        func id(_ byte: UInt8) -> TokenID { tokenizer.encode(bytes: [byte], allowSpecial: false)[0] }
        var stream = StreamDecoder(tokenizer)
        #expect([0xF0, 0x9F, 0x98, 0x80].map { stream.append(id($0)) } == ["", "", "", "😀"])
        // A byte that cannot go on makes what waited invalid at once.
        #expect([0xF0, 0x9F, 0x41].map { stream.append(id($0)) } == ["", "", "\u{FFFD}A"])
        #expect([0xFF, 0xC3].map { stream.append(id($0)) } == ["\u{FFFD}", ""])
        #expect(stream.finish() == "\u{FFFD}")
        #expect(stream.finish() == "")
    }

    @Test
    func specialTokensCanBeLeftOut() throws {
        let tokenizer = try Fixtures.tokenizer("gpt2")
        let ids = tokenizer.encode("a<|endoftext|>b")
        #expect(tokenizer.decode(ids) == "a<|endoftext|>b")
        #expect(tokenizer.decode(ids, skipSpecial: true) == "ab")
        var stream = StreamDecoder(tokenizer, skipSpecial: true)
        #expect(ids.map { stream.append($0) } == ["a", "", "b"])
        #expect(tokenizer.specialTokens == ["<|endoftext|>": 0])
        #expect(tokenizer.bytes(of: 0) == Array("<|endoftext|>".utf8))
    }

    @Test
    func idsThatDoNotExistHaveNoText() throws {
        let tokenizer = try Fixtures.tokenizer("gpt2")
        #expect(tokenizer.decode([-1, 100_000, .max, .min]) == "")
        #expect(tokenizer.bytes(of: -1) == nil)
        #expect(tokenizer.bytes(of: TokenID(tokenizer.vocabularySize)) == nil)
    }

    @Test(arguments: PreTokenizer.allCases)
    func aMegabyteWithoutASpaceIsQuick(pattern: PreTokenizer) throws {
        let tokenizer = try Fixtures.tokenizer(pattern.rawValue)
        var generator = SeededGenerator(state: 3)
        let letters = (0..<1_000_000).map { _ in UInt8(ascii: "a") + UInt8(generator.next() % 26) }
        for bytes in [letters, [UInt8](repeating: 0x61, count: 1_000_000), [UInt8](repeating: 0x20, count: 1_000_000)] {
            let ids = tokenizer.encode(bytes: bytes, allowSpecial: false)
            #expect(Array(tokenizer.decode(ids).utf8) == bytes)
        }
    }

    @Test
    func longPiecesMergeAsShortOnes() throws {
        // Behind 96 bytes another algorithm merges; whole words inside must come out the same, and so must prefixes
        // checked against merging by hand, pair by pair.
        let tokenizer = try Fixtures.tokenizer("gpt2")
        var generator = SeededGenerator(state: 4)
        for length in [90, 95, 96, 97, 98, 130, 400] {
            let text = String((0..<length).map { _ in "theandou".randomElement(using: &generator) ?? "a" })
            #expect(tokenizer.encode(text) == mergeByHand(text, tokenizer), "\(text)")
        }
    }

    /// Merges as the definition says: the adjacent pair whose union is the oldest token first.
    ///
    /// In the fixture each token has one merge, and ids follow ranks.
    private func mergeByHand(_ text: String, _ tokenizer: Tokenizer) -> [TokenID] {
        var ids: [[UInt8]: TokenID] = [:]
        for id in 0..<TokenID(tokenizer.vocabularySize) {
            if let bytes = tokenizer.bytes(of: id) { ids[bytes] = id }
        }
        var parts = text.utf8.map { [$0] }
        while true {
            let unions = zip(parts, parts.dropFirst()).map { ids[$0 + $1] ?? .max }
            guard let best = unions.min(), best != .max, let at = unions.firstIndex(of: best) else { break }
            parts[at] += parts[at + 1]
            parts.remove(at: at + 1)
        }
        return parts.compactMap { ids[$0] }
    }
}
