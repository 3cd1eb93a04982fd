// SPDX-License-Identifier: Apache-2.0
//
// The frame behind qalam_kernels.h: the list of kernels, the table of each instruction set, and the names within one.
// Each `kernels_<isa>.c` defines K_SUFFIX and K_VF, then includes every body in Shared/ once under a target attribute.
#ifndef QALAM_KERNELS_INTERNAL_H
#define QALAM_KERNELS_INTERNAL_H

#include "qalam_kernels_reference.h"

// MARK: The list of kernels

/// X(result, name, parameters, arguments) for each kernel that exists once per instruction set.
#define K_KERNELS(X)                                                                                                   \
    X(void, k_gemm, (const k_gemm_args *args), (args))                                                                 \
    X(void, k_linear, (const k_linear_args *args), (args))                                                             \
    X(void, k_fill, (float *x, float value, size_t n), (x, value, n))                                                  \
    X(void, k_add, (float *out, const float *a, const float *b, size_t n), (out, a, b, n))                             \
    X(void, k_multiply, (float *out, const float *a, const float *b, size_t n), (out, a, b, n))                        \
    X(void, k_scale, (float *x, float factor, size_t n), (x, factor, n))                                               \
    X(void, k_axpy, (float *y, float factor, const float *x, size_t n), (y, factor, x, n))                             \
    X(void, k_gelu, (float *out, const float *x, size_t n), (out, x, n))                                               \
    X(void, k_gelu_backward, (float *dx, const float *dy, const float *x, size_t n), (dx, dy, x, n))                   \
    X(void, k_swiglu, (float *out, const float *x, size_t rows, size_t d), (out, x, rows, d))                          \
    X(void, k_swiglu_backward, (float *dx, const float *dy, const float *x, size_t rows, size_t d),                    \
      (dx, dy, x, rows, d))                                                                                            \
    X(void, k_geglu, (float *out, const float *x, size_t rows, size_t d), (out, x, rows, d))                           \
    X(void, k_clamped_swiglu, (float *out, const float *x, size_t rows, size_t d, float alpha, float limit),           \
      (out, x, rows, d, alpha, limit))                                                                                 \
    X(void, k_gelu_erf, (float *out, const float *x, size_t n), (out, x, n))                                           \
    X(void, k_softcap, (float *x, float cap, size_t n), (x, cap, n))                                                   \
    X(void, k_rmsnorm_heads,                                                                                           \
      (float *x, const float *weight, float epsilon, size_t tokens, size_t heads, size_t head_dim,                     \
       size_t row_stride),                                                                                             \
      (x, weight, epsilon, tokens, heads, head_dim, row_stride))                                                       \
    X(double, k_sum_of_squares, (const float *x, size_t n), (x, n))                                                    \
    X(void, k_column_sums, (float *out, const float *x, size_t rows, size_t d, bool accumulate),                       \
      (out, x, rows, d, accumulate))                                                                                   \
    X(void, k_bf16_to_f32, (float *out, const uint16_t *x, size_t n), (out, x, n))                                     \
    X(void, k_f32_to_bf16, (uint16_t *out, const float *x, size_t n), (out, x, n))                                     \
    X(void, k_f16_to_f32, (float *out, const uint16_t *x, size_t n), (out, x, n))                                      \
    X(void, k_f32_to_f16, (uint16_t *out, const float *x, size_t n), (out, x, n))                                      \
    X(void, k_rmsnorm,                                                                                                 \
      (float *out, float *_Nullable inverse, const float *x, const float *weight, float epsilon, size_t rows,          \
       size_t d),                                                                                                      \
      (out, inverse, x, weight, epsilon, rows, d))                                                                     \
    X(void, k_rmsnorm_backward,                                                                                        \
      (float *dx, float *_Nullable dweight, const float *dy, const float *x, const float *weight,                      \
       const float *inverse, size_t rows, size_t d, bool accumulate),                                                  \
      (dx, dweight, dy, x, weight, inverse, rows, d, accumulate))                                                      \
    X(void, k_layernorm,                                                                                               \
      (float *out, float *_Nullable mean, float *_Nullable inverse, const float *x, const float *weight,               \
       const float *_Nullable bias, float epsilon, size_t rows, size_t d),                                             \
      (out, mean, inverse, x, weight, bias, epsilon, rows, d))                                                         \
    X(void, k_layernorm_backward,                                                                                      \
      (float *dx, float *_Nullable dweight, float *_Nullable dbias, const float *dy, const float *x,                   \
       const float *weight, const float *mean, const float *inverse, size_t rows, size_t d, bool accumulate),          \
      (dx, dweight, dbias, dy, x, weight, mean, inverse, rows, d, accumulate))                                         \
    X(void, k_rope,                                                                                                    \
      (float *x, const int32_t *positions, const float *inverse_frequency, size_t tokens, size_t heads,                \
       size_t head_dim, size_t row_stride, float direction),                                                           \
      (x, positions, inverse_frequency, tokens, heads, head_dim, row_stride, direction))                               \
    X(void, k_attention, (const k_attention_args *args), (args))                                                       \
    X(void, k_attention_backward, (const k_attention_backward_args *args), (args))                                     \
    X(void, k_paged_store, (const k_paged_layer *layer, const float *k, const float *v, size_t row_stride),            \
      (layer, k, v, row_stride))                                                                                       \
    X(void, k_paged_attention,                                                                                         \
      (const k_paged_layer *layer, float *out, size_t out_stride, const float *q, size_t q_stride),                    \
      (layer, out, out_stride, q, q_stride))                                                                           \
    X(void, k_convolution, (const k_convolution_args *args), (args))                                                   \
    X(void, k_convolution_weight_gradient, (const k_convolution_args *args, const float *dy), (args, dy))              \
    X(void, k_space_to_depth,                                                                                          \
      (float *out, const float *x, size_t rows, size_t width, size_t channels, bool inverse),                          \
      (out, x, rows, width, channels, inverse))                                                                        \
    X(void, k_modulate, (const k_modulation_args *args), (args))                                                       \
    X(void, k_modulate_backward,                                                                                       \
      (const k_modulation_args *args, const float *dy, float *_Nullable dx, float *_Nullable dscale,                   \
       float *_Nullable dshift, bool accumulate),                                                                      \
      (args, dy, dx, dscale, dshift, accumulate))                                                                      \
    X(void, k_relax, (const k_relaxation_args *args), (args))                                                          \
    X(void, k_relax_backward, (const k_relaxation_args *args, const float *dy, float *dlogits, float weight),          \
      (args, dy, dlogits, weight))                                                                                     \
    X(void, k_cross_entropy,                                                                                           \
      (float *losses, float *logits, const int32_t *targets, size_t rows, size_t vocab, float gradient_scale),         \
      (losses, logits, targets, rows, vocab, gradient_scale))                                                          \
    X(void, k_embedding, (float *out, const float *table, const int32_t *ids, size_t rows, size_t d),                  \
      (out, table, ids, rows, d))                                                                                      \
    X(void, k_embedding_backward, (float *dtable, const float *dout, const int32_t *ids, size_t rows, size_t d),       \
      (dtable, dout, ids, rows, d))                                                                                    \
    X(void, k_adamw,                                                                                                   \
      (float *parameters, const float *gradients, float *m, float *v, size_t n, const k_adamw_args *args),             \
      (parameters, gradients, m, v, n, args))

