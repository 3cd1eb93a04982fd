// SPDX-License-Identifier: Apache-2.0
public import Foundation
internal import QalamFormats
internal import QalamTensors
public import QalamTokenizers

/// What is known of a model before its weights are opened.
public struct ModelFacts: Sendable, Equatable {
    /// What a model can do.
    public enum Kind: Sendable, Equatable {
        /// It writes text.
        case decoder
        /// It turns texts into vectors.
        case encoder
        /// It draws pictures from words.
        case drawing
    }

    /// What it can do.
    public let kind: Kind
    /// The longest text it takes.
    public let contextLength: Int
    /// C: the numbers of a hidden state.
    public let hiddenSize: Int
    /// Bytes of its weights.
    public let bytes: Int
    /// How many numbers its weights are.
    public let parameterCount: Int
    /// The type of most of its weights, such as BF16 or Q4_K.
    public let precision: String
    /// The family, as `config.json` names it.
    public let family: String

    /// Reads the config of the folder or `.gguf` file at `url`.
    ///
    /// - Throws: `FormatError` or `ModelError` that name what is wrong where
    public init(_ url: URL) throws {
        let type: String
        var gguf: GGUF?
        let tensors: [(type: String, bytes: Int, count: Int)]
        if url.pathExtension.lowercased() == "gguf" {
            let file = try GGUF(url)
            gguf = file
            type = try file.metadata.string("general.architecture").replacing("-", with: "_")
            tensors = file.tensors.map { ($0.type.name, $0.bytes.count, $0.count) }
        } else {
            type = try JSONReader(contentsOf: url.appending(path: "config.json")).string("model_type")
            tensors = try Safetensors(url).tensors.values.map { ($0.type.rawValue, $0.bytes.count, $0.count) }
        }
        bytes = tensors.reduce(0) { $0 + $1.bytes }
        parameterCount = tensors.reduce(0) { $0 + $1.count }
        precision =
            Dictionary(tensors.map { ($0.type, $0.bytes) }, uniquingKeysWith: +)
            .max { ($0.value, $1.key) < ($1.value, $0.key) }?.key ?? ""
        family = type
        if type == DrawingFolder.modelType {
            kind = .drawing
            let config = try DrawingFolder(url).drawer
            (contextLength, hiddenSize) = (config?.textLength ?? 0, config?.width ?? 0)
        } else if EncoderFamily(rawValue: type) != nil {
            kind = .encoder
            let config = try gguf.map { try EncoderConfig($0) } ?? EncoderConfig(folder: url)
            (contextLength, hiddenSize) = (config.contextLength, config.hiddenSize)
        } else {
            kind = .decoder
            let config =
                try gguf.map { try DecoderConfig($0) }
                ?? DecoderConfig(contentsOf: url.appending(path: "config.json"))
            (contextLength, hiddenSize) = (config.contextLength, config.hiddenSize)
        }
    }
}

extension Encoder {
    /// The tokenizer of the encoder at `url`, a folder or a `.gguf` file.
    public static func tokenizer(at url: URL) throws -> Tokenizer {
        url.pathExtension.lowercased() == "gguf"
            ? try Tokenizer(gguf: GGUF(url).metadata) : try Tokenizer(contentsOf: url)
    }
}
