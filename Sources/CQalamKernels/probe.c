// SPDX-License-Identifier: Apache-2.0
//
// What the memory gives: plain reads on all threads, to hold decoding against.
#include "qalam_kernels.h"

enum { PROBE_CHUNK = 1 << 20 };

typedef uint64_t probe_vector __attribute__((ext_vector_type(4)));

typedef struct {
    const char *memory;
    size_t bytes;
} probe_range;

static void read_chunk(void *context, size_t chunk) {
    const probe_range *range = context;
    size_t start = chunk * PROBE_CHUNK, left = range->bytes - start;
    size_t vectors = (left < PROBE_CHUNK ? left : PROBE_CHUNK) / sizeof(probe_vector) / 4 * 4;
    const probe_vector *x = (const probe_vector *)(range->memory + start);
    probe_vector sum[4] = {0};
    for (size_t i = 0; i < vectors; i += 4) {
        for (size_t j = 0; j < 4; j++) sum[j] ^= x[i + j];
    }
    probe_vector all = sum[0] ^ sum[1] ^ sum[2] ^ sum[3];
    __asm__ volatile("" : : "r"(all[0] ^ all[1] ^ all[2] ^ all[3]));  // or the loop would be for nothing
}

void k_read(const void *memory, size_t bytes) {
    probe_range range = {memory, bytes};
    k_parallel_for((bytes + PROBE_CHUNK - 1) / PROBE_CHUNK, read_chunk, &range);
}
