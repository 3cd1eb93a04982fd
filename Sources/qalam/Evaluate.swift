// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Foundation
internal import QalamModels
internal import QalamTokenizers
internal import QalamTraining

/// `qalam evaluate`: language models unless told otherwise.
struct Evaluate: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measure a model on data it was not trained on.",
        subcommands: [EvaluateText.self, EvaluateDrawing.self], defaultSubcommand: EvaluateText.self)
}

/// `qalam evaluate text`, or `qalam evaluate` alone: bits per byte and perplexity on held-out data.
struct EvaluateText: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Measure a model on held-out data.")

    @OptionGroup var model: ModelOptions

    @Option(help: "A folder of packed data.")
    var data: String

    @Option(help: "The most rows to read.")
    var rows = 1024

    @Flag(help: "Print one JSON object.")
    var json = false

    func run() throws {
        try model.apply()
        let folder = try ModelFolder(model.url())
        let packed = try PackedData(URL(filePath: data))
        guard try folder.tokenizer.tokenJSON() == Data(contentsOf: packed.url.appending(path: "tokenizer.json")) else {
            throw ValidationError(
                "\(model.model) has another tokenizer than the data; pack the data with --tokenizer \(model.model).")
        }
        let rowLength = packed.manifest.rowLength
        let context = rowLength > 0 ? min(rowLength - 1, folder.config.contextLength) : folder.config.contextLength
        guard
            let result = try evaluate(
                folder.decoder(), packed, tokenizer: folder.tokenizer, context: context, rows: rows)
        else { throw ValidationError("\(data) holds no held-out rows of \(context) tokens.") }
        if json {
            let object: [String: Any] = ["loss": result.loss, "tokens": result.count]
            try printJSON(object.merging(result.measures) { own, _ in own })
        } else {
            write(
                String(
                    format: "loss %.4f nats per token | %.4f bits per byte | perplexity %.2f | %d tokens\n",
                    result.loss, result.measures["bits_per_byte"] ?? .nan, result.measures["perplexity"] ?? .nan,
                    result.count))
        }
    }
}