#pragma clang assume_nonnull begin

// MARK: Tables

extern const k_table k_table_generic;
#if defined(__x86_64__)
extern const k_table k_table_avx2;
extern const k_table k_table_avx512;
extern const k_table k_table_avx512vnni;
extern const k_table k_table_avx512bf16;
#elif defined(__aarch64__)
extern const k_table k_table_neon;
extern const k_table k_table_neondot;
extern const k_table k_table_neoni8mm;
#endif

// MARK: Pages (dispatch.c)

/// Where one kv head's part of a page begins, and in it the values and the scales: bytes.
typedef struct {
    size_t element, head, values, scales;
} k_page_layout;

k_page_layout k_page_layout_of(k_cache_type type, size_t head_dim);

// MARK: Naive twins of their own file (reference_paged.c)

void k_reference_paged_store(const k_paged_layer *layer, const float *k, const float *v, size_t row_stride);
void k_reference_paged_attention(const k_paged_layer *layer, float *out, size_t out_stride, const float *q,
                                 size_t q_stride);

// MARK: And those of pictures (reference_pictures.c)

void k_reference_convolution(const k_convolution_args *args);
void k_reference_convolution_weight_gradient(const k_convolution_args *args, const float *dy);
void k_reference_space_to_depth(float *out, const float *x, size_t rows, size_t width, size_t channels, bool inverse);
void k_reference_modulate(const k_modulation_args *args);
void k_reference_modulate_backward(const k_modulation_args *args, const float *dy, float *_Nullable dx,
                                   float *_Nullable dscale, float *_Nullable dshift, bool accumulate);
