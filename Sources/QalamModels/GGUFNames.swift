// SPDX-License-Identifier: Apache-2.0

/// The names of an architecture's tensors in files of Hugging Face and in GGUF files, and how their layouts differ: the
/// one table of both.
///
/// Names of GGUF are those of llama.cpp's `gguf-py/gguf/constants.py`.
package struct GGUFNames: Sendable {
    /// What differs between a tensor in the two kinds of files.
    package enum Form: Sendable, Equatable {
        /// Nothing.
        case same
        /// Rows of queries: GGUF has the two numbers of a rotated pair beside each other, Hugging Face the first
        /// numbers of all pairs and then the second ones, in each head.
        case queryPairs
        /// The same of keys.
        case keyPairs
        /// The weight of a norm, to which GGUF files have 1 added already.
        case plusOne
        /// Hugging Face's file has (in, out), GGUF (out, in).
        case transposed
    }

    /// A tensor of Hugging Face in a GGUF file.
    package struct Place: Sendable, Equatable {
        /// The tensor's name.
        package var name: String
        /// How it is stored there.
        package var form: Form
        /// The expert whose numbers are meant, of a tensor that stacks all of them; nil for the whole tensor.
        package var expert: Int?

        /// A place, of one expert if it stacks them.
        package init(name: String, form: Form, expert: Int? = nil) {
            self.name = name
            self.form = form
            self.expert = expert
        }
    }

    /// `general.architecture`.
    package let architecture: String
    private var ggufByName: [String: String] = [:]
    private var nameByGGUF: [String: String] = [:]

    /// The names of `architecture`; nil if it is not known.
    package init?(architecture: String) {
        guard let pairs = Self.pairs(architecture) else { return nil }
        self.architecture = architecture
        for (name, gguf) in pairs {
            ggufByName[name] = gguf
            nameByGGUF[gguf] = name
        }
    }

    /// The architectures in the table.
    package static let architectures = [
        "gpt2", "llama", "qwen2", "qwen3", "qwen3moe", "gemma2", "gemma3", "phi3", "smollm3", "olmo2", "gpt-oss",
        "bert", "nomic-bert",
    ]

    /// Where the tensor that Hugging Face calls `name` is; nil if the architecture has none of that name.
    ///
    /// A name without an expert's number, such as `…experts.gate_proj.weight`, is all experts' tensor.
    package func place(of name: String) -> Place? {
        let parts = Parts(name)
        guard let gguf = ggufByName[parts.pattern] else { return nil }
        let suffix = gguf.hasSuffix("sinks") ? "weight" : parts.suffix
        let stem = gguf.replacing("#", with: parts.layer)
        return Place(
            name: suffix.isEmpty ? stem : "\(stem).\(suffix)", form: form(parts.pattern, suffix), expert: parts.expert)
    }

    /// What Hugging Face calls the tensor `gguf`, of one expert where it stacks them; nil if it is not in the table.
    package func name(of gguf: String, expert: Int? = nil) -> String? {
        let parts = Parts(gguf)
        guard let pattern = nameByGGUF[parts.pattern] else { return nil }
        var stem = pattern.replacing("#", with: parts.layer)
        if let expert { stem = stem.replacing(".experts.", with: ".experts.\(expert).") }
        return parts.suffix.isEmpty || stem.hasSuffix("sinks") ? stem : "\(stem).\(parts.suffix)"
    }

    /// Whether the tensor `gguf` stacks experts that are tensors of their own at Hugging Face.
    package static func isStacked(_ gguf: String) -> Bool { gguf.contains("_exps.") }

    private func form(_ pattern: String, _ suffix: String) -> Form {
        switch architecture {
        case "llama", "smollm3":
            if pattern.hasSuffix(".q_proj") { return .queryPairs }
            return pattern.hasSuffix(".k_proj") ? .keyPairs : .same
        case "gemma2", "gemma3": return pattern.hasSuffix("norm") && suffix == "weight" ? .plusOne : .same
        case "gpt2":
            let isMatrix = [".c_attn", ".c_proj", ".c_fc"].contains { pattern.hasSuffix($0) } && suffix == "weight"
            return isMatrix ? .transposed : .same
        default: return .same
        }
    }
}

