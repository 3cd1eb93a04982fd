// SPDX-License-Identifier: Apache-2.0
//
// From blocks to floats. Each number is rounded as the formula in blocks.h is written, product by product, so that the
// bits are those of llama.cpp and of the Python package gguf; hence no contraction to fused multiply-adds.
#include "blocks.h"

#pragma STDC FP_CONTRACT OFF

// MARK: 32 numbers

void k_decode_q4_0(float *restrict out, const void *restrict blocks, size_t count) {
    for (const k_q4_0 *b = blocks, *end = b + count; b < end; b++, out += 32) {
        float d = f16_wide(b->d);
        for (int i = 0; i < 16; i++) {
            out[i] = (float)((b->q[i] & 15) - 8) * d;
            out[i + 16] = (float)((b->q[i] >> 4) - 8) * d;
        }
    }
}

void k_decode_q4_1(float *restrict out, const void *restrict blocks, size_t count) {
    for (const k_q4_1 *b = blocks, *end = b + count; b < end; b++, out += 32) {
        float d = f16_wide(b->d), min = f16_wide(b->min);
        for (int i = 0; i < 16; i++) {
            out[i] = (float)(b->q[i] & 15) * d + min;
            out[i + 16] = (float)(b->q[i] >> 4) * d + min;
        }
    }
}

void k_decode_q5_0(float *restrict out, const void *restrict blocks, size_t count) {
    for (const k_q5_0 *b = blocks, *end = b + count; b < end; b++, out += 32) {
        float d = f16_wide(b->d);
        uint32_t high = b->high;
        for (int i = 0; i < 16; i++) {
            int low = (b->q[i] & 15) | (int)(high >> i & 1) << 4;
            int up = b->q[i] >> 4 | (int)(high >> (i + 16) & 1) << 4;
            out[i] = (float)(low - 16) * d;
            out[i + 16] = (float)(up - 16) * d;
        }
    }
}

void k_decode_q5_1(float *restrict out, const void *restrict blocks, size_t count) {
    for (const k_q5_1 *b = blocks, *end = b + count; b < end; b++, out += 32) {
        float d = f16_wide(b->d), min = f16_wide(b->min);
        uint32_t high = b->high;
        for (int i = 0; i < 16; i++) {
            int low = (b->q[i] & 15) | (int)(high >> i & 1) << 4;
            int up = b->q[i] >> 4 | (int)(high >> (i + 16) & 1) << 4;
            out[i] = (float)low * d + min;
            out[i + 16] = (float)up * d + min;
        }
    }
}

void k_decode_q8_0(float *restrict out, const void *restrict blocks, size_t count) {
    for (const k_q8_0 *b = blocks, *end = b + count; b < end; b++, out += 32) {
        float d = f16_wide(b->d);
        for (int i = 0; i < 32; i++) out[i] = (float)b->q[i] * d;
    }
}

/// 32 numbers whose four bits are places in a table.
K_INLINE void decode_places(float *restrict out, const uint8_t *restrict q, const int8_t *restrict values, float d) {
    for (int i = 0; i < 16; i++) {
        out[i] = (float)values[q[i] & 15] * d;
        out[i + 16] = (float)values[q[i] >> 4] * d;
    }
}

void k_decode_iq4_nl(float *restrict out, const void *restrict blocks, size_t count) {
    for (const k_iq4_nl *b = blocks, *end = b + count; b < end; b++, out += 32) {
        decode_places(out, b->q, k_iq4_values, f16_wide(b->d));
    }
}

void k_decode_mxfp4(float *restrict out, const void *restrict blocks, size_t count) {
    for (const k_mxfp4 *b = blocks, *end = b + count; b < end; b++, out += 32) {
        decode_places(out, b->q, k_mxfp4_values, k_mxfp4_scale(b->exponent));
    }
}

// MARK: 256 numbers, group by group

