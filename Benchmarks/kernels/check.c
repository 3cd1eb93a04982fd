// SPDX-License-Identifier: Apache-2.0
//
// Checks every kernel but the matrix product (gemm_check.c) against its naive twin in double: random shapes with odd
// tails, every instruction set here, nothing written past the ends, and the same bits with one, two and five threads.
// Prints the largest error of each kernel and its tolerance; exits with 1 on a fault.
//
//     check [cases]      cases per kernel and instruction set, 25 unless told
#include "qalam_kernels_reference.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GUARD = 8 };  // floats after each output that must stay as they are

// MARK: Random numbers and memory

static uint64_t state;

static uint32_t next_bits(void) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 32);
}

static float uniform(void) { return (float)((double)next_bits() / 2147483648.0 - 1); }

static size_t between(size_t low, size_t high) { return low + next_bits() % (high - low + 1); }

/// What a case allocated, freed when it is over.
static void *allocated[64];
static size_t allocations;

static float *floats(size_t n) {
    float *x = malloc((n + GUARD + 1) * sizeof(float));
    if (!x) abort();
    allocated[allocations++] = x;
    for (size_t i = 0; i < n + GUARD + 1; i++) x[i] = uniform();
    return x + 1;  // no lucky alignment
}

static int32_t *ids(size_t n, int32_t low, int32_t high) {
    int32_t *x = (int32_t *)floats(n);
    for (size_t i = 0; i < n; i++) x[i] = low + (int32_t)(next_bits() % (uint32_t)(high - low + 1));
    return x;
}

// MARK: What a case leaves

static float *results;
static size_t result_count, result_space;

/// Records n floats of an output and the guard after them.
static void leave(const float *x, size_t n) {
    n += GUARD;
    if (result_count + n > result_space) {
        result_space = 2 * (result_count + n);
        results = realloc(results, result_space * sizeof(float));
        if (!results) abort();
    }
    memcpy(results + result_count, x, n * sizeof(float));
    result_count += n;
}

static void leave_halves(const uint16_t *x, size_t n) {
    float *wide = floats(n);
    for (size_t i = 0; i < n; i++) wide[i] = x[i];
    leave(wide, n);
}

// MARK: Cases: the same calls to a table of kernels or to their twins

#define CALL(name, ...) (table->k_##name)(__VA_ARGS__)

/// Mostly short, at times long enough to be cut into pieces.
static size_t length(void) { return between(0, 4) ? between(1, 300) : between(60000, 150000); }

static void elementwise(const k_table *table) {
    size_t n = length();
    float *x = floats(n), *y = floats(n), *out[8];
    for (int i = 0; i < 8; i++) out[i] = floats(n);
    for (size_t i = 0; i < n; i++) x[i] *= 6;
    CALL(fill, out[0], x[0], n);
    CALL(add, out[1], x, y, n);
    CALL(add, out[2], out[2], x, n);
    CALL(multiply, out[3], x, y, n);
    CALL(scale, out[4], x[0], n);
    CALL(axpy, out[5], x[0], y, n);
    CALL(gelu, out[6], x, n);
    CALL(gelu_backward, out[7], out[7], x, n);
    for (int i = 0; i < 8; i++) leave(out[i], n);
}

static void swiglu(const k_table *table) {
    size_t d = between(1, 200), rows = length() / d + 1;
    float *x = floats(2 * rows * d), *dy = floats(rows * d), *out = floats(rows * d), *dx = floats(2 * rows * d);
    for (size_t i = 0; i < 2 * rows * d; i++) x[i] *= 8;
    CALL(swiglu, out, x, rows, d);
    CALL(swiglu_backward, dx, dy, x, rows, d);
    leave(out, rows * d);
    leave(dx, 2 * rows * d);
}

