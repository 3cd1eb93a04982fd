// SPDX-License-Identifier: Apache-2.0
import Foundation
import QalamEngine
import QalamModels
import TestSupport
import Testing

/// Models of several kinds behind one library, opened when they are asked for.
@Suite struct ServingTests {
    @Test func opensOnDemand() async throws {
        try await withTemporaryFolder { url in
            let (first, second) = (url.appending(path: "first"), url.appending(path: "second"))
            for folder in [first, second] { _ = try await ReadingTests.model(in: folder) }
            let sources = [
                ModelSource(first), ModelSource(second, id: "other"), ModelSource(fixture("encoders/bert"), id: "bert"),
            ]
            let (library, models) = try ServedLibrary.serving(sources)
            #expect(models.map(\.id) == ["first", "other", "bert"])
            #expect(models.map(\.contextLength) == [128, 128, 32])
            #expect(models[0].facts?.parameterCount == (try tinyDecoder(vocabularySize: 300).config.parameterCount))
            #expect(await library.open.isEmpty)
            let other = try #require(models[1] as? any ChatModel)
            #expect(await other.load == ModelLoad())
            var options = ChatOptions()
            options.maxTokens = 3
            for try await _ in try await other.chat([.user("Hi")], options) {}
            #expect(await library.open == ["other"])
            #expect(await other.load.pages > 0)
            #expect(try await other.detokenize(try await other.tokenize("fox", addSpecial: false)) == "fox")
            #expect(models[2] is any EmbeddingModel && !(models[2] is any ChatModel))
            // It has no tokenizer: the error comes when it is asked for, and names the file.
            let bert = try #require(models[2] as? any EmbeddingModel)
            await #expect(throws: (any Error).self) { try await bert.embed(["a"], dimensions: nil) }
            #expect(throws: EngineError.self) { try ServedLibrary.serving([ModelSource(first), ModelSource(first)]) }
        }
    }
}
