// SPDX-License-Identifier: Apache-2.0
public import Foundation
internal import QalamFormats
public import QalamTokenizers

/// What is known of a model before its weights are opened.
public struct ModelFacts: Sendable, Equatable {
    /// What a model can do.
    public enum Kind: Sendable, Equatable {
        /// It writes text.
        case decoder
        /// It turns texts into vectors.
        case encoder
    }

    /// What it can do.
    public let kind: Kind
    /// The longest text it takes.
    public let contextLength: Int
    /// C: the numbers of a hidden state.
    public let hiddenSize: Int
    /// Bytes of its weights.
    public let bytes: Int

    /// Reads the config of the folder or `.gguf` file at `url`.
    ///
    /// - Throws: `FormatError` or `ModelError` that name what is wrong where
    public init(_ url: URL) throws {
        let type: String
        var gguf: GGUF?
        if url.pathExtension.lowercased() == "gguf" {
            let file = try GGUF(url)
            gguf = file
            type = try file.metadata.string("general.architecture").replacing("-", with: "_")
            bytes = file.byteCount
        } else {
            type = try JSONReader(contentsOf: url.appending(path: "config.json")).string("model_type")
            bytes = try Safetensors(url).tensors.values.reduce(0) { $0 + $1.bytes.count }
        }
        if EncoderFamily(rawValue: type) != nil {
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
