// SPDX-License-Identifier: Apache-2.0
import Foundation
import QalamEngine
import QalamFormats
import QalamImages
import QalamModels
import QalamTensors
import QalamTokenizers
import QalamTraining
import TestSupport
import Testing

/// Whole runs on a few small pictures: discs in some colours.
@Suite(.serialized) struct PictureTrainingTests {
    /// With a codebook as in DALL-E's discrete VAE, through the same run and folder.
    @Test func codebookLearns() throws {
        try withTemporaryFolder { folder in
            let data = try discs(in: folder)
            let config = ImageTokenizerConfig(
                size: 16, fineWidth: 8, coarseWidth: 16, codes: .codebook(count: 32, width: 4))
            let model = try ImageTokenizer(
                config, Weights(FreshWeights(seed: 1), trainable: true)["image_tokenizer"])
            var options = RunOptions()
            (options.steps, options.batch, options.warmup) = (60, 8, 2)
            let settings = try RunSettings(options, pictures: data, .imageTokenizer)
            let run = folder.appending(path: "run")
            var losses: [Double] = []
            var training = try TrainingRun(folder: run, task: ImageTokenizerTask(model, data: data), settings: settings)
            try training.run { if case .step(let report) = $0 { losses.append(report.loss) } }
            #expect(try #require(losses.last) < 0.5 * #require(losses.first))
            let again = try DrawingFolder(run.appending(path: "model")).imageTokenizer()
            #expect(again.config == config)
            let codes = again.quantizer.codes(of: again.encode(data.train.batch([0, 1])))
            #expect(codes.count == 2 * 16 && Set(codes).count > 1)
            #expect(again.quantizer.codes(of: again.quantizer.values(of: codes)) == codes)
        }
    }

    @Test func imageTokenizerLearns() throws {
        try withTemporaryFolder { folder in
            let data = try discs(in: folder)
            let model = try tinyTokenizer(data)
            var options = RunOptions()
            (options.steps, options.batch, options.warmup) = (30, 8, 2)
            let settings = try RunSettings(options, pictures: data, .imageTokenizer)
            let run = folder.appending(path: "run")
            var events: [TrainingEvent] = []
            var training = try TrainingRun(
                folder: run, task: ImageTokenizerTask(model, data: data), settings: settings)
            try training.run { events.append($0) }
            let losses = events.compactMap { if case .step(let report) = $0 { report.loss } else { nil } }
            #expect(losses.count == 30)
            #expect(try #require(losses.last) < 0.5 * #require(losses.first))
            let evaluation = events.compactMap { if case .evaluated(let e) = $0 { e } else { nil } }.last
            #expect(try #require(evaluation?.measures["psnr"]) > 5)
            #expect(try #require(evaluation?.measures["ssim"]) <= 1)
            // The written folder gives the same pictures.
            let again = try DrawingFolder(run.appending(path: "model")).imageTokenizer()
            #expect(again.config == model.config)
            let sheet = try Picture(decoding: Array(Data(contentsOf: run.appending(path: "samples.png"))))
            #expect(sheet.width > 12 * 16)
        }
    }

    /// Stopped and resumed, the average of the weights included: the same bytes as never stopped.
    @Test func flowResumesBitForBit() throws {
        try withTemporaryFolder { folder in
            let data = try discs(in: folder)
            var whole = try flowRun(folder, "whole", data, seed: 1)
            try whole.run { _ in }
            var part = try flowRun(folder, "part", data, seed: 1), done = 0
            try part.run(shouldStop: { done >= 3 }, report: { if case .step = $0 { done += 1 } })
            #expect(part.step == 3)
            var rest = try flowRun(folder, "part", data, seed: 1)
            #expect(rest.step == 3)
            try rest.run { _ in }
            try expectSameBytes(folder)
            #expect(throws: TrainingError.self) { _ = try flowRun(folder, "part", data, seed: 2) }
        }
    }

    /// The runs "whole" and "part" left the same files; the metadata of the model names no run, so all of it is equal.
    private func expectSameBytes(_ folder: URL) throws {
        for file in ["checkpoint/model.safetensors", "checkpoint/optimizer.safetensors", "model/model.safetensors"] {
            let bytes = try ["whole", "part"].map { try Data(contentsOf: folder.appending(path: "\($0)/\(file)")) }
            #expect(bytes[0] == bytes[1], "\(file)")
        }
    }

