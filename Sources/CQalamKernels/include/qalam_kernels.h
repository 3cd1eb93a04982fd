// SPDX-License-Identifier: Apache-2.0
//
// The numeric kernels of Qalam: everything that uses SIMD, and the thread pool that runs it.
//
// - All matrices are row-major float32. `ld…` and `…_stride` count floats, not bytes.
// - No function fails: the Swift faces check shapes before they call. Sizes of zero are allowed and do nothing.
// - Work is cut into chunks by shape alone, so a result does not depend on the number of threads or on who ran a chunk.
// - Outputs never alias inputs unless the comment says so.
#ifndef QALAM_KERNELS_H
#define QALAM_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#pragma clang assume_nonnull begin

// MARK: Instruction sets

typedef enum {
    K_ISA_GENERIC = 0,
    K_ISA_AVX2 = 1,
    K_ISA_AVX512 = 2,
    K_ISA_AVX512VNNI = 3,
    K_ISA_AVX512BF16 = 4,
    K_ISA_NEON = 5,
    K_ISA_NEON_DOT = 6,
    K_ISA_NEON_I8MM = 7,
    K_ISA_LAST = K_ISA_NEON_I8MM,
} k_isa;

/// The instruction set in use: the best the processor has, unless `k_isa_select` chose another.
k_isa k_isa_current(void);
/// Chooses an instruction set, for tests; false (and no change) if this processor or build lacks it. Not while kernels
/// run.
bool k_isa_select(k_isa isa);
/// "generic", "avx2", "avx512", "avx512vnni", "avx512bf16", "neon", "neondot" or
/// "neoni8mm".
const char *k_isa_name(k_isa isa);

// MARK: Thread pool

/// How many threads work on a parallel loop, the caller included; the number of processors at the start.
size_t k_threads(void);
/// Changes the number of threads (at least 1). Not while kernels run.
void k_threads_set(size_t count);
/// Runs body(context, chunk) for each chunk in 0..<chunks, chunks claimed from a counter; returns when all are done.
/// One loop at a time: concurrent callers wait for one another. A call from inside a body runs in place, serially.
void k_parallel_for(size_t chunks, void (*body)(void *_Nullable context, size_t chunk), void *_Nullable context);

// MARK: Matrix product

typedef enum {
    K_EPILOGUE_NONE = 0,
    K_EPILOGUE_GELU = 1,      // C = gelu(z), gelu'(z) is written to `aux` if that is not NULL
    K_EPILOGUE_MULTIPLY = 2,  // C = z * aux
} k_epilogue;

/// C (M,N) = epilogue(op(A) (M,K) · op(B) (K,N) + bias (N)), or C += the product when `accumulate`.
/// A is stored (M,K), or (K,M) when `a_transposed`; B is stored (K,N), or (N,K) when `b_transposed`.
/// GELU here is the tanh approximation. `accumulate` goes with no bias and no epilogue.
typedef struct {
    size_t m, n, k;
    const float *a;
    size_t lda;
    bool a_transposed;
    const float *b;
    size_t ldb;
    bool b_transposed;
    float *c;
    size_t ldc;
    bool accumulate;
    const float *_Nullable bias;
    k_epilogue epilogue;
    float *_Nullable aux;  // (M,N), rows `ldc` apart
} k_gemm_args;

void k_gemm(const k_gemm_args *args);

// MARK: Elementwise, on n floats

