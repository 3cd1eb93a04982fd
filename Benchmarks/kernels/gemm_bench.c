// SPDX-License-Identifier: Apache-2.0
//
// Measures k_gemm on the shapes of training and decoding, against the peak of fused multiply-adds measured in between
// and, if asked, against an OpenBLAS in the same run, call by call in turn.
//
//   gemm_bench [--threads 1,2] [--isa avx2] [--blas /path/libopenblas.so] [--only text] [--seconds 0.5] [--json]
//              [--thread-time: not the time on the wall, with --threads 1]
#include "bench.h"

#include <dlfcn.h>
#include <unistd.h>

typedef struct {
    const char *group;
    size_t m, n, k;
    char kind;  // 'f' forward NT, 'x' gradient of the input NN, 'w' gradient of the weight TN, accumulating
} shape;

/// The three products of a linear layer (rows, in) -> (rows, out).
#define LAYER(group, rows, in, out) \
    {group, rows, out, in, 'f'}, {group, rows, in, out, 'x'}, {group, out, in, rows, 'w'}

static const shape shapes[] = {
    LAYER("d288", 4096, 288, 288),      LAYER("d288", 4096, 288, 864),   LAYER("d288", 4096, 288, 1152),
    LAYER("d288", 4096, 1152, 288),     LAYER("d288", 4096, 288, 4096),  LAYER("d512", 4096, 512, 512),
    LAYER("d512", 4096, 512, 1536),     LAYER("d512", 4096, 512, 2048),  LAYER("d512", 4096, 2048, 512),
    LAYER("d512", 4096, 512, 8192),     LAYER("d768", 2048, 768, 768),   LAYER("d768", 2048, 768, 2304),
    LAYER("d768", 2048, 768, 3072),     LAYER("d768", 2048, 3072, 768),  LAYER("d768", 256, 768, 50257),
    LAYER("d768", 1024, 768, 50257),    LAYER("small", 64, 288, 864),    LAYER("small", 16, 768, 2304),
    {"decode", 1, 288, 288, 'f'},       {"decode", 1, 864, 288, 'f'},    {"decode", 1, 3072, 768, 'f'},
    {"decode", 1, 768, 3072, 'f'},      {"decode", 1, 50257, 768, 'f'},  {"decode", 2, 50257, 768, 'f'},
    {"decode", 4, 50257, 768, 'f'},     {"decode", 8, 50257, 768, 'f'},  {"decode", 16, 50257, 768, 'f'},
};

// MARK: OpenBLAS

/// cblas_sgemm, for builds with 32-bit and with 64-bit integers.
typedef void sgemm_32(int, int, int, int, int, int, float, const float *, int, const float *, int, float, float *, int);
typedef void sgemm_64(int, int, int, int64_t, int64_t, int64_t, float, const float *, int64_t, const float *, int64_t,
                      float, float *, int64_t);

static struct {
    sgemm_32 *narrow;
    sgemm_64 *wide;
    void (*set_threads)(int);
} blas;

static bool load_blas(const char *path) {
    setenv("OPENBLAS_THREAD_TIMEOUT", "4", 0);  // else its threads spin after each call, in the way of ours
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        fprintf(stderr, "%s\n", dlerror());
        return false;
    }
    blas.narrow = (sgemm_32 *)dlsym(library, "cblas_sgemm");
    static const char *const products[] = {"cblas_sgemm64_", "scipy_cblas_sgemm64_"};
    static const char *const setters[] = {"openblas_set_num_threads", "openblas_set_num_threads64_",
                                          "scipy_openblas_set_num_threads64_"};
    for (int i = 0; i < 2 && !blas.narrow && !blas.wide; i++) blas.wide = (sgemm_64 *)dlsym(library, products[i]);
    for (int i = 0; i < 3 && !blas.set_threads; i++) blas.set_threads = (void (*)(int))dlsym(library, setters[i]);
    return blas.narrow || blas.wide;
}

static void run_blas(const k_gemm_args *g) {
    enum { ROW_MAJOR = 101, PLAIN = 111, TRANSPOSED = 112 };
    int ta = g->a_transposed ? TRANSPOSED : PLAIN, tb = g->b_transposed ? TRANSPOSED : PLAIN;
    float beta = g->accumulate ? 1 : 0;
    if (blas.narrow) {
        blas.narrow(ROW_MAJOR, ta, tb, (int)g->m, (int)g->n, (int)g->k, 1, g->a, (int)g->lda, g->b, (int)g->ldb, beta,
                    g->c, (int)g->ldc);
    } else {
        blas.wide(ROW_MAJOR, ta, tb, (int64_t)g->m, (int64_t)g->n, (int64_t)g->k, 1, g->a, (int64_t)g->lda, g->b,
                  (int64_t)g->ldb, beta, g->c, (int64_t)g->ldc);
    }
}

// MARK: One shape

typedef struct {
    double median, best, blas_median, blas_best, peak;  // GFLOP/s
} result;

enum { BURST = 4 };

static void run_ours(const k_gemm_args *g) { k_gemm(g); }

/// Times BURST calls after 2 ms that are not counted, in which one's threads wake up and the other's short waits end.
static void burst(void (*run)(const k_gemm_args *), const k_gemm_args *g, double *times) {
    double warm = now() + 2e-3;
    do run(g);
    while (now() < warm);
    for (size_t i = 0; i < BURST; i++) {
        double start = now();
        run(g);
        times[i] = now() - start;
    }
}

