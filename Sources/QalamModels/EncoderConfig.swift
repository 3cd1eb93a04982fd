// SPDX-License-Identifier: Apache-2.0
public import Foundation
package import QalamFormats
public import QalamTensors

/// The switches of the encoder family, which turns a text into one vector.
///
/// BERT (Devlin et al. 2019) and its kin.
public struct EncoderConfig: Sendable, Equatable {
    /// The layer after attention.
    public enum FeedForward: Sendable, Equatable { case gelu, geluTanh, swiglu }

    /// The family, which decides the names of tensors in files.
    public var family: EncoderFamily
    /// V: entries of the embedding.
    public var vocabularySize: Int
    /// Entries of the table of segments, of which the first is used.
    public var segments: Int
    /// C: width of the residual stream, and of the result.
    public var hiddenSize: Int
    /// L: blocks.
    public var layers: Int
    /// Heads and their size.
    public var attention: AttentionShape
    /// F: width inside the feed-forward layer.
    public var intermediateSize: Int
    /// The longest text.
    public var contextLength: Int
    /// Added to variances before their root.
    public var normEpsilon: Float
    /// The base θ of the rotation of queries and keys; nil for a learned table of positions.
    public var rotaryBase: Double?
    /// The layer after attention.
    public var feedForward: FeedForward
    /// Whether projections have biases.
    public var bias: Bool
    /// How rows become one vector.
    public var pooling = SentencePooling()
    /// Whether it has a head that says how well the second of two texts answers the first.
    public var ranks = false

    /// Reads `config.json` of a folder and, where it is there, how sentence-transformers pools.
    ///
    /// - Throws: `FormatError` that names file and key, or `ModelError` for a model that can't be run faithfully.
    public init(folder url: URL) throws {
        try self.init(JSONReader(contentsOf: url.appending(path: "config.json")))
        pooling = try SentencePooling(folder: url)
    }

    /// Reads the keys of a `config.json`.
    package init(_ j: JSONReader) throws {
        let type = try j.string("model_type")
        guard let family = EncoderFamily(rawValue: type) else {
            throw ModelError.unsupportedArchitecture(type, known: EncoderFamily.allCases.map(\.rawValue))
        }
        // Nomic's files have the keys of GPT-2, or those of BERT since transformers has the model itself.
        func key(_ bert: String, _ nomic: String) -> String { family == .nomic && j.has(nomic) ? nomic : bert }
        let heads = try j.positive(key("num_attention_heads", "n_head"))
        let hidden = try j.positive(key("hidden_size", "n_embd"))
        guard hidden % heads == 0, hidden / heads % 2 == 0 else {
            throw j.error(key("num_attention_heads", "n_head"), "\(heads) does not divide \(hidden) into even sizes")
        }
        self.family = family
        vocabularySize = try j.positive("vocab_size")
        segments = try j.int("type_vocab_size", default: 2, in: 0...1024)
        hiddenSize = hidden
        layers = try j.positive(key("num_hidden_layers", "n_layer"))
        attention = AttentionShape(heads: heads, kvHeads: heads, headDim: hidden / heads)
        intermediateSize = try j.positive(key("intermediate_size", "n_inner"), default: 4 * hidden)
        contextLength = try j.positive(key("max_position_embeddings", "n_positions"), default: 512)
        normEpsilon = Float(try j.positiveDouble(key("layer_norm_eps", "layer_norm_epsilon"), default: 1e-12))
        bias = family == .bert
        feedForward = .swiglu
        switch family {
        case .bert:
            feedForward = try Self.activation(j)
            try Self.require(j, "position_embedding_type", "absolute")
            ranks = try j.strings("architectures").contains("BertForSequenceClassification")
            if ranks { try Self.requireOneLabel(j) }
        case .nomic:
            let parameters = try j.optionalObject("rope_parameters")
            rotaryBase =
                try parameters?.positiveDouble("rope_theta")
                ?? j.positiveDouble("rotary_emb_base", default: 1000)
            try Self.require(
                j, key("hidden_act", "activation_function"), j.has("activation_function") ? "swiglu" : "silu")
        }
        try checkSizes(j)
    }

    private static func activation(_ j: JSONReader) throws -> FeedForward {
        switch try j.string("hidden_act", default: "gelu") {
        case "gelu": .gelu
        case "gelu_new", "gelu_pytorch_tanh": .geluTanh
        case let other: throw ModelError.unsupportedSetting(file: j.file, key: "hidden_act", value: other)
        }
    }

    /// Heads of several labels classify; only one that gives a score ranks.
    private static func requireOneLabel(_ j: JSONReader) throws {
        let labels = try j.optionalObject("id2label")?.keys.count ?? j.int("num_labels", default: 2)
        guard labels == 1 else {
            throw ModelError.unsupportedSetting(file: j.file, key: "num_labels", value: "\(labels)")
        }
    }

    private static func require(_ j: JSONReader, _ key: String, _ expected: String) throws {
        let value = try j.string(key, default: expected)
        guard value == expected else { throw ModelError.unsupportedSetting(file: j.file, key: key, value: value) }
    }

    private func checkSizes(_ j: JSONReader) throws {
        let sizes = [vocabularySize, hiddenSize, layers, intermediateSize, contextLength, attention.heads]
        guard sizes.allSatisfy({ $0 <= 1 << 24 }), Double(vocabularySize) * Double(hiddenSize) < 1e12,
            Double(layers) * Double(hiddenSize) * Double(intermediateSize) < 1e13
        else { throw j.error("hidden_size", "the sizes in this file are beyond any model; the file is damaged.") }
    }
}

/// The encoder families of this version by their `model_type`, and the names that their files use.
public enum EncoderFamily: String, Sendable, CaseIterable {
    case bert
    case nomic = "nomic_bert"

    var names: EncoderNames {
        switch self {
        case .bert:
            EncoderNames(
                root: "bert", embeddingNorm: "embeddings.LayerNorm", layers: "encoder.layer",
                qkv: ["attention.self.query", "attention.self.key", "attention.self.value"],
                attentionOutput: "attention.output.dense", attentionNorm: "attention.output.LayerNorm",
                up: ["intermediate.dense"], down: "output.dense", feedForwardNorm: "output.LayerNorm")
        case .nomic:
            EncoderNames(
                root: "nomic_bert", embeddingNorm: "emb_ln", layers: "encoder.layers", qkv: ["attn.Wqkv"],
                attentionOutput: "attn.out_proj", attentionNorm: "norm1", up: ["mlp.fc12", "mlp.fc11"],
                down: "mlp.fc2", feedForwardNorm: "norm2")
        }
    }
}

/// Where the encoder's tensors are in a file: scopes inside `root`, which files may leave out.
struct EncoderNames {
    var root: String
    var embeddingNorm: String
    var layers: String
    /// One fused projection, or one each for queries, keys and values.
    var qkv: [String]
    var attentionOutput: String
    var attentionNorm: String
    /// One projection, or gate and up.
    var up: [String]
    var down: String
    var feedForwardNorm: String
}