    /// The same for a model of tokens, which two micro-batches train as one does.
    @Test func tokenResumesBitForBit() throws {
        try withTemporaryFolder { folder in
            let data = try discs(in: folder)
            var whole = try tokenRun(folder, "whole", data) { $0.steps = 6 }
            try whole.run { _ in }
            var part = try tokenRun(folder, "part", data) { $0.steps = 6 }, done = 0
            try part.run(shouldStop: { done >= 3 }, report: { if case .step = $0 { done += 1 } })
            var rest = try tokenRun(folder, "part", data) { $0.steps = 6 }
            #expect(rest.step == 3)
            try rest.run { _ in }
            try expectSameBytes(folder)
            var losses: [[Double]] = []
            for micro in [4, 8] {
                var run = try tokenRun(folder, "micro\(micro)", data) { ($0.steps, $0.microBatch) = (4, micro) }
                losses.append([])
                try run.run { if case .step(let report) = $0 { losses[losses.count - 1].append(report.loss) } }
            }
            #expect(zip(losses[0], losses[1]).allSatisfy { abs($0 - $1) < 1e-3 }, "\(losses)")
        }
    }

    /// A model of tokens that has seen a few pictures often draws them again from their captions, code by code.
    @Test func tokensAreMemorised() throws {
        try withTemporaryFolder { folder in
            let data = try discs(in: folder)
            var losses: [Double] = [], heldout: [Double] = []
            var run = try tokenRun(folder, "run", data) { ($0.steps, $0.learningRate) = (200, 0.01) }
            try run.run {
                if case .step(let report) = $0 { losses.append(report.loss) }
                if case .evaluated(let evaluation) = $0 { heldout.append(evaluation.loss) }
            }
            #expect(try #require(losses.last) < 0.1 * losses[0], "\(losses.last ?? .nan) after \(losses[0])")
            // Of a thousand codes, before it knows the few by heart.
            #expect(try #require(heldout.min()) < 0.95 * log(1000), "\(heldout)")
            let written = try DrawingFolder(run.folder.appending(path: "model"))
            let (text, images) = (try written.textTokenizer(), try written.imageTokenizer())
            var sampler = try written.openDrawer().sampler(images)
            var request = DrawRequest("", seed: 1, guidance: 1)
            request.temperature = 0
            sampler.follow(request)
            let captions = data.train.records.map { captionTokens($0.captions["en"]?.first ?? $0.name, text) }
            let drawn = try #require(sampler.draw(captions.map { CodeRequest(text: $0, seed: 1) }))
            let made = images.quantizer.codes(of: drawn)
            let real = PictureCodes(data.train, images) { _ in }.ids(Array(data.train.records.indices))
            let equal = zip(made, real).count { $0 == $1 }
            #expect(Double(equal) > 0.9 * Double(real.count), "\(equal) of \(real.count) codes")
        }
    }

    private func tokenRun(
        _ folder: URL, _ name: String, _ data: PictureData, change: (inout RunOptions) -> Void
    ) throws -> TrainingRun<TokenTask> {
        let images = try tinyTokenizer(data)
        let text = try captionTokenizer(data, vocabularySize: 300)
        let config = TokenTransformerConfig(
            grid: images.config.grid, codes: images.config.codes.count, width: 32, layers: 2, heads: 2,
            vocabularySize: text.vocabularySize, textLength: 8)
        let model = try TokenTransformer(config, Weights(FreshWeights(seed: 1), trainable: true)["token"])
        var options = RunOptions()
        (options.batch, options.microBatch, options.warmup, options.samplePrompts) = (8, 8, 1, ["red"])
        change(&options)
        return try TrainingRun(
            folder: folder.appending(path: name),
            task: TokenTask(model, CodedPictures(data, images, text)),
            settings: RunSettings(options, pictures: data, .token))
    }

