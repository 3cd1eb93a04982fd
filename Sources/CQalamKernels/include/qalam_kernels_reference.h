// SPDX-License-Identifier: Apache-2.0
//
// Naive twins of the kernels, for tests: plain loops on one thread, sums and transcendental functions in double. Each has
// the parameters and the meaning of the kernel it is named after; see qalam_kernels.h.
#ifndef QALAM_KERNELS_REFERENCE_H
#define QALAM_KERNELS_REFERENCE_H

#include "qalam_kernels.h"

__typeof__(k_gemm) k_reference_gemm;
__typeof__(k_fill) k_reference_fill;
__typeof__(k_add) k_reference_add;
__typeof__(k_multiply) k_reference_multiply;
__typeof__(k_scale) k_reference_scale;
__typeof__(k_axpy) k_reference_axpy;
__typeof__(k_gelu) k_reference_gelu;
__typeof__(k_gelu_backward) k_reference_gelu_backward;
__typeof__(k_swiglu) k_reference_swiglu;
__typeof__(k_swiglu_backward) k_reference_swiglu_backward;
__typeof__(k_sum_of_squares) k_reference_sum_of_squares;
__typeof__(k_column_sums) k_reference_column_sums;
__typeof__(k_bf16_to_f32) k_reference_bf16_to_f32;
__typeof__(k_f32_to_bf16) k_reference_f32_to_bf16;
__typeof__(k_f16_to_f32) k_reference_f16_to_f32;
__typeof__(k_f32_to_f16) k_reference_f32_to_f16;
__typeof__(k_rmsnorm) k_reference_rmsnorm;
__typeof__(k_rmsnorm_backward) k_reference_rmsnorm_backward;
__typeof__(k_layernorm) k_reference_layernorm;
__typeof__(k_layernorm_backward) k_reference_layernorm_backward;
__typeof__(k_rope) k_reference_rope;
__typeof__(k_attention) k_reference_attention;
__typeof__(k_attention_backward) k_reference_attention_backward;
__typeof__(k_cross_entropy) k_reference_cross_entropy;
__typeof__(k_embedding) k_reference_embedding;
__typeof__(k_embedding_backward) k_reference_embedding_backward;
__typeof__(k_adamw) k_reference_adamw;

#endif
