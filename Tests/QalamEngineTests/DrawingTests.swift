// SPDX-License-Identifier: Apache-2.0
import Foundation
import QalamEngine
import QalamFormats
import QalamImages
import QalamModels
import QalamTensors
import QalamTokenizers
import TestSupport
import Testing

/// Drawing with tiny models that know nothing: what must hold whatever they have learnt.
@Suite struct DrawingTests {
    enum Kind: CaseIterable { case flow, token }

    @Test(arguments: Kind.allCases) func drawsTheSamePictureAloneAndAmongOthers(kind: Kind) async throws {
        try await withModel(kind) { model in
            let together = try await pictures(model, DrawRequest("cat", count: 3, seed: 7, steps: 4))
            #expect(together.map(\.seed) == [7, 8, 9])
            for (picture, seed) in together {
                let alone = try await pictures(model, DrawRequest("cat", seed: seed, steps: 4))
                #expect(alone.count == 1 && alone[0].picture.pixels.elementsEqual(picture.pixels), "seed \(seed)")
            }
            expectDifferent(together[0].picture, together[1].picture)
            let other = try await pictures(model, DrawRequest("dog", seed: 7, steps: 4))
            expectDifferent(other[0].picture, together[0].picture)
        }
    }

    @Test(arguments: Kind.allCases) func showsPartialPicturesInOrder(kind: Kind) async throws {
        try await withModel(kind) { model in
            var partial: [Int] = [], usage: (Int, Int)?
            for try await event in try await model.draw(DrawRequest("cat", seed: 1, steps: 8, partials: 3)) {
                switch event {
                case .partial(_, let number, let picture):
                    partial.append(number)
                    #expect(picture.width == 16)
                case .finished: #expect(partial == [0, 1, 2])
                case .usage(let input, let output): usage = (input, output)
                }
            }
            #expect(partial == [0, 1, 2])
            #expect(try #require(usage).0 > 0 && usage?.1 == (kind == .flow ? 4 : 16))
        }
    }

    /// What the mask keeps stays, pixel for pixel; the rest is drawn anew.
    @Test(arguments: Kind.allCases) func editsOnlyWhatIsTransparent(kind: Kind) async throws {
        try await withModel(kind) { model in
            let original = Picture(width: 16, height: 16, filledWith: [200, 40, 40, 255])
            var mask = Picture(width: 16, height: 16, filledWith: [0, 0, 0, 255])
            for y in 0..<16 { for x in 8..<16 { mask.pixels[4 * (16 * y + x) + 3] = 0 } }
            let source = DrawSource(original, mask: mask)
            let edited = try await pictures(model, DrawRequest("cat", seed: 3, steps: 4, source: source))[0].picture
            for y in 0..<16 {
                for x in 0..<8 {
                    let at = 4 * (16 * y + x)
                    #expect(Array(edited.pixels[at..<at + 4]) == [200, 40, 40, 255])
                }
            }
            expectDifferent(edited, original)
        }
    }

    @Test(arguments: Kind.allCases) func variationsOfNoStrengthAreTheReconstruction(kind: Kind) async throws {
        try await withModel(kind) { model in
            let source = DrawSource(Picture(width: 16, height: 16, filledWith: [20, 40, 220, 255]), strength: 0)
            let made = try await pictures(model, DrawRequest("", count: 2, seed: 3, steps: 4, source: source))
            #expect(made[0].picture.pixels.elementsEqual(made[1].picture.pixels), "variations of strength 0")
        }
    }

