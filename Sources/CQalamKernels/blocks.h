// SPDX-License-Identifier: Apache-2.0
//
// The layouts of the blocks, as ggml fixed them, and the list of codecs. Numbers of more than one byte are
// little-endian. `d` is always half precision: the scale, or the scale of the scales.
#ifndef QALAM_BLOCKS_INTERNAL_H
#define QALAM_BLOCKS_INTERNAL_H

#include "qalam_blocks.h"
#include <stdint.h>

#include "Shared/half.inc"

#define K_PACKED __attribute__((packed))

#pragma clang assume_nonnull begin

// MARK: 32 numbers. Byte i of `q` holds number i in its low four bits, number i + 16 in its high ones

/// x = d * (q - 8).
typedef struct K_PACKED {
    uint16_t d;
    uint8_t q[16];
} k_q4_0;

/// x = d * q + min.
typedef struct K_PACKED {
    uint16_t d, min;
    uint8_t q[16];
} k_q4_1;

/// x = d * (q - 16); bit i of `high` is the fifth bit of number i.
typedef struct K_PACKED {
    uint16_t d;
    uint32_t high;
    uint8_t q[16];
} k_q5_0;

/// x = d * q + min.
typedef struct K_PACKED {
    uint16_t d, min;
    uint32_t high;
    uint8_t q[16];
} k_q5_1;

/// x = d * q, one byte for each number.
typedef struct K_PACKED {
    uint16_t d;
    int8_t q[32];
} k_q8_0;

/// x = d * k_iq4_values[q].
typedef struct K_PACKED {
    uint16_t d;
    uint8_t q[16];
} k_iq4_nl;

/// x = 2^(exponent - 128) * k_mxfp4_values[q] (OCP Microscaling Formats 1.0, section 5.3: MXFP4).
typedef struct K_PACKED {
    uint8_t exponent;
    uint8_t q[16];
} k_mxfp4;

// MARK: 256 numbers, in groups of 16 or 32 with a scale each

/// x = d * scale * q - dmin * min; 16 groups of 16, scale and min are the low and the high half of a byte. Byte
/// 32h + i of `q` holds the numbers 128h + i + 32j, j = 0...3, at bit 2j.
typedef struct K_PACKED {
    uint8_t scales[16];
    uint8_t q[64];
    uint16_t d, dmin;
} k_q2_k;

/// x = d * (scale - 32) * (q - 4); 16 groups of 16. The low two bits of q lie as in k_q2_k; bit j of high[i] is the
/// third of number 32j + i. Scales have six bits: four in the halves of scales[0..<8], the upper two in the other four.
typedef struct K_PACKED {
    uint8_t high[32];
    uint8_t q[64];
    uint8_t scales[12];
    uint16_t d;
} k_q3_k;

/// x = d * scale * q - dmin * min; 8 groups of 32, scales and minima of six bits (k_unpack_scales). Byte 32p + i of
/// `q` holds number 64p + i in its low half, 64p + 32 + i in its high one.
typedef struct K_PACKED {
    uint16_t d, dmin;
    uint8_t scales[12];
    uint8_t q[128];
} k_q4_k;

/// As k_q4_k, with bit g of high[i] the fifth of number 32g + i.
typedef struct K_PACKED {
    uint16_t d, dmin;
    uint8_t scales[12];
    uint8_t high[32];
    uint8_t q[128];
} k_q5_k;

/// x = d * scale * (q - 32); 16 groups of 16. For each half h and i < 32: the numbers 128h + i + 32j, j = 0...3, have
/// their low four bits in q[64h + 32(j mod 2) + i], in the upper half from j = 2 on; their upper two in high[32h + i]
/// at bit 2j.
typedef struct K_PACKED {
    uint8_t q[128];
    uint8_t high[64];
    int8_t scales[16];
    uint16_t d;
} k_q6_k;

/// x = d * (scale - 32) * k_iq4_values[q]; 8 groups of 32, each as in k_iq4_nl. Scales have six bits: four in the
/// halves of scales_low, two in scales_high from the lowest on.
typedef struct K_PACKED {
    uint16_t d;
    uint16_t scales_high;
    uint8_t scales_low[4];
    uint8_t q[128];
} k_iq4_xs;

/// The sixteen numbers of IQ4, which lie closer where weights are many.
static const int8_t k_iq4_values[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};

