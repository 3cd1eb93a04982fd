// SPDX-License-Identifier: Apache-2.0
import Foundation
import QalamFormats
import QalamModels
import QalamTokenizers
import QalamTraining
import TestSupport
import Testing

@Suite struct PackingTests {
    @Test func textsKeepTheirOrderAndBytes() throws {
        try withTemporaryFolder { url in
            let tokenizer = try tinyTokenizer()
            let texts = (0..<50).map { "Text number \($0) of the fox.\n" }
            let lines = try texts.map { try JSONSerialization.data(withJSONObject: ["text": $0]) + Data([0x0A]) }
            try Data(lines.joined()).write(to: url.appending(path: "texts.jsonl"))
            var options = PackOptions()
            options.heldout = 0.2
            let manifest = try packTexts(
                [url.appending(path: "texts.jsonl")], tokenizer: tokenizer, to: url.appending(path: "data"), options)
            #expect(manifest.train.documents + manifest.heldout.documents == 50)
            #expect(manifest.heldout.documents > 0)
            let data = try PackedData(url.appending(path: "data"))
            #expect(data.manifest == manifest)
            let ids = try ids(url.appending(path: "data/train-00000.bin"))
            let trained = tokenizer.decode(ids).components(separatedBy: "<|endoftext|>").dropLast()
            #expect(Array(trained) == texts.filter(Set(trained).contains))
            #expect(trained.count == manifest.train.documents)
        }
    }

    @Test func conversationsCountTheAssistantOnly() throws {
        try withTemporaryFolder { url in
            let tokenizer = try tinyTokenizer()
            let line =
                #"{"messages":[{"role":"user","content":"Hi fox"},{"role":"assistant","content":"I am a bird"}]}"#
            try Data((line + "\n" + line + "\n").utf8).write(to: url.appending(path: "talks.jsonl"))
            var options = PackOptions()
            options.heldout = 0
            options.rowLength = 129
            let (manifest, tooLong) = try packConversations(
                [url.appending(path: "talks.jsonl")], tokenizer: tokenizer, template: ChatTemplate(chatMLTemplate),
                to: url.appending(path: "data"), options)
            #expect(tooLong == 0)
            #expect(manifest.train.tokens == 129)
            let ids = try ids(url.appending(path: "data/train-00000.bin"))
            let mask = try Data(contentsOf: url.appending(path: "data/train-00000.mask"))
            #expect(ids.count == mask.count)
            let learned = zip(ids, mask).filter { $0.1 == 1 }.map(\.0)
            #expect(tokenizer.decode(learned) == "I am a bird<|im_end|>\nI am a bird<|im_end|>\n")
        }
    }

    @Test(arguments: [
        "not json", "{\"messages\": 3}", "{\"messages\": [{\"role\": \"user\", \"content\": \"a\"}]}",
        "{\"messages\": [{\"role\": \"user\"}]}",
    ])
    func badConversationsAreLocated(line: String) throws {
        try withTemporaryFolder { url in
            let good = #"{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}]}"#
            try Data((good + "\n" + line + "\n").utf8).write(to: url.appending(path: "talks.jsonl"))
            var options = PackOptions()
            options.rowLength = 65
            let error = #expect(throws: FormatError.self) {
                try packConversations(
                    [url.appending(path: "talks.jsonl")], tokenizer: tinyTokenizer(),
                    template: ChatTemplate(chatMLTemplate), to: url.appending(path: "data"), options)
            }
            #expect(error.map { String(describing: $0).contains("jsonl:2") } == true)
        }
    }

    /// Ids beyond the vocabulary and shards of the wrong length are errors, not crashes.
    @Test func damagedShards() throws {
        try withTemporaryFolder { url in
            try Data((0..<40).map { _ in sampleText }.joined().utf8).write(to: url.appending(path: "text.txt"))
            let folder = url.appending(path: "data")
            _ = try packTexts([url.appending(path: "text.txt")], tokenizer: tinyTokenizer(), to: folder, PackOptions())
            let name = try #require(
                try FileManager.default.contentsOfDirectory(atPath: folder.path).first { $0.hasSuffix(".bin") })
            let shard = folder.appending(path: name)
            let whole = try Data(contentsOf: shard)
            try whole.dropLast().write(to: shard)
            #expect(throws: FormatError.self) { try PackedData(folder) }
            try whole.write(to: shard)
            let manifest = folder.appending(path: "data.json")
            let text = try Data(contentsOf: manifest)
            for length in stride(from: 0, to: text.count - 2, by: 7) {
                try text.prefix(length).write(to: manifest)
                #expect(throws: FormatError.self) { try PackedData(folder) }
            }
        }
    }

    private func ids(_ url: URL) throws -> [Int32] {
        let bytes = [UInt8](try Data(contentsOf: url))
        return stride(from: 0, to: bytes.count, by: 2).map { Int32(bytes[$0]) | Int32(bytes[$0 + 1]) << 8 }
    }
}