void k_reference_relax(const k_relaxation_args *args);
void k_reference_relax_backward(const k_relaxation_args *args, const float *dy, float *dlogits, float weight);

// MARK: Scratch memory (threads.c)

typedef enum {
    K_SCRATCH_GEMM_SHARED,
    K_SCRATCH_GEMM_BLOCK,
    K_SCRATCH_ATTENTION,
    K_SCRATCH_CONVOLUTION,
    K_SCRATCH_WEIGHT_ROWS,
    K_SCRATCH_WEIGHT_PANEL,
    K_SCRATCH_WEIGHT_PACKED,
    K_SCRATCH_OTHER,
    K_SCRATCH_KINDS,
} k_scratch_kind;

/// The calling thread's buffer of that kind, at least `bytes` long and 64-byte aligned, kept until the thread ends. Its
/// content is undefined; asking again may move it. A body nested in another body must use another kind.
void *k_scratch(k_scratch_kind kind, size_t bytes);

// MARK: Inside one instruction set

#ifdef K_SUFFIX
#define K_JOIN_(a, b) a##b
#define K_JOIN(a, b) K_JOIN_(a, b)
/// K_FN(k_rmsnorm) is k_rmsnorm_avx2 in kernels_avx2.c.
#define K_FN(name) K_JOIN(name, K_SUFFIX)

/// Before a loop over sums: they become registers only if it is gone.
#define K_UNROLL _Pragma("clang loop unroll(full)")

/// Vectors of K_VF floats, and of as many 32-bit integers. The `u` types may lie at any address of a float.
typedef float k_vf __attribute__((ext_vector_type(K_VF)));
typedef int32_t k_vi __attribute__((ext_vector_type(K_VF)));
typedef k_vf k_vfu __attribute__((aligned(4), may_alias));
typedef k_vi k_viu __attribute__((aligned(4), may_alias));

#define K_DECLARE(result, name, parameters, arguments) __typeof__(name) K_FN(name);
K_KERNELS(K_DECLARE)
#undef K_DECLARE

#define K_ENTRY(result, name, parameters, arguments) .name = K_FN(name),
/// The table of this instruction set, to be written once after the bodies.
#define K_DEFINE_TABLE const k_table K_FN(k_table) = {K_KERNELS(K_ENTRY)};

#define K_DECLARE_BASE(result, name, parameters, arguments) __typeof__(name) K_JOIN(name, K_BASE);
#define K_ENTRY_BASE(result, name, parameters, arguments) .name = K_JOIN(name, K_BASE),
/// The table of an instruction set that has a k_linear of its own, and all else from the one whose suffix is K_BASE.
#define K_DEFINE_TABLE_WITH_LINEAR                                                                                     \
    K_KERNELS(K_DECLARE_BASE)                                                                                          \
    _Pragma("clang diagnostic ignored \"-Winitializer-overrides\"")                                                    \
    const k_table K_FN(k_table) = {K_KERNELS(K_ENTRY_BASE).k_linear = K_FN(k_linear)};
#endif

#pragma clang assume_nonnull end

#endif
