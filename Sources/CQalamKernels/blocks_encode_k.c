// SPDX-License-Identifier: Apache-2.0
//
// From floats to blocks of 256: a scale (and a minimum) for each group by search, these to their few bits, then the
// levels anew for the scales that are left.
#include "blocks_search.h"

#include <string.h>

#pragma STDC FP_CONTRACT OFF

/// The largest of n numbers, at least 0.
static float largest_of(const float *x, int n) {
    float largest = 0;
    for (int i = 0; i < n; i++) largest = x[i] > largest ? x[i] : largest;
    return largest;
}

/// x / unit to the nearest integer in low...high.
static int nearest_of(float x, float unit, int low, int high) {
    float level = x * k_reciprocal(unit);
    level = level < (float)low ? (float)low : level > (float)high ? (float)high : level;
    return (int)__builtin_rintf(level);
}

// MARK: Scales and minima

/// What a block of groups with minima has in common: half-precision units, and each group's multiples of them.
typedef struct {
    uint16_t d, dmin;
    uint8_t scales[16], minima[16];
} affine_scales;

/// Rounds the groups' fits to multiples 0...top of two common units, and finds the levels 0...top_level of all numbers.
static affine_scales encode_affine(uint8_t *levels, const float *x, const k_affine *fits, int groups, int top,
                                   float top_level) {
    float scales[16], minima[16];
    for (int g = 0; g < groups; g++) {
        scales[g] = fits[g].scale;
        minima[g] = fits[g].min;
    }
    float unit = largest_of(scales, groups) / (float)top, unit_min = largest_of(minima, groups) / (float)top;
    affine_scales result = {.d = k_finite_half(unit), .dmin = k_finite_half(unit_min)};
    float d = f16_wide(result.d), dmin = f16_wide(result.dmin);
    int n = 256 / groups;
    for (int g = 0; g < groups; g++) {
        result.scales[g] = (uint8_t)nearest_of(scales[g], unit, 0, top);
        result.minima[g] = (uint8_t)nearest_of(minima[g], unit_min, 0, top);
        float inverse = k_reciprocal(d * (float)result.scales[g]), min = dmin * (float)result.minima[g];
        k_levels(levels + n * g, x + n * g, n, inverse, min * inverse, top_level);
    }
    return result;
}

/// Four levels of two bits to a byte, as in k_q2_k.
static void pack_quarters(uint8_t q[64], const uint8_t levels[256]) {
    for (int h = 0; h < 2; h++) {
        const uint8_t *l = levels + 128 * h;
        for (int i = 0; i < 32; i++) {
            q[32 * h + i] =
                (uint8_t)((l[i] & 3) | (l[i + 32] & 3) << 2 | (l[i + 64] & 3) << 4 | (l[i + 96] & 3) << 6);
        }
    }
}

void k_encode_q2_k(void *block, const float *x) {
    k_affine fits[16];
    uint8_t levels[256];
    for (int g = 0; g < 16; g++) {
        float w[16];
        for (int i = 0; i < 16; i++) w[i] = __builtin_fabsf(x[16 * g + i]);
        fits[g] = k_fit_affine(x + 16 * g, w, 16, 3, (k_tries){-0.5f, 0.1f, 16});
    }
    affine_scales s = encode_affine(levels, x, fits, 16, 15, 3);
    k_q2_k *b = block;
    b->d = s.d;
    b->dmin = s.dmin;
    for (int g = 0; g < 16; g++) b->scales[g] = (uint8_t)(s.scales[g] | s.minima[g] << 4);
    pack_quarters(b->q, levels);
}

/// Fits of 8 groups of 32, weighted by |x| over the root of the group's mean square.
static void fit_eight(k_affine fits[8], const float *x, float top, k_tries tries) {
    for (int g = 0; g < 8; g++) {
        const float *group = x + 32 * g;
        k_f4 squares = 0;
        for (int i = 0; i < 32; i += 4) squares += k_load4(group + i) * k_load4(group + i);
        float w[32], root = __builtin_sqrtf(k_sum4(squares) / 32);
        for (int i = 0; i < 32; i++) w[i] = root + __builtin_fabsf(group[i]);
        fits[g] = k_fit_affine(group, w, 32, top, tries);
    }
}

/// The counterpart of k_unpack_scales.
static void pack_scales(uint8_t packed[12], const uint8_t *scales, const uint8_t *minima) {
    for (int g = 0; g < 4; g++) {
        packed[g] = (uint8_t)(scales[g] | (scales[g + 4] >> 4) << 6);
        packed[g + 4] = (uint8_t)(minima[g] | (minima[g + 4] >> 4) << 6);
        packed[g + 8] = (uint8_t)((scales[g + 4] & 15) | (minima[g + 4] & 15) << 4);
    }
}

