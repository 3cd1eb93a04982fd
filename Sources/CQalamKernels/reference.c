// SPDX-License-Identifier: Apache-2.0
//
// The formulas as they stand in the papers, one element after the other. Tests hold the kernels to these.
#include "internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

// MARK: Matrix product

static double gelu_of(double x) { return 0.5 * x * (1 + tanh(sqrt(2 / M_PI) * (x + 0.044715 * x * x * x))); }

static double gelu_slope(double x) {
    double t = tanh(sqrt(2 / M_PI) * (x + 0.044715 * x * x * x));
    return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * sqrt(2 / M_PI) * (1 + 3 * 0.044715 * x * x);
}

static void k_reference_gemm(const k_gemm_args *args) {
    k_gemm_args p = *args;
    for (size_t i = 0; i < p.m; i++) {
        for (size_t j = 0; j < p.n; j++) {
            double sum = p.bias ? p.bias[j] : 0;
            for (size_t k = 0; k < p.k; k++) {
                double a = p.a[p.a_transposed ? k * p.lda + i : i * p.lda + k];
                sum += a * p.b[p.b_transposed ? j * p.ldb + k : k * p.ldb + j];
            }
            size_t at = i * p.ldc + j;
            if (p.epilogue == K_EPILOGUE_GELU) {
                if (p.aux) p.aux[at] = (float)gelu_slope(sum);
                sum = gelu_of(sum);
            } else if (p.epilogue == K_EPILOGUE_MULTIPLY) {
                sum *= p.aux[at];
            }
            p.c[at] = (float)(p.accumulate ? p.c[at] + sum : sum);
        }
    }
}

// MARK: Elementwise

/// Exact but for rounding at the end: weights as their blocks say, activations as they are.
static void k_reference_linear(const k_linear_args *args) {
    size_t column = 0, k = args->weights[0].columns;
    float *row = malloc(k * sizeof(float));
    for (size_t i = 0; i < args->count && row; i++) {
        const k_weight *w = &args->weights[i];
        size_t row_bytes = k / k_block_numbers(w->type) * k_block_bytes(w->type);
        for (size_t n = 0; n < w->rows; n++, column++) {
            k_block_decode(row, w->type, (const char *)w->blocks + n * row_bytes, k);
            for (size_t m = 0; m < args->m; m++) {
                double sum = w->bias ? w->bias[n] : 0;
                for (size_t j = 0; j < k; j++) sum += (double)row[j] * args->x[m * args->ldx + j];
                args->y[m * args->ldy + column] = (float)sum;
            }
        }
    }
    free(row);
}

static void k_reference_fill(float *x, float value, size_t n) {
    for (size_t i = 0; i < n; i++) x[i] = value;
}

static void k_reference_add(float *out, const float *a, const float *b, size_t n) {
    for (size_t i = 0; i < n; i++) out[i] = a[i] + b[i];
}

static void k_reference_multiply(float *out, const float *a, const float *b, size_t n) {
    for (size_t i = 0; i < n; i++) out[i] = a[i] * b[i];
}

static void k_reference_scale(float *x, float factor, size_t n) {
    for (size_t i = 0; i < n; i++) x[i] *= factor;
}

static void k_reference_axpy(float *y, float factor, const float *x, size_t n) {
    for (size_t i = 0; i < n; i++) y[i] = (float)(y[i] + (double)factor * x[i]);
}

static void k_reference_gelu(float *out, const float *x, size_t n) {
    for (size_t i = 0; i < n; i++) out[i] = (float)gelu_of(x[i]);
}

static void k_reference_gelu_backward(float *dx, const float *dy, const float *x, size_t n) {
    for (size_t i = 0; i < n; i++) dx[i] = (float)(dy[i] * gelu_slope(x[i]));
}

static void k_reference_swiglu(float *out, const float *x, size_t rows, size_t d) {
    for (size_t i = 0; i < rows * d; i++) {
        double gate = x[i / d * 2 * d + i % d], up = x[i / d * 2 * d + d + i % d];
        out[i] = (float)(gate / (1 + exp(-gate)) * up);
    }
}

static void k_reference_swiglu_backward(float *dx, const float *dy, const float *x, size_t rows, size_t d) {
    for (size_t i = 0; i < rows * d; i++) {
        size_t at = i / d * 2 * d + i % d;
        double gate = x[at], up = x[at + d], s = 1 / (1 + exp(-gate));
        dx[at] = (float)(dy[i] * up * s * (1 + gate * (1 - s)));
        dx[at + d] = (float)(dy[i] * gate * s);
    }
}

