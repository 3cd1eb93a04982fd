// SPDX-License-Identifier: Apache-2.0
public import Foundation
internal import QalamFormats
public import QalamTokenizers

/// A folder with a score model: `config.json` (`model_type` qalam_score), `model.safetensors`, `tokenizer.json`.
public enum ScoreFolder {
    /// What `model_type` says in such folders.
    public static let modelType = "qalam_score"

    /// Opens the model and its text tokenizer.
    ///
    /// - Throws: `FormatError` or `ModelError` that name what is wrong where.
    public static func open(_ url: URL) throws -> (model: ScoreModel, text: Tokenizer) {
        let j = try JSONReader(contentsOf: url.appending(path: "config.json"))
        guard try j.string("model_type") == modelType else {
            throw ModelError.unsupportedArchitecture(try j.string("model_type"), known: [modelType])
        }
        let sizes = 1...16_384
        let config = ScoreModelConfig(
            size: try j.int("size", in: sizes), width: try j.int("width", in: sizes),
            layers: try j.int("layers", in: 1...256), heads: try j.int("heads", in: sizes),
            vocabularySize: try j.int("vocabulary_size", in: 1...1_000_000),
            textLength: try j.int("text_length", in: sizes))
        guard config.width % config.heads == 0, config.size % 8 == 0 else {
            throw j.error(
                "heads", "\(config.heads) heads and \(config.size) pixels do not fit a width of \(config.width)")
        }
        let text = try Tokenizer(contentsOf: url)
        guard text.vocabularySize <= config.vocabularySize else {
            throw ModelError.mismatch("\(url.lastPathComponent): its tokenizer and its weights don't belong together.")
        }
        return (try ScoreModel(config, Weights(Checkpoint(try Safetensors(url)), trainable: false)["score"]), text)
    }

    /// Writes a model, in a scope named `score`, as a folder.
    public static func write(
        _ model: ScoreModel, _ text: Tokenizer, to url: URL, precision: StoredPrecision,
        metadata: [String: String] = [:]
    ) throws {
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        try writeWeights(model.parameters, to: url.appending(path: "model.safetensors"), precision, metadata)
        try text.write(to: url)
        let c = model.config
        let config: [String: Any] = [
            "model_type": modelType, "size": c.size, "width": c.width, "layers": c.layers, "heads": c.heads,
            "vocabulary_size": c.vocabularySize, "text_length": c.textLength,
        ]
        try writeJSON(config, to: url.appending(path: "config.json"))
    }
}
