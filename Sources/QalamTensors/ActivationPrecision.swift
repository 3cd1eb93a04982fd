// SPDX-License-Identifier: Apache-2.0
internal import CQalamKernels

/// What activations become when they are multiplied with blocks of Q8_0.
public enum ActivationPrecision: String, Sendable, CaseIterable {
    /// int16: products are within 4e-5 of those with the weights' exact values.
    case accurate
    /// int8 where the processor adds four products of bytes at once (AVX-512 VNNI, Armv8.2 dot products), else as
    /// `accurate`: prompts and batches nearly twice as fast, products within 1e-2, as llama.cpp's.
    case int8

    /// The kernels' type for blocks of `type`.
    func kernelType(_ type: BlockType) -> k_block_type {
        self == .int8 && type == .q8_0 ? K_BLOCK_Q8_0_INT8 : type.kernelType
    }
}
