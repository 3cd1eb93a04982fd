// SPDX-License-Identifier: Apache-2.0
package import QalamFormats
internal import QalamTensors

extension DecoderConfig {
    /// Reads the metadata of a GGUF file, as the keys of `config.json` that they stand for.
    ///
    /// - Throws: `FormatError` that names file and key, or `ModelError` for a model that this version can't run
    ///   faithfully.
    package init(_ gguf: GGUF) throws {
        let keys = try GGUFKeys(gguf)
        try self.init(JSONReader(members: keys.members(), file: gguf.path))
        // Llama 3.1's scaling comes as the divisors that its formula gives.
        if let divisors = try keys.floats("rope_freqs.weight"), let width = layerAttention[0].rotary?.width {
            guard divisors.count == width / 2, divisors.allSatisfy({ $0 > 0 }) else {
                throw FormatError.shape("rope_freqs.weight", expected: [width / 2], got: [divisors.count])
            }
            for i in layerAttention.indices { layerAttention[i].rotary?.scaling = .divided(divisors) }
        }
    }
}

extension EncoderConfig {
    /// Reads the metadata of a GGUF file.
    package init(_ gguf: GGUF) throws {
        try self.init(JSONReader(members: GGUFKeys(gguf).members(), file: gguf.path))
        pooling = try SentencePooling(gguf.metadata)
    }
}

/// The metadata of a GGUF file by the keys of `config.json`.
private struct GGUFKeys {
    let gguf: GGUF
    let architecture: String
    let modelType: String

    init(_ gguf: GGUF) throws {
        self.gguf = gguf
        architecture = try gguf.metadata.string("general.architecture")
        let hasExperts = try gguf.metadata.optionalInt("\(architecture).expert_count") ?? 0 > 0
        let types = [
            "llama": hasExperts ? "mixtral" : "llama", "qwen3moe": "qwen3_moe", "gemma3": "gemma3_text",
            "gpt-oss": "gpt_oss", "nomic-bert": "nomic_bert",
        ]
        modelType = types[architecture] ?? architecture
    }

    /// Keys that only change their names; those without a prefix belong to the architecture.
    private static let names = [
        ("block_count", ["num_hidden_layers", "n_layer"]), ("embedding_length", ["hidden_size", "n_embd"]),
        ("feed_forward_length", ["intermediate_size", "n_inner"]),
        ("context_length", ["max_position_embeddings", "n_positions"]),
        ("attention.head_count", ["num_attention_heads", "n_head"]),
        ("attention.head_count_kv", ["num_key_value_heads"]),
        ("attention.key_length", ["head_dim"]), ("attention.layer_norm_rms_epsilon", ["rms_norm_eps"]),
        ("attention.layer_norm_epsilon", ["layer_norm_epsilon", "layer_norm_eps"]), ("vocab_size", ["vocab_size"]),
        ("rope.freq_base", ["rope_theta", "rotary_emb_base"]), ("rope.freq_base_swa", ["rope_local_base_freq"]),
        ("attention.sliding_window", ["sliding_window"]), ("expert_count", ["num_experts", "num_local_experts"]),
        ("expert_used_count", ["num_experts_per_tok"]), ("attn_logit_softcapping", ["attn_logit_softcapping"]),
        ("final_logit_softcapping", ["final_logit_softcapping"]),
    ]