/// A name without its numbers: `#` stands for the layer's, an expert's is left out.
private struct Parts {
    private(set) var pattern = ""
    private(set) var layer = ""
    private(set) var expert: Int?
    /// `weight`, `bias` or nothing.
    private(set) var suffix = ""

    init(_ name: String) {
        var parts = name.split(separator: ".", omittingEmptySubsequences: false)
        if let last = parts.last, last == "weight" || last == "bias" {
            suffix = String(last)
            parts.removeLast()
        }
        var kept: [Substring] = []
        for part in parts {
            guard !part.isEmpty, part.utf8.count < 10, part.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
                kept.append(part)
                continue
            }
            if layer.isEmpty {
                layer = String(part)
                kept.append("#")
            } else if kept.last == "experts", expert == nil {
                expert = Int(part)
            } else {
                kept.append(part)
            }
        }
        pattern = kept.joined(separator: ".")
    }
}

// MARK: The table

extension GGUFNames {
    private typealias Pairs = [(String, String)]

    /// Names without `weight` and `bias`; `#` is the layer.
    private static func pairs(_ architecture: String) -> [(String, String)]? {
        switch architecture {
        case "gpt2": gpt2
        case "llama": ends + attention + norms + feedForward + mixtral
        case "qwen2", "smollm3": ends + attention + norms + feedForward
        case "qwen3": ends + attention + queryKeyNorms + norms + feedForward
        case "qwen3moe": ends + attention + queryKeyNorms + norms + experts(router: "mlp.gate")
        case "gemma2", "gemma3": ends + attention + queryKeyNorms + normsAround + feedForward
        case "phi3": ends + phi3 + norms
        case "olmo2": ends + attention + queryKeyNorms + normsAround + feedForward
        case "gpt-oss": ends + attention + gptOSS + experts(router: "mlp.router")
        case "bert": bert
        case "nomic-bert": nomicBERT
        default: nil
        }
    }

    private static let ends: Pairs = [
        ("model.embed_tokens", "token_embd"), ("model.norm", "output_norm"), ("lm_head", "output"),
    ]

    private static let attention: Pairs = [
        ("model.layers.#.self_attn.q_proj", "blk.#.attn_q"),
        ("model.layers.#.self_attn.k_proj", "blk.#.attn_k"),
        ("model.layers.#.self_attn.v_proj", "blk.#.attn_v"),
        ("model.layers.#.self_attn.o_proj", "blk.#.attn_output"),
    ]

    private static let queryKeyNorms: Pairs = [
        ("model.layers.#.self_attn.q_norm", "blk.#.attn_q_norm"),
        ("model.layers.#.self_attn.k_norm", "blk.#.attn_k_norm"),
    ]

    private static let norms: Pairs = [
        ("model.layers.#.input_layernorm", "blk.#.attn_norm"),
        ("model.layers.#.post_attention_layernorm", "blk.#.ffn_norm"),
    ]

    /// Gemma's four norms; OLMo 2 has the second and the last.
    private static let normsAround: Pairs = [
        ("model.layers.#.input_layernorm", "blk.#.attn_norm"),
        ("model.layers.#.post_attention_layernorm", "blk.#.post_attention_norm"),
        ("model.layers.#.pre_feedforward_layernorm", "blk.#.ffn_norm"),
        ("model.layers.#.post_feedforward_layernorm", "blk.#.post_ffw_norm"),
    ]

    private static let feedForward: Pairs = [
        ("model.layers.#.mlp.gate_proj", "blk.#.ffn_gate"),
        ("model.layers.#.mlp.up_proj", "blk.#.ffn_up"),
        ("model.layers.#.mlp.down_proj", "blk.#.ffn_down"),
    ]