/// Twice the numbers of FP4 (E2M1).
static const int8_t k_mxfp4_values[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

/// MXFP4's scale for numbers that are doubled: 2^(exponent - 128), exact down to float's subnormals.
K_INLINE float k_mxfp4_scale(uint8_t exponent) {
    return float_of(exponent < 2 ? 0x00200000u << exponent : (uint32_t)(exponent - 1) << 23);
}

/// The eight scales and minima of k_q4_k and k_q5_k: those of groups 0...3 are the low six bits of bytes 0...3 and
/// 4...7; those of 4...7 have their low four bits in the halves of bytes 8...11, the upper two above the former.
K_INLINE void k_unpack_scales(uint8_t *scales, uint8_t *minima, const uint8_t *packed) {
    for (int g = 0; g < 4; g++) {
        scales[g] = packed[g] & 63;
        minima[g] = packed[g + 4] & 63;
        scales[g + 4] = (uint8_t)((packed[g + 8] & 15) | (packed[g] >> 6) << 4);
        minima[g + 4] = (uint8_t)((packed[g + 8] >> 4) | (packed[g + 4] >> 6) << 4);
    }
}

/// The scale of group g of k_q3_k, 0...15.
K_INLINE int k_q3_scale(const uint8_t *scales, int g) {
    int low = scales[g % 8] >> 4 * (g / 8) & 15, up = scales[8 + g % 4] >> 2 * (g / 4) & 3;
    return (low | up << 4) - 32;
}

/// The scale of group g of k_iq4_xs, 0...7.
K_INLINE int k_iq4_xs_scale(const k_iq4_xs *b, int g) {
    int low = b->scales_low[g / 2] >> 4 * (g % 2) & 15, up = b->scales_high >> 2 * g & 3;
    return (low | up << 4) - 32;
}

// MARK: What encoders share

/// The nearest half precision, at most its largest finite number.
K_INLINE uint16_t k_finite_half(float x) {
    const float largest = 65504;
    return f16_narrow(x > largest ? largest : x < -largest ? -largest : x);
}

/// 1 / x; 0 for zero and for numbers so small that their reciprocal could overflow a product.
K_INLINE float k_reciprocal(float x) { return __builtin_fabsf(x) > 0x1p-100f ? 1 / x : 0; }

/// The number of largest magnitude, the first of them.
K_INLINE float k_extreme(const float *x, int n) {
    float extreme = 0;
    for (int i = 0; i < n; i++) extreme = __builtin_fabsf(x[i]) > __builtin_fabsf(extreme) ? x[i] : extreme;
    return extreme;
}

/// 32 levels of four bits, as every type of 32 numbers holds them.
K_INLINE void k_pack_halves(uint8_t *q, const uint8_t *levels) {
    for (int i = 0; i < 16; i++) q[i] = (uint8_t)((levels[i] & 15) | levels[i + 16] << 4);
}

// MARK: Codecs

/// X(type, numbers in a block, layout, suffix of the functions) for each type with scales.
#define K_BLOCK_CODECS(X)                                                                                              \
    X(K_BLOCK_Q4_0, 32, k_q4_0, q4_0)                                                                                  \
    X(K_BLOCK_Q4_1, 32, k_q4_1, q4_1)                                                                                  \
    X(K_BLOCK_Q5_0, 32, k_q5_0, q5_0)                                                                                  \
    X(K_BLOCK_Q5_1, 32, k_q5_1, q5_1)                                                                                  \
    X(K_BLOCK_Q8_0, 32, k_q8_0, q8_0)                                                                                  \
    X(K_BLOCK_Q8_0_INT8, 32, k_q8_0, q8_0)                                                                             \
    X(K_BLOCK_IQ4_NL, 32, k_iq4_nl, iq4_nl)                                                                            \
    X(K_BLOCK_MXFP4, 32, k_mxfp4, mxfp4)                                                                               \
    X(K_BLOCK_Q2_K, 256, k_q2_k, q2_k)                                                                                 \
    X(K_BLOCK_Q3_K, 256, k_q3_k, q3_k)                                                                                 \
    X(K_BLOCK_Q4_K, 256, k_q4_k, q4_k)                                                                                 \
    X(K_BLOCK_Q5_K, 256, k_q5_k, q5_k)                                                                                 \
    X(K_BLOCK_Q6_K, 256, k_q6_k, q6_k)                                                                                 \
    X(K_BLOCK_IQ4_XS, 256, k_iq4_xs, iq4_xs)

/// Decodes `count` blocks.
typedef void k_block_decoder(float *out, const void *blocks, size_t count);
/// Encodes one block of finite numbers no larger than K_BLOCK_LIMIT.
typedef void k_block_encoder(void *block, const float *x);

/// Beyond every type's range, yet small enough that no step of a search overflows.
#define K_BLOCK_LIMIT 0x1p23f

#define K_BLOCK_DECLARE(type, numbers, layout, suffix)                                                                 \
    k_block_decoder k_decode_##suffix;                                                                                 \
    k_block_encoder k_encode_##suffix;
K_BLOCK_CODECS(K_BLOCK_DECLARE)
#undef K_BLOCK_DECLARE

#pragma clang assume_nonnull end

#endif
