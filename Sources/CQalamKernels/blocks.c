// SPDX-License-Identifier: Apache-2.0
//
// What is public of the block formats: the sizes, and the loops over blocks.
#include "blocks.h"
#include "qalam_kernels.h"

#include <string.h>

typedef struct {
    size_t numbers, bytes;
    k_block_decoder *decode;  // NULL for the types without scales
    k_block_encoder *encode;
} codec;

static codec codec_of(k_block_type type) {
#define CASE(type, numbers, layout, suffix)                                                                            \
    case type:                                                                                                         \
        return (codec){numbers, sizeof(layout), k_decode_##suffix, k_encode_##suffix};
    switch (type) {
        K_BLOCK_CODECS(CASE)
    case K_BLOCK_F32:
        return (codec){.numbers = 1, .bytes = sizeof(float)};
    case K_BLOCK_F16:
    case K_BLOCK_BF16:
        return (codec){.numbers = 1, .bytes = sizeof(uint16_t)};
    }
#undef CASE
    return (codec){0};
}

size_t k_block_numbers(k_block_type type) { return codec_of(type).numbers; }

size_t k_block_bytes(k_block_type type) { return codec_of(type).bytes; }

// MARK: Decoding

/// Through a small copy, because `x` may lie at an odd address; so short that it stays on this thread.
static void decode_16_bits(float *out, const void *x, size_t n, __typeof__(k_f16_to_f32) *convert) {
    enum { PART = 1024 };
    uint16_t part[PART];
    for (size_t begin = 0; begin < n; begin += PART) {
        size_t count = n - begin < PART ? n - begin : PART;
        memcpy(part, (const char *)x + begin * sizeof part[0], count * sizeof part[0]);
        convert(out + begin, part, count);
    }
}

void k_block_decode(float *out, k_block_type type, const void *blocks, size_t n) {
    codec codec = codec_of(type);
    if (n == 0 || codec.numbers == 0) return;
    if (codec.decode) {
        codec.decode(out, blocks, n / codec.numbers);
    } else if (type == K_BLOCK_F32) {
        memcpy(out, blocks, n * sizeof(float));
    } else {
        decode_16_bits(out, blocks, n, type == K_BLOCK_F16 ? k_f16_to_f32 : k_bf16_to_f32);
    }
}

// MARK: Encoding

typedef struct {
    codec codec;
    char *blocks;
    const float *x;
    size_t count, grain;  // blocks in all, and in a chunk
} encoding;

static void encode_chunk(void *context, size_t chunk) {
    const encoding *e = context;
    size_t begin = chunk * e->grain, end = begin + e->grain < e->count ? begin + e->grain : e->count;
    size_t numbers = e->codec.numbers;
    float x[256];
    for (size_t block = begin; block < end; block++) {
        for (size_t i = 0; i < numbers; i++) {
            float value = e->x[block * numbers + i];
            value = value > K_BLOCK_LIMIT ? K_BLOCK_LIMIT : value;
            value = value < -K_BLOCK_LIMIT ? -K_BLOCK_LIMIT : value;
            x[i] = value == value ? value : 0;
        }
        e->codec.encode(e->blocks + block * e->codec.bytes, x);
    }
}

void k_block_encode(void *blocks, k_block_type type, const float *x, size_t rows, size_t columns) {
    codec codec = codec_of(type);
    size_t n = rows * columns;
    if (n == 0 || codec.numbers == 0) return;
    if (codec.encode) {
        // No block crosses a row, so the tensor is cut without regard to rows.
        encoding encoding = {codec, blocks, x, n / codec.numbers, 16384 / codec.numbers};
        k_parallel_for((encoding.count + encoding.grain - 1) / encoding.grain, encode_chunk, &encoding);
    } else if (type == K_BLOCK_F32) {
        memcpy(blocks, x, n * sizeof(float));
    } else if (type == K_BLOCK_F16) {
        k_f32_to_f16(blocks, x, n);
    } else {
        k_f32_to_bf16(blocks, x, n);
    }
}
