// SPDX-License-Identifier: Apache-2.0
//
// Measures every kernel but the matrix product (gemm_bench.c): the best of several runs, as GB/s against a measured
// k_axpy on memory, or as GFLOP/s against measured chains of fused multiply-adds.
//
//     ops_bench [--json] [--isa generic|avx2|avx512|neon] [--threads n] [--only text]
//
// Bytes are what has to be read and written once; operations of causal attention are those of the lower triangle.
#define _GNU_SOURCE
#include "qalam_kernels.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static struct {
    bool json;
    const char *only;
    double gigabytes, gigaflops;  // per second, all threads: the peaks
    size_t printed;
} bench;

/// With one thread the time spent computing, so that a busy machine disturbs less.
static double seconds(void) {
    struct timespec t;
    clock_gettime(k_threads() == 1 ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static float *floats(size_t n) {
    float *x = aligned_alloc(64, (n * sizeof(float) + 4096) / 64 * 64);
    if (!x) abort();
    uint32_t state = 1;
    for (size_t i = 0; i < n; i++) {
        state = state * 1664525 + 1013904223;
        x[i] = (float)((double)state / 2147483648.0 - 1);
    }
    return x;
}

// MARK: Peaks

enum { FMA_ROUNDS = 400000, FMA_CHAINS = 12 };

#if defined(__x86_64__)
typedef float wide __attribute__((ext_vector_type(8)));
#define FMA_TARGET __attribute__((target("avx2,fma")))
#else
typedef float wide __attribute__((ext_vector_type(4)));
#define FMA_TARGET
#endif

FMA_TARGET static void fma_chains(void *context, size_t chunk) {
    wide sum[FMA_CHAINS], a = (wide)0.999f, b = (wide)(float)chunk;
    for (int i = 0; i < FMA_CHAINS; i++) sum[i] = (wide)(float)i;
    for (int round = 0; round < FMA_ROUNDS; round++) {
        for (int i = 0; i < FMA_CHAINS; i++) sum[i] = __builtin_elementwise_fma(sum[i], a, b);
    }
    float total = 0;
    for (int i = 0; i < FMA_CHAINS; i++) total += sum[i][0];
    ((volatile float *)context)[chunk] = total;
}

static void measure_peaks(void) {
    size_t threads = k_threads(), n = 1 << 25;
    float *sink = floats(threads), *a = floats(n), *b = floats(n);
    double fma = INFINITY, copy = INFINITY;
    for (int i = 0; i < 20; i++) {
        double start = seconds();
        k_parallel_for(threads, fma_chains, sink);
        fma = fmin(fma, seconds() - start);
        start = seconds();
        k_axpy(b, 0.5f, a, n);
        copy = fmin(copy, seconds() - start);
    }
    double lanes = sizeof(wide) / sizeof(float);
    bench.gigaflops = 2e-9 * lanes * FMA_ROUNDS * FMA_CHAINS * (double)threads / fma;
    bench.gigabytes = 12e-9 * (double)n / copy;
    free(sink), free(a), free(b);
}

// MARK: Measuring

/// Runs `body` for about a quarter of a second and prints its best time. `work` is in bytes or, if `flops`, operations.
static void measure(const char *name, double work, bool flops, void (*body)(void *), void *context) {
    if (bench.only && !strstr(name, bench.only)) return;
    double best = INFINITY, total = 0;
    body(context);
    for (int runs = 0; runs < 3 || total < 0.25; runs++) {
        double start = seconds();
        body(context);
        double taken = seconds() - start;
        best = fmin(best, taken);
        total += taken;
    }
    double rate = 1e-9 * work / best, peak = flops ? bench.gigaflops : bench.gigabytes;
    const char *unit = flops ? "GFLOP/s" : "GB/s";
    if (bench.json) {
        printf("%s\n    {\"name\": \"%s\", \"microseconds\": %.2f, \"rate\": %.2f, \"unit\": \"%s\", \"share\": %.3f}",
               bench.printed ? "," : "", name, best * 1e6, rate, unit, rate / peak);
    } else {
        printf("%-44s %10.1f us %9.2f %-7s %4.0f%%\n", name, best * 1e6, rate, unit, 100 * rate / peak);
    }
    bench.printed++;
}

/// Everything a kernel may want; each case uses some of it.
typedef struct {
    size_t rows, d;
    float *x, *y, *z, *w, *weight, *bias, *mean, *inverse;
    int32_t *ids;
} operands;

#define CASE(name, call)                                                                                               \
    static void name(void *context) {                                                                                  \
        operands o = *(operands *)context;                                                                             \
        size_t n = o.rows * o.d;                                                                                       \
        (void)n;                                                                                                       \
        call;                                                                                                          \
    }

static const k_adamw_args adamw_args = {1e-3f, 0.9f, 0.95f, 1e-8f, 0.1f, 0.5f, 0.5f, 1};
static volatile double sink;

CASE(run_add, k_add(o.z, o.x, o.y, n))
CASE(run_axpy, k_axpy(o.y, 1e-9f, o.x, n))
CASE(run_gelu, k_gelu(o.z, o.x, n))
CASE(run_gelu_backward, k_gelu_backward(o.z, o.y, o.x, n))
CASE(run_swiglu, k_swiglu(o.z, o.x, o.rows, o.d / 2))
CASE(run_swiglu_backward, k_swiglu_backward(o.z, o.y, o.x, o.rows, o.d / 2))
CASE(run_squares, sink = k_sum_of_squares(o.x, n))
CASE(run_columns, k_column_sums(o.weight, o.x, o.rows, o.d, false))
CASE(run_to_bf16, k_f32_to_bf16((uint16_t *)o.z, o.x, n))
CASE(run_from_bf16, k_bf16_to_f32(o.z, (const uint16_t *)o.x, n))
CASE(run_to_f16, k_f32_to_f16((uint16_t *)o.z, o.x, n))
CASE(run_from_f16, k_f16_to_f32(o.z, (const uint16_t *)o.x, n))
CASE(run_rms, k_rmsnorm(o.z, o.inverse, o.x, o.weight, 1e-5f, o.rows, o.d))
CASE(run_rms_backward, k_rmsnorm_backward(o.z, o.bias, o.y, o.x, o.weight, o.inverse, o.rows, o.d, true))
CASE(run_layer, k_layernorm(o.z, o.mean, o.inverse, o.x, o.weight, o.bias, 1e-5f, o.rows, o.d))
CASE(run_layer_backward,
     k_layernorm_backward(o.z, o.bias, o.weight, o.y, o.x, o.weight, o.mean, o.inverse, o.rows, o.d, true))
CASE(run_rope, k_rope(o.x, o.ids, o.inverse, o.rows, o.d / 64, 64, o.d, 1))
CASE(run_loss, k_cross_entropy(o.mean, o.x, o.ids, o.rows, o.d, 0))
CASE(run_loss_gradient, k_cross_entropy(o.mean, o.x, o.ids, o.rows, o.d, 1))
CASE(run_embedding, k_embedding(o.z, o.x, o.ids, o.rows, o.d))
CASE(run_embedding_backward, k_embedding_backward(o.z, o.x, o.ids, o.rows, o.d))
CASE(run_adamw, k_adamw(o.x, o.y, o.z, o.w, n, &adamw_args))

static operands operands_of(size_t rows, size_t d, int32_t id_limit) {
    size_t n = rows * d, side = rows > d ? rows : d;
    operands o = {.rows = rows, .d = d, .x = floats(n), .y = floats(n), .z = floats(n), .w = floats(n),
                  .weight = floats(d), .bias = floats(d), .mean = floats(side), .inverse = floats(side),
                  .ids = (int32_t *)floats(rows)};
    for (size_t i = 0; i < rows; i++) o.ids[i] = (int32_t)((i * 2654435761u) % (uint32_t)id_limit);
    for (size_t i = 0; i < n; i++) o.w[i] *= o.w[i];
    return o;
}

static void release(operands o) {
    free(o.x), free(o.y), free(o.z), free(o.w), free(o.weight), free(o.bias), free(o.mean), free(o.inverse);
    free(o.ids);
}

static void measure_elementwise(void) {
    operands o = operands_of(8192, 1536, 4096);
    double n = (double)(o.rows * o.d);
    measure("add", 12 * n, false, run_add, &o);
    measure("axpy", 12 * n, false, run_axpy, &o);
    measure("gelu", 8 * n, false, run_gelu, &o);
    measure("gelu_backward", 12 * n, false, run_gelu_backward, &o);
    measure("swiglu", 6 * n, false, run_swiglu, &o);
    measure("swiglu_backward", 10 * n, false, run_swiglu_backward, &o);
    measure("sum_of_squares", 4 * n, false, run_squares, &o);
    measure("column_sums", 4 * n, false, run_columns, &o);
    measure("f32_to_bf16", 6 * n, false, run_to_bf16, &o);
    measure("bf16_to_f32", 6 * n, false, run_from_bf16, &o);
    measure("f32_to_f16", 6 * n, false, run_to_f16, &o);
    measure("f16_to_f32", 6 * n, false, run_from_f16, &o);
    measure("adamw", 28 * n, false, run_adamw, &o);
    release(o);
}

static void measure_rows(void) {
    operands o = operands_of(16384, 384, 4096);
    double n = (double)(o.rows * o.d);
    measure("rmsnorm d=384", 8 * n, false, run_rms, &o);
    measure("rmsnorm_backward d=384", 16 * n, false, run_rms_backward, &o);
    measure("layernorm d=384", 8 * n, false, run_layer, &o);
    measure("layernorm_backward d=384", 16 * n, false, run_layer_backward, &o);
    measure("embedding d=384", 8 * n, false, run_embedding, &o);
    measure("embedding_backward d=384", 12 * n, false, run_embedding_backward, &o);
    measure("rope d=384", 8 * n, false, run_rope, &o);
    release(o);
    static const struct {
        size_t rows, vocab;
    } losses[] = {{2048, 4096}, {256, 50257}, {64, 151936}};
    for (size_t i = 0; i < sizeof losses / sizeof *losses; i++) {
        operands l = operands_of(losses[i].rows, losses[i].vocab, 4096);
        double size = (double)(l.rows * l.d);
        char name[64];
        snprintf(name, sizeof name, "cross_entropy %zux%zu", l.rows, l.d);
        measure(name, 4 * size, false, run_loss, &l);
        snprintf(name, sizeof name, "cross_entropy with gradient %zux%zu", l.rows, l.d);
        measure(name, 12 * size, false, run_loss_gradient, &l);
        release(l);
    }
}

// MARK: Attention

static void run_attention(void *context) { k_attention(&((k_attention_backward_args *)context)->forward); }
static void run_attention_backward(void *context) { k_attention_backward(context); }

static void measure_training_attention(size_t batch, size_t t, size_t heads, size_t d) {
    size_t row = 3 * heads * d, n = batch * t * row;
    float *qkv = floats(n), *gradient = floats(n), *out = floats(n / 3), *dout = floats(n / 3);
    k_attention_args args = {
        .batch = batch, .queries = t, .keys = t, .heads = heads, .kv_heads = heads, .head_dim = d,
        .scale = 1 / sqrtf((float)d), .q = qkv, .q_row = row, .q_batch = t * row, .k = qkv + heads * d,
        .v = qkv + 2 * heads * d, .kv_row = row, .kv_batch = t * row, .out = out, .out_row = heads * d,
        .out_batch = t * heads * d, .logsumexp = floats(batch * heads * t)};
    k_attention_backward_args backward = {
        .forward = args, .dout = dout, .dq = gradient, .dk = gradient + heads * d, .dv = gradient + 2 * heads * d};
    double pairs = (double)(batch * heads) * (double)t * (double)(t + 1) / 2;
    char name[64];
    snprintf(name, sizeof name, "attention B=%zu T=%zu H=%zu D=%zu", batch, t, heads, d);
    measure(name, 4 * pairs * (double)d, true, run_attention, &backward);
    k_attention(&args);
    snprintf(name, sizeof name, "attention_backward B=%zu T=%zu H=%zu D=%zu", batch, t, heads, d);
    measure(name, 10 * pairs * (double)d, true, run_attention_backward, &backward);
    free(qkv), free(gradient), free(out), free(dout), free(args.logsumexp);
}

static void measure_decoding(size_t keys, size_t heads, size_t kv_heads, size_t d) {
    size_t row = kv_heads * d, n = keys * row;
    float *q = floats(heads * d), *k = floats(n), *v = floats(n), *out = floats(heads * d);
    k_attention_backward_args args = {
        .forward = {.batch = 1, .queries = 1, .keys = keys, .heads = heads, .kv_heads = kv_heads, .head_dim = d,
                    .scale = 1 / sqrtf((float)d), .q = q, .q_row = heads * d, .k = k, .v = v, .kv_row = row,
                    .out = out, .out_row = heads * d}};
    char name[64];
    snprintf(name, sizeof name, "decode keys=%zu H=%zu/%zu D=%zu", keys, heads, kv_heads, d);
    measure(name, 8 * (double)n, false, run_attention, &args);
    free(q), free(k), free(v), free(out);
}

int main(int count, char **arguments) {
    for (int i = 1; i < count; i++) {
        bool more = i + 1 < count;
        if (strcmp(arguments[i], "--json") == 0) {
            bench.json = true;
        } else if (strcmp(arguments[i], "--threads") == 0 && more) {
            k_threads_set(strtoul(arguments[++i], NULL, 10));
        } else if (strcmp(arguments[i], "--only") == 0 && more) {
            bench.only = arguments[++i];
        } else if (strcmp(arguments[i], "--isa") == 0 && more) {
            const char *name = arguments[++i];
            int isa = 0;
            while (isa < K_ISA_LAST && strcmp(name, k_isa_name((k_isa)isa)) != 0) isa++;
            if (strcmp(name, k_isa_name((k_isa)isa)) == 0 && k_isa_select((k_isa)isa)) continue;
            fprintf(stderr, "ops_bench: no instruction set %s here\n", name);
            return 2;
        } else {
            fprintf(stderr, "usage: ops_bench [--json] [--isa name] [--threads n] [--only text]\n");
            return 2;
        }
    }
    measure_peaks();
    const char *form = bench.json ? "{\"isa\": \"%s\", \"threads\": %zu, \"peak_gigaflops\": %.1f, "
                                    "\"peak_gigabytes\": %.1f, \"results\": ["
                                  : "%s, %zu threads; peaks: %.1f GFLOP/s, %.1f GB/s (axpy)\n";
    printf(form, k_isa_name(k_isa_current()), k_threads(), bench.gigaflops, bench.gigabytes);
    measure_elementwise();
    measure_rows();
    measure_training_attention(16, 256, 6, 48);
    measure_training_attention(4, 512, 12, 64);
    measure_training_attention(8, 512, 8, 64);
    measure_training_attention(1, 4096, 2, 128);
    measure_decoding(64, 12, 12, 64);
    measure_decoding(512, 12, 12, 64);
    measure_decoding(512, 32, 8, 128);
    measure_decoding(4096, 12, 12, 64);
    measure_decoding(4096, 32, 8, 128);
    if (bench.json) printf("\n]}\n");
    return 0;
}