/// Bursts of ours and the other's in turn. OpenBLAS's threads wait for their next call by spinning, for up to a tenth
/// of a second, on the processors that we would compute on: ours starts after that.
static result measure(const k_gemm_args *g, double seconds) {
    enum { MOST = 4000 };
    static double ours[MOST], theirs[MOST], peaks[MOST];
    bool compared = blas.narrow || blas.wide;
    size_t n = 0;
    double end = now() + seconds, work = 2e-9 * (double)g->m * (double)g->n * (double)g->k;
    for (; n + BURST <= MOST && (n < 2 * BURST || now() < end); n += BURST) {
        if (compared) usleep(150000);
        double peak = peak_now();
        for (size_t i = 0; i < BURST; i++) peaks[n + i] = peak;
        burst(run_ours, g, ours + n);
        if (compared) burst(run_blas, g, theirs + n);
    }
    result r = {.peak = median(peaks, n), .median = work / median(ours, n), .best = work / ours[0]};
    if (compared) r.blas_median = work / median(theirs, n), r.blas_best = work / theirs[0];
    return r;
}

static void print(const shape *s, const char *kind, size_t threads, const result *r, bool json) {
    double bytes = 4.0 * (double)(s->m * s->k + s->k * s->n + s->m * s->n) / (2e9 * (double)(s->m * s->n * s->k));
    if (json) {
        printf("{\"group\":\"%s\",\"kind\":\"%s\",\"m\":%zu,\"n\":%zu,\"k\":%zu,\"isa\":\"%s\",\"threads\":%zu,"
               "\"gflops\":%.2f,\"gflops_best\":%.2f,\"peak\":%.2f,\"gbytes\":%.2f,\"openblas\":%.2f,"
               "\"openblas_best\":%.2f}\n",
               s->group, kind, s->m, s->n, s->k, k_isa_name(k_isa_current()), threads, r->median, r->best, r->peak,
               r->median * bytes * 1e9, r->blas_median, r->blas_best);
        return;
    }
    printf("%-6s %s %5zu %5zu %5zu  %zu thread%s %7.1f (best %7.1f) = %5.1f%% of %5.1f %6.1f GB/s", s->group, kind,
           s->m, s->n, s->k, threads, threads > 1 ? "s" : " ", r->median, r->best, 100 * r->median / r->peak, r->peak,
           r->median * bytes * 1e9);
    if (r->blas_median > 0) {
        printf("   OpenBLAS %7.1f (best %7.1f), %.2fx", r->blas_median, r->blas_best, r->median / r->blas_median);
    }
    printf("\n");
    fflush(stdout);
}

static void run_shape(const shape *s, size_t threads, double seconds, bool json) {
    k_gemm_args g = {.m = s->m, .n = s->n, .k = s->k};
    g.a_transposed = g.accumulate = s->kind == 'w';
    g.b_transposed = s->kind == 'f';
    g.lda = g.a_transposed ? s->m : s->k;
    g.ldb = g.b_transposed ? s->k : s->n;
    g.ldc = s->n;
    float *a = make_floats(s->m * s->k), *b = make_floats(s->k * s->n), *c = make_floats(s->m * s->n);
    g.a = a, g.b = b, g.c = c;
    result r = measure(&g, seconds);
    print(s, s->kind == 'f' ? "NT" : s->kind == 'x' ? "NN" : "TN", threads, &r, json);
    free(a), free(b), free(c);
}

// MARK: Options

static bool matches(const shape *s, const char *only) {
    char name[64];
    snprintf(name, sizeof(name), "%s %s %zux%zux%zu", s->group,
             s->kind == 'f' ? "NT" : s->kind == 'x' ? "NN" : "TN", s->m, s->n, s->k);
    return strstr(name, only) != NULL;
}

int main(int count, char **options) {
    const char *only = "", *threads = "1,2";
    double seconds = 0.5;
    bool json = false;
    for (int i = 1; i < count; i++) {
        const char *value = i + 1 < count ? options[i + 1] : "";
        bool ok = true;
        if (strcmp(options[i], "--json") == 0 || strcmp(options[i], "--thread-time") == 0) {
            *(options[i][2] == 'j' ? &json : &thread_time) = true;
            continue;
        }
        i++;
        if (strcmp(options[i - 1], "--threads") == 0) {
            threads = value;
        } else if (strcmp(options[i - 1], "--only") == 0) {
            only = value;
        } else if (strcmp(options[i - 1], "--seconds") == 0) {
            seconds = atof(value);
        } else if (strcmp(options[i - 1], "--blas") == 0) {
            ok = load_blas(value);
        } else if (strcmp(options[i - 1], "--isa") == 0) {
            int isa = K_ISA_GENERIC;
            while (isa < K_ISA_LAST && strcmp(k_isa_name((k_isa)isa), value) != 0) isa++;
            ok = k_isa_select((k_isa)isa);
        } else {
            ok = false;
        }
        if (!ok) {
            fprintf(stderr, "gemm_bench: cannot use %s %s\n", options[i - 1], value);
            return 2;
        }
    }
    for (const char *t = threads; t && *t; t = strchr(t, ',') ? strchr(t, ',') + 1 : NULL) {
        k_threads_set((size_t)atoi(t));
        if (blas.set_threads) blas.set_threads(atoi(t));
        for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
            if (matches(&shapes[i], only)) run_shape(&shapes[i], k_threads(), seconds, json);
        }
    }
    return 0;
}
