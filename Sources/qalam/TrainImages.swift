// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Foundation
internal import QalamFormats
internal import QalamImages
internal import QalamModels
internal import QalamTokenizers
internal import QalamTraining

/// What both commands that train on pictures take.
struct PictureRunFlags: ParsableArguments {
    @OptionGroup var run: RunFlags

    @Option(name: .shortAndLong, help: "The folder of the run.")
    var output: String

    @Option(help: "How the trained model is stored: float32 or bfloat16.")
    var precision = "bfloat16"

    @Option(help: "Threads; all processors by default. The result does not depend on it.")
    var threads: Int?

    @Flag(help: "Print events as JSON lines.")
    var json = false

    @Argument(help: "A folder that `qalam data images` wrote.")
    var data: String

    func validate() throws {
        try checkThreads(threads)
        guard StoredPrecision(rawValue: precision) != nil else {
            throw ValidationError("--precision \(precision) is not known; use float32 or bfloat16.")
        }
    }

    var storedPrecision: StoredPrecision { StoredPrecision(rawValue: precision) ?? .float32 }

    /// Runs the task to the end or the user's interruption.
    func train(_ task: some TrainingTask, _ settings: RunSettings) throws {
        let interrupts = Interrupts()
        var run = try TrainingRun(folder: URL(filePath: output), task: task, settings: settings)
        var log = TrainingLog(json: json)
        try run.run(shouldStop: { interrupts.wasInterrupted }, report: { log.show($0) })
    }
}

/// `qalam train image-tokenizer`.
struct TrainImageTokenizer: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "image-tokenizer",
        abstract: "Train what turns pictures into codes and back.",
        discussion: """
            qalam data images emoji/ --output out/pictures
            qalam train image-tokenizer out/pictures --output out/codes
            qalam train image out/pictures --image-tokenizer out/codes/model --output out/draw
            qalam draw "a smiling orange cat" --model out/draw/model

            samples.png in the run's folder shows held-out pictures above their reconstructions.

            Codes are made by finite scalar quantization, or chosen from a learned codebook as in DALL-E's discrete VAE
            (--kind dvae).
            """)

    @OptionGroup var flags: PictureRunFlags

    @Option(help: "fsq: finite scalar quantization to 8, 5, 5 and 5 levels; dvae: a codebook.")
    var kind = "fsq"

    @Option(help: "Codes of a codebook, a multiple of 16; 1024 by default.")
    var codebookSize: Int?

    func validate() throws {
        guard ["fsq", "dvae"].contains(kind) else {
            throw ValidationError("--kind \(kind) is not known; use fsq or dvae.")
        }
        guard let codebookSize else { return }
        guard kind == "dvae" else { throw ValidationError("--codebook-size is for --kind dvae.") }
        guard (16...65536).contains(codebookSize), codebookSize % 16 == 0 else {
            throw ValidationError("--codebook-size must be a multiple of 16 up to 65536, not \(codebookSize).")
        }
    }

    func run() throws {
        try setThreads(flags.threads)
        let options = try flags.run.options()
        let data = try PictureData(URL(filePath: flags.data))
        guard data.size % 8 == 0 else {
            throw ValidationError("Pictures of \(data.size) pixels: make them a multiple of 8.")
        }
        for (name, isSet) in [
            ("depth", options.depth != nil), ("heads", options.heads != nil), ("vocabulary", options.vocabulary != nil),
        ] where isSet { throw ValidationError("\(name): an image tokenizer has none; --width is its one size.") }
        let settings = try RunSettings(options, pictures: data, .imageTokenizer)
        var config = ImageTokenizerConfig(size: data.size)
        if let width = options.width { config.coarseWidth = width }
        if kind == "dvae" { config.codes = .codebook(count: codebookSize ?? 1024, width: 8) }
        let weights = Weights(FreshWeights(seed: settings.seed), trainable: true)["image_tokenizer"]
        let model = try ImageTokenizer(config, weights)
        try flags.train(ImageTokenizerTask(model, data: data, precision: flags.storedPrecision), settings)
    }
}

/// What `qalam train image` trains.
enum DrawerKind: String, ExpressibleByArgument, CaseIterable { case flow, token }

