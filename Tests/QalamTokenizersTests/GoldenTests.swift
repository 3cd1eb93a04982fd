import Foundation
import QalamTokenizers
import Testing

/// Ids and texts recorded from Hugging Face `tokenizers` and tiktoken.
struct GoldenTests {
    static let files = ["gpt2", "cl100k", "o200k", "llama3", "qwen2", "tekken", "digits", "prefix", "flags", "whole"]

    private func check(_ texts: [String], _ expected: [[TokenID]], _ encode: (String) -> [TokenID]) {
        #expect(texts.count == expected.count)
        for (text, ids) in zip(texts, expected) {
            #expect(encode(text) == ids, "\(text.debugDescription)")
        }
    }

    @Test(arguments: files)
    func encodesAsHuggingFace(file: String) throws {
        let cases = try Fixtures.cases()
        let tokenizer = try Fixtures.tokenizer(file)
        check(cases.texts, try #require(cases.json[file])) { tokenizer.encode($0) }
    }

    @Test
    func leavesSpecialTokensAsTextWhenToldTo() throws {
        let cases = try Fixtures.cases()
        let tokenizer = try Fixtures.tokenizer("flags")
        check(cases.texts, try #require(cases.plain["flags"])) { tokenizer.encode($0, allowSpecial: false) }
    }

    @Test(arguments: ["gpt2", "cl100k", "o200k"])
    func encodesAsTiktoken(pattern: String) throws {
        let cases = try Fixtures.cases()
        let tokenizer = try Tokenizer(
            tiktoken: Fixtures.folder.appending(path: "small.tiktoken"),
            pattern: try #require(PreTokenizer(rawValue: pattern)), specialTokens: ["<|endoftext|>": 1000])
        check(cases.texts, try #require(cases.tiktoken[pattern])) { tokenizer.encode($0) }
        #expect(tokenizer.vocabularySize == 1001)
        #expect(tokenizer.bytes(of: 999) == nil)
    }

    @Test(arguments: files)
    func writesWhatItReads(file: String) throws {
        let cases = try Fixtures.cases()
        let tokenizer = try Fixtures.tokenizer(file)
        let again = try Fixtures.tokenizer(json: try tokenizer.tokenJSON())
        check(cases.texts, try #require(cases.json[file])) { again.encode($0) }
        #expect(again.specialTokens == tokenizer.specialTokens)
        #expect(again.sequencePrefix == tokenizer.sequencePrefix)
        #expect(try again.tokenJSON() == tokenizer.tokenJSON())
    }

    @Test
    func writesRankFilesAsTokenizerJSON() throws {
        let cases = try Fixtures.cases()
        let ranks = try Tokenizer(
            tiktoken: Fixtures.folder.appending(path: "small.tiktoken"), pattern: .cl100k,
            specialTokens: ["<|endoftext|>": 1000])
        let again = try Fixtures.tokenizer(json: try ranks.tokenJSON())
        #expect(again.pattern == .cl100k)
        check(cases.texts, try #require(cases.tiktoken["cl100k"])) { again.encode($0) }
    }

    @Test
    func readsTheTemplateOfTheSequence() throws {
        let tokenizer = try Fixtures.tokenizer("whole")
        #expect(tokenizer.sequencePrefix == [0])
        #expect(tokenizer.sequenceSuffix.isEmpty)
    }

    @Test
    func decodesAsHuggingFace() throws {
        let tokenizer = try Fixtures.tokenizer("gpt2")
        for item in try Fixtures.cases().decode {
            #expect(tokenizer.decode(item.ids) == item.text, "\(item.ids)")
            var stream = StreamDecoder(tokenizer)
            let streamed = item.ids.map { stream.append($0) }.joined() + stream.finish()
            #expect(streamed.utf8.elementsEqual(item.text.utf8), "\(item.ids)")
        }
    }

    @Test
    func givesEveryTaskTheSameIds() async throws {
        let cases = try Fixtures.cases()
        let tokenizer = try Fixtures.tokenizer("o200k")
        let expected = try #require(cases.json["o200k"])
        await withTaskGroup(of: Bool.self) { group in
            for task in 0..<16 {
                group.addTask {
                    for round in 0..<cases.texts.count {
                        let index = (round + task * 7) % cases.texts.count
                        if tokenizer.encode(cases.texts[index]) != expected[index] { return false }
                    }
                    return true
                }
            }
            for await same in group { #expect(same) }
        }
    }
}
