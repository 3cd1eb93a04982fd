// SPDX-License-Identifier: Apache-2.0
public import Foundation
package import QalamFormats
public import QalamTensors
public import QalamTokenizers

/// How numbers are stored in `model.safetensors`.
public enum StoredPrecision: String, Sendable, CaseIterable {
    case float32
    case bfloat16
}

/// A model on disk: a Hugging Face folder (`config.json`, `model.safetensors`, `tokenizer.json`,
/// `tokenizer_config.json`), or a GGUF file, which holds all of that.
public struct ModelFolder {
    /// The switches and sizes.
    public let config: DecoderConfig
    /// Text to ids and back.
    public let tokenizer: Tokenizer
    /// How conversations are written for it, if it was made for them.
    public let chatTemplate: ChatTemplate?
    /// The source of `chatTemplate`.
    public let chatTemplateSource: String?
    private let url: URL
    private let gguf: GGUF?

    /// Opens a folder or file: reads config and tokenizer, checks that they belong together, leaves the weights on
    /// disk.
    ///
    /// - Throws: `FormatError`, `TokenizerError`, `TemplateError` or `ModelError`, each naming what is wrong where.
    public init(_ url: URL) throws {
        self.url = url
        gguf = try Self.gguf(at: url)
        if let gguf {
            config = try DecoderConfig(gguf)
            tokenizer = try Tokenizer(gguf: gguf.metadata)
            chatTemplateSource = try gguf.metadata.optionalString(chatTemplateKey)
        } else {
            try recoverFolder(at: url)
            config = try DecoderConfig(contentsOf: url.appending(path: "config.json"))
            tokenizer = try Tokenizer(contentsOf: url)
            chatTemplateSource = try Self.templateSource(in: url)
        }
        guard tokenizer.vocabularySize <= config.vocabularySize else {
            throw ModelError.mismatch(
                "\(url.lastPathComponent): the tokenizer has \(tokenizer.vocabularySize) entries and the model only "
                    + "\(config.vocabularySize); they don't belong together.")
        }
        chatTemplate = try chatTemplateSource.map(ChatTemplate.init)
    }

    /// Loads the weights; `trainable` makes its parameters leaves of the tape.
    public func decoder(
        trainable: Bool = false, activations: ActivationPrecision = .accurate
    ) throws -> Decoder {
        try Self.decoder(config, at: url, gguf, trainable: trainable, activations)
    }

    /// Opens config and weights alone, for folders without a tokenizer, to be run on texts of at most `contextLength`
    /// tokens if that is given.
    public static func decoder(
        at url: URL, contextLength: Int? = nil, activations: ActivationPrecision = .accurate
    ) throws -> Decoder {
        let gguf = try gguf(at: url)
        var config =
            try gguf.map { try DecoderConfig($0) } ?? DecoderConfig(contentsOf: url.appending(path: "config.json"))
        if let contextLength { config.contextLength = contextLength }
        return try decoder(config, at: url, gguf, trainable: false, activations)
    }

    private static func gguf(at url: URL) throws -> GGUF? { url.pathExtension == "gguf" ? try GGUF(url) : nil }

    private static func decoder(
        _ config: DecoderConfig, at url: URL, _ gguf: GGUF?, trainable: Bool, _ activations: ActivationPrecision
    ) throws -> Decoder {
        if let gguf {
            return try Decoder(config, Weights(GGUFWeights(gguf, activations: activations), trainable: trainable))
        }
        let file = try Safetensors(url)
        let prefix = "\(config.family.names.root)."
        let source: any WeightSource =
            config.family == .gptOSS
            ? GPTOSSCheckpoint(file, optionalPrefix: prefix) : Checkpoint(file, optionalPrefix: prefix)
        return try Decoder(config, Weights(source, trainable: trainable))
    }

    /// The ids after which a generation ends: `generation_config.json` first, then `config.json`; those of a GGUF file.
    public func stopTokens() throws -> Set<TokenID> {
        var ids = config.eosTokens
        let generation = url.appending(path: "generation_config.json")
        if gguf == nil, FileManager.default.fileExists(atPath: generation.path) {
            ids += try JSONReader(contentsOf: generation).ints("eos_token_id").compactMap(TokenID.init(exactly:))
        }
        return Set(ids)
    }

