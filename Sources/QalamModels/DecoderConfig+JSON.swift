// SPDX-License-Identifier: Apache-2.0
public import Foundation
internal import QalamFormats
internal import QalamTensors

/// What can be wrong with a model folder beyond its files' own formats.
public enum ModelError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The config names an architecture that this version does not know.
    case unsupportedArchitecture(String)
    /// The config asks for a variant that this version does not have.
    case unsupportedSetting(file: String, key: String, value: String)
    /// Two parts of the folder contradict each other.
    case mismatch(String)

    /// One sentence that says what to do.
    public var description: String {
        switch self {
        case .unsupportedArchitecture(let name):
            "The model type \(name) is not supported; known are "
                + DecoderFamily.allCases.map(\.rawValue).joined(separator: ", ") + "."
        case .unsupportedSetting(let file, let key, let value):
            "\(file): \(key): \(value) is not supported yet; use a model without it."
        case .mismatch(let what): what
        }
    }
}

extension DecoderConfig {
    /// Reads `config.json` of a Hugging Face folder.
    ///
    /// - Throws: `FormatError` that names file and key, or `ModelError` for a model that this version can't run
    ///   faithfully.
    public init(contentsOf url: URL) throws {
        let j = try JSONReader(contentsOf: url)
        let type = try j.string("model_type")
        switch DecoderFamily(rawValue: type) {
        case .llama: try self.init(llama: j)
        case .gpt2: try self.init(gpt2: j)
        case nil: throw ModelError.unsupportedArchitecture(type)
        }
        try checkSizes(j)
    }

    private init(llama j: JSONReader) throws {
        try Self.require(j, "hidden_act", oneOf: ["silu"], default: "silu")
        let rope = try Self.ropeTheta(j)
        let heads = try j.positive("num_attention_heads")
        let hidden = try j.positive("hidden_size")
        let kvHeads = try j.positive("num_key_value_heads", default: heads)
        let headDim = try j.positive("head_dim", default: max(1, hidden / heads))
        guard heads % kvHeads == 0 else {
            throw j.error("num_key_value_heads", "\(kvHeads) does not divide the \(heads) attention heads")
        }
        guard headDim % 2 == 0 else { throw j.error("head_dim", "\(headDim) is odd, and rotation needs pairs") }
        self.init(
            .llama, vocabularySize: try j.positive("vocab_size"), hiddenSize: hidden,
            layers: try j.positive("num_hidden_layers"),
            attention: AttentionShape(heads: heads, kvHeads: kvHeads, headDim: headDim),
            contextLength: try j.positive("max_position_embeddings", default: 2048))
        intermediateSize = try j.positive("intermediate_size")
        normEpsilon = Float(try j.positiveDouble("rms_norm_eps", default: 1e-6))
        position = .rotary(theta: rope)
        attentionBias = try j.bool("attention_bias", default: false)
        feedForwardBias = try j.bool("mlp_bias", default: false)
        tiedHead = try j.bool("tie_word_embeddings", default: false)
        try readTokens(j)
    }

    private init(gpt2 j: JSONReader) throws {
        try Self.require(j, "activation_function", oneOf: ["gelu_new", "gelu_pytorch_tanh"], default: "gelu_new")
        for (key, expected) in [("scale_attn_weights", true), ("scale_attn_by_inverse_layer_idx", false)]
        where try j.bool(key, default: expected) != expected {
            throw ModelError.unsupportedSetting(file: j.file, key: key, value: String(!expected))
        }
        let heads = try j.positive("n_head")
        let hidden = try j.positive("n_embd")
        guard hidden % heads == 0 else { throw j.error("n_head", "\(heads) does not divide n_embd \(hidden)") }
        self.init(
            .gpt2, vocabularySize: try j.positive("vocab_size"), hiddenSize: hidden, layers: try j.positive("n_layer"),
            attention: AttentionShape(heads: heads, kvHeads: heads, headDim: hidden / heads),
            contextLength: try j.positive("n_positions", default: 1024))
        intermediateSize = try j.positive("n_inner", default: 4 * hidden)
        normEpsilon = Float(try j.positiveDouble("layer_norm_epsilon", default: 1e-5))
        tiedHead = try j.bool("tie_word_embeddings", default: true)
        try readTokens(j)
    }