/// `qalam train image`.
struct TrainImage: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "image",
        abstract: "Train a model that draws pictures from words.",
        discussion: """
            qalam train image out/pictures --image-tokenizer out/codes/model --output out/draw

            qalam train image out/pictures --model token --image-tokenizer out/codes/model --output out/token

            samples.png in the run's folder shows what it makes of the sample prompts, four pictures each.
            """)

    @OptionGroup var flags: PictureRunFlags

    @Option(help: "The folder of a trained image tokenizer.")
    var imageTokenizer: String

    @Option(help: "What draws: flow, from noise, or token, code by code as DALL-E did.")
    var model = DrawerKind.flow

    func run() throws {
        try setThreads(flags.threads)
        let options = try flags.run.options()
        let data = try PictureData(URL(filePath: flags.data))
        let tokenizer = try DrawingFolder(URL(filePath: imageTokenizer)).imageTokenizer()
        guard tokenizer.config.size == data.size else {
            throw ValidationError(
                "The pictures have \(data.size) pixels, those of the image tokenizer \(tokenizer.config.size).")
        }
        let text = try captionTokenizer(data, vocabularySize: options.vocabulary ?? 2048)
        switch model {
        case .flow:
            let settings = try RunSettings(options, pictures: data, .flow)
            var config = FlowTransformerConfig(
                grid: tokenizer.config.grid, codeWidth: tokenizer.config.codes.width,
                vocabularySize: text.vocabularySize)
            (config.width, config.layers, config.heads) = try sizes(options, config.width, config.layers)
            let model = try FlowTransformer(config, weights(settings)["flow"])
            let pictures = encoded(data, tokenizer, text)
            try flags.train(FlowTask(model, pictures, precision: flags.storedPrecision), settings)
        case .token:
            let settings = try RunSettings(options, pictures: data, .token)
            var config = TokenTransformerConfig(
                grid: tokenizer.config.grid, codes: tokenizer.config.codes.count, vocabularySize: text.vocabularySize)
            (config.width, config.layers, config.heads) = try sizes(options, config.width, config.layers)
            let model = try TokenTransformer(config, weights(settings)["token"])
            let pictures = encoded(data, tokenizer, text)
            try flags.train(TokenTask(model, pictures, precision: flags.storedPrecision), settings)
        }
    }

    /// Width, blocks and heads: those asked for, or those of the model at hand.
    private func sizes(_ options: RunOptions, _ width: Int, _ layers: Int) throws -> (Int, Int, Int) {
        let width = options.width ?? width, heads = options.heads ?? max(1, width / 32)
        guard heads > 0, width % heads == 0, width / heads % 2 == 0 else {
            throw ValidationError("\(heads) heads do not divide a width of \(width) into even parts.")
        }
        return (width, options.depth ?? layers, heads)
    }

    private func weights(_ settings: RunSettings) -> Weights {
        Weights(FreshWeights(seed: settings.seed), trainable: true)
    }

    /// Encodes all pictures, and says how far it has got.
    private func encoded(_ data: PictureData, _ images: ImageTokenizer, _ text: Tokenizer) -> CodedPictures {
        var progress = ProgressLine("encoding pictures")
        let total = data.train.count + data.heldout.count
        let pictures = CodedPictures(data, images, text) { progress.show(done: $0, total: total) }
        progress.finish(nil)
        return pictures
    }
}

/// `qalam train image-score`.
struct TrainImageScore: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "image-score",
        abstract: "Train what tells how well pictures and words belong together.",
        discussion: """
            qalam train image-score out/pictures --output out/score
            qalam train image-score out/pictures --all --output out/judge    to judge drawings of held-out captions
            qalam evaluate drawing out/draw/model --score out/judge/model --data out/pictures
            """)

    @OptionGroup var flags: PictureRunFlags

    @Flag(help: "Train on held-out pictures too: for judging a model that has not seen them.")
    var all = false

    func run() throws {
        try setThreads(flags.threads)
        let options = try flags.run.options()
        let data = try PictureData(URL(filePath: flags.data))
        guard data.size % 8 == 0 else {
            throw ValidationError("Pictures of \(data.size) pixels: make them a multiple of 8.")
        }
        let settings = try RunSettings(options, pictures: data, .score)
        let text = try captionTokenizer(data, vocabularySize: options.vocabulary ?? 2048)
        var config = ScoreModelConfig(size: data.size, vocabularySize: text.vocabularySize)
        if let width = options.width { config.width = width }
        if let depth = options.depth { config.layers = depth }
        config.heads = options.heads ?? max(1, config.width / 32)
        guard config.width % config.heads == 0 else {
            throw ValidationError("\(config.heads) heads do not divide a width of \(config.width).")
        }
        let model = try ScoreModel(config, Weights(FreshWeights(seed: settings.seed), trainable: true)["score"])
        try flags.train(
            ScoreTask(model, text: text, data: data, usesHeldout: all, precision: flags.storedPrecision), settings)
    }
}
