// SPDX-License-Identifier: Apache-2.0
import Foundation
import QalamEngine
import QalamModels
import QalamTokenizers
import TestSupport
import Testing

@Suite struct TextStreamTests {
    @Test(
        arguments: [
            (["Hello wor", "ld, all"], ["world"], "Hello ", true),
            (["a", "b", "c", "d"], ["bc", "x"], "a", true),
            (["aab", "aac"], ["aac"], "aab", true),
            (["ab"], ["abc"], "ab", false),
            (["سلا", "م عليكم"], ["عليكم"], "سلام ", true),
            (["🙂🙃"], ["🙃🙃"], "🙂🙃", false),
            (["", "x"], [""], "x", false),
        ] as [([String], [String], String, Bool)])
    func stopStrings(pieces: [String], stops: [String], expected: String, hit: Bool) {
        var watch = StopStrings(stops)
        var text = ""
        for piece in pieces { text += watch.pass(piece) }
        if !watch.hit { text += watch.rest() }
        #expect(text == expected)
        #expect(watch.hit == hit)
    }

    /// A model folder opened as a chat model: text in, the same text whole or in pieces, limits and errors.
    @Test func chatsThroughAFolder() async throws {
        try await withTemporaryFolder { url in
            let tokenizer = try tinyTokenizer()
            let decoder = try tinyDecoder(vocabularySize: tokenizer.vocabularySize, contextLength: 64)
            try ModelFolder.write(
                decoder, ModelFiles(tokenizer: tokenizer, chatTemplate: chatMLTemplate), to: url, precision: .bfloat16)
            let model = try LoadedModel(url, id: "tiny")
            var options = ChatOptions()
            options.sampling.seed = 3
            options.maxTokens = 10
            let messages = [ChatMessage(role: "user", content: "Hi fox")]
            let (text, usage) = try await collect(model.chat(messages, options))
            let (again, _) = try await collect(model.chat(messages, options))
            #expect(text == again)
            #expect(usage.completionTokens <= 10 && usage.promptTokens > 5)
            let long = [ChatMessage(role: "user", content: String(repeating: "fox river ", count: 200))]
            await #expect(throws: EngineError.self) { _ = try await model.chat(long, options) }
        }
    }

    private func collect(_ stream: AsyncThrowingStream<TextEvent, any Error>) async throws -> (String, Usage) {
        var (text, usage) = ("", Usage(promptTokens: 0, completionTokens: 0))
        for try await event in stream {
            switch event {
            case .text(let piece, _): text += piece
            case .finished(_, let tokens): usage = tokens
            case .reasoning, .toolCallStarted, .toolCallArguments: break
            }
        }
        return (text, usage)
    }
}
