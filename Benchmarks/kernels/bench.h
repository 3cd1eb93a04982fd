// SPDX-License-Identifier: Apache-2.0
//
// What the kernel benchmarks share: a clock, medians, random numbers, memory, and the peak of fused multiply-adds.
#ifndef QALAM_BENCH_H
#define QALAM_BENCH_H

#include "qalam_kernels.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

/// Whether `now` is the time this thread has run: of use with one thread on a machine that does other work too.
static bool thread_time;

static inline double now(void) {
    struct timespec t;
    clock_gettime(thread_time ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static inline int compare_doubles(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/// The median; sorts x.
static inline double median(double *x, size_t n) {
    qsort(x, n, sizeof(double), compare_doubles);
    return n % 2 ? x[n / 2] : (x[n / 2 - 1] + x[n / 2]) / 2;
}

/// n floats in -1 ..< 1 in pages of their own, huge ones where the system grants them.
static inline float *make_floats(size_t n) {
    size_t bytes = (n * sizeof(float) + (2 << 20) - 1) >> 21 << 21;
    float *x = NULL;
    if (posix_memalign((void **)&x, 2 << 20, bytes) != 0) abort();
#if defined(MADV_HUGEPAGE)
    madvise(x, bytes, MADV_HUGEPAGE);
#endif
    uint64_t state = n;
    for (size_t i = 0; i < n; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        x[i] = (float)((double)(state >> 40) / (1 << 23) - 1);
    }
    return x;
}

// MARK: Peak

enum { PEAK_ROUNDS = 100000, PEAK_CHAINS = 12, PEAK_CHUNKS = 16 };

#define PEAK_BODY(width)                                                                                               \
    typedef float vector __attribute__((ext_vector_type(width)));                                                      \
    volatile float start = 1.5f; /* so that no chain is known to the compiler, or equal to another */                  \
    vector sums[PEAK_CHAINS], x = (vector)(0.9999f), y = (vector)(1e-4f), all = (vector)(0.0f);                        \
    for (int i = 0; i < PEAK_CHAINS; i++) sums[i] = (vector)(start * (float)(i + 2));                                  \
    for (int n = 0; n < PEAK_ROUNDS; n++) {                                                                            \
        _Pragma("clang loop unroll(full)") for (int i = 0; i < PEAK_CHAINS; i++) {                                     \
            sums[i] = __builtin_elementwise_fma(sums[i], x, y);                                                        \
        }                                                                                                              \
    }                                                                                                                  \
    for (int i = 0; i < PEAK_CHAINS; i++) all += sums[i];                                                              \
    *(volatile float *)context = all[0];

#if defined(__x86_64__)
__attribute__((target("avx2,fma"))) static void peak_256(void *context, size_t chunk) { (void)chunk; PEAK_BODY(8) }
__attribute__((target("avx512f"))) static void peak_512(void *context, size_t chunk) { (void)chunk; PEAK_BODY(16) }
#else
static void peak_128(void *context, size_t chunk) { (void)chunk; PEAK_BODY(4) }
#endif

/// GFLOP/s of independent fused multiply-adds on all threads, now.
static inline double peak_now(void) {
    float sink;
    double t = now();
    size_t chunks = PEAK_CHUNKS * k_threads(), width;
#if defined(__x86_64__)
    bool wide = k_isa_current() == K_ISA_AVX512;
    width = wide ? 16 : 8;
    k_parallel_for(chunks, wide ? peak_512 : peak_256, &sink);
#else
    width = 4;
    k_parallel_for(chunks, peak_128, &sink);
#endif
    return 2e-9 * PEAK_ROUNDS * PEAK_CHAINS * (double)(width * chunks) / (now() - t);
}

#endif
