// SPDX-License-Identifier: Apache-2.0

package import QalamTensors

extension QuantizationMix {
    /// The type of each of `tensors`, all of a model's, in their order.
    ///
    /// With `pure` every matrix gets `baseType`, or what its rows allow.
    package func types(for tensors: [MixedTensor], of model: MixedModel, pure: Bool = false) -> [BlockType] {
        let parts = tensors.map { MixedPart($0.name) }
        var chooser = MixChooser(
            mix: self, model: model,
            valueTensors: parts.count { $0 == .attentionValue }, tied: !parts.contains(.output))
        var types = tensors.map(\.type)
        for index in Self.order(tensors) where tensors[index].isQuantizable {
            let tensor = tensors[index]
            var type = baseType
            if type.isQuantized {
                if !pure { type = chooser.type(of: tensor, parts[index]) }
                type = type.fitting(columns: tensor.columns)
            }
            types[index] = type
        }
        return types
    }

    /// The order in which a mix counts tensors: by layer, those outside layers first, then by name.
    private static func order(_ tensors: [MixedTensor]) -> [Int] {
        let layers = tensors.map { $0.layer ?? -1 }
        return tensors.indices.sorted { a, b in
            layers[a] != layers[b]
                ? layers[a] < layers[b] : tensors[a].name.utf8.lexicographicallyPrecedes(tensors[b].name.utf8)
        }
    }
}

// MARK: Tensors

/// What a tensor is for, as far as mixes tell.
private enum MixedPart {
    case output, tokenEmbedding, attentionValue, attentionKey, attentionOutput, feedForwardDown, other

    init(_ name: String) {
        switch name {
        case "output.weight": self = .output
        case "token_embd.weight", "per_layer_token_embd.weight": self = .tokenEmbedding
        case _ where ["attn_qkv.weight", "attn_kv_b.weight", "attn_v.weight"].contains(where: name.contains):
            self = .attentionValue
        case _ where name.contains("attn_k.weight"): self = .attentionKey
        case _ where name.contains("attn_output.weight"): self = .attentionOutput
        case _ where name.contains("ffn_down"): self = .feedForwardDown
        default: self = .other
        }
    }
}

extension MixedTensor {
    /// Matrices that are small, or that a small error in would cost much: routers, convolutions, biases by position.
    private static let kept = [
        "_norm.weight", "ffn_gate_inp.weight", "ffn_gate_tid2eid.weight", "altup", "laurel", "per_layer_model_proj",
        "ssm_conv1d", "shortconv.conv.weight", "indexer.k_proj.weight", "indexer.q_proj.weight",
        "time_mix_first.weight",
        "time_mix_w0.weight", "time_mix_w1.weight", "time_mix_w2.weight", "time_mix_v0.weight", "time_mix_v1.weight",
        "time_mix_v2.weight", "time_mix_a0.weight", "time_mix_a1.weight", "time_mix_a2.weight", "time_mix_g1.weight",
        "time_mix_g2.weight", "time_mix_decay_w1.weight", "time_mix_decay_w2.weight", "time_mix_lerp_fused.weight",
        "attn_rel_b.weight", ".position_embd", "sam.pos_embd", "sam.neck.", "sam.net_", ".rel_pos", ".patch_embd",
        ".patch_merger", "a.rvq.codebook", "mm.a.code_embd",
    ]

    /// Whether it is a matrix of weights, or several, that may lose precision.
    fileprivate var isQuantizable: Bool {
        shape.dropLast().contains { $0 > 1 } && name.hasSuffix("weight") && name != "position_embd.weight"
            && name != "token_types.weight" && !Self.kept.contains(where: name.contains)
    }

    /// The length of a row.
    fileprivate var columns: Int { shape.last ?? 1 }

    /// How many matrices it holds: one for each expert.
    fileprivate var matrices: Int { shape.count > 2 ? shape[shape.count - 3] : 1 }

    /// The number after `blk.`.
    fileprivate var layer: Int? {
        guard name.hasPrefix("blk.") else { return nil }
        let digits = name.dropFirst(4).prefix { $0 != "." }
        return Int(digits)
    }
}

