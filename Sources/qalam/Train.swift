// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Foundation
internal import QalamFormats
internal import QalamModels
internal import QalamTensors
internal import QalamTokenizers
internal import QalamTraining

/// `qalam train`: language models unless told otherwise.
struct Train: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Train a model: from text or pictures to a folder that `qalam chat`, `qalam draw` and others open.",
        subcommands: [TrainText.self, TrainImageTokenizer.self, TrainImage.self, TrainImageScore.self],
        defaultSubcommand: TrainText.self)
}

/// `qalam train text`, or `qalam train` alone: from text, packed data or a model to a trained model, in one command.
struct TrainText: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "text",
        abstract: "Train a language model (what `qalam train FILES` does).",
        discussion: """
            qalam train stories.txt --output out/mine             a new tokenizer and a new model
            qalam train out/mine/data --output out/deeper --depth 8
            qalam data pack --chat --tokenizer out/mine/model --output out/talks talks.jsonl
            qalam train out/talks --from out/mine/model --output out/assistant

            Ctrl-C writes a checkpoint; the same command goes on from there, bit for bit.
            """)

    @OptionGroup var flags: RunFlags

    @Option(help: "A model folder to teach further.")
    var from: String?

    @Option(name: .shortAndLong, help: "The folder of the run.")
    var output: String

    @Option(help: "How the trained model is stored: float32 or bfloat16.")
    var precision = "float32"

    @Option(help: "The field of JSON lines that holds the text.")
    var field = "text"

    @Option(help: "Threads; all processors by default. The result does not depend on it.")
    var threads: Int?

    @Flag(help: "Print events as JSON lines.")
    var json = false

    @Argument(help: "A folder of packed data, or files of text.")
    var data: [String]

    func validate() throws {
        try checkThreads(threads)
        guard StoredPrecision(rawValue: precision) != nil else {
            throw ValidationError("--precision \(precision) is not known; use float32 or bfloat16.")
        }
    }

    func run() throws {
        try setThreads(threads)
        let interrupts = Interrupts()
        let options = try flags.options()
        let packed = try packedData(options)
        let tokenizer = try Tokenizer(contentsOf: packed.url)
        let decoder = try decoder(options, packed, tokenizer)
        let settings = try RunSettings(options, config: decoder.config, data: packed, finetuning: from != nil)
        var files = ModelFiles(tokenizer: tokenizer)
        if tokenizer.specialTokens["<|im_start|>"] != nil, tokenizer.specialTokens["<|im_end|>"] != nil {
            files.chatTemplate = chatMLTemplate
            files.eosText = "<|im_end|>"
        }
        var run = try TrainingRun(
            folder: URL(filePath: output),
            task: LanguageModelTask(
                decoder, data: packed, files: files, precision: StoredPrecision(rawValue: precision) ?? .float32),
            settings: settings)
        var log = TrainingLog(json: json)
        try run.run(shouldStop: { interrupts.wasInterrupted }, report: { log.show($0) })
    }

    /// The packed data asked for, made from text first if need be.
    private func packedData(_ options: RunOptions) throws -> PackedData {
        let urls = data.map { URL(filePath: $0) }
        if urls.count == 1, isPacked(urls[0]) { return try PackedData(urls[0]) }
        let folder = URL(filePath: output).appending(path: "data")
        if !isPacked(folder) {
            let tokenizer: Tokenizer
            if let from {
                tokenizer = try Tokenizer(contentsOf: URL(filePath: from))
            } else {
                tokenizer = try trainTokenizer(
                    urls, vocabularySize: options.vocabulary ?? 8192, pattern: .gpt2,
                    special: ["<|endoftext|>", "<|im_start|>", "<|im_end|>"], field: field, memory: 1 << 30)
            }
            var pack = PackOptions()
            pack.field = field
            var progress = ProgressLine("packing")
            let manifest = try packTexts(urls, tokenizer: tokenizer, to: folder, pack) {
                progress.show("\($0.documents) documents, \($0.tokens) tokens")
            }
            progress.finish("\(manifest.train.tokens) tokens")
        }
        return try PackedData(folder)
    }

    private func isPacked(_ url: URL) -> Bool {
        FileManager.default.fileExists(atPath: url.appending(path: "data.json").path)
    }

    private func decoder(_ options: RunOptions, _ packed: PackedData, _ tokenizer: Tokenizer) throws -> Decoder {
        if let from {
            let folder = try ModelFolder(URL(filePath: from))
            guard try folder.tokenizer.tokenJSON() == tokenizer.tokenJSON() else {
                throw ValidationError(
                    "\(from) has another tokenizer than the data; pack the data with --tokenizer \(from).")
            }
            return try folder.decoder(trainable: true)
        }
        var config = try DecoderConfig(
            options, vocabularySize: tokenizer.vocabularySize, eosToken: tokenizer.specialTokens["<|endoftext|>"])
        if let turnEnd = tokenizer.specialTokens["<|im_end|>"] { config.eosTokens.insert(turnEnd, at: 0) }
        return try Decoder(config, Weights(FreshWeights(seed: options.seed ?? 1), trainable: true))
    }
}
