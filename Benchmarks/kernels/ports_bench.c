// SPDX-License-Identifier: Apache-2.0
//
// How many multiply-add instructions of 512 bits this processor starts a second: the limit of products in blocks.
//
//     ports_bench [threads]
#include "bench.h"

#include <pthread.h>

#if defined(__x86_64__)
#include <immintrin.h>

enum { CHAINS = 12, STEPS = 20000000 };

/// Independent chains of one instruction, so that only its own throughput counts; returns instructions a second.
#define PORT(name, targets, type, zero, step)                                                                          \
    __attribute__((target(targets), noinline)) static double name(void) {                                              \
        type sum[CHAINS], x = zero;                                                                                    \
        for (int i = 0; i < CHAINS; i++) sum[i] = zero;                                                                \
        double start = now();                                                                                          \
        for (int i = 0; i < STEPS; i++) {                                                                              \
            __asm__ volatile("" : "+v"(x));                                                                            \
            _Pragma("clang loop unroll(full)") for (int j = 0; j < CHAINS; j++) sum[j] = step(sum[j], x);              \
        }                                                                                                              \
        double time = now() - start;                                                                                   \
        for (int i = 0; i < CHAINS; i++) __asm__ volatile("" ::"v"(sum[i]));                                           \
        return (double)CHAINS * STEPS / time;                                                                          \
    }

#define FMA(sum, x) _mm512_fmadd_ps(x, x, sum)
#define BF16(sum, x) _mm512_dpbf16_ps(sum, (__m512bh)x, (__m512bh)x)
#define BYTES(sum, x) _mm512_dpbusd_epi32(sum, x, x)
#define SHORTS(sum, x) _mm512_dpwssd_epi32(sum, x, x)
PORT(fma, "avx512f", __m512, _mm512_setzero_ps(), FMA)
PORT(bf16, "avx512f,avx512bf16", __m512, _mm512_setzero_ps(), BF16)
PORT(bytes, "avx512f,avx512vnni", __m512i, _mm512_setzero_si512(), BYTES)
PORT(shorts, "avx512f,avx512vnni", __m512i, _mm512_setzero_si512(), SHORTS)

/// The same with what a block of 32 columns needs beside its dot products, a conversion, the product of two scales and
/// a multiply-add, for eight rows of activations; returns dot products a second.
#define BLOCK(name, dots, step)                                                                                        \
    __attribute__((target("avx512f,avx512vnni"), noinline)) static double name(void) {                                 \
        enum { ROWS = 8 };                                                                                             \
        __m512 sum[ROWS], scales = _mm512_set1_ps(1), factor = scales;                                                 \
        __m512i x = _mm512_setzero_si512();                                                                            \
        __asm__ volatile("" : "+v"(scales));                                                                           \
        for (int i = 0; i < ROWS; i++) sum[i] = _mm512_setzero_ps();                                                   \
        double start = now();                                                                                          \
        for (int block = 0; block < STEPS / (dots); block++) {                                                         \
            __m512i products[ROWS];                                                                                    \
            _Pragma("clang loop unroll(full)") for (int i = 0; i < ROWS; i++) {                                        \
                products[i] = _mm512_setzero_si512();                                                                  \
                __asm__ volatile("" : "+v"(products[i]));                                                              \
            }                                                                                                          \
            _Pragma("clang loop unroll(full)") for (int d = 0; d < (dots); d++) {                                      \
                __asm__ volatile("" : "+v"(x));                                                                        \
                _Pragma("clang loop unroll(full)") for (int i = 0; i < ROWS; i++) products[i] = step(products[i], x);  \
            }                                                                                                          \
            _Pragma("clang loop unroll(full)") for (int i = 0; i < ROWS; i++) {                                        \
                __asm__ volatile("" : "+v"(factor));                                                                   \
                sum[i] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(products[i]), scales * factor, sum[i]);                    \
            }                                                                                                          \
        }                                                                                                              \
        double time = now() - start;                                                                                   \
        for (int i = 0; i < ROWS; i++) __asm__ volatile("" ::"v"(sum[i]));                                             \
        return (double)ROWS * (STEPS / (dots)) * (dots) / time;                                                        \
    }
BLOCK(bytes_block, 8, BYTES)
BLOCK(shorts_block, 16, SHORTS)

typedef struct {
    const char *name, *feature;
    double (*run)(void);
    double operations;  // of one instruction: multiplications and additions
} port;

static const port ports[] = {
    {"vfmadd231ps (float32)", "avx512f", fma, 32},
    {"vdpbf16ps (bfloat16)", "avx512bf16", bf16, 64},
    {"vpdpwssd (int16)", "avx512vnni", shorts, 64},
    {"vpdpbusd (int8)", "avx512vnni", bytes, 128},
    {"blocks of 32 as int16", "avx512vnni", shorts_block, 64},
    {"blocks of 32 as int8", "avx512vnni", bytes_block, 128},
};

static bool has(const char *feature) {
    if (strcmp(feature, "avx512f") == 0) return __builtin_cpu_supports("avx512f");
    if (strcmp(feature, "avx512bf16") == 0) return __builtin_cpu_supports("avx512bf16");
    return __builtin_cpu_supports("avx512vnni");
}

static void *run(void *result) {
    double *rates = result;
    for (size_t i = 0; i < sizeof ports / sizeof *ports; i++) rates[i] = has(ports[i].feature) ? ports[i].run() : 0;
    return NULL;
}

int main(int count, char **arguments) {
    size_t threads = count > 1 ? strtoul(arguments[1], NULL, 10) : 2;
    pthread_t handles[64];
    enum { PORTS = sizeof ports / sizeof *ports };
    double rates[64][PORTS], all[PORTS] = {0};
    if (threads < 1 || threads > 64) return 2;
    for (size_t t = 0; t < threads; t++) pthread_create(&handles[t], NULL, run, rates[t]);
    for (size_t t = 0; t < threads; t++) {
        pthread_join(handles[t], NULL);
        for (size_t i = 0; i < PORTS; i++) all[i] += rates[t][i];
    }
    for (size_t i = 0; i < PORTS; i++) {
        printf("%-22s %5.2f G/s, %4.0f GOP/s on %zu threads\n", ports[i].name, all[i] / 1e9,
               all[i] * ports[i].operations / 1e9, threads);
    }
    return 0;
}
#else
int main(void) {
    printf("made for x86-64 only\n");
    return 0;
}
#endif