void k_fill(float *x, float value, size_t n);
/// out = a + b; out may be a or b.
void k_add(float *out, const float *a, const float *b, size_t n);
/// out = a * b; out may be a or b.
void k_multiply(float *out, const float *a, const float *b, size_t n);
/// x *= factor.
void k_scale(float *x, float factor, size_t n);
/// y += factor * x.
void k_axpy(float *y, float factor, const float *x, size_t n);
/// out = gelu(x), tanh approximation.
void k_gelu(float *out, const float *x, size_t n);
/// dx = dy * gelu'(x); dx may be dy.
void k_gelu_backward(float *dx, const float *dy, const float *x, size_t n);
/// out (rows,d) = silu(gate) * up, where gate and up are the halves of x (rows, 2d): gate first.
void k_swiglu(float *out, const float *x, size_t rows, size_t d);
/// dx (rows,2d) from dy (rows,d).
void k_swiglu_backward(float *dx, const float *dy, const float *x, size_t rows, size_t d);
/// out (rows,d) = gelu(gate) * up, tanh approximation, halves of x (rows, 2d) as in k_swiglu.
void k_geglu(float *out, const float *x, size_t rows, size_t d);
/// out (rows,d) = g sigmoid(alpha g) (u + 1): g is gate held below `limit`, u is up held within +-limit (gpt-oss).
void k_clamped_swiglu(float *out, const float *x, size_t rows, size_t d, float alpha, float limit);
/// out = gelu(x) = x/2 (1 + erf(x / sqrt 2)), to 2e-7 of the size of x; out may be x.
void k_gelu_erf(float *out, const float *x, size_t n);
/// x = cap tanh(x / cap).
void k_softcap(float *x, float cap, size_t n);
/// Sum of squares, accumulated in double over fixed chunks.
double k_sum_of_squares(const float *x, size_t n);
/// out (d) = or += the sum over rows of x (rows,d): the gradient of a bias.
void k_column_sums(float *out, const float *x, size_t rows, size_t d, bool accumulate);
void k_bf16_to_f32(float *out, const uint16_t *x, size_t n);
/// Rounds to nearest, ties to even; NaN stays NaN.
void k_f32_to_bf16(uint16_t *out, const float *x, size_t n);
void k_f16_to_f32(float *out, const uint16_t *x, size_t n);
void k_f32_to_f16(uint16_t *out, const float *x, size_t n);

// MARK: Normalisation over the last axis, x (rows,d)

/// RMSNorm (Zhang & Sennrich 2019): out = x / rms(x) * weight; `inverse` (rows) keeps 1/rms for the backward pass.
void k_rmsnorm(float *out, float *_Nullable inverse, const float *x, const float *weight, float epsilon, size_t rows,
               size_t d);
/// dx = or += the gradient (`accumulate`); dweight (d) += the gradient of the weight, if not NULL.
void k_rmsnorm_backward(float *dx, float *_Nullable dweight, const float *dy, const float *x, const float *weight,
                        const float *inverse, size_t rows, size_t d, bool accumulate);
/// RMSNorm of each of `heads` heads of head_dim floats in place, of tokens `row_stride` apart; weight (head_dim).
void k_rmsnorm_heads(float *x, const float *weight, float epsilon, size_t tokens, size_t heads, size_t head_dim,
                     size_t row_stride);
/// LayerNorm (Ba et al. 2016) with a bias that may be NULL; mean and 1/deviation (rows) are kept for the backward pass.
void k_layernorm(float *out, float *_Nullable mean, float *_Nullable inverse, const float *x, const float *weight,
                 const float *_Nullable bias, float epsilon, size_t rows, size_t d);
/// dx = or += the gradient (`accumulate`); dweight, dbias (d) +=, if not NULL.
void k_layernorm_backward(float *dx, float *_Nullable dweight, float *_Nullable dbias, const float *dy, const float *x,
                          const float *weight, const float *mean, const float *inverse, size_t rows, size_t d,
                          bool accumulate);

// MARK: Rotary embedding

/// Rotates pairs (i, i + head_dim/2) of every head of x in place, as Llama in Hugging Face's layout: x holds `tokens`
/// rows `row_stride` apart, each of `heads` heads of head_dim; the angle of row t is
/// positions[t] * inverse_frequency[i]. `direction` is 1, or -1 for the backward pass.
void k_rope(float *x, const int32_t *positions, const float *inverse_frequency, size_t tokens, size_t heads,
            size_t head_dim, size_t row_stride, float direction);

// MARK: Causal attention with an online softmax (Milakov & Gimelshein 2018; Dao 2023)

