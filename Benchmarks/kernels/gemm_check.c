// SPDX-License-Identifier: Apache-2.0
//
// Checks k_gemm against a product in double: every instruction set, transposition, odd sizes, accumulation, bias, both
// epilogues; that one and more threads agree bit for bit; that rows do not depend on how many there are; that nothing
// outside C is written. Prints one line per instruction set; exits with 1 on a fault.
#include "qalam_kernels.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GUARD = 3 };  // columns of every row of C and aux that must stay as they are

static uint64_t state = 1;

static float uniform(void) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (float)((double)(state >> 40) / (1 << 23) - 1);
}

static float *random_floats(size_t n) {
    float *x = malloc((n + 1) * sizeof(float));
    for (size_t i = 0; i < n; i++) x[i] = uniform();
    return x;
}

static double gelu(double x) { return x / 2 * (1 + tanh(sqrt(2 / M_PI) * (x + 0.044715 * x * x * x))); }

static double gelu_slope(double x) {
    double t = tanh(sqrt(2 / M_PI) * (x + 0.044715 * x * x * x));
    return (1 + t) / 2 + x / 2 * (1 - t * t) * sqrt(2 / M_PI) * (1 + 3 * 0.044715 * x * x);
}

/// One element in double, and in *scale the sum of the absolute products.
static double element(const k_gemm_args *g, size_t i, size_t j, double *scale) {
    double sum = 0;
    *scale = 1e-3;
    for (size_t k = 0; k < g->k; k++) {
        double a = g->a[g->a_transposed ? k * g->lda + i : i * g->lda + k];
        double b = g->b[g->b_transposed ? j * g->ldb + k : k * g->ldb + j];
        sum += a * b;
        *scale += fabs(a * b);
    }
    return sum;
}

static size_t faults;
static double worst;

static void expect(bool ok, const k_gemm_args *g, const char *what) {
    if (ok || faults++ > 20) return;
    printf("FAULT %s: m=%zu n=%zu k=%zu ta=%d tb=%d accumulate=%d bias=%d epilogue=%d aux=%d isa=%s\n", what, g->m,
           g->n, g->k, g->a_transposed, g->b_transposed, g->accumulate, g->bias != NULL, g->epilogue, g->aux != NULL,
           k_isa_name(k_isa_current()));
}

/// Compares C (and aux) with the product in double; `before` is C before the call.
static void compare(const k_gemm_args *g, const float *before, const float *aux_before) {
    bool guards = true;
    for (size_t i = 0; i < g->m; i++) {
        for (size_t j = 0; j < g->n; j++) {
            if (g->m * g->n > 20000 && uniform() < 0.98f) continue;
            size_t at = i * g->ldc + j;
            double scale, z = element(g, i, j, &scale) + (g->bias ? g->bias[j] : 0);
            if (g->accumulate) z += before[at];
            double want = z;
            if (g->epilogue == K_EPILOGUE_GELU) want = gelu(z);
            if (g->epilogue == K_EPILOGUE_MULTIPLY) want = z * aux_before[at];
            scale += fabs(z) + fabs(want);
            double error = fabs(g->c[at] - want) / scale;
            if (g->aux && g->epilogue == K_EPILOGUE_GELU) {
                error = fmax(error, fabs(g->aux[at] - gelu_slope(z)) / (scale + 1));
            }
            if (error > worst) worst = error;
            expect(error < 2e-6, g, "value");
        }
        for (size_t j = g->n; j < g->ldc; j++) {
            size_t at = i * g->ldc + j;
            guards = guards && g->c[at] == before[at] && (!g->aux || g->aux[at] == aux_before[at]);
        }
    }
    expect(guards, g, "guard");
}

typedef enum { PLAIN, ACCUMULATE, BIAS, GELU, GELU_AUX, MULTIPLY, VARIANTS } variant;