    private static func experts(router: String) -> Pairs {
        [
            ("model.layers.#.\(router)", "blk.#.ffn_gate_inp"),
            ("model.layers.#.mlp.experts.gate_proj", "blk.#.ffn_gate_exps"),
            ("model.layers.#.mlp.experts.up_proj", "blk.#.ffn_up_exps"),
            ("model.layers.#.mlp.experts.down_proj", "blk.#.ffn_down_exps"),
        ]
    }

    private static let mixtral: Pairs = [
        ("model.layers.#.block_sparse_moe.gate", "blk.#.ffn_gate_inp"),
        ("model.layers.#.block_sparse_moe.experts.w1", "blk.#.ffn_gate_exps"),
        ("model.layers.#.block_sparse_moe.experts.w3", "blk.#.ffn_up_exps"),
        ("model.layers.#.block_sparse_moe.experts.w2", "blk.#.ffn_down_exps"),
    ]

    private static let gptOSS: Pairs = [
        ("model.layers.#.input_layernorm", "blk.#.attn_norm"),
        ("model.layers.#.post_attention_layernorm", "blk.#.post_attention_norm"),
        ("model.layers.#.self_attn.sinks", "blk.#.attn_sinks"),
    ]

    private static let phi3: Pairs = [
        ("model.layers.#.self_attn.qkv_proj", "blk.#.attn_qkv"),
        ("model.layers.#.self_attn.o_proj", "blk.#.attn_output"),
        ("model.layers.#.mlp.gate_up_proj", "blk.#.ffn_up"),
        ("model.layers.#.mlp.down_proj", "blk.#.ffn_down"),
    ]

    private static let gpt2: Pairs = [
        ("transformer.wte", "token_embd"), ("transformer.wpe", "position_embd"), ("transformer.ln_f", "output_norm"),
        ("lm_head", "output"),
        ("transformer.h.#.ln_1", "blk.#.attn_norm"), ("transformer.h.#.attn.c_attn", "blk.#.attn_qkv"),
        ("transformer.h.#.attn.c_proj", "blk.#.attn_output"), ("transformer.h.#.ln_2", "blk.#.ffn_norm"),
        ("transformer.h.#.mlp.c_fc", "blk.#.ffn_up"), ("transformer.h.#.mlp.c_proj", "blk.#.ffn_down"),
    ]

    private static let bert: Pairs = [
        ("embeddings.word_embeddings", "token_embd"), ("embeddings.position_embeddings", "position_embd"),
        ("embeddings.token_type_embeddings", "token_types"), ("embeddings.LayerNorm", "token_embd_norm"),
        ("encoder.layer.#.attention.self.query", "blk.#.attn_q"),
        ("encoder.layer.#.attention.self.key", "blk.#.attn_k"),
        ("encoder.layer.#.attention.self.value", "blk.#.attn_v"),
        ("encoder.layer.#.attention.output.dense", "blk.#.attn_output"),
        ("encoder.layer.#.attention.output.LayerNorm", "blk.#.attn_output_norm"),
        ("encoder.layer.#.intermediate.dense", "blk.#.ffn_up"),
        ("encoder.layer.#.output.dense", "blk.#.ffn_down"),
        ("encoder.layer.#.output.LayerNorm", "blk.#.layer_output_norm"),
    ]

    private static let nomicBERT: Pairs = [
        ("embeddings.word_embeddings", "token_embd"), ("embeddings.token_type_embeddings", "token_types"),
        ("emb_ln", "token_embd_norm"),
        ("encoder.layers.#.attn.Wqkv", "blk.#.attn_qkv"), ("encoder.layers.#.attn.out_proj", "blk.#.attn_output"),
        ("encoder.layers.#.norm1", "blk.#.attn_output_norm"), ("encoder.layers.#.mlp.fc11", "blk.#.ffn_up"),
        ("encoder.layers.#.mlp.fc12", "blk.#.ffn_gate"), ("encoder.layers.#.mlp.fc2", "blk.#.ffn_down"),
        ("encoder.layers.#.norm2", "blk.#.layer_output_norm"),
    ]
}