static void k_reference_geglu(float *out, const float *x, size_t rows, size_t d) {
    for (size_t i = 0; i < rows * d; i++) {
        double gate = x[i / d * 2 * d + i % d], up = x[i / d * 2 * d + d + i % d];
        out[i] = (float)(gelu_of(gate) * up);
    }
}

static void k_reference_clamped_swiglu(float *out, const float *x, size_t rows, size_t d, float alpha, float limit) {
    for (size_t i = 0; i < rows * d; i++) {
        double gate = fmin(x[i / d * 2 * d + i % d], limit);
        double up = fmax(fmin(x[i / d * 2 * d + d + i % d], limit), -limit);
        out[i] = (float)(gate / (1 + exp(-gate * alpha)) * (up + 1));
    }
}

static void k_reference_gelu_erf(float *out, const float *x, size_t n) {
    for (size_t i = 0; i < n; i++) out[i] = (float)(x[i] / 2.0 * (1 + erf(x[i] / sqrt(2))));
}

static void k_reference_softcap(float *x, float cap, size_t n) {
    for (size_t i = 0; i < n; i++) x[i] = (float)(cap * tanh(x[i] / (double)cap));
}

static void k_reference_rmsnorm_heads(float *x, const float *weight, float epsilon, size_t tokens, size_t heads,
                                      size_t head_dim, size_t row_stride) {
    for (size_t i = 0; i < tokens * heads; i++) {
        float *head = x + i / heads * row_stride + i % heads * head_dim;
        double squares = 0;
        for (size_t j = 0; j < head_dim; j++) squares += (double)head[j] * head[j];
        double inverse = 1 / sqrt(squares / (double)head_dim + epsilon);
        for (size_t j = 0; j < head_dim; j++) head[j] = (float)(head[j] * inverse * weight[j]);
    }
}

static double k_reference_sum_of_squares(const float *x, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += (double)x[i] * x[i];
    return sum;
}

static void k_reference_column_sums(float *out, const float *x, size_t rows, size_t d, bool accumulate) {
    for (size_t j = 0; j < d; j++) {
        double sum = accumulate ? out[j] : 0;
        for (size_t i = 0; i < rows; i++) sum += x[i * d + j];
        out[j] = (float)sum;
    }
}

// MARK: 16-bit formats

/// The value of a format of 16 bits with a sign, `exponent` bits and the rest a fraction; IEEE 754's rules.
static double value_of(uint16_t bits, int exponent) {
    int fraction = 15 - exponent, bias = (1 << (exponent - 1)) - 1;
    int e = (bits & 0x7fff) >> fraction, m = bits & ((1 << fraction) - 1);
    double sign = bits & 0x8000 ? -1 : 1;
    if (e == (1 << exponent) - 1) return m ? NAN : sign * INFINITY;
    return sign * ldexp(e ? m + (1 << fraction) : m, (e ? e : 1) - bias - fraction);
}

/// The nearest of the format's numbers, ties to the even one, found by bisection: codes of positive numbers ascend.
static uint16_t nearest(float x, int exponent) {
    uint16_t sign = signbit(x) ? 0x8000 : 0, infinity = (uint16_t)(((1 << exponent) - 1) << (15 - exponent));
    if (isnan(x)) return (uint16_t)(sign | infinity | (infinity >> 1 & ~infinity) | 1);
    double size = fabs((double)x);
    uint16_t low = 0, high = infinity;
    while (high - low > 1) {
        uint16_t middle = (uint16_t)((low + high) / 2);
        if (value_of(middle, exponent) <= size) {
            low = middle;
        } else {
            high = middle;
        }
    }
    double below = value_of(low, exponent);
    // Infinity stands where the next number would, for rounding.
    double above = high == infinity ? 2 * below - value_of((uint16_t)(low - 1), exponent) : value_of(high, exponent);
    bool up = size - below > above - size || (size - below == above - size && (high & 1) == 0);
    return sign | (up ? high : low);
}

static void k_reference_bf16_to_f32(float *out, const uint16_t *x, size_t n) {
    for (size_t i = 0; i < n; i++) out[i] = (float)value_of(x[i], 8);
}

static void k_reference_f32_to_bf16(uint16_t *out, const float *x, size_t n) {
    for (size_t i = 0; i < n; i++) out[i] = nearest(x[i], 8);
}

static void k_reference_f16_to_f32(float *out, const uint16_t *x, size_t n) {
    for (size_t i = 0; i < n; i++) out[i] = (float)value_of(x[i], 5);
}