    private mutating func readTokens(_ j: JSONReader) throws {
        bosToken = try j.optionalInt("bos_token_id").flatMap(Int32.init(exactly:))
        eosTokens = try j.ints("eos_token_id").compactMap(Int32.init(exactly:))
    }

    /// The base of the rotation: `rope_theta`, or `rope_parameters.rope_theta` as newer files have it.
    private static func ropeTheta(_ j: JSONReader) throws -> Double {
        for key in ["rope_scaling", "rope_parameters"] {
            guard let rope = try j.optionalObject(key) else { continue }
            let type = try rope.optionalString("rope_type") ?? rope.string("type", default: "default")
            guard type == "default" else {
                throw ModelError.unsupportedSetting(file: j.file, key: "\(key).rope_type", value: type)
            }
            if let theta = try rope.optionalDouble("rope_theta"), theta > 0 { return theta }
        }
        return try j.positiveDouble("rope_theta", default: 10000)
    }

    private static func require(
        _ j: JSONReader, _ key: String, oneOf allowed: [String], default fallback: String
    ) throws {
        let value = try j.string(key, default: fallback)
        guard allowed.contains(value) else { throw ModelError.unsupportedSetting(file: j.file, key: key, value: value) }
    }

    /// Refuses sizes whose products would overflow or could never be held: a corrupt config is found before memory is
    /// asked.
    private func checkSizes(_ j: JSONReader) throws {
        let limit = 1 << 24
        let sizes = [
            vocabularySize, hiddenSize, layers, intermediateSize, contextLength, attention.heads, attention.headDim,
        ]
        guard sizes.allSatisfy({ $0 <= limit }), Double(vocabularySize) * Double(hiddenSize) < 1e12,
            Double(layers) * Double(hiddenSize) * Double(intermediateSize) < 1e13
        else { throw j.error("hidden_size", "the sizes in this file are beyond any model; the file is damaged.") }
    }

    /// The keys of `config.json`, as `transformers` reads them.
    func json(dtype: String) -> [String: Any] {
        var keys: [String: Any] = [
            "architectures": [family.architecture],
            "model_type": family.rawValue,
            "vocab_size": vocabularySize,
            "tie_word_embeddings": tiedHead,
            "dtype": dtype,
            "torch_dtype": dtype,
        ]
        keys["bos_token_id"] = bosToken.map { Int($0) }
        if !eosTokens.isEmpty {
            keys["eos_token_id"] = eosTokens.count == 1 ? Int(eosTokens[0]) : eosTokens.map { Int($0) }
        }
        return keys.merging(family == .llama ? llamaKeys : gpt2Keys) { $1 }
    }

    private var llamaKeys: [String: Any] {
        var keys: [String: Any] = [
            "hidden_size": hiddenSize,
            "num_hidden_layers": layers,
            "num_attention_heads": attention.heads,
            "num_key_value_heads": attention.kvHeads,
            "head_dim": attention.headDim,
            "intermediate_size": intermediateSize,
            "max_position_embeddings": contextLength,
            "rms_norm_eps": exactly(normEpsilon),
            "hidden_act": "silu",
            "attention_bias": attentionBias,
            "mlp_bias": feedForwardBias,
        ]
        if case .rotary(let theta) = position {
            keys["rope_theta"] = theta
            keys["rope_parameters"] = ["rope_type": "default", "rope_theta": theta] as [String: Any]
        }
        return keys
    }

    private var gpt2Keys: [String: Any] {
        [
            "n_embd": hiddenSize,
            "n_layer": layers,
            "n_head": attention.heads,
            "n_positions": contextLength,
            "n_ctx": contextLength,
            "n_inner": intermediateSize,
            "layer_norm_epsilon": exactly(normEpsilon),
            "activation_function": "gelu_new",
        ]
    }

    /// 1e-05, not the nearest float's 9.99999974e-06.
    private func exactly(_ value: Float) -> Double { Double(String(value)) ?? Double(value) }
}
