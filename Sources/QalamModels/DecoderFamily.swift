// SPDX-License-Identifier: Apache-2.0

/// The model families of this version by their `model_type`, and the names that their files use.
public enum DecoderFamily: String, Sendable, CaseIterable {
    case llama
    case gpt2
    case mistral
    case mixtral
    case qwen2
    case qwen3
    case qwen3MoE = "qwen3_moe"
    case gemma2
    case gemma3 = "gemma3_text"
    case phi3
    case smolLM3 = "smollm3"
    case olmo2
    case gptOSS = "gpt_oss"

    /// The families whose files this version writes, and which it therefore trains.
    public static let trainable: [DecoderFamily] = [.llama, .gpt2]

    /// The names of tensors in files.
    var names: DecoderNames {
        var names = DecoderNames()
        switch self {
        case .llama, .mistral, .qwen2, .qwen3, .smolLM3, .qwen3MoE: break
        case .gpt2: names = .gpt2
        case .mixtral:
            names.router = "block_sparse_moe.gate"
            names.experts = "block_sparse_moe.experts"
            (names.expertUp, names.expertDown) = (["w1", "w3"], "w2")
        case .gemma2, .gemma3:
            names.attentionPostNorm = names.feedForwardNorm
            names.feedForwardNorm = "pre_feedforward_layernorm"
        case .phi3:
            names.qkv = ["self_attn.qkv_proj"]
            names.up = ["mlp.gate_up_proj"]
        case .olmo2: names.attentionPostNorm = names.feedForwardNorm
        case .gptOSS: names.router = "mlp.router"
        }
        return names
    }
}

/// Where the decoder's tensors are in a file, Llama's unless the family says otherwise: scopes inside `root`, `weight`
/// and `bias` below each.
struct DecoderNames {
    var root = "model"
    var embedding = "embed_tokens"
    var positions = ""
    var layers = "layers"
    var finalNorm = "norm"
    var attentionNorm = "input_layernorm"
    var attentionPostNorm = ""
    var feedForwardNorm = "post_attention_layernorm"
    var feedForwardPostNorm = "post_feedforward_layernorm"
    /// One fused projection, or one each for queries, keys and values.
    var qkv = ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"]
    var queryNorm = "self_attn.q_norm"
    var keyNorm = "self_attn.k_norm"
    var sinks = "self_attn.sinks"
    var attentionOutput = "self_attn.o_proj"
    /// One projection (gate and up in one, if gated), or gate and up.
    var up = ["mlp.gate_proj", "mlp.up_proj"]
    var down = "mlp.down_proj"
    var router = "mlp.gate"
    var experts = "mlp.experts"
    /// Inside an expert's scope, as `up` and `down`.
    var expertUp = ["gate_proj", "up_proj"]
    var expertDown = "down_proj"
    /// Whether files hold (in, out).
    var transposed = false

    static let gpt2 = DecoderNames(
        root: "transformer", embedding: "wte", positions: "wpe", layers: "h", finalNorm: "ln_f", attentionNorm: "ln_1",
        feedForwardNorm: "ln_2", qkv: ["attn.c_attn"], attentionOutput: "attn.c_proj", up: ["mlp.c_fc"],
        down: "mlp.c_proj", transposed: true)
}