static void k_reference_f32_to_f16(uint16_t *out, const float *x, size_t n) {
    for (size_t i = 0; i < n; i++) out[i] = nearest(x[i], 5);
}

// MARK: Normalisation

static void k_reference_rmsnorm(float *out, float *inverse, const float *x, const float *weight, float epsilon,
                                size_t rows, size_t d) {
    for (size_t i = 0; i < rows; i++) {
        double squares = 0;
        for (size_t j = 0; j < d; j++) squares += (double)x[i * d + j] * x[i * d + j];
        double scale = 1 / sqrt(squares / (double)d + epsilon);
        if (inverse) inverse[i] = (float)scale;
        for (size_t j = 0; j < d; j++) out[i * d + j] = (float)(x[i * d + j] * scale * weight[j]);
    }
}

static void k_reference_rmsnorm_backward(float *dx, float *dweight, const float *dy, const float *x,
                                         const float *weight, const float *inverse, size_t rows, size_t d,
                                         bool accumulate) {
    for (size_t i = 0; i < rows; i++) {
        double dot = 0, scale = inverse[i];
        for (size_t j = i * d; j < (i + 1) * d; j++) dot += (double)dy[j] * weight[j - i * d] * x[j] * scale;
        for (size_t j = i * d; j < (i + 1) * d; j++) {
            double unit = x[j] * scale, gradient = (dy[j] * (double)weight[j - i * d] - unit * dot / (double)d) * scale;
            dx[j] = (float)(accumulate ? dx[j] + gradient : gradient);
        }
    }
    for (size_t j = 0; dweight && j < d; j++) {
        double sum = dweight[j];
        for (size_t i = 0; i < rows; i++) sum += (double)dy[i * d + j] * x[i * d + j] * inverse[i];
        dweight[j] = (float)sum;
    }
}

static void k_reference_layernorm(float *out, float *mean, float *inverse, const float *x, const float *weight,
                                  const float *bias, float epsilon, size_t rows, size_t d) {
    for (size_t i = 0; i < rows; i++) {
        double sum = 0, squares = 0;
        for (size_t j = i * d; j < (i + 1) * d; j++) sum += x[j];
        double middle = sum / (double)d;
        for (size_t j = i * d; j < (i + 1) * d; j++) squares += (x[j] - middle) * (x[j] - middle);
        double scale = 1 / sqrt(squares / (double)d + epsilon);
        if (mean) mean[i] = (float)middle;
        if (inverse) inverse[i] = (float)scale;
        for (size_t j = 0; j < d; j++) {
            out[i * d + j] = (float)((x[i * d + j] - middle) * scale * weight[j] + (bias ? bias[j] : 0));
        }
    }
}

static void k_reference_layernorm_backward(float *dx, float *dweight, float *dbias, const float *dy, const float *x,
                                           const float *weight, const float *mean, const float *inverse, size_t rows,
                                           size_t d, bool accumulate) {
    for (size_t i = 0; i < rows; i++) {
        double dot = 0, sum = 0, scale = inverse[i];
        for (size_t j = i * d; j < (i + 1) * d; j++) {
            double g = dy[j] * (double)weight[j - i * d];
            sum += g;
            dot += g * ((double)x[j] - mean[i]) * scale;
        }
        for (size_t j = i * d; j < (i + 1) * d; j++) {
            double g = dy[j] * (double)weight[j - i * d], unit = ((double)x[j] - mean[i]) * scale;
            double gradient = (g - sum / (double)d - unit * dot / (double)d) * scale;
            dx[j] = (float)(accumulate ? dx[j] + gradient : gradient);
        }
    }
    for (size_t j = 0; j < d; j++) {
        double by_weight = 0, by_bias = 0;
        for (size_t i = 0; i < rows; i++) {
            by_bias += dy[i * d + j];
            by_weight += dy[i * d + j] * ((double)x[i * d + j] - mean[i]) * inverse[i];
        }
        if (dweight) dweight[j] = (float)(dweight[j] + by_weight);
        if (dbias) dbias[j] = (float)(dbias[j] + by_bias);
    }
}

// MARK: Rotary embedding

static void k_reference_rope(float *x, const int32_t *positions, const float *inverse_frequency, size_t tokens,
                             size_t heads, size_t head_dim, size_t row_stride, float direction) {
    size_t half = head_dim / 2;
    for (size_t t = 0; t < tokens; t++) {
        for (size_t i = 0; i < heads * half; i++) {
            float *a = x + t * row_stride + i / half * head_dim + i % half, *b = a + half;
            double angle = direction * (float)positions[t] * inverse_frequency[i % half];  // rounded as in the kernel
            double u = *a, v = *b;
            *a = (float)(u * cos(angle) - v * sin(angle));
            *b = (float)(v * cos(angle) + u * sin(angle));
        }
    }
}