/// The low four bits of 256 levels, as in k_q4_k.
static void pack_pairs(uint8_t q[128], const uint8_t levels[256]) {
    for (int p = 0; p < 4; p++) {
        const uint8_t *l = levels + 64 * p;
        for (int i = 0; i < 32; i++) q[32 * p + i] = (uint8_t)((l[i] & 15) | (l[i + 32] & 15) << 4);
    }
}

void k_encode_q4_k(void *block, const float *x) {
    k_affine fits[8];
    uint8_t levels[256];
    fit_eight(fits, x, 15, (k_tries){-1, 0.1f, 21});
    affine_scales s = encode_affine(levels, x, fits, 8, 63, 15);
    k_q4_k *b = block;
    b->d = s.d;
    b->dmin = s.dmin;
    pack_scales(b->scales, s.scales, s.minima);
    pack_pairs(b->q, levels);
}

void k_encode_q5_k(void *block, const float *x) {
    k_affine fits[8];
    uint8_t levels[256];
    fit_eight(fits, x, 31, (k_tries){-0.5f, 0.1f, 16});
    affine_scales s = encode_affine(levels, x, fits, 8, 63, 31);
    k_q5_k *b = block;
    b->d = s.d;
    b->dmin = s.dmin;
    pack_scales(b->scales, s.scales, s.minima);
    pack_pairs(b->q, levels);
    memset(b->high, 0, sizeof b->high);
    for (int g = 0; g < 8; g++) {
        for (int i = 0; i < 32; i++) b->high[i] |= (uint8_t)((levels[32 * g + i] >> 4) << g);
    }
}

// MARK: Scales alone

/// Rounds the scales of 16 groups to multiples of a common unit, of which the extreme scale takes -top, and finds the
/// levels 0..<2 * top_level of all numbers; the unit in half precision.
static uint16_t encode_symmetric(uint8_t levels[256], int multiples[16], const float *x, const float scales[16],
                                 int top, int top_level) {
    float unit = k_extreme(scales, 16) / (float)-top;
    uint16_t half = k_finite_half(unit);
    float d = f16_wide(half);
    for (int g = 0; g < 16; g++) {
        multiples[g] = nearest_of(scales[g], unit, -top, top - 1);
        float inverse = k_reciprocal(d * (float)multiples[g]);
        k_levels(levels + 16 * g, x + 16 * g, 16, inverse, (float)top_level, (float)(2 * top_level - 1));
    }
    return half;
}

void k_encode_q3_k(void *block, const float *x) {
    float scales[16];
    int multiples[16];
    uint8_t levels[256];
    for (int g = 0; g < 16; g++) scales[g] = k_fit_symmetric(x + 16 * g, 16, 4, (k_tries){-0.9f, 0.1f, 19});
    k_q3_k *b = block;
    memset(b, 0, sizeof *b);
    b->d = encode_symmetric(levels, multiples, x, scales, 32, 4);
    for (int g = 0; g < 16; g++) {
        int scale = multiples[g] + 32;
        b->scales[g % 8] |= (uint8_t)((scale & 15) << 4 * (g / 8));
        b->scales[8 + g % 4] |= (uint8_t)((scale >> 4) << 2 * (g / 4));
    }
    pack_quarters(b->q, levels);
    for (int j = 0; j < 8; j++) {
        for (int i = 0; i < 32; i++) b->high[i] |= (uint8_t)((levels[32 * j + i] >> 2) << j);
    }
}

void k_encode_q6_k(void *block, const float *x) {
    float scales[16];
    int multiples[16];
    uint8_t levels[256];
    for (int g = 0; g < 16; g++) scales[g] = k_fit_symmetric(x + 16 * g, 16, 32, (k_tries){-0.9f, 0.1f, 19});
    k_q6_k *b = block;
    b->d = encode_symmetric(levels, multiples, x, scales, 128, 32);
    for (int g = 0; g < 16; g++) b->scales[g] = (int8_t)multiples[g];
    for (int h = 0; h < 2; h++) {
        const uint8_t *l = levels + 128 * h;
        for (int i = 0; i < 64; i++) b->q[64 * h + i] = (uint8_t)((l[i] & 15) | (l[i + 64] & 15) << 4);
        for (int i = 0; i < 32; i++) {
            b->high[32 * h + i] = (uint8_t)(l[i] >> 4 | (l[i + 32] >> 4) << 2 | (l[i + 64] >> 4) << 4 |
                                            (l[i + 96] >> 4) << 6);
        }
    }
}
