// SPDX-License-Identifier: Apache-2.0
public import Foundation
package import QalamFormats
internal import QalamTensors

extension DecoderConfig {
    /// Reads `config.json` of a Hugging Face folder.
    ///
    /// - Throws: `FormatError` that names file and key, or `ModelError` for a model that this version can't run
    ///   faithfully.
    public init(contentsOf url: URL) throws { try self.init(JSONReader(contentsOf: url)) }

    /// Reads the keys of a `config.json`.
    package init(_ j: JSONReader) throws {
        let type = try j.string("model_type")
        // Gemma 3 that sees pictures too: its text half, whose usual sizes the file may leave out.
        let text = type == "gemma3" ? try j.optionalObject("text_config") : nil
        guard let family = text == nil ? DecoderFamily(rawValue: type) : .gemma3 else {
            throw ModelError.unsupportedArchitecture(type)
        }
        try self.init(family, text ?? j)
        bosToken = try j.optionalInt("bos_token_id").flatMap(Int32.init(exactly:))
        eosTokens = try j.ints("eos_token_id").compactMap(Int32.init(exactly:))
    }

    private init(_ family: DecoderFamily, _ j: JSONReader) throws {
        if family == .gpt2 { try self.init(gpt2: j) } else { try self.init(llamaLike: family, j) }
        tiedHead = try j.bool("tie_word_embeddings", default: [.gpt2, .gemma2, .gemma3, .smolLM3].contains(family))
        try checkSizes(j)
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
    }

    private init(llamaLike family: DecoderFamily, _ j: JSONReader) throws {
        let isGemma3 = family == .gemma3
        let heads = try j.positive("num_attention_heads", default: isGemma3 ? 8 : nil)
        let hidden = try j.positive("hidden_size")
        let kvHeads = try j.positive("num_key_value_heads", default: isGemma3 ? 4 : heads)
        let headDim = try j.positive("head_dim", default: isGemma3 ? 256 : max(1, hidden / heads))
        guard heads % kvHeads == 0 else {
            throw j.error("num_key_value_heads", "\(kvHeads) does not divide the \(heads) attention heads")
        }
        guard headDim % 2 == 0 else { throw j.error("head_dim", "\(headDim) is odd, and rotation needs pairs") }
        self.init(
            family, vocabularySize: try j.positive("vocab_size", default: isGemma3 ? 262208 : nil), hiddenSize: hidden,
            layers: try j.positive("num_hidden_layers"),
            attention: AttentionShape(heads: heads, kvHeads: kvHeads, headDim: headDim),
            contextLength: try j.positive("max_position_embeddings", default: isGemma3 ? 131072 : 2048))
        intermediateSize = try j.positive(family == .qwen3MoE ? "moe_intermediate_size" : "intermediate_size")
        normEpsilon = Float(try j.positiveDouble("rms_norm_eps", default: 1e-6))
        qkvBias = try j.bool("attention_bias", default: family == .qwen2 || family == .gptOSS)
        outputBias = family == .qwen2 ? false : qkvBias
        feedForwardBias = try j.bool("mlp_bias", default: family == .gptOSS)
        try readFamily(j)
        layerAttention = try j.layerAttention(of: self)
        // The longest text for which LongRoPE keeps the numbers of short ones; ask for more to have the others.
        if case .longRoPE(_, _, let original, _) = layerAttention[0].rotary?.scaling { contextLength = original }
    }

    /// What a family has that Llama has not.
    private mutating func readFamily(_ j: JSONReader) throws {
        var activations = ["silu"]
        switch family {
        case .llama, .gpt2, .mistral, .qwen2, .phi3, .smolLM3: break
        case .qwen3: queryKeyNorm = .perHead
        case .qwen3MoE:
            queryKeyNorm = .perHead
            // `transformers` 5 writes the second name.
            experts = try j.experts(
                j.has("num_experts") ? "num_experts" : "num_local_experts",
                normalised: j.bool("norm_topk_prob", default: false))
        case .mixtral: experts = try j.experts("num_local_experts", normalised: true)
        case .olmo2: (normPlacement, queryKeyNorm) = (.after, .whole)
        case .gemma2, .gemma3:
            activations = ["gelu_pytorch_tanh"]
            (normPlacement, normOffset, feedForward) = (.around, 1, .geglu)
            embeddingScale = Float(hiddenSize).squareRoot()
            scoreScale = 1 / Float(try j.positiveDouble("query_pre_attn_scalar", default: 256)).squareRoot()
            scoreSoftcap = try j.softcap("attn_logit_softcapping", default: family == .gemma2 ? 50 : nil)
            logitSoftcap = try j.softcap("final_logit_softcapping", default: family == .gemma2 ? 30 : nil)
            if family == .gemma3 { queryKeyNorm = .perHead }
        case .gptOSS:
            (feedForward, sinks) = (.clampedSwiGLU, true)
            experts = try j.experts("num_local_experts", normalised: true)
            experts?.routerBias = true
            for (key, value) in [("swiglu_limit", 7), ("swiglu_alpha", 1.702)] {
                let found = try j.double(key, default: value)
                guard found == value else {
                    throw ModelError.unsupportedSetting(file: j.file, key: key, value: String(found))
                }
            }
        }
        let key = j.has("hidden_activation") ? "hidden_activation" : "hidden_act"
        // Gemma's early files say "gelu" and mean the tanh form, which `hidden_activation` later spelled out.
        try Self.require(
            j, key, oneOf: activations + (key == "hidden_act" && normOffset != 0 ? ["gelu"] : []),
            default: activations[0])
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
            experts?.count ?? 1,
        ]
        guard sizes.allSatisfy({ $0 <= limit }), Double(vocabularySize) * Double(hiddenSize) < 1e12,
            Double(layers) * Double(hiddenSize) * Double(intermediateSize) < 1e13,
            Double(hiddenSize) * Double(attention.heads) * Double(attention.headDim) < 1e12
        else { throw j.error("hidden_size", "the sizes in this file are beyond any model; the file is damaged.") }
    }
}

extension JSONReader {
    /// The mixture whose size is under `key`.
    fileprivate func experts(_ key: String, normalised: Bool) throws -> DecoderConfig.Experts {
        let count = try int(key, in: 1...4096)
        let used = try int(
            has("experts_per_token") ? "experts_per_token" : "num_experts_per_tok", in: 1...count)
        for (key, isPlain) in [
            ("decoder_sparse_step", try int("decoder_sparse_step", default: 1) == 1),
            ("mlp_only_layers", try ints("mlp_only_layers").isEmpty),
        ] where !isPlain {
            throw ModelError.unsupportedSetting(file: file, key: key, value: "a layer without experts")
        }
        return DecoderConfig.Experts(count: count, used: used, normalised: normalised)
    }

    /// A softcap: a number above 0, or `null` for none; a file without the key has the family's.
    fileprivate func softcap(_ key: String, default fallback: Double?) throws -> Float? {
        if !keys.contains(key) { return fallback.map { Float($0) } }
        return has(key) ? Float(try positiveDouble(key)) : nil
    }
}