// MARK: Attention

/// Where head h of batch b, row t, starts.
static size_t at(size_t b, size_t t, size_t h, size_t batch, size_t row, size_t head_dim) {
    return b * batch + t * row + h * head_dim;
}

static double dot(const float *a, const float *b, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += (double)a[i] * b[i];
    return sum;
}

static void k_reference_attention(const k_attention_args *args) {
    k_attention_args p = *args;
    double *scores = malloc(p.keys * sizeof(double) + 1);
    for (size_t row = 0; scores && row < p.batch * p.heads * p.queries; row++) {
        size_t t = row % p.queries, h = row / p.queries % p.heads, b = row / p.queries / p.heads;
        size_t seen = p.bidirectional ? p.keys : t + p.keys - p.queries + 1, kv_head = h / (p.heads / p.kv_heads);
        const float *q = p.q + at(b, t, h, p.q_batch, p.q_row, p.head_dim);
        double most = -INFINITY, sum = 0;
        for (size_t j = 0; j < seen; j++) {
            size_t key = at(b, j, kv_head, p.kv_batch, p.kv_row, p.head_dim);
            scores[j] = p.scale * dot(q, p.k + key, p.head_dim);
            most = fmax(most, scores[j]);
        }
        for (size_t j = 0; j < seen; j++) sum += scores[j] = exp(scores[j] - most);
        for (size_t i = 0; i < p.head_dim; i++) {
            double value = 0;
            for (size_t j = 0; j < seen; j++) {
                value += scores[j] * p.v[at(b, j, kv_head, p.kv_batch, p.kv_row, p.head_dim) + i];
            }
            p.out[at(b, t, h, p.out_batch, p.out_row, p.head_dim) + i] = (float)(value / sum);
        }
        if (p.logsumexp) p.logsumexp[row] = (float)(most + log(sum));
    }
    free(scores);
}

/// Sums of one key/value head in double: dk and dv (T,D).
static void backward_of_head(const k_attention_backward_args *args, size_t b, size_t kv_head, double *dk, double *dv) {
    k_attention_args p = args->forward;
    size_t D = p.head_dim, group = p.heads / p.kv_heads;
    for (size_t h = kv_head * group; h < (kv_head + 1) * group; h++) {
        for (size_t t = 0; t < p.queries; t++) {
            size_t query = at(b, t, h, p.q_batch, p.q_row, D), output = at(b, t, h, p.out_batch, p.out_row, D);
            const float *dout = args->dout + output;
            double delta = dot(dout, p.out + output, D), logsumexp = p.logsumexp[(b * p.heads + h) * p.queries + t];
            for (size_t i = 0; i < D; i++) args->dq[query + i] = 0;
            for (size_t j = 0; j < (p.bidirectional ? p.keys : t + 1); j++) {
                size_t key = at(b, j, kv_head, p.kv_batch, p.kv_row, D);
                double probability = exp(p.scale * dot(p.q + query, p.k + key, D) - logsumexp);
                double ds = p.scale * probability * (dot(dout, p.v + key, D) - delta);
                for (size_t i = 0; i < D; i++) {
                    dv[j * D + i] += probability * dout[i];
                    dk[j * D + i] += ds * p.q[query + i];
                    args->dq[query + i] = (float)(args->dq[query + i] + ds * p.k[key + i]);
                }
            }
        }
    }
}

static void k_reference_attention_backward(const k_attention_backward_args *args) {
    k_attention_args p = args->forward;
    size_t D = p.head_dim, count = p.keys * D;
    double *sums = malloc(2 * count * sizeof(double) + 1);
    for (size_t head = 0; sums && head < p.batch * p.kv_heads; head++) {
        size_t b = head / p.kv_heads, kv_head = head % p.kv_heads;
        memset(sums, 0, 2 * count * sizeof(double));
        backward_of_head(args, b, kv_head, sums, sums + count);
        for (size_t i = 0; i < count; i++) {
            size_t key = at(b, i / D, kv_head, p.kv_batch, p.kv_row, D) + i % D;
            args->dk[key] = (float)sums[i];
            args->dv[key] = (float)sums[count + i];
        }
    }
    free(sums);
}

// MARK: Loss, embedding, optimizer