    func members() throws -> [String: JSONValue] {
        var members: [String: JSONValue] = ["model_type": .string(modelType)]
        for (key, names) in Self.names {
            guard let value = try number("\(architecture).\(key)") else { continue }
            for name in names { members[name] = value }
        }
        // Files of models without a window say so with a window of 0.
        if case .int(0)? = members["sliding_window"] { members["sliding_window"] = nil }
        if members["vocab_size"] == nil, let tokens = gguf.metadata.array("tokenizer.ggml.tokens") {
            members["vocab_size"] = .int(tokens.count)
        }
        if let width = try number("\(architecture).expert_feed_forward_length") {
            members[modelType == "qwen3_moe" ? "moe_intermediate_size" : "intermediate_size"] = width
        }
        members["bos_token_id"] = try number("tokenizer.ggml.bos_token_id")
        let ends = try ["eos_token_id", "eot_token_id", "eom_token_id"].compactMap {
            try number("tokenizer.ggml.\($0)")
        }
        members["eos_token_id"] = .array(ends)
        members["tie_word_embeddings"] = .bool(gguf.tensor(named: "output.weight") == nil)
        members["attention_bias"] = .bool(gguf.tensor(named: "blk.0.attn_q.bias") != nil)
        if modelType == "llama" { members["mlp_bias"] = .bool(gguf.tensor(named: "blk.0.ffn_down.bias") != nil) }
        try addFamily(&members)
        members["rope_scaling"] = try scaling(&members)
        return members
    }

    /// What files leave out because it belongs to the architecture.
    private func addFamily(_ members: inout [String: JSONValue]) throws {
        switch modelType {
        case "qwen3_moe": members["norm_topk_prob"] = .bool(true)
        case "gemma2", "gemma3_text":
            let layers = try gguf.metadata.int("\(architecture).block_count")
            // The 27B models scale by the width of a head's share of the stream, all others by a head's own.
            if modelType == "gemma2" ? layers == 46 : layers == 62 {
                let heads = try gguf.metadata.positive("\(architecture).attention.head_count")
                let share = try gguf.metadata.int("\(architecture).embedding_length") / heads
                members["query_pre_attn_scalar"] = .int(share)
            } else {
                members["query_pre_attn_scalar"] = members["head_dim"]
            }
        default: break
        }
    }

    private func scaling(_ members: inout [String: JSONValue]) throws -> JSONValue? {
        let prefix = "\(architecture).rope."
        if let width = try gguf.metadata.optionalInt(prefix + "dimension_count"),
            case .int(let head)? = members["head_dim"],
            width < head, head > 0
        {
            members["partial_rotary_factor"] = .double(Double(width) / Double(head))
        }
        var scaling: [String: JSONValue] = [:]
        for (key, name) in [
            ("factor", "factor"), ("original_context_length", "original_max_position_embeddings"),
            ("attn_factor", "attention_factor"), ("yarn_beta_fast", "beta_fast"), ("yarn_beta_slow", "beta_slow"),
        ] { scaling[name] = try number(prefix + "scaling." + key) }
        if let short = try floats("rope_factors_short.weight"), let long = try floats("rope_factors_long.weight") {
            scaling["short_factor"] = .array(short.map { .double($0) })
            scaling["long_factor"] = .array(long.map { .double($0) })
            scaling["rope_type"] = .string("longrope")
            return .object(scaling)
        }
        guard let type = try gguf.metadata.optionalString(prefix + "scaling.type"), type != "none" else { return nil }
        scaling["rope_type"] = .string(type)
        if modelType == "gpt_oss" { scaling["truncate"] = .bool(false) }
        return .object(scaling)
    }

    /// A number under `key`; nil if there is none.
    private func number(_ key: String) throws -> JSONValue? {
        guard let type = gguf.metadata.type(key) else { return nil }
        if type == .float32 || type == .float64 { return .double(try gguf.metadata.double(key)) }
        return .int(try gguf.metadata.int(key))
    }

    /// A small tensor of float32; nil if there is none.
    func floats(_ name: String) throws -> [Double]? {
        guard let tensor = gguf.tensor(named: name) else { return nil }
        guard tensor.type == .f32, tensor.shape.count == 1 else {
            throw FormatError.elementType(name, supported: ["F32"], got: tensor.type.name)
        }
        return gguf.withBytes(of: tensor) { bytes in
            (0..<tensor.count).map { Double(bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self)) }
        }
    }
}
