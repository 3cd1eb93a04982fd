// SPDX-License-Identifier: Apache-2.0
import Foundation
import QalamEngine
import QalamModels
import QalamTensors
import QalamTokenizers
import TestSupport
import Testing

/// What models do with texts that they only read: scores, vectors, ranks.
@Suite struct ReadingTests {
    /// A tiny chat model in a folder, opened.
    static func model(
        in url: URL, contextLength: Int = 128, template: String = chatMLTemplate
    ) async throws -> LoadedModel {
        let tokenizer = try tinyTokenizer()
        let decoder = try tinyDecoder(vocabularySize: tokenizer.vocabularySize, contextLength: contextLength)
        try ModelFolder.write(
            decoder, ModelFiles(tokenizer: tokenizer, chatTemplate: template), to: url, precision: .float32)
        return try await LoadedModel.open(url, id: "tiny")
    }

    /// Log-probabilities of a prompt against those of the whole sequence run at once.
    @Test func scoresAreThoseOfTheModel() async throws {
        try await withTemporaryFolder { url in
            let model = try await Self.model(in: url)
            let decoder = try ModelFolder.decoder(at: url)
            let ids = (0..<70).map { Int32($0 * 11 % 300) }
            var options = ChatOptions()
            options.logprobs = 2
            let scored = try await model.score(.tokens(ids), options)
            var context = CausalContext(batch: 1, length: ids.count)
            let logits = decoder.logits(decoder.hidden(ids, &context)).values.map { Double($0) }
            let V = decoder.config.vocabularySize
            #expect(scored.map(\.token) == ids)
            #expect(scored[0].logprob == nil)
            for (place, token) in scored.enumerated().dropFirst() {
                let row = logits[(place - 1) * V..<place * V]
                let largest = row.max() ?? 0
                let sum = largest + log(row.reduce(0) { $0 + exp($1 - largest) })
                #expect(abs(Double(token.logprob ?? 0) - (logits[(place - 1) * V + Int(ids[place])] - sum)) < 1e-4)
                #expect(token.top.count == 2)
                #expect(abs(Double(token.top[0].logprob ?? 0) - (largest - sum)) < 1e-4)
            }
            // The same again, though the prefix cache knows the prompt now.
            #expect(try await model.score(.tokens(ids), options) == scored)
            await #expect(throws: EngineError.self) { try await model.score(.tokens([]), options) }
            await #expect(throws: EngineError.self) { try await model.score(.tokens([5, 9999]), options) }
            await #expect(throws: EngineError.self) {
                try await model.score(.tokens(Array(repeating: 1, count: 500)), options)
            }
        }
    }

    @Test func decodersEmbed() async throws {
        try await withTemporaryFolder { url in
            var model = try await Self.model(in: url)
            let texts: [TextInput] = ["The fox", "The river was cold", .tokens([1, 2, 3]), "قال الطائر"]
            let means = try await model.embed(texts, dimensions: nil)
            #expect(means.vectors.allSatisfy { abs($0.reduce(0) { $0 + $1 * $1 } - 1) < 1e-5 && $0.count == 32 })
            for (index, text) in texts.enumerated() {
                #expect(try await model.embed([text], dimensions: nil).vectors[0] == means.vectors[index])
            }
            let short = try await model.embed(texts, dimensions: 8)
            #expect(short.vectors.allSatisfy { abs($0.reduce(0) { $0 + $1 * $1 } - 1) < 1e-5 && $0.count == 8 })
            // The last token's state against a whole pass.
            let pooling = url.appending(path: "1_Pooling")
            try FileManager.default.createDirectory(at: pooling, withIntermediateDirectories: true)
            try writeJSON(["pooling_mode_lasttoken": true], to: pooling.appending(path: "config.json"))
            model = try await LoadedModel.open(url, id: "tiny")
            let ids: [Int32] = (0..<40).map { $0 * 7 % 300 }
            let decoder = try ModelFolder.decoder(at: url)
            var context = CausalContext(batch: 1, length: ids.count)
            let last = decoder.hidden(ids, &context).values.suffix(32).map { Double($0) }
            let length = last.reduce(0) { $0 + $1 * $1 }.squareRoot()
            let found = try await model.embed([.tokens(ids)], dimensions: nil).vectors[0]
            #expect(distance(found.map { Double($0) }, last.map { $0 / length }) < 1e-5)
            await #expect(throws: EngineError.badInput(index: 1, tokens: 0, limit: 127)) {
                try await model.embed(["a", ""], dimensions: nil)
            }
            await #expect(throws: EngineError.badInput(index: 0, tokens: 128, limit: 127)) {
                try await model.embed([.tokens(Array(repeating: 4, count: 128))], dimensions: nil)
            }
            await #expect(throws: EngineError.self) { try await model.embed(["a"], dimensions: 33) }
            #expect(await model.load.usedPages == 0)
        }
    }

    @Test func decodersRank() async throws {
        try await withTemporaryFolder { url in
            let unable = try await Self.model(in: url, contextLength: 1024)
            // Its vocabulary has no tokens for yes and no.
            await #expect(throws: EngineError.self) { try await unable.rerank("a", ["b"]) }
            var trainer = BPETrainer(
                vocabularySize: 266, pattern: .gpt2, specialTokens: ["<|endoftext|>", "<|im_start|>", "<|im_end|>"])
            for _ in 0..<20 { try trainer.add(Array("yes no yes no ".utf8)) }
            let tokenizer = try trainer.finish()
            let decoder = try tinyDecoder(vocabularySize: tokenizer.vocabularySize, contextLength: 1024)
            try ModelFolder.write(
                decoder, ModelFiles(tokenizer: tokenizer, chatTemplate: chatMLTemplate), to: url, precision: .float32)
            let model = try await LoadedModel.open(url)
            try #require(["yes", "no"].allSatisfy { tokenizer.encode($0).count == 1 })
            let documents = ["a fox", "a river that runs to the sea", "a fox"]
            let ranking = try await model.rerank("fox", documents)
            #expect(ranking.scores.allSatisfy { $0 > 0 && $0 < 1 })
            #expect(ranking.scores[0] == ranking.scores[2] && ranking.scores[0] != ranking.scores[1])
            #expect(try await model.rerank("fox", [documents[1]]).scores == [ranking.scores[1]])
        }
    }

    /// An encoder in a folder with a tokenizer of its own.
    @Test(arguments: ["bert", "bert-ranker"])
    func encoders(name: String) async throws {
        try await withTemporaryFolder { url in
            let folder = fixture("encoders/\(name)")
            for file in ["config.json", "model.safetensors"] {
                try FileManager.default.copyItem(at: folder.appending(path: file), to: url.appending(path: file))
            }
            try Data(Self.wordPiece.utf8).write(to: url.appending(path: "tokenizer.json"))
            let opened = try await Qalam.open(url, id: "tiny")
            let model = try #require(opened as? EncoderModel)
            let result = try await model.embed(["fox river", "the fox", "the river bird"], dimensions: nil)
            #expect(result.vectors.count == 3 && result.promptTokens == 4 + 4 + 5)
            let ranking = try await model.rerank("fox river", ["the fox", "river fox", "fox river"])
            #expect(ranking.scores.count == 3)
            #expect(
                ranking.scores == (try await model.rerank("fox river", ["the fox", "river fox", "fox river"])).scores)
            if name == "bert" { #expect(abs(ranking.scores[2] - 1) < 1e-5) }
            let long = Array(repeating: "fox", count: 40).joined(separator: " ")
            await #expect(throws: EngineError.badInput(index: 1, tokens: 42, limit: 32)) {
                try await model.embed(["fox", .text(long)], dimensions: nil)
            }
            await #expect(throws: EngineError.self) { try await model.embed([""], dimensions: nil) }
            await #expect(throws: EngineError.self) { try await model.embed([.tokens([96])], dimensions: nil) }
            await #expect(throws: EngineError.self) { try await model.rerank("fox", [long]) }
        }
    }

    /// Ids 0 to 6 and the marks around a text.
    private static let wordPiece = """
        {"added_tokens": [{"id": 1, "content": "[CLS]", "special": true, "normalized": false, "single_word": false,
        "lstrip": false, "rstrip": false}, {"id": 2, "content": "[SEP]", "special": true, "normalized": false,
        "single_word": false, "lstrip": false, "rstrip": false}],
        "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
        "strip_accents": null, "lowercase": true}, "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {"type": "TemplateProcessing",
        "single": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
        {"SpecialToken": {"id": "[SEP]", "type_id": 0}}],
        "pair": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
        {"SpecialToken": {"id": "[SEP]", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}},
        {"SpecialToken": {"id": "[SEP]", "type_id": 1}}],
        "special_tokens": {"[CLS]": {"id": "[CLS]", "ids": [1], "tokens": ["[CLS]"]},
        "[SEP]": {"id": "[SEP]", "ids": [2], "tokens": ["[SEP]"]}}},
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
        "max_input_chars_per_word": 100,
        "vocab": {"[UNK]": 0, "[CLS]": 1, "[SEP]": 2, "the": 3, "fox": 4, "river": 5, "bird": 6}}}
        """
}