    @Test func scoreModelTellsColoursApart() throws {
        try withTemporaryFolder { folder in
            let data = try discs(in: folder)
            let text = try captionTokenizer(data, vocabularySize: 300)
            let config = ScoreModelConfig(
                size: 16, width: 16, layers: 1, heads: 2, vocabularySize: text.vocabularySize, textLength: 6)
            let model = try ScoreModel(config, Weights(FreshWeights(seed: 1), trainable: true)["score"])
            var options = RunOptions()
            (options.steps, options.batch, options.warmup, options.learningRate) = (40, 6, 2, 0.01)
            let settings = try RunSettings(options, pictures: data, .score)
            var events: [TrainingEvent] = []
            var run = try TrainingRun(
                folder: folder.appending(path: "run"),
                task: ScoreTask(model, text: text, data: data, usesHeldout: true),
                settings: settings)
            try run.run { events.append($0) }
            let losses = events.compactMap { if case .step(let report) = $0 { report.loss } else { nil } }
            #expect(try #require(losses.last) < 0.7 * #require(losses.first))
            let opened = try ScoreFolder.open(folder.appending(path: "run/model"))
            #expect(opened.model.config == config)
            #expect(opened.text.vocabularySize == text.vocabularySize)
        }
    }

    @Test func refusesOptionsOfLanguageModels() throws {
        try withTemporaryFolder { folder in
            let data = try discs(in: folder)
            var options = RunOptions()
            options.context = 12
            #expect(throws: TrainingError.setting("context", "it is for language models")) {
                _ = try RunSettings(options, pictures: data, .flow)
            }
        }
    }

    private func flowRun(
        _ folder: URL, _ name: String, _ data: PictureData, seed: UInt64
    ) throws -> TrainingRun<FlowTask> {
        let images = try tinyTokenizer(data)
        let text = try captionTokenizer(data, vocabularySize: 300)
        let config = FlowTransformerConfig(
            grid: images.config.grid, codeWidth: images.config.codes.width, width: 16, layers: 1, heads: 2,
            vocabularySize: text.vocabularySize, textLength: 4)
        let model = try FlowTransformer(config, Weights(FreshWeights(seed: 1), trainable: true)["flow"])
        var options = RunOptions()
        (options.steps, options.batch, options.warmup, options.seed) = (6, 4, 1, seed)
        options.samplePrompts = ["red"]
        let settings = try RunSettings(options, pictures: data, .flow)
        return try TrainingRun(
            folder: folder.appending(path: name),
            task: FlowTask(model, CodedPictures(data, images, text)), settings: settings)
    }

    private func tinyTokenizer(_ data: PictureData) throws -> ImageTokenizer {
        var config = ImageTokenizerConfig(size: data.size, fineWidth: 8, coarseWidth: 16)
        (config.fineBlocks, config.coarseBlocks) = ([0, 1], [1, 1])
        return try ImageTokenizer(config, Weights(FreshWeights(seed: 1), trainable: true)["image_tokenizer"])
    }

    /// Discs of 16 pixels in six colours and four sizes.
    private func discs(in folder: URL) throws -> PictureData {
        let input = folder.appending(path: "in")
        try FileManager.default.createDirectory(at: input, withIntermediateDirectories: true)
        let colours: [(String, [UInt8])] = [
            ("red", [220, 30, 30]), ("green", [30, 180, 60]), ("blue", [30, 60, 220]), ("yellow", [240, 220, 40]),
            ("black", [10, 10, 10]), ("pink", [250, 150, 200]),
        ]
        for (name, colour) in colours {
            for (word, radius) in [("small", 3), ("medium", 5), ("large", 7), ("whole", 12)] {
                var picture = Picture(width: 16, height: 16)
                for pixel in 0..<256 {
                    let (x, y) = (pixel % 16 - 8, pixel / 16 - 8)
                    guard x * x + y * y <= radius * radius else { continue }
                    for (channel, value) in (colour + [255]).enumerated() {
                        picture.pixels[4 * pixel + channel] = value
                    }
                }
                try Data(picture.encoded(as: .png())).write(to: input.appending(path: "\(word) \(name) disc.png"))
            }
        }
        var options = PicturePackOptions()
        (options.size, options.heldout) = (16, 0.25)
        _ = try packPictures([input], to: folder.appending(path: "data"), options)
        return try PictureData(folder.appending(path: "data"))
    }
}