static void k_reference_cross_entropy(float *losses, float *logits, const int32_t *targets, size_t rows, size_t vocab,
                                      float gradient_scale) {
    for (size_t row = 0; row < rows; row++) {
        float *x = logits + row * vocab;
        double most = -INFINITY, sum = 0;
        for (size_t i = 0; i < vocab; i++) most = fmax(most, x[i]);
        for (size_t i = 0; i < vocab; i++) sum += exp(x[i] - most);
        int32_t target = targets[row];
        losses[row] = target < 0 ? 0 : (float)(most + log(sum) - x[target]);
        for (size_t i = 0; gradient_scale != 0 && i < vocab; i++) {
            double softmax = exp(x[i] - most) / sum, hit = (int32_t)i == target;
            x[i] = target < 0 ? 0 : (float)((softmax - hit) * gradient_scale);
        }
    }
}

static void k_reference_embedding(float *out, const float *table, const int32_t *ids, size_t rows, size_t d) {
    for (size_t i = 0; i < rows * d; i++) out[i] = table[(size_t)ids[i / d] * d + i % d];
}

static void k_reference_embedding_backward(float *dtable, const float *dout, const int32_t *ids, size_t rows,
                                           size_t d) {
    for (size_t i = 0; i < rows * d; i++) dtable[(size_t)ids[i / d] * d + i % d] += dout[i];
}

static void k_reference_adamw(float *parameters, const float *gradients, float *m, float *v, size_t n,
                              const k_adamw_args *args) {
    k_adamw_args p = *args;
    for (size_t i = 0; i < n; i++) {
        double g = (double)gradients[i] * p.gradient_scale;
        double mean = p.beta1 * (double)m[i] + (1 - (double)p.beta1) * g;
        double square = p.beta2 * (double)v[i] + (1 - (double)p.beta2) * g * g;
        double kept = parameters[i] * (1 - (double)p.learning_rate * p.weight_decay);
        m[i] = (float)mean;
        v[i] = (float)square;
        parameters[i] = (float)(kept - p.learning_rate * (mean / p.bias1) / (sqrt(square / p.bias2) + p.epsilon));
    }
}

// MARK: The table

const k_table *k_table_reference(void) {
    static const k_table table = {
        .k_gemm = k_reference_gemm,
        .k_linear = k_reference_linear,
        .k_fill = k_reference_fill,
        .k_add = k_reference_add,
        .k_multiply = k_reference_multiply,
        .k_scale = k_reference_scale,
        .k_axpy = k_reference_axpy,
        .k_gelu = k_reference_gelu,
        .k_gelu_backward = k_reference_gelu_backward,
        .k_swiglu = k_reference_swiglu,
        .k_swiglu_backward = k_reference_swiglu_backward,
        .k_geglu = k_reference_geglu,
        .k_clamped_swiglu = k_reference_clamped_swiglu,
        .k_gelu_erf = k_reference_gelu_erf,
        .k_softcap = k_reference_softcap,
        .k_rmsnorm_heads = k_reference_rmsnorm_heads,
        .k_sum_of_squares = k_reference_sum_of_squares,
        .k_column_sums = k_reference_column_sums,
        .k_bf16_to_f32 = k_reference_bf16_to_f32,
        .k_f32_to_bf16 = k_reference_f32_to_bf16,
        .k_f16_to_f32 = k_reference_f16_to_f32,
        .k_f32_to_f16 = k_reference_f32_to_f16,
        .k_rmsnorm = k_reference_rmsnorm,
        .k_rmsnorm_backward = k_reference_rmsnorm_backward,
        .k_layernorm = k_reference_layernorm,
        .k_layernorm_backward = k_reference_layernorm_backward,
        .k_rope = k_reference_rope,
        .k_attention = k_reference_attention,
        .k_attention_backward = k_reference_attention_backward,
        .k_paged_store = k_reference_paged_store,
        .k_paged_attention = k_reference_paged_attention,
        .k_convolution = k_reference_convolution,
        .k_convolution_weight_gradient = k_reference_convolution_weight_gradient,
        .k_space_to_depth = k_reference_space_to_depth,
        .k_modulate = k_reference_modulate,
        .k_modulate_backward = k_reference_modulate_backward,
        .k_relax = k_reference_relax,
        .k_relax_backward = k_reference_relax_backward,
        .k_cross_entropy = k_reference_cross_entropy,
        .k_embedding = k_reference_embedding,
        .k_embedding_backward = k_reference_embedding_backward,
        .k_adamw = k_reference_adamw,
    };
    return &table;
}
