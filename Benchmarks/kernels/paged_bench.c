// SPDX-License-Identifier: Apache-2.0
//
// Measures attention over pages: prompts as GFLOP/s of the lower triangle against chains of fused multiply-adds, single
// tokens as GB/s of cache against a sum over memory.
//
//     paged_bench [--threads n] [--only text] [--isa avx2|…]
#define _GNU_SOURCE
#include "bench.h"

#include <math.h>

static struct {
    const char *only;
    double gigaflops, gigabytes;
} bench;

/// The best of several runs of about a fifth of a second together.
static double best_of(void (*body)(void *), void *context) {
    double best = INFINITY, total = 0;
    body(context);
    for (int runs = 0; runs < 3 || (total < 0.2 && runs < 1000); runs++) {
        double start = now();
        body(context);
        double taken = now() - start;
        best = fmin(best, taken), total += taken;
    }
    return best;
}

typedef struct {
    k_paged_layer layer;
    float *qkv, *out;
    size_t row, bytes, layers, turn;  // bytes: of a layer's cache
} paged_call;

/// One layer after the other, as a model takes them.
static void run_attention(void *context) {
    paged_call *call = context;
    k_paged_layer layer = call->layer;
    layer.cache += call->turn++ % call->layers * call->bytes;
    k_paged_attention(&layer, call->out, layer.heads * layer.head_dim, call->qkv, call->row);
}

static void run_store(void *context) {
    const paged_call *call = context;
    const k_paged_layer *l = &call->layer;
    const float *k = call->qkv + l->heads * l->head_dim;
    k_paged_store(l, k, k + l->kv_heads * l->head_dim, call->row);
}

/// Sequences of `start` tokens, each followed by `rows` that attend.
typedef struct {
    size_t heads, kv_heads, d, sequences, start, rows;
    k_cache_type type;
} paged_sizes;

enum { MODEL_BYTES = 1 << 27 };  // of all layers' caches where single tokens attend: more than any processor's cache

static const char *const type_names[] = {"f32", "f16", "q8"};

static void report(const paged_sizes *s, paged_call *call, const char *name) {
    double seconds = best_of(run_attention, call), store = best_of(run_store, call);
    double n = (double)s->rows, pairs = n * (double)s->start + n * (n + 1) / 2, tokens = (double)(s->start + s->rows);
    double flops = 4e-9 * pairs * (double)(s->heads * s->d * s->sequences);
    double bytes = 1e-9 * (double)(k_paged_bytes(s->type, s->kv_heads, s->d) * s->sequences) * tokens / K_PAGE_TOKENS;
    printf("%-44s %10.1f us, store %8.1f us %8.1f GFLOP/s %4.0f%% %8.2f GB/s %4.0f%%\n", name, seconds * 1e6,
           store * 1e6, flops / seconds, 100 * flops / seconds / bench.gigaflops, bytes / seconds,
           100 * bytes / seconds / bench.gigabytes);
}

