// SPDX-License-Identifier: Apache-2.0
//
// The kernels as tables, for tests: those of each instruction set, and naive twins on one thread with sums and
// transcendental functions in double. A call through a table leaves alone what the rest of the process uses.
#ifndef QALAM_KERNELS_REFERENCE_H
#define QALAM_KERNELS_REFERENCE_H

#include "qalam_kernels.h"
#include "qalam_weights.h"

#pragma clang assume_nonnull begin

/// A pointer for each kernel; parameters and meaning are in qalam_kernels.h.
typedef struct {
    __typeof__(k_gemm) *k_gemm;
    __typeof__(k_linear) *k_linear;
    __typeof__(k_fill) *k_fill;
    __typeof__(k_add) *k_add;
    __typeof__(k_multiply) *k_multiply;
    __typeof__(k_scale) *k_scale;
    __typeof__(k_axpy) *k_axpy;
    __typeof__(k_gelu) *k_gelu;
    __typeof__(k_gelu_backward) *k_gelu_backward;
    __typeof__(k_swiglu) *k_swiglu;
    __typeof__(k_swiglu_backward) *k_swiglu_backward;
    __typeof__(k_geglu) *k_geglu;
    __typeof__(k_clamped_swiglu) *k_clamped_swiglu;
    __typeof__(k_gelu_erf) *k_gelu_erf;
    __typeof__(k_softcap) *k_softcap;
    __typeof__(k_rmsnorm_heads) *k_rmsnorm_heads;
    __typeof__(k_sum_of_squares) *k_sum_of_squares;
    __typeof__(k_column_sums) *k_column_sums;
    __typeof__(k_bf16_to_f32) *k_bf16_to_f32;
    __typeof__(k_f32_to_bf16) *k_f32_to_bf16;
    __typeof__(k_f16_to_f32) *k_f16_to_f32;
    __typeof__(k_f32_to_f16) *k_f32_to_f16;
    __typeof__(k_rmsnorm) *k_rmsnorm;
    __typeof__(k_rmsnorm_backward) *k_rmsnorm_backward;
    __typeof__(k_layernorm) *k_layernorm;
    __typeof__(k_layernorm_backward) *k_layernorm_backward;
    __typeof__(k_rope) *k_rope;
    __typeof__(k_attention) *k_attention;
    __typeof__(k_attention_backward) *k_attention_backward;
    __typeof__(k_paged_store) *k_paged_store;
    __typeof__(k_paged_attention) *k_paged_attention;
    __typeof__(k_convolution) *k_convolution;
    __typeof__(k_convolution_weight_gradient) *k_convolution_weight_gradient;
    __typeof__(k_space_to_depth) *k_space_to_depth;
    __typeof__(k_modulate) *k_modulate;
    __typeof__(k_modulate_backward) *k_modulate_backward;
    __typeof__(k_relax) *k_relax;
    __typeof__(k_relax_backward) *k_relax_backward;
    __typeof__(k_cross_entropy) *k_cross_entropy;
    __typeof__(k_embedding) *k_embedding;
    __typeof__(k_embedding_backward) *k_embedding_backward;
    __typeof__(k_adamw) *k_adamw;
} k_table;

/// The kernels of an instruction set, NULL where this processor or build lacks it.
const k_table *_Nullable k_table_of(k_isa isa);
/// The naive twins: the formulas as they stand in the papers.
const k_table *k_table_reference(void);

#pragma clang assume_nonnull end

#endif
