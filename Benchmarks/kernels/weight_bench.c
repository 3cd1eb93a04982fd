// SPDX-License-Identifier: Apache-2.0
//
// Products with weights in blocks: first against the naive twin and against themselves at other numbers of rows, then
// their speed at the shapes of models of 0.6B and 135M.
//
//     weight_bench [check | speed] [type …]
#include "bench.h"
#include "qalam_blocks.h"
#include "qalam_kernels_reference.h"
#include "qalam_weights.h"

#include <math.h>

typedef struct {
    k_block_type type;
    const char *name;
    double bound;  // of the relative error: 0 has none but rounding
} kind;

static const kind kinds[] = {
    {K_BLOCK_Q8_0, "Q8_0", 1e-4},   {K_BLOCK_Q4_0, "Q4_0", 1.2e-2}, {K_BLOCK_Q5_0, "Q5_0", 1.2e-2},
    {K_BLOCK_Q4_K, "Q4_K", 3e-2},   {K_BLOCK_Q5_K, "Q5_K", 3e-2},   {K_BLOCK_Q6_K, "Q6_K", 3e-2},
    {K_BLOCK_F16, "F16", 1e-5},     {K_BLOCK_BF16, "BF16", 5e-3},   {K_BLOCK_F32, "F32", 1e-5},
    {K_BLOCK_Q4_1, "Q4_1", 1.2e-2},   {K_BLOCK_Q5_1, "Q5_1", 1.2e-2},   {K_BLOCK_Q2_K, "Q2_K", 3e-2},
    {K_BLOCK_Q3_K, "Q3_K", 3e-2},   {K_BLOCK_IQ4_NL, "IQ4_NL", 1e-4}, {K_BLOCK_IQ4_XS, "IQ4_XS", 1e-4},
    {K_BLOCK_MXFP4, "MXFP4", 1.2e-2},   {K_BLOCK_Q8_0_INT8, "Q8_0_INT8", 1.2e-2},
};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

/// Roughly normal numbers, one in 400 of them twenty times larger.
static float *make_activations(size_t n) {
    float *x = make_floats(n), *y = make_floats(n + 1);
    for (size_t i = 0; i < n; i++) x[i] = (x[i] + y[i + 1] + x[(i * 7) % n]) * (i % 401 == 0 ? 20 : 1);
    free(y);
    return x;
}

/// A weight of random numbers, packed if its type is.
static k_weight make_weight(k_block_type type, size_t rows, size_t columns) {
    float *x = make_floats(rows * columns);
    char *blocks = malloc(rows * columns / k_block_numbers(type) * k_block_bytes(type));
    for (size_t i = 0; i < rows * columns; i++) x[i] *= 0.03f;
    k_block_encode(blocks, type, x, rows, columns);
    k_weight w = {type, rows, columns, blocks, NULL, NULL};
    size_t bytes = k_weight_panel_bytes(type, rows, columns);
    if (bytes) {
        void *panels = make_floats(bytes / 4 + 2048);
        k_weight_pack(panels, &w);
        w.panels = panels;
    }
    free(x);
    return w;
}

static double error_of(const float *y, const float *exact, size_t n) {
    double error = 0, size = 0;
    for (size_t i = 0; i < n; i++) error += pow(y[i] - exact[i], 2), size += pow(exact[i], 2);
    return sqrt(error / size);
}

/// Prints and counts what is wrong with one type on one instruction set.
static int check(const kind *kind, k_isa isa) {
    enum { M = 61 };
    size_t shapes[][2] = {{40, 512}, {16, 256}, {1000, 768}, {7, 2048}};
    int failures = 0;
    for (size_t s = 0; s < 4; s++) {
        size_t rows = shapes[s][0], k = shapes[s][1];
        k_weight w[2] = {make_weight(kind->type, rows, k), make_weight(kind->type, rows + 3, k)};
        float *x = make_activations(M * k), *bias = make_floats(rows), *y[5];
        w[0].bias = bias;
        size_t n = 2 * rows + 3;
        for (int i = 0; i < 5; i++) y[i] = calloc(M * n, sizeof(float));
        k_linear_args args = {M, x, k, w, 2, y[0], n};
        k_table_reference()->k_linear(&args);
        size_t ms[] = {M, 1, 4, 16};
        for (int i = 0; i < 4; i++) {
            args.m = ms[i], args.y = y[i + 1];
            k_table_of(isa)->k_linear(&args);
        }
        double error = error_of(y[1], y[0], M * n);
        bool same = true;
        for (int i = 1; i < 4; i++) same &= memcmp(y[1], y[i + 1], ms[i] * n * sizeof(float)) == 0;
        const void *panels = w[1].panels;  // the same bits are to come out of blocks
        w[1].panels = NULL;
        for (int i = 0; i < 2; i++) {
            args.m = ms[i], args.y = y[4];
            k_table_of(isa)->k_linear(&args);
            same &= memcmp(y[1], y[4], ms[i] * n * sizeof(float)) == 0;
        }
        w[1].panels = panels;
        bool good = error < kind->bound && same;
        if (!good) printf("WRONG ");
        if (!good || s == 2) {
            printf("%-7s %-8s %zux%zu: error %.1e, rows %s\n", kind->name, k_isa_name(isa), rows, k, error,
                   same ? "do not depend on their number" : "DEPEND ON THEIR NUMBER");
        }
        failures += !good;
        for (int i = 0; i < 5; i++) free(y[i]);
    }
    return failures;
}

static void speed(const kind *kind) {
    size_t shapes[][2] = {{3072, 1024}, {1024, 3072}, {1536, 576}, {576, 1536}, {151936, 1024}}, ms[] = {512, 16, 1};
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        size_t rows = shapes[s][0], k = shapes[s][1];
        k_weight w = make_weight(kind->type, rows, k);
        float *x = make_activations(512 * k), *y = make_floats(512 * rows);
        printf("%-7s %6zux%-5zu", kind->name, rows, k);
        for (size_t i = 0; i < 3; i++) {
            size_t repeats = rows > 100000 ? 5 : 21;
            double times[64];
            k_linear_args args = {ms[i], x, k, &w, 1, y, rows};
            for (size_t r = 0; r < repeats; r++) {
                double start = now();
                k_linear(&args);
                times[r] = now() - start;
            }
            double t = median(times, repeats);
            double bytes = (double)(rows * k / k_block_numbers(w.type) * k_block_bytes(w.type));
            printf(" | M=%-3zu %6.1f GOP/s %5.1f GB/s", ms[i], 2.0 * ms[i] * rows * k / t / 1e9, bytes / t / 1e9);
        }
        printf("\n");
        free(x), free(y), free((void *)w.blocks), free((void *)w.panels);
    }
}

int main(int count, char **arguments) {
    bool only_check = count > 1 && strcmp(arguments[1], "check") == 0;
    bool only_speed = count > 1 && strcmp(arguments[1], "speed") == 0;
    if (getenv("THREADS")) k_threads_set(strtoul(getenv("THREADS"), NULL, 10));
    int failures = 0;
    for (size_t i = 0; i < KINDS; i++) {
        bool wanted = count < 3;
        for (int a = 2; a < count; a++) wanted |= strcmp(arguments[a], kinds[i].name) == 0;
        if (!wanted) continue;
        for (int isa = K_ISA_GENERIC; isa <= K_ISA_LAST && !only_speed; isa++) {
            if (k_table_of((k_isa)isa)) failures += check(&kinds[i], (k_isa)isa);
        }
        if (!only_check) speed(&kinds[i]);
    }
    if (failures) printf("%d failures\n", failures);
    return failures > 0;
}