static void measure(paged_sizes s) {
    char name[96];
    snprintf(name, sizeof name, "%s H=%zu/%zu D=%zu %zux%zu after %zu", type_names[s.type], s.heads, s.kv_heads, s.d,
             s.sequences, s.rows, s.start);
    if (bench.only && !strstr(name, bench.only)) return;
    size_t tokens = s.start + s.rows, each = (tokens + K_PAGE_TOKENS - 1) / K_PAGE_TOKENS, pages = each * s.sequences;
    size_t bytes = k_paged_bytes(s.type, s.kv_heads, s.d), row = (s.heads + 2 * s.kv_heads) * s.d;
    int32_t *table = malloc(pages * sizeof(int32_t));
    k_paged_span *spans = malloc(2 * s.sequences * sizeof(k_paged_span));
    if (!table || !spans) abort();
    for (size_t i = 0; i < pages; i++) table[i] = (int32_t)((i * 2654435761u) % pages);
    if (pages % 2654435761u == 0) abort();
    for (size_t i = 0; i < s.sequences; i++) {
        spans[i] = (k_paged_span){table + i * each, i * s.rows, s.rows, s.start};
        spans[s.sequences + i] = (k_paged_span){table + i * each, 0, tokens, 0};
    }
    size_t layers = s.rows == 1 ? MODEL_BYTES / (pages * bytes) + 1 : 1;
    float *qkv = make_floats(tokens * row + s.sequences * s.rows * row);
    float *cache = make_floats(layers * pages * bytes / 4);
    paged_call call = {.layer = {.type = s.type, .heads = s.heads, .kv_heads = s.kv_heads, .head_dim = s.d,
                                 .cache = (char *)cache, .page_stride = bytes, .spans = spans + s.sequences,
                                 .span_count = s.sequences, .scale = 1 / sqrtf((float)s.d)},
                       .qkv = qkv, .out = make_floats(s.sequences * s.rows * s.heads * s.d), .row = row,
                       .bytes = pages * bytes, .layers = layers};
    run_store(&call);
    call.layer.spans = spans;
    report(&s, &call, name);
    free(table), free(spans), free(qkv), free(cache), free(call.out);
}

// MARK: Bandwidth

enum { SUM_FLOATS = 1 << 25, SUM_CHUNKS = 64 };

typedef struct {
    const float *x;
    double sums[SUM_CHUNKS];
} sum_call;

static void sum_chunk(void *context, size_t chunk) {
    sum_call *call = context;
    const float *x = call->x + chunk * (SUM_FLOATS / SUM_CHUNKS);
    float sums[32] = {0};
    for (size_t i = 0; i < SUM_FLOATS / SUM_CHUNKS; i += 32) {
        for (size_t j = 0; j < 32; j++) sums[j] += x[i + j];
    }
    for (size_t j = 0; j < 32; j++) call->sums[chunk] += (double)sums[j];
}

static void run_sum(void *context) { k_parallel_for(SUM_CHUNKS, sum_chunk, context); }

static void measure_peaks(void) {
    for (int i = 0; i < 10; i++) bench.gigaflops = fmax(bench.gigaflops, peak_now());
    sum_call call = {.x = make_floats(SUM_FLOATS)};
    bench.gigabytes = 4e-9 * SUM_FLOATS / best_of(run_sum, &call);
    printf("%s, %zu threads, %.1f GFLOP/s, %.1f GB/s\n", k_isa_name(k_isa_current()), k_threads(), bench.gigaflops,
           bench.gigabytes);
}

int main(int count, char **arguments) {
    for (int i = 1; i + 1 < count; i += 2) {
        if (strcmp(arguments[i], "--threads") == 0) k_threads_set(strtoul(arguments[i + 1], NULL, 10));
        if (strcmp(arguments[i], "--only") == 0) bench.only = arguments[i + 1];
        for (int isa = 0; strcmp(arguments[i], "--isa") == 0 && isa <= K_ISA_LAST; isa++) {
            if (strcmp(arguments[i + 1], k_isa_name((k_isa)isa)) == 0 && !k_isa_select((k_isa)isa)) return 2;
        }
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    thread_time = k_threads() == 1;
    measure_peaks();
    static const size_t heads[][3] = {{16, 8, 128}, {9, 3, 64}, {32, 8, 128}, {32, 4, 128}, {12, 12, 64}, {8, 1, 256}};
    static const size_t calls[][3] = {{1, 0, 512},    {1, 0, 2048},  {1, 4096, 1},
                                      {1, 16384, 1}, {16, 100, 1}, {4, 1000, 4}};
    for (size_t h = 0; h < sizeof heads / sizeof *heads; h++) {
        for (size_t c = 0; c < sizeof calls / sizeof *calls; c++) {
            for (int type = 0; type < 3; type++) {
                measure((paged_sizes){heads[h][0], heads[h][1], heads[h][2], calls[c][0], calls[c][1], calls[c][2],
                                      (k_cache_type)type});
            }
        }
    }
    return 0;
}
