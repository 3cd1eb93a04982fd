// SPDX-License-Identifier: Apache-2.0
import Foundation
import QalamEngine
import QalamModels
import QalamTokenizers
import TestSupport
import Testing

/// Several adapters in one batch: each request gets what it gets alone.
@Suite struct AdaptedBatchTests {
    private let folder = fixture("models/tiny-llama-tied")

    private func scheduler(_ configuration: EngineConfiguration = .init()) throws -> Scheduler {
        let decoder = try ModelFolder.decoder(at: folder)
        let adapters = try ["all", "some"].map { try Adapter(fixture("adapters/\($0)"), for: decoder.config) }
        return try Scheduler(decoder, adapters: adapters, configuration)
    }

    private func request(_ i: Int, adapter: Int) -> GenerationRequest {
        var options = SamplingOptions()
        options.temperature = i.isMultiple(of: 2) ? 0 : 0.9
        options.seed = UInt64(i)
        // Two thirds of the prompts start alike, over more than a page.
        let ids = (0..<(40 + i)).map { Int32((i.isMultiple(of: 3) ? i : 0) + $0 * 7) % 320 }
        var request = GenerationRequest(prompt: ids, sampling: options, maxTokens: 12, stopTokens: [])
        request.adapter = adapter
        return request
    }

    @Test func answersDoNotDependOnOthers() throws {
        let requests = (0..<9).map { request($0, adapter: $0 % 3) }
        var alone: [[Int32]] = []
        for request in requests {
            var one = try scheduler()
            alone.append(run(&one, [request]).answers[0].tokens)
        }
        var configuration = EngineConfiguration()
        configuration.stepTokens = 33
        var together = try scheduler(configuration)
        #expect(run(&together, requests).answers.map(\.tokens) == alone)
        // Once more, now that prefixes are cached, each for its adapter.
        let again = run(&together, requests).answers
        #expect(again.map(\.tokens) == alone)
        #expect(again.allSatisfy { $0.usage.cachedTokens > 0 })
        #expect(Set(alone.map { $0.prefix(6) }).count > 3)
        #expect(together.statistics.usedPages == 0)
    }

    @Test func sameTextOtherAdapter() throws {
        var shared = try scheduler()
        let answers = (0..<3).map { adapter in run(&shared, [request(2, adapter: adapter)]).answers[0] }
        #expect(answers.allSatisfy { $0.usage.cachedTokens == 0 })
        #expect(Set(answers.map(\.tokens)).count == 3)
        #expect(throws: EngineError.self) { try shared.check(request(1, adapter: 3)) }
    }

    /// By name, through the text layer; unknown names are errors.
    @Test func byName() async throws {
        try await withTemporaryFolder { url in
            let tokenizer = try tinyTokenizer(vocabularySize: 320)
            for name in ["config.json", "model.safetensors"] {
                try FileManager.default.copyItem(at: folder.appending(path: name), to: url.appending(path: name))
            }
            try tokenizer.write(to: url)
            let model = try await LoadedModel.open(
                url, id: "tiny", adapters: ["all": fixture("adapters/all"), "some": fixture("adapters/some")])
            #expect(model.adapters == ["all", "some"])
            var options = ChatOptions()
            options.sampling.temperature = 0
            options.maxTokens = 8
            let base = try await text(model.complete("The fox", options))
            let adapted = AdaptedModel(model, adapter: "all")
            #expect(adapted.id == "tiny:all")
            let changed = try await text(adapted.complete("The fox", options))
            #expect(base != changed)
            options.adapter = "all"
            #expect(try await text(model.complete("The fox", options)) == changed)
            #expect(try await model.score("The fox", options).count == tokenizer.encode("The fox").count)
            options.adapter = "none"
            let error = EngineError.unknownAdapter("none", known: ["all", "some"])
            await #expect(throws: error) { try await model.complete("The fox", options) }
            await #expect(throws: EngineError.self) { try await adapted.complete("The fox", options) }
        }
    }

    private func text(_ stream: AsyncThrowingStream<TextEvent, any Error>) async throws -> String {
        var text = ""
        for try await event in stream { if case .text(let piece, _) = event { text += piece } }
        return text
    }
}