extension BlockType {
    /// The type itself, or the nearest one whose blocks make up rows of `columns` numbers.
    fileprivate func fitting(columns: Int) -> BlockType {
        guard columns % blockCount != 0 else { return self }
        let smaller: BlockType =
            switch self {
            case .q2_K, .q3_K: .q4_0
            case .q4_K: .q5_0
            case .q5_K: .q5_1
            case .q6_K: .q8_0
            case .iq4_XS: .iq4_NL
            default: self
            }
        return columns % smaller.blockCount == 0 ? smaller : .f16
    }
}

// MARK: Choices

/// Walks over the tensors of a model in the order of a mix, counting as it goes.
private struct MixChooser {
    let mix: QuantizationMix
    let model: MixedModel
    /// How many tensors of attention values there are.
    let valueTensors: Int
    /// Whether the token embedding is the output matrix too.
    let tied: Bool
    private var valuesSeen = 0
    private var downsSeen = 0

    init(mix: QuantizationMix, model: MixedModel, valueTensors: Int, tied: Bool) {
        self.mix = mix
        self.model = model
        self.valueTensors = valueTensors
        self.tied = tied
    }

    /// The type of the next tensor, whatever its rows.
    mutating func type(of tensor: MixedTensor, _ part: MixedPart) -> BlockType {
        let base = mix.baseType
        if part == .output || (tied && part == .tokenEmbedding) {
            let keepsEight = base == .q8_0 || base == .mxfp4 || tensor.columns % base.blockCount != 0
            return keepsEight ? .q8_0 : .q6_K
        }
        if mix == .mxfp4_MoE { return tensor.matrices > 1 ? .mxfp4 : .q8_0 }
        switch part {
        case .attentionValue:
            defer { valuesSeen += 1 }
            return valueType(valuesSeen)
        case .attentionKey:
            return model.experts == 8 ? .q8_0 : base
        case .attentionOutput:
            return model.experts == 8 ? outputTypeOfEightExperts : outputType
        case .feedForwardDown:
            defer { downsSeen += 1 }
            return downType(model.experts > 1 ? tensor.layer ?? downsSeen : downsSeen)
        case .output, .tokenEmbedding, .other:
            return base
        }
    }

    /// Whether the item of that index, of `count`, is in the first or the last eighth, or one in three between.
    private func getsMoreBits(_ index: Int, of count: Int) -> Bool {
        index < count / 8 || index >= 7 * count / 8 || (index - count / 8) % 3 == 2
    }

    private func valueType(_ index: Int) -> BlockType {
        let shared = model.queriesPerKey >= 4
        // Small beside the others, since many queries share them.
        if model.experts == 8 { return .q8_0 }
        let type: BlockType =
            switch mix {
            case .q2_K: shared ? .q4_K : .q3_K
            case .q3_K_M: index < 2 ? .q5_K : .q4_K
            case .q3_K_L: .q5_K
            case .iq4_NL, .iq4_XS: shared ? .q5_K : mix.baseType
            case .q4_K_S: index < 4 ? .q5_K : .q4_K
            case .q4_K_M, .q5_K_M: getsMoreBits(index, of: valueTensors) ? .q6_K : mix.baseType
            default: mix.baseType
            }
        let isOf70B = model.layers == 80 && model.heads != model.kvHeads
        return isOf70B && (type == .q3_K || type == .q4_K) ? .q5_K : type
    }

    private func downType(_ layer: Int) -> BlockType {
        switch mix {
        case .q2_K: .q3_K
        case .q3_K_M: layer < model.layers / 16 ? .q5_K : .q4_K
        case .q3_K_L: .q5_K
        case .iq4_NL, .iq4_XS, .q4_K_S: layer < model.layers / 8 ? .q5_K : mix.baseType
        case .q4_K_M, .q5_K_M: getsMoreBits(layer, of: model.layers) ? .q6_K : mix.baseType
        default: mix.baseType
        }
    }

    private var outputType: BlockType {
        switch mix {
        case .q2_K: .q3_K
        case .q3_K_M: .q4_K
        case .q3_K_L: .q5_K
        default: mix.baseType
        }
    }

    private var outputTypeOfEightExperts: BlockType {
        switch mix {
        case .q2_K, .q3_K_S, .q3_K_M, .q4_K_S, .q4_K_M, .iq4_NL, .iq4_XS: .q5_K
        default: mix.baseType
        }
    }
}