    @Test(arguments: Kind.allCases) func refusesByName(kind: Kind) async throws {
        try await withModel(kind) { model in
            let long = Array(repeating: "cat", count: 60).joined(separator: " ")
            for (request, name) in [
                (DrawRequest(long, seed: 1), "prompt"), (DrawRequest("cat", count: 0, seed: 1), "n"),
                (DrawRequest("cat", seed: 1, steps: 0), "steps"),
                (DrawRequest("cat", seed: 1, guidance: 0.5), "guidance"),
                (DrawRequest("cat", seed: 1, partials: 4), "partial_images"),
                (heated("cat", to: kind == .flow ? 1 : -1), "temperature"),
            ] {
                await #expect {
                    _ = try await model.draw(request)
                } throws: { error in
                    if case .badOption(let option, _) = error as? EngineError { option == name } else { false }
                }
            }
        }
    }

    /// The best of the candidates by a made-up score model come first, each with the seed that draws it alone.
    @Test(arguments: Kind.allCases) func keepsTheBestOfTheCandidates(kind: Kind) async throws {
        try await withTemporaryFolder { score in
            let model = try makeScoreModel(in: score)
            try await withFolder(kind) { folder in
                let opened = try await DrawingModel.open(folder, rank: score)
                var request = DrawRequest("red cat", count: 6, seed: 7, steps: 4)
                let all = try await pictures(opened, request)
                let scores = model.scores(of: all.map(\.picture), for: "red cat")
                let best = all.indices.sorted { scores[$0] > scores[$1] }.prefix(2).map { all[$0].seed }
                (request.count, request.candidates) = (2, 6)
                let kept = try await pictures(opened, request)
                #expect(kept.map(\.seed) == best && Set(scores).count == 6)
                for (picture, seed) in kept {
                    let alone = try await pictures(opened, DrawRequest("red cat", seed: seed, steps: 4))
                    #expect(alone[0].picture.pixels.elementsEqual(picture.pixels), "seed \(seed)")
                }
                // Without a score model nothing can choose; one in the model's folder is found.
                let plain = try await DrawingModel.open(folder)
                await #expect(throws: EngineError.self) { _ = try await pictures(plain, request) }
                try FileManager.default.copyItem(at: score, to: folder.appending(path: "score"))
                let found = try await pictures(try await DrawingModel.open(folder), request)
                #expect(found.map(\.seed) == best)
            }
        }
    }

    private func makeScoreModel(in folder: URL) throws -> PictureRanker {
        let text = try makeText()
        let config = ScoreModelConfig(
            size: 16, width: 16, layers: 1, heads: 2, vocabularySize: text.vocabularySize, textLength: 6)
        let model = try ScoreModel(config, Weights(FreshWeights(seed: 3), trainable: true)["score"])
        try ScoreFolder.write(model, text, to: folder, precision: .float32)
        return try PictureRanker(folder)
    }

    private func makeText() throws -> Tokenizer {
        var trainer = BPETrainer(vocabularySize: 270, pattern: .gpt2, specialTokens: ["<|endoftext|>"])
        for text in [" cat", " dog", " red cat"] { try trainer.add(Array(text.utf8)) }
        return try trainer.finish { _, _ in }
    }

    private func heated(_ prompt: String, to temperature: Double) -> DrawRequest {
        var request = DrawRequest(prompt, seed: 1)
        request.temperature = temperature
        return request
    }

    @Test func whatIsNoNumberIsAPicture() {
        let values = [Float](repeating: .nan, count: 8) + [.infinity, -.infinity, 1, 1, -1, 0, 0, 1]
        let pictures = picturesOf(Tensor(values, [1, 2, 2, 4]))
        #expect(pictures.count == 1 && pictures[0].width == 2)
        #expect(pictures[0].pixels.prefix(8).allSatisfy { $0 == 0 })
    }

    /// A config whose sizes would take all memory is an error before any is taken.
    @Test(arguments: [
        #""width": 16384, "heads": 1"#, #""vocabulary_size": 1000000, "width": 1024"#, #""layers": 0"#, #""heads": 5"#,
    ])
    func refusesSizesThatCannotBe(change: String) throws {
        try withTemporaryFolder { folder in
            let flow = """
                "grid": 4, "code_width": 4, "layers": 1, "vocabulary_size": 300, "text_length": 8, "latent_scale": 1.5
                """
            let text = """
                {"model_type": "qalam_draw", "image_tokenizer": {"size": 16, "fine_width": 8, "coarse_width": 16, \
                "levels": [8, 5, 5, 5], "fine_blocks": [0, 1], "coarse_blocks": [1, 1]}, \
                "flow": {"width": 16, "heads": 2, \(flow)}}
                """
            var object = try #require(
                try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
            try write(object, to: folder)
            _ = try DrawingFolder(folder)
            let changes = try JSONSerialization.jsonObject(with: Data("{\(change)}".utf8)) as? [String: Any] ?? [:]
            object["flow"] = (object["flow"] as? [String: Any] ?? [:]).merging(changes) { $1 }
            try write(object, to: folder)
            #expect(throws: FormatError.self) { _ = try DrawingFolder(folder) }
        }
    }

    /// The same for the sizes of a model of tokens.
    @Test(arguments: ["codes", "width", "heads", "text_length"]) func refusesTokenSizesThatCannotBe(key: String) throws
    {
        try withTemporaryFolder { folder in
            let sizes = [
                "grid": 4, "codes": 1000, "width": 16, "layers": 1, "heads": 2, "vocabulary_size": 300,
                "text_length": 8,
            ]
            func config(_ token: [String: Int]) -> [String: Any] {
                let images: [String: Any] = [
                    "size": 16, "fine_width": 8, "coarse_width": 16, "levels": [8, 5, 5, 5], "fine_blocks": [0, 1],
                    "coarse_blocks": [1, 1],
                ]
                return ["model_type": "qalam_draw", "image_tokenizer": images, "token": token]
            }
            try write(config(sizes), to: folder)
            #expect(try DrawingFolder(folder).drawer?.width == 16)
            try write(config(sizes.merging([key: 1_000_000_000]) { $1 }), to: folder)
            #expect(throws: FormatError.self) { _ = try DrawingFolder(folder) }
            try write(config(sizes.merging(["codes": 999]) { $1 }), to: folder)
            #expect(throws: ModelError.self) { _ = try DrawingFolder(folder) }
        }
    }

    private func write(_ config: [String: Any], to folder: URL) throws {
        try JSONSerialization.data(withJSONObject: config).write(to: folder.appending(path: "config.json"))
    }

    /// Without printing thousands of numbers if they are equal.
    private func expectDifferent(_ a: Picture, _ b: Picture, sourceLocation: SourceLocation = #_sourceLocation) {
        let areEqual = a == b
        #expect(!areEqual, sourceLocation: sourceLocation)
    }

    private func pictures(
        _ model: any ImageModel, _ request: DrawRequest
    ) async throws -> [(picture: Picture, seed: UInt64)] {
        var made: [(Picture, UInt64)] = []
        for try await event in try await model.draw(request) {
            if case .finished(_, let picture, let seed) = event { made.append((picture, seed)) }
        }
        return made
    }

    private func withModel(_ kind: Kind, _ body: (any ImageModel) async throws -> Void) async throws {
        try await withFolder(kind) { folder in
            let opened = try await Qalam.open(folder, id: "tiny")
            try await body(#require(opened as? any ImageModel))
        }
    }

    private func withFolder(_ kind: Kind, _ body: (URL) async throws -> Void) async throws {
        try await withTemporaryFolder { folder in
            let text = try makeText()
            var c = ImageTokenizerConfig(size: 16, fineWidth: 8, coarseWidth: 16)
            (c.fineBlocks, c.coarseBlocks) = ([0, 1], [1, 1])
            func weights(_ name: String) -> Weights { Weights(FreshWeights(seed: 4), trainable: true)[name] }
            let images = try ImageTokenizer(c, weights("image_tokenizer"))
            let drawer: Drawer =
                switch kind {
                case .flow: .flow(try freshFlow(c, text.vocabularySize, weights("flow")))
                case .token: .token(try freshToken(c, text.vocabularySize, weights("token")))
                }
            try DrawingFolder.write(images, drawer: (drawer, text), to: folder, precision: .float32)
            try await body(folder)
        }
    }

    private func freshFlow(_ c: ImageTokenizerConfig, _ words: Int, _ weights: Weights) throws -> FlowTransformer {
        let config = FlowTransformerConfig(
            grid: c.grid, codeWidth: c.codes.width, width: 16, layers: 2, heads: 2, vocabularySize: words,
            textLength: 8)
        let model = try FlowTransformer(config, weights)
        // A fresh model predicts almost nothing, whatever the noise: this one has something to say.
        for parameter in model.parameters where parameter.parts[0].name.hasPrefix("flow.final.head") {
            for i in parameter.tensor.buffer.indices { parameter.tensor.buffer[i] *= 40 }
        }
        return model
    }

    private func freshToken(_ c: ImageTokenizerConfig, _ words: Int, _ weights: Weights) throws -> TokenTransformer {
        let config = TokenTransformerConfig(
            grid: c.grid, codes: c.codes.count, width: 16, layers: 2, heads: 2, vocabularySize: words,
            textLength: 8)
        let model = try TokenTransformer(config, weights)
        for parameter in model.parameters where parameter.role == .table {
            for i in parameter.tensor.buffer.indices { parameter.tensor.buffer[i] *= 20 }
        }
        return model
    }
}
