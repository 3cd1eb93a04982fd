// SPDX-License-Identifier: Apache-2.0

public import QalamTensors

/// The recipes of llama.cpp's `llama-quantize`: which type each tensor of a model gets.
///
/// The letters after a type are the size of the mix: in S nearly all tensors have the type it is named after, in M and
/// L those to which quality is most sensitive have better ones. The choice depends on names, shapes and a few sizes of
/// the model alone, never on the numbers.
public enum QuantizationMix: String, CaseIterable, Sendable {
    case f32 = "F32"
    case f16 = "F16"
    case bf16 = "BF16"
    case q8_0 = "Q8_0"
    case q6_K = "Q6_K"
    case q5_K_M = "Q5_K_M"
    case q5_K_S = "Q5_K_S"
    case q5_1 = "Q5_1"
    case q5_0 = "Q5_0"
    case q4_K_M = "Q4_K_M"
    case q4_K_S = "Q4_K_S"
    case q4_1 = "Q4_1"
    case q4_0 = "Q4_0"
    case iq4_NL = "IQ4_NL"
    case iq4_XS = "IQ4_XS"
    case mxfp4_MoE = "MXFP4_MOE"
    case q3_K_L = "Q3_K_L"
    case q3_K_M = "Q3_K_M"
    case q3_K_S = "Q3_K_S"
    case q2_K = "Q2_K"

    /// The mix of that name, in capitals or not; nil if there is none.
    public init?(name: String) { self.init(rawValue: name.uppercased()) }

    /// The number of the mix under `general.file_type`.
    public var fileType: UInt32 {
        switch self {
        case .f32: 0
        case .f16: 1
        case .q4_0: 2
        case .q4_1: 3
        case .q8_0: 7
        case .q5_0: 8
        case .q5_1: 9
        case .q2_K: 10
        case .q3_K_S: 11
        case .q3_K_M: 12
        case .q3_K_L: 13
        case .q4_K_S: 14
        case .q4_K_M: 15
        case .q5_K_S: 16
        case .q5_K_M: 17
        case .q6_K: 18
        case .iq4_NL: 25
        case .iq4_XS: 30
        case .bf16: 32
        case .mxfp4_MoE: 38
        }
    }

    /// The type that the mix is named after, which most tensors get.
    public var baseType: BlockType {
        switch self {
        case .f32: .f32
        case .f16: .f16
        case .bf16: .bf16
        case .q8_0: .q8_0
        case .q6_K: .q6_K
        case .q5_K_M, .q5_K_S: .q5_K
        case .q5_1: .q5_1
        case .q5_0: .q5_0
        case .q4_K_M, .q4_K_S: .q4_K
        case .q4_1: .q4_1
        case .q4_0: .q4_0
        case .iq4_NL: .iq4_NL
        case .iq4_XS: .iq4_XS
        case .mxfp4_MoE: .mxfp4
        case .q3_K_L, .q3_K_M, .q3_K_S: .q3_K
        case .q2_K: .q2_K
        }
    }
}

/// What a mix looks at in a model beside its tensors.
package struct MixedModel: Sendable {
    /// `block_count`.
    package var layers: Int
    /// Query heads of the first layer.
    package var heads: Int
    /// Key/value heads of the first layer.
    package var kvHeads: Int
    /// Experts in a layer; 0 without a mixture.
    package var experts: Int

    /// A model of those sizes.
    package init(layers: Int, heads: Int, kvHeads: Int, experts: Int = 0) {
        self.layers = layers
        self.heads = heads
        self.kvHeads = kvHeads
        self.experts = experts
    }

    /// Query heads that share a key/value head; 0 without attention.
    var queriesPerKey: Int { kvHeads > 0 ? heads / kvHeads : 0 }
}

/// What a mix looks at in a tensor.
package struct MixedTensor: Sendable, Equatable {
    /// The name in GGUF, such as `blk.3.attn_v.weight`.
    package var name: String
    /// The sizes, outermost first.
    package var shape: [Int]
    /// The type it has now, which it keeps if it is not to be quantized.
    package var type: BlockType

    /// A tensor of that name, shape and type.
    package init(_ name: String, shape: [Int], type: BlockType) {
        self.name = name
        self.shape = shape
        self.type = type
    }
}