static void sums(const k_table *table) {
    size_t d = between(1, 300), rows = length() / d + 1;
    float *x = floats(rows * d), *out = floats(d), *out2 = floats(d), *total = floats(1);
    for (size_t i = 0; i < rows * d; i++) x[i] += 1.5f;  // no cancelling, so that a relative error means something
    *total = (float)CALL(sum_of_squares, x, rows * d);
    CALL(column_sums, out, x, rows, d, false);
    CALL(column_sums, out2, x, rows, d, true);
    leave(out, d);
    leave(out2, d);
    leave(total, 1);
}

static void halves(const k_table *table) {
    size_t n = between(0, 3) ? between(1, 300) : 65536;
    uint16_t *codes = (uint16_t *)floats(n), *half = (uint16_t *)floats(n), *bf16 = (uint16_t *)floats(n);
    float *x = floats(n), *from_half = floats(n), *from_bf16 = floats(n);
    for (size_t i = 0; i < n; i++) {
        codes[i] = (uint16_t)(n == 65536 ? i : next_bits());
        uint32_t bits = next_bits() & (i % 3 ? 0xffffffff : 0xfffff000);  // a third of them near ties
        if (i % 4) bits = (bits & 0x87ffffff) | 0x38000000 | (next_bits() & 0x0f000000);  // in the range of halves
        memcpy(&x[i], &bits, sizeof bits);
        if (isnan(x[i])) x[i] = -INFINITY;
    }
    CALL(f16_to_f32, from_half, codes, n);
    CALL(bf16_to_f32, from_bf16, codes, n);
    CALL(f32_to_f16, half, x, n);
    CALL(f32_to_bf16, bf16, x, n);
    leave(from_half, n);
    leave(from_bf16, n);
    leave_halves(half, n);
    leave_halves(bf16, n);
}

static void norms(const k_table *table) {
    size_t d = between(1, 400), rows = length() / d + 1, n = rows * d;
    float *x = floats(n), *weight = floats(d), *bias = floats(d), *dy = floats(n);
    float *out = floats(n), *out2 = floats(n), *mean = floats(rows), *inverse = floats(rows), *inverse2 = floats(rows);
    float *dx = floats(n), *dx2 = floats(n), *dweight = floats(d), *dweight2 = floats(d), *dbias = floats(d);
    if (d > 3) {
        CALL(layernorm, out, mean, inverse, x, weight, between(0, 1) ? bias : NULL, 1e-5f, rows, d);
        CALL(layernorm_backward, dx, dweight, dbias, dy, x, weight, mean, inverse, rows, d, between(0, 1));
    }
    CALL(rmsnorm, out2, inverse2, x, weight, 1e-2f, rows, d);
    CALL(rmsnorm_backward, dx2, between(0, 3) ? dweight2 : NULL, dy, x, weight, inverse2, rows, d, between(0, 1));
    leave(out, n), leave(out2, n), leave(mean, rows), leave(inverse, rows), leave(inverse2, rows);
    leave(dx, n), leave(dx2, n), leave(dweight, d), leave(dweight2, d), leave(dbias, d);
}

static void rope(const k_table *table) {
    size_t heads = between(1, 8), head_dim = 2 * between(1, 70), tokens = length() / (heads * head_dim) + 1;
    size_t stride = heads * head_dim + between(0, 20);
    float *x = floats(tokens * stride), *frequency = floats(head_dim / 2);
    for (size_t i = 0; i < head_dim / 2; i++) frequency[i] = powf(10000, -2.0f * (float)i / (float)head_dim);
    int32_t *positions = ids(tokens, 0, between(0, 1) ? 300 : 131072);
    CALL(rope, x, positions, frequency, tokens, heads, head_dim, stride, between(0, 1) ? 1 : -1);
    leave(x, tokens * stride);
}

