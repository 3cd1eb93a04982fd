// SPDX-License-Identifier: Apache-2.0
public import Foundation
internal import QalamFormats
internal import QalamTensors
public import QalamTokenizers

/// A folder with what draws pictures: `config.json` (`model_type` qalam_draw), `model.safetensors`, and a text
/// `tokenizer.json` where it holds a model of text and pictures.
///
/// Its parts are scopes of names in the one file of weights: `image_tokenizer`, and `flow` or `token`.
public struct DrawingFolder {
    /// What `model_type` says in such folders.
    public static let modelType = "qalam_draw"

    /// The sizes of the image tokenizer.
    public let imageTokenizerConfig: ImageTokenizerConfig
    /// The sizes of what draws, if the folder holds more than an image tokenizer.
    public let drawer: DrawerConfig?
    /// The folder.
    public let url: URL

    /// Reads the config.
    ///
    /// - Throws: `FormatError` that names file and key.
    public init(_ url: URL) throws {
        try recoverFolder(at: url)
        let j = try JSONReader(contentsOf: url.appending(path: "config.json"))
        guard try j.string("model_type") == Self.modelType else {
            throw ModelError.unsupportedArchitecture(try j.string("model_type"), known: [Self.modelType])
        }
        self.url = url
        imageTokenizerConfig = try ImageTokenizerConfig(j.object("image_tokenizer"))
        let flow = try j.optionalObject("flow").map { DrawerConfig.flow(try FlowTransformerConfig($0)) }
        drawer = try flow ?? j.optionalObject("token").map { .token(try TokenTransformerConfig($0)) }
        guard drawer?.fits(imageTokenizerConfig) ?? true else {
            throw ModelError.mismatch("\(url.lastPathComponent): its transformer is not for its image tokenizer.")
        }
    }

    /// Text to ids and back.
    public func textTokenizer() throws -> Tokenizer { try Tokenizer(contentsOf: url) }

    /// Loads the image tokenizer; `trainable` makes its parameters leaves of the tape.
    public func imageTokenizer(trainable: Bool = false) throws -> ImageTokenizer {
        try ImageTokenizer(imageTokenizerConfig, weights(trainable)["image_tokenizer"])
    }

    /// Loads what draws.
    ///
    /// - Throws: `ModelError.mismatch` if the folder holds none.
    public func openDrawer(trainable: Bool = false) throws -> Drawer {
        switch drawer {
        case .flow(let config): return .flow(try FlowTransformer(config, weights(trainable)["flow"]))
        case .token(let config): return .token(try TokenTransformer(config, weights(trainable)["token"]))
        case nil:
            throw ModelError.mismatch("\(url.lastPathComponent) holds an image tokenizer only; train a model with it.")
        }
    }

    private func weights(_ trainable: Bool) throws -> Weights {
        Weights(Checkpoint(try Safetensors(url)), trainable: trainable)
    }

    /// Writes models as a folder.
    ///
    /// - Parameters:
    ///   - tokenizer: the image tokenizer, in a scope named `image_tokenizer`
    ///   - drawer: what draws, in a scope named `flow` or `token`, and its text tokenizer
    ///   - url: the folder
    ///   - precision: how numbers are stored
    ///   - metadata: what the file of weights says of their making
    /// - Throws: what writing files throws
    public static func write(
        _ tokenizer: ImageTokenizer, drawer: (model: Drawer, text: Tokenizer)?, to url: URL,
        precision: StoredPrecision, metadata: [String: String] = [:]
    ) throws {
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        var config: [String: Any] = ["model_type": modelType, "image_tokenizer": tokenizer.config.json]
        var parameters = tokenizer.parameters
        if let drawer {
            try drawer.text.write(to: url)
            switch drawer.model {
            case .flow(let model):
                config["flow"] = model.config.json
                parameters += model.parameters
            case .token(let model):
                config["token"] = model.config.json
                parameters += model.parameters
            }
        }
        try writeWeights(parameters, to: url.appending(path: "model.safetensors"), precision, metadata)
        try writeJSON(config, to: url.appending(path: "config.json"))
    }
}

/// What turns words into the codes of pictures.
public enum Drawer {
    /// By a flow from noise.
    case flow(FlowTransformer)
    /// Code by code.
    case token(TokenTransformer)
}

/// The sizes of what turns words into the codes of pictures; which of the two it is, `config.json` says by the name of
/// its object.
public enum DrawerConfig: Sendable, Equatable {
    /// Of a flow transformer.
    case flow(FlowTransformerConfig)
    /// Of a token transformer.
    case token(TokenTransformerConfig)

    /// The most text tokens it reads.
    public var textLength: Int {
        switch self {
        case .flow(let config): config.textLength
        case .token(let config): config.textLength
        }
    }

    /// C.
    public var width: Int {
        switch self {
        case .flow(let config): config.width
        case .token(let config): config.width
        }
    }

    /// Entries of its text tokenizer.
    public var vocabularySize: Int {
        switch self {
        case .flow(let config): config.vocabularySize
        case .token(let config): config.vocabularySize
        }
    }