/// q (B,Tq,H,D), k and v (B,Tk,Hkv,D), out (B,Tq,H,D): rows of H*D (or Hkv*D) floats, `…_row` apart inside a sequence
/// and `…_batch` apart between sequences, so that slices of a fused projection and a KV cache need no copies.
/// H is a multiple of Hkv (grouped queries). Query t sees keys 0 ... t + (Tk - Tq). scores are scaled by `scale`.
typedef struct {
    size_t batch, queries, keys, heads, kv_heads, head_dim;
    float scale;
    const float *q;
    size_t q_row, q_batch;
    const float *k;
    const float *v;
    size_t kv_row, kv_batch;
    float *out;
    size_t out_row, out_batch;
    float *_Nullable logsumexp;  // (B,H,Tq), kept for the backward pass
    bool bidirectional;          // every query sees all keys
} k_attention_args;

void k_attention(const k_attention_args *args);

/// The backward pass for queries == keys: dq, dk, dv are written (not added to), in the strides of q, k, v.
typedef struct {
    k_attention_args forward;  // `out` and `logsumexp` as the forward pass left them
    const float *dout;         // in the strides of `out`
    float *dq;
    float *dk;
    float *dv;
} k_attention_backward_args;

void k_attention_backward(const k_attention_backward_args *args);

// MARK: Causal attention over a cache in pages (Kwon et al. 2023)

/// How a cache keeps keys and values: float32, half, or int8 with one float32 scale per token and head.
typedef enum { K_CACHE_F32 = 0, K_CACHE_F16 = 1, K_CACHE_Q8 = 2 } k_cache_type;

/// K_PAGE_TOKENS tokens share a page; columns of keys and values lie in panels of K_PAGE_LANES.
enum { K_PAGE_TOKENS = 32, K_PAGE_LANES = 16 };

/// One sequence's share of a call: rows first_row ..< first_row + rows stand at positions start ..< start + rows; the
/// token at a position is kept in pages[position / K_PAGE_TOKENS]. Pages that no query sees are not looked at.
typedef struct {
    const int32_t *pages;
    size_t first_row, rows, start;
} k_paged_span;

/// One layer's cache and the rows that a call is about. Page p lies at cache + p * page_stride, 64-byte aligned, and
/// holds for each kv head: keys, panels of tokens (2, D, 16); values, panels of columns (W/16, 32, 16), W = D rounded
/// up to 16, zeros past D; with K_CACHE_Q8 the scales of 32 keys and of 32 values.
/// Query position p sees keys 0 ... p, or only those after p - window. Scores are q·k * scale, then cap * tanh(s / cap)
/// if softcap is not 0; sinks (heads) are logits that take part in the softmax without a value.
typedef struct {
    k_cache_type type;
    size_t heads, kv_heads, head_dim;
    char *cache;
    size_t page_stride;  // bytes
    const k_paged_span *spans;
    size_t span_count;
    float scale, softcap;
    size_t window;  // 0: none
    const float *_Nullable sinks;
} k_paged_layer;

/// Bytes of one layer's part of a page.
size_t k_paged_bytes(k_cache_type type, size_t kv_heads, size_t head_dim);
/// Writes the rows' keys and values, rows of kv_heads * head_dim floats `row_stride` apart, to their pages. Halves are
/// held at the largest finite one.
void k_paged_store(const k_paged_layer *layer, const float *k, const float *v, size_t row_stride);
/// out = attention of the rows of q, heads * head_dim floats each, to their sequences, whose keys have been stored. A
/// row's result depends on its q, its position and what it sees, and not on which other rows or threads there are.
void k_paged_attention(const k_paged_layer *layer, float *out, size_t out_stride, const float *q, size_t q_stride);

// MARK: Pictures, pixel by pixel with their channels together: (B,H,W,C)