void k_decode_q2_k(float *restrict out, const void *restrict blocks, size_t count) {
    for (const k_q2_k *b = blocks, *end = b + count; b < end; b++, out += 256) {
        float d = f16_wide(b->d), dmin = f16_wide(b->dmin);
        for (int g = 0; g < 16; g++) {
            const uint8_t *q = b->q + 32 * (g / 8) + 16 * (g % 2);
            int shift = 2 * (g / 2 % 4);
            float scale = d * (float)(b->scales[g] & 15), min = dmin * (float)(b->scales[g] >> 4);
            for (int i = 0; i < 16; i++) out[16 * g + i] = scale * (float)(q[i] >> shift & 3) - min;
        }
    }
}

void k_decode_q3_k(float *restrict out, const void *restrict blocks, size_t count) {
    for (const k_q3_k *b = blocks, *end = b + count; b < end; b++, out += 256) {
        float d = f16_wide(b->d);
        for (int g = 0; g < 16; g++) {
            const uint8_t *q = b->q + 32 * (g / 8) + 16 * (g % 2), *high = b->high + 16 * (g % 2);
            int shift = 2 * (g / 2 % 4), bit = g / 2;
            float scale = d * (float)k_q3_scale(b->scales, g);
            for (int i = 0; i < 16; i++) {
                int level = (q[i] >> shift & 3) | (high[i] >> bit & 1) << 2;
                out[16 * g + i] = scale * (float)(level - 4);
            }
        }
    }
}

void k_decode_q4_k(float *restrict out, const void *restrict blocks, size_t count) {
    for (const k_q4_k *b = blocks, *end = b + count; b < end; b++, out += 256) {
        float d = f16_wide(b->d), dmin = f16_wide(b->dmin);
        uint8_t scales[8], minima[8];
        k_unpack_scales(scales, minima, b->scales);
        for (int g = 0; g < 8; g++) {
            const uint8_t *q = b->q + 32 * (g / 2);
            int shift = 4 * (g % 2);
            float scale = d * (float)scales[g], min = dmin * (float)minima[g];
            for (int i = 0; i < 32; i++) out[32 * g + i] = scale * (float)(q[i] >> shift & 15) - min;
        }
    }
}

void k_decode_q5_k(float *restrict out, const void *restrict blocks, size_t count) {
    for (const k_q5_k *b = blocks, *end = b + count; b < end; b++, out += 256) {
        float d = f16_wide(b->d), dmin = f16_wide(b->dmin);
        uint8_t scales[8], minima[8];
        k_unpack_scales(scales, minima, b->scales);
        for (int g = 0; g < 8; g++) {
            const uint8_t *q = b->q + 32 * (g / 2);
            int shift = 4 * (g % 2);
            float scale = d * (float)scales[g], min = dmin * (float)minima[g];
            for (int i = 0; i < 32; i++) {
                int level = (q[i] >> shift & 15) | (b->high[i] >> g & 1) << 4;
                out[32 * g + i] = scale * (float)level - min;
            }
        }
    }
}

void k_decode_q6_k(float *restrict out, const void *restrict blocks, size_t count) {
    for (const k_q6_k *b = blocks, *end = b + count; b < end; b++, out += 256) {
        float d = f16_wide(b->d);
        for (int g = 0; g < 16; g++) {
            int half = g / 8, run = g % 8 / 2, part = 16 * (g % 2);
            const uint8_t *q = b->q + 64 * half + 32 * (run % 2) + part, *high = b->high + 32 * half + part;
            int shift = 4 * (run / 2);
            float scale = d * (float)b->scales[g];
            for (int i = 0; i < 16; i++) {
                int level = (q[i] >> shift & 15) | (high[i] >> 2 * run & 3) << 4;
                out[16 * g + i] = scale * (float)(level - 32);
            }
        }
    }
}

void k_decode_iq4_xs(float *restrict out, const void *restrict blocks, size_t count) {
    for (const k_iq4_xs *b = blocks, *end = b + count; b < end; b++, out += 256) {
        float d = f16_wide(b->d);
        for (int g = 0; g < 8; g++) {
            decode_places(out + 32 * g, b->q + 16 * g, k_iq4_values, d * (float)k_iq4_xs_scale(b, g));
        }
    }
}