/// Random heads and strides, as slices of a fused projection.
static k_attention_args heads_of(size_t batch, size_t queries, size_t keys) {
    size_t kv_heads = between(1, 3), heads = kv_heads * between(1, 3), d = between(1, 80);
    size_t row = (heads + 2 * kv_heads) * d + between(0, 9), batch_stride = keys * row;
    float *fused = floats(batch * batch_stride);
    return (k_attention_args){
        .batch = batch, .queries = queries, .keys = keys, .heads = heads, .kv_heads = kv_heads, .head_dim = d,
        .scale = 2 / sqrtf((float)d), .q = fused, .q_row = row, .q_batch = batch_stride, .k = fused + heads * d,
        .v = fused + (heads + kv_heads) * d, .kv_row = row, .kv_batch = batch_stride,
        .out = floats(batch * queries * heads * d), .out_row = heads * d, .out_batch = queries * heads * d,
        .logsumexp = floats(batch * heads * queries)};
}

static void attention(const k_table *table) {
    size_t queries = between(0, 1) ? between(1, 20) : between(1, 200);
    size_t keys = queries + (between(0, 2) ? between(0, 130) : between(0, 1500));
    k_attention_args args = heads_of(between(1, 3), queries, keys);
    CALL(attention, &args);
    leave(args.out, args.batch * args.out_batch);
    leave(args.logsumexp, args.batch * args.heads * queries);
}

static void attention_backward(const k_table *table) {
    size_t t = between(1, 200);
    k_attention_args args = heads_of(between(1, 3), t, t);
    size_t n = args.batch * args.q_batch, q = args.heads * args.head_dim, kv = args.kv_heads * args.head_dim;
    float *gradient = floats(n), *dout = floats(args.batch * args.out_batch);
    k_table_reference()->k_attention(&args);
    k_attention_backward_args backward = {
        .forward = args, .dout = dout, .dq = gradient, .dk = gradient + q, .dv = gradient + q + kv};
    CALL(attention_backward, &backward);
    leave(gradient, n);
}

static void loss(const k_table *table) {
    size_t vocab = between(0, 2) ? between(1, 700) : between(4000, 40000), rows = between(1, 9);
    float *logits = floats(rows * vocab), *losses = floats(rows);
    for (size_t i = 0; i < rows * vocab; i++) logits[i] *= 20;
    int32_t *targets = ids(rows, -1, (int32_t)vocab - 1);
    CALL(cross_entropy, losses, logits, targets, rows, vocab, 0);
    leave(losses, rows);
    CALL(cross_entropy, losses, logits, targets, rows, vocab, 0.5f);
    leave(losses, rows);
    leave(logits, rows * vocab);
}

static void embedding(const k_table *table) {
    size_t d = between(1, 200), rows = length() / d + 1, vocab = between(1, 50);
    float *rows_of = floats(vocab * d), *out = floats(rows * d), *dtable = floats(vocab * d), *dout = floats(rows * d);
    for (size_t i = 0; i < rows * d; i++) dout[i] = fabsf(dout[i]);
    int32_t *which = ids(rows, 0, (int32_t)vocab - 1);
    CALL(embedding, out, rows_of, which, rows, d);
    CALL(embedding_backward, dtable, dout, which, rows, d);
    leave(out, rows * d);
    leave(dtable, vocab * d);
}

static void adamw(const k_table *table) {
    size_t n = length();
    float *p = floats(n), *g = floats(n), *m = floats(n), *v = floats(n);
    for (size_t i = 0; i < n; i++) v[i] *= v[i];
    k_adamw_args args = {.learning_rate = 0.01f, .beta1 = 0.9f, .beta2 = 0.95f, .epsilon = 1e-8f,
                         .weight_decay = 0.1f, .bias1 = 0.19f, .bias2 = 0.0975f, .gradient_scale = 0.7f};
    CALL(adamw, p, g, m, v, n, &args);
    leave(p, n), leave(m, n), leave(v, n);
}

static void convolution(const k_table *table) {
    size_t batch = between(1, 3), height = between(1, 19), width = between(1, 19), in = between(1, 40);
    size_t out = between(1, 40), pixels = batch * height * width;
    float *x = floats(pixels * in), *y = floats(pixels * out), *weight = floats(out * 9 * in);
    float *dy = floats(pixels * out);
    k_convolution_args args = {.batch = batch, .height = height, .width = width, .in = in, .out = out, .x = x,
                               .weight = weight, .y = y, .turned = between(0, 1), .accumulate = between(0, 1)};
    if (!args.accumulate) args.bias = floats(out);
    CALL(convolution, &args);
    leave(y, pixels * out);
    args.y = weight;
    CALL(convolution_weight_gradient, &args, dy);
    leave(weight, out * 9 * in);
}