/// A convolution with 3x3 taps, stride 1 and zeros around the pictures: y (B,H,W,out) = or += from x (B,H,W,in), with
/// weight (out,3,3,in). If `turned`, the transpose of such a convolution, which takes the gradient of its output to
/// that of its input: weight is (in,3,3,out) then, and there is no bias.
typedef struct {
    size_t batch, height, width, in, out;
    const float *x;
    const float *_Nullable weight;
    const float *_Nullable bias;  // (out); not with `accumulate`
    float *y;
    bool turned, accumulate;
} k_convolution_args;

void k_convolution(const k_convolution_args *args);
/// y (out,3,3,in) += the gradient of the weights, from x and dy (B,H,W,out).
void k_convolution_weight_gradient(const k_convolution_args *args, const float *dy);

/// out (rows/2, width/2, 4C) from x (rows,width,C): squares of 2x2 pixels become one pixel, the upper pair before the
/// lower; `rows` counts those of all pictures. `inverse` goes from (rows/2, width/2, 4C) to (rows,width,C).
void k_space_to_depth(float *out, const float *x, size_t rows, size_t width, size_t channels, bool inverse);

/// out = base + x * scale + shift on (samples,tokens,d), where scale and shift (d) belong to a sample and lie `stride`
/// floats apart; base and shift may be missing.
typedef struct {
    size_t samples, tokens, d, stride;
    const float *x;
    const float *_Nullable base;
    const float *scale;
    const float *_Nullable shift;
    float *_Nullable out;
} k_modulation_args;

void k_modulate(const k_modulation_args *args);
/// dx = or += (`accumulate`) dy * scale; dscale and dshift, which lie as scale and shift do, +=; each may be NULL.
void k_modulate_backward(const k_modulation_args *args, const float *dy, float *_Nullable dx, float *_Nullable dscale,
                         float *_Nullable dshift, bool accumulate);

/// out (rows,codes): Gumbel softmax of logits, (l + noise) / temperature, with noise by position from a seed; and
/// divergences (rows): of the softmax of the logits themselves from the even distribution, in nats. `codes` is a
/// multiple of 16, and rows times codes less than 2^32.
typedef struct {
    size_t rows, codes;
    const float *logits;
    float temperature;
    uint32_t seed;
    float *out, *divergences;
} k_relaxation_args;

void k_relax(const k_relaxation_args *args);
/// dlogits = the gradient through out from dy, plus `weight` times that of the divergences.
void k_relax_backward(const k_relaxation_args *args, const float *dy, float *dlogits, float weight);

// MARK: Loss

/// Softmax cross-entropy on rows of logits (rows, vocab), targets (rows), -1 = no loss for that row. losses (rows) gets
/// each row's -log p(target) in nats (0 where there is no target). If `gradient_scale` is not 0, logits are overwritten
/// by (softmax - onehot) * gradient_scale (zeros where there is no target).
void k_cross_entropy(float *losses, float *logits, const int32_t *targets, size_t rows, size_t vocab,
                     float gradient_scale);

// MARK: Embedding

/// out (rows,d) = table[ids[row]]; ids are in range.
void k_embedding(float *out, const float *table, const int32_t *ids, size_t rows, size_t d);
/// dtable[ids[row]] += dout[row]: the same sum order at any number of threads.
void k_embedding_backward(float *dtable, const float *dout, const int32_t *ids, size_t rows, size_t d);

// MARK: Optimizer

/// AdamW (Loshchilov & Hutter 2019) on n parameters: gradients are multiplied by gradient_scale first;
/// bias1 = 1 - beta1^t, bias2 = 1 - beta2^t. m and v are updated in place.
typedef struct {
    float learning_rate, beta1, beta2, epsilon, weight_decay, bias1, bias2, gradient_scale;
} k_adamw_args;
void k_adamw(float *parameters, const float *gradients, float *m, float *v, size_t n, const k_adamw_args *args);

// MARK: Measuring

/// Reads `bytes` bytes, aligned to 32, on all threads, and does nothing with them.
void k_read(const void *memory, size_t bytes);

#pragma clang assume_nonnull end

#endif