    fileprivate func fits(_ images: ImageTokenizerConfig) -> Bool {
        switch self {
        case .flow(let config): config.grid == images.grid && config.codeWidth == images.codes.width
        case .token(let config): config.grid == images.grid && config.codes == images.codes.count
        }
    }
}

/// The most that a size in a config may be, so that products of sizes stay in range.
private let sizes = 1...16_384

/// The most numbers of a matrix: memory is taken before the file of weights is asked for its shape.
private let largestMatrix = 1 << 26

extension ImageTokenizerConfig {
    init(_ j: JSONReader) throws {
        self.init(
            size: try j.int("size", in: sizes), fineWidth: try j.int("fine_width", in: sizes),
            coarseWidth: try j.int("coarse_width", in: sizes), codes: try ImageCodes(j))
        fineBlocks = try j.ints("fine_blocks")
        coarseBlocks = try j.ints("coarse_blocks")
        for (key, blocks) in [("fine_blocks", fineBlocks), ("coarse_blocks", coarseBlocks)] {
            guard blocks.count == 2, blocks.allSatisfy({ (0...64).contains($0) }) else {
                throw j.error(key, "\(blocks) is not two counts")
            }
        }
        guard size % 8 == 0 else { throw j.error("size", "\(size) is not a multiple of 8") }
        guard 9 * max(fineWidth, coarseWidth) * max(fineWidth, coarseWidth) <= largestMatrix else {
            throw j.error("coarse_width", "\(coarseWidth) or fine_width \(fineWidth) is too large")
        }
    }

    var json: [String: Any] {
        let own: [String: Any] = [
            "size": size, "fine_width": fineWidth, "coarse_width": coarseWidth, "fine_blocks": fineBlocks,
            "coarse_blocks": coarseBlocks,
        ]
        return own.merging(codes.json) { first, _ in first }
    }
}

extension ImageCodes {
    /// From `levels`, or from `codebook_size` and `codebook_width`.
    fileprivate init(_ j: JSONReader) throws {
        if let count = try j.optionalInt("codebook_size") {
            guard (16...1 << 16).contains(count), count % 16 == 0 else {
                throw j.error("codebook_size", "\(count) is not a multiple of 16 up to 65536")
            }
            self = .codebook(count: count, width: try j.int("codebook_width", in: 1...256))
            return
        }
        let levels = try j.ints("levels")
        // The product is taken of few and small numbers only.
        guard (1...8).contains(levels.count), levels.allSatisfy({ (2...64).contains($0) }),
            levels.reduce(1, *) <= 1 << 20
        else { throw j.error("levels", "\(levels) is not a list of 1 to 8 numbers from 2 to 64") }
        self = .levels(levels)
    }

    fileprivate var json: [String: Any] {
        switch self {
        case .levels(let levels): ["levels": levels]
        case .codebook(let count, let width): ["codebook_size": count, "codebook_width": width]
        }
    }
}

extension FlowTransformerConfig {
    init(_ j: JSONReader) throws {
        self.init(
            grid: try j.int("grid", in: sizes), codeWidth: try j.int("code_width", in: sizes),
            width: try j.int("width", in: sizes), layers: try j.int("layers", in: 1...256),
            heads: try j.int("heads", in: sizes), vocabularySize: try j.int("vocabulary_size", in: 1...1_000_000),
            textLength: try j.int("text_length", in: sizes),
            latentScale: Float(try j.positiveDouble("latent_scale")))
        guard width % heads == 0, width % 2 == 0 else {
            throw j.error("heads", "\(heads) heads do not divide a width of \(width)")
        }
        guard max(imageTokens, vocabularySize, textLength, 6 * width) * width <= largestMatrix else {
            throw j.error("width", "\(width) with these other sizes makes a matrix that is too large")
        }
    }

    var json: [String: Any] {
        [
            "grid": grid, "code_width": codeWidth, "width": width, "layers": layers, "heads": heads,
            "vocabulary_size": vocabularySize, "text_length": textLength, "latent_scale": Double(latentScale),
        ]
    }
}

extension TokenTransformerConfig {
    init(_ j: JSONReader) throws {
        self.init(
            grid: try j.int("grid", in: sizes), codes: try j.int("codes", in: 2...1 << 20),
            width: try j.int("width", in: sizes), layers: try j.int("layers", in: 1...256),
            heads: try j.int("heads", in: sizes), vocabularySize: try j.int("vocabulary_size", in: 1...1_000_000),
            textLength: try j.int("text_length", in: sizes))
        guard width % heads == 0, width / heads % 2 == 0 else {
            throw j.error("heads", "\(heads) heads do not divide a width of \(width) into even parts")
        }
        guard max(codes, imageTokens, vocabularySize, 2 * decoder.intermediateSize) * width <= largestMatrix else {
            throw j.error("width", "\(width) with these other sizes makes a matrix that is too large")
        }
    }

    var json: [String: Any] {
        [
            "grid": grid, "codes": codes, "width": width, "layers": layers, "heads": heads,
            "vocabulary_size": vocabularySize, "text_length": textLength,
        ]
    }
}