// MARK: Comparing

/// Errors are relative to 1 + the size of the value.
static const struct {
    const char *name;
    void (*run)(const k_table *table);
    double tolerance;
} checks[] = {
    {"elementwise", elementwise, 2e-6}, {"swiglu", swiglu, 2e-6},
    {"sums", sums, 1e-5},               {"16-bit formats", halves, 0},
    {"norms", norms, 1e-4},             {"rope", rope, 1e-6},
    {"attention", attention, 1e-5},     {"attention backward", attention_backward, 2e-5},
    {"cross entropy", loss, 2e-6},      {"embedding", embedding, 2e-5},
    {"adamw", adamw, 1e-6},             {"convolution", convolution, 5e-5},
};

static size_t run(size_t check, size_t number, const k_table *table) {
    state = 1000 * check + number;
    result_count = 0;
    checks[check].run(table);
    while (allocations) free((float *)allocated[--allocations]);
    return result_count;
}

/// The largest error of `count` results; infinite where one is NaN and the other is not.
static double error_of(const float *x, const float *expected, size_t count) {
    double worst = 0;
    for (size_t i = 0; i < count; i++) {
        if (x[i] == expected[i] || (isnan(x[i]) && isnan(expected[i]))) continue;
        double error = fabs((double)x[i] - expected[i]) / (1 + fabs((double)expected[i]));
        worst = error <= worst ? worst : (isnan(error) ? INFINITY : error);
    }
    return worst;
}

static float *copy_results(void) {
    float *copy = malloc(result_count * sizeof(float) + 1);
    if (!copy) abort();
    memcpy(copy, results, result_count * sizeof(float));
    return copy;
}

/// One case on one instruction set; the number of faults.
static int compare(size_t check, size_t number, const k_table *table, const float *expected, double *worst) {
    int faults = 0;
    k_threads_set(1);
    size_t count = run(check, number, table);
    double error = error_of(results, expected, count);
    if (error > *worst) *worst = error;
    if (error > checks[check].tolerance) {
        printf("FAULT %s, case %zu: off by %.2e\n", checks[check].name, number, error);
        faults++;
    }
    float *alone = copy_results();
    for (size_t threads = 2; threads <= 5; threads += 3) {
        k_threads_set(threads);
        run(check, number, table);
        if (memcmp(alone, results, count * sizeof(float)) != 0) {
            printf("FAULT %s, case %zu: other bits with %zu threads\n", checks[check].name, number, threads);
            faults++;
        }
    }
    free(alone);
    return faults;
}

int main(int count, char **arguments) {
    size_t cases = count > 1 ? strtoul(arguments[1], NULL, 10) : 25;
    int faults = 0;
    for (size_t check = 0; check < sizeof checks / sizeof *checks; check++) {
        printf("%-20s tolerance %.0e ", checks[check].name, checks[check].tolerance);
        double worst[K_ISA_LAST + 1] = {0};
        for (size_t number = 0; number < cases; number++) {
            run(check, number, k_table_reference());
            float *expected = copy_results();
            for (int isa = K_ISA_GENERIC; isa <= K_ISA_LAST; isa++) {
                const k_table *table = k_table_of((k_isa)isa);
                if (table) faults += compare(check, number, table, expected, &worst[isa]);
            }
            free(expected);
        }
        for (int isa = K_ISA_GENERIC; isa <= K_ISA_LAST; isa++) {
            if (k_table_of((k_isa)isa)) printf(" %s %.1e", k_isa_name((k_isa)isa), worst[isa]);
        }
        printf("\n");
    }
    printf(faults ? "%d faults\n" : "no faults\n", faults);
    return faults != 0;
}