    /// How hidden states become one vector, for embeddings.
    public func pooling() throws -> SentencePooling {
        try gguf.map { try SentencePooling($0.metadata) } ?? SentencePooling(folder: url)
    }

    static func templateSource(in url: URL) throws -> String? {
        let jinja = url.appending(path: "chat_template.jinja")
        if FileManager.default.fileExists(atPath: jinja.path) { return try String(contentsOf: jinja, encoding: .utf8) }
        let config = url.appending(path: "tokenizer_config.json")
        guard FileManager.default.fileExists(atPath: config.path) else { return nil }
        return try JSONReader(contentsOf: config).optionalString("chat_template")
    }
}

/// What `ModelFolder.write` puts beside the weights.
public struct ModelFiles {
    /// Text to ids and back.
    public var tokenizer: Tokenizer
    /// The Jinja source of the chat template, if it has one.
    public var chatTemplate: String?
    /// The text of the token that starts a text.
    public var bosText: String?
    /// The text of the token that ends one.
    public var eosText: String?

    /// The tokenizer, and no template.
    public init(tokenizer: Tokenizer, chatTemplate: String? = nil, bosText: String? = nil, eosText: String? = nil) {
        self.tokenizer = tokenizer
        self.chatTemplate = chatTemplate
        self.bosText = bosText
        self.eosText = eosText
    }
}

extension ModelFolder {
    /// Writes a decoder as a folder that `transformers` opens; an existing folder keeps its other files.
    ///
    /// Each file is replaced atomically, the weights first: a crash in between leaves a folder that opens.
    public static func write(
        _ decoder: Decoder, _ files: ModelFiles, to url: URL, precision: StoredPrecision,
        metadata: [String: String] = [:]
    ) throws {
        guard !decoder.isMapped, DecoderFamily.trainable.contains(decoder.config.family) else {
            throw ModelError.mapped
        }
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        try writeWeights(decoder.parameters, to: url.appending(path: "model.safetensors"), precision, metadata)
        try files.tokenizer.write(to: url)
        try writeJSON(
            files.configuration(contextLength: decoder.config.contextLength),
            to: url.appending(path: "tokenizer_config.json"))
        var generation: [String: Any] = [:]
        generation["bos_token_id"] = decoder.config.bosToken.map { Int($0) }
        generation["eos_token_id"] = decoder.config.eosTokens.map { Int($0) }
        try writeJSON(generation, to: url.appending(path: "generation_config.json"))
        try writeJSON(decoder.config.json(dtype: precision.rawValue), to: url.appending(path: "config.json"))
    }
}

extension ModelFiles {
    /// The keys of `tokenizer_config.json`.
    fileprivate func configuration(contextLength: Int) -> [String: Any] {
        var keys: [String: Any] = [
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_max_length": contextLength,
            "clean_up_tokenization_spaces": false,
            "add_bos_token": false,
        ]
        keys["bos_token"] = bosText
        keys["eos_token"] = eosText
        keys["chat_template"] = chatTemplate
        return keys
    }
}

/// Writes parameters under the names and in the layout of files.
package func writeWeights(
    _ parameters: [Parameter], to url: URL, _ precision: StoredPrecision, _ metadata: [String: String]
) throws {
    let tensors = parameters.flatMap { parameter in
        parameter.parts.map { part in
            TensorToWrite.floats(
                part.name, shape: part.shape, type: precision == .float32 ? .float32 : .bfloat16
            ) { lend in
                try parameter.values(of: part).withUnsafeBufferPointer(lend)
            }
        }
    }
    try Safetensors.write(tensors, metadata: metadata.merging(["format": "pt"]) { own, _ in own }, to: url)
}

/// Writes a JSON object, keys sorted, atomically.
package func writeJSON(_ object: [String: Any], to url: URL) throws {
    let data = try JSONSerialization.data(
        withJSONObject: object, options: [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes])
    try writeAtomically(Array(data) + [0x0A], to: url)
}