static void check(size_t m, size_t n, size_t k, bool ta, bool tb, variant v) {
    k_gemm_args g = {.m = m, .n = n, .k = k, .a_transposed = ta, .b_transposed = tb};
    g.lda = (ta ? m : k) + 1;
    g.ldb = (tb ? k : n) + 2;
    g.ldc = n + GUARD;
    float *a = random_floats((ta ? k : m) * g.lda), *b = random_floats((tb ? n : k) * g.ldb);
    float *before = random_floats(m * g.ldc), *aux_before = random_floats(m * g.ldc), *bias = random_floats(n);
    float *c = random_floats(m * g.ldc), *aux = random_floats(m * g.ldc), *one = random_floats(m * g.ldc);
    g.a = a, g.b = b, g.c = c;
    g.accumulate = v == ACCUMULATE;
    g.bias = v == BIAS || v == GELU_AUX ? bias : NULL;
    g.epilogue = v == GELU || v == GELU_AUX ? K_EPILOGUE_GELU : v == MULTIPLY ? K_EPILOGUE_MULTIPLY : 0;
    g.aux = v == GELU_AUX || v == MULTIPLY ? aux : NULL;
    for (size_t threads = 1; threads <= 3; threads++) {
        k_threads_set(threads);
        memcpy(c, before, m * g.ldc * sizeof(float));
        memcpy(aux, aux_before, m * g.ldc * sizeof(float));
        k_gemm(&g);
        if (threads == 1) {
            compare(&g, before, aux_before);
            memcpy(one, c, m * g.ldc * sizeof(float));
        }
        expect(memcmp(one, c, m * g.ldc * sizeof(float)) == 0, &g, "threads");
    }
    if (m > 1) {  // the last row alone
        g.m = 1, g.a = a + (ta ? m - 1 : (m - 1) * g.lda), g.c = c + (m - 1) * g.ldc;
        if (g.aux) g.aux = aux + (m - 1) * g.ldc;
        memcpy(c, before, m * g.ldc * sizeof(float));
        memcpy(aux, aux_before, m * g.ldc * sizeof(float));
        k_gemm(&g);
        expect(memcmp(one + (m - 1) * g.ldc, g.c, n * sizeof(float)) == 0, &g, "row alone");
    }
    free(a), free(b), free(before), free(aux_before), free(bias), free(c), free(aux), free(one);
}

static void check_all(void) {
    static const size_t sizes[] = {1, 2, 3, 5, 7, 8, 13, 15, 16, 17, 33, 100};
    enum { COUNT = sizeof(sizes) / sizeof(sizes[0]) };
    for (int t = 0; t < 4; t++) {
        for (size_t i = 0; i < COUNT * COUNT; i++) {
            size_t k = i % 7 == 6 ? 0 : sizes[(i * 5 + i / COUNT) % COUNT];
            check(sizes[i / COUNT], sizes[i % COUNT], k, t & 1, t & 2, (variant)((i + (size_t)t) % VARIANTS));
        }
        static const size_t large[][3] = {{300, 290, 1100}, {1, 700, 1030}, {3, 2000, 300}, {257, 513, 129},
                                          {700, 1, 600},    {5, 4700, 600}, {29, 65, 3000}, {4200, 4150, 9},
                                          {64, 64, 5000},   {100, 5000, 2}, {600, 31, 777}, {40, 50, 9000}};
        for (size_t i = 0; i < sizeof(large) / sizeof(large[0]); i++) {
            size_t m = large[i][0], n = large[i][1], k = large[i][2];
            for (int v = 0; v < VARIANTS; v++) {
                if (m * n < 4000000 || v == GELU_AUX + t % 2) check(m, n, k, t & 1, t & 2, (variant)v);
            }
        }
    }
}

int main(void) {
    for (int isa = K_ISA_GENERIC; isa <= K_ISA_LAST; isa++) {
        if (!k_isa_select((k_isa)isa)) continue;
        size_t earlier = faults;
        worst = 0;
        check_all();
        printf("%-8s %s, worst error %.1e of the sum of absolute products\n", k_isa_name((k_isa)isa),
               faults == earlier ? "right" : "WRONG", worst);
    }
    return faults != 0;
}
