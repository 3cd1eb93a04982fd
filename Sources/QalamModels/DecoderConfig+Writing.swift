// SPDX-License-Identifier: Apache-2.0
internal import QalamTensors

extension DecoderFamily {
    /// What `architectures` in `config.json` says.
    fileprivate var architecture: String { self == .gpt2 ? "GPT2LMHeadModel" : "LlamaForCausalLM" }
}

extension DecoderConfig {
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
            "attention_bias": qkvBias,
            "mlp_bias": feedForwardBias,
        ]
        if let rotary = layerAttention[0].rotary {
            keys["rope_theta"] = rotary.theta
            keys["rope_parameters"] = ["rope_theta": rotary.theta].merging(rotary.scaling.json) { $1 }
            if rotary.scaling != .none { keys["rope_scaling"] = rotary.scaling.json }
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

extension RoPEScaling {
    /// The keys of `rope_parameters`, as `transformers` reads them.
    fileprivate var json: [String: Any] {
        switch self {
        case .linear(let factor): ["rope_type": "linear", "factor": factor]
        case .llama3(let factor, let low, let high, let original):
            [
                "rope_type": "llama3", "factor": factor, "low_freq_factor": low, "high_freq_factor": high,
                "original_max_position_embeddings": original,
            ]
        default: ["rope_type": "default"]
        }
    }
}
