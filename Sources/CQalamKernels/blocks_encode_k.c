// SPDX-License-Identifier: Apache-2.0
//
// From floats to blocks of 256: a scale (and a minimum) for each group by search, these to their few bits, then the
// levels anew for the scales that are left.
#include "blocks_search.h"

#include <string.h>

#pragma STDC FP_CONTRACT OFF

/// x / unit to the nearest integer in low...high.
static int nearest_of(float x, float unit, int low, int high) {
    float level = x * k_reciprocal(unit);
    level = level < (float)low ? (float)low : level > (float)high ? (float)high : level;
    return (int)__builtin_rintf(level);
}

/// Four levels of two bits to a byte, as in k_q2_k.
static void pack_quarters(uint8_t *q, const uint8_t *levels) {
    for (int h = 0; h < 2; h++) {
        const uint8_t *l = levels + 128 * h;
        for (int i = 0; i < 32; i++) {
            int low = (l[i] & 3) | (l[i + 32] & 3) << 2, high = (l[i + 64] & 3) | (l[i + 96] & 3) << 2;
            q[32 * h + i] = (uint8_t)(low | high << 4);
        }
    }
}

/// The low four bits of levels that lie `apart`, two to a byte.
static void pack_pairs(uint8_t *q, const uint8_t *levels, int apart) {
    for (int p = 0; p < 256; p += 2 * apart) {
        const uint8_t *l = levels + p;
        for (int i = 0; i < apart; i++) q[p / 2 + i] = (uint8_t)((l[i] & 15) | (l[i + apart] & 15) << 4);
    }
}

// MARK: Scales and minima

/// What a type with minima is: groups of a block, the largest multiple of a unit, the highest level.
typedef struct {
    int groups, top;
    float top_level;
    k_tries tries;
} affine_type;

/// A block before it is packed: half-precision units, each group's multiples of them, and the levels.
typedef struct {
    uint16_t d, dmin;
    uint8_t scales[16], minima[16], levels[256];
} affine_block;

/// Chooses the multiples of the units for group `g`: of those around `fit` the pair with the least error.
K_INLINE void choose_multiples(affine_block *b, int index, k_group g, k_affine fit, affine_type type) {
    float d = f16_wide(b->d), dmin = f16_wide(b->dmin), least = __builtin_inff();
    int scale = nearest_of(fit.scale, d, 0, type.top), min = nearest_of(fit.min, dmin, 0, type.top);
    for (int s = scale > 0 ? scale - 1 : 0; s <= scale + 1 && s <= type.top; s++) {
        for (int m = min > 0 ? min - 1 : 0; m <= min + 1 && m <= type.top; m++) {
            float error = k_affine_error(g, type.top_level, (k_affine){d * (float)s, dmin * (float)m});
            if (error >= least) continue;
            least = error;
            b->scales[index] = (uint8_t)s;
            b->minima[index] = (uint8_t)m;
        }
    }
}

K_INLINE void encode_affine(affine_block *b, const float *x, affine_type type) {
    int n = 256 / type.groups;
    float w[256], scale = 0, min = 0;
    k_affine fits[16];
    for (int i = 0; i < type.groups; i++) {
        k_weigh(w + n * i, x + n * i, n);
        fits[i] = k_fit_affine((k_group){x + n * i, w + n * i, n}, type.top_level, type.tries);
        scale = fits[i].scale > scale ? fits[i].scale : scale;
        min = fits[i].min > min ? fits[i].min : min;
    }
    b->d = k_finite_half(scale / (float)type.top);
    b->dmin = k_finite_half(min / (float)type.top);
    for (int i = 0; i < type.groups; i++) {
        k_group g = {x + n * i, w + n * i, n};
        choose_multiples(b, i, g, fits[i], type);
        float factor = k_reciprocal(f16_wide(b->d) * (float)b->scales[i]);
        k_levels(b->levels + n * i, g, factor, f16_wide(b->dmin) * (float)b->minima[i] * factor, type.top_level);
    }
}

void k_encode_q2_k(void *block, const float *x) {
    affine_block a;
    encode_affine(&a, x, (affine_type){16, 15, 3, {-0.5f, 0.1f, 16}});
    k_q2_k *b = block;
    b->d = a.d;
    b->dmin = a.dmin;
    for (int g = 0; g < 16; g++) b->scales[g] = (uint8_t)(a.scales[g] | a.minima[g] << 4);
    pack_quarters(b->q, a.levels);
}

/// The counterpart of k_unpack_scales.
static void pack_scales(uint8_t *packed, const affine_block *a) {
    for (int g = 0; g < 4; g++) {
        packed[g] = (uint8_t)(a->scales[g] | (a->scales[g + 4] >> 4) << 6);
        packed[g + 4] = (uint8_t)(a->minima[g] | (a->minima[g + 4] >> 4) << 6);
        packed[g + 8] = (uint8_t)((a->scales[g + 4] & 15) | (a->minima[g + 4] & 15) << 4);
    }
}

void k_encode_q4_k(void *block, const float *x) {
    affine_block a;
    encode_affine(&a, x, (affine_type){8, 63, 15, {-1, 0.1f, 21}});
    k_q4_k *b = block;
    b->d = a.d;
    b->dmin = a.dmin;
    pack_scales(b->scales, &a);
    pack_pairs(b->q, a.levels, 32);
}

void k_encode_q5_k(void *block, const float *x) {
    affine_block a;
    encode_affine(&a, x, (affine_type){8, 63, 31, {-0.5f, 0.1f, 16}});
    k_q5_k *b = block;
    b->d = a.d;
    b->dmin = a.dmin;
    pack_scales(b->scales, &a);
    pack_pairs(b->q, a.levels, 32);
    memset(b->high, 0, sizeof b->high);
    for (int g = 0; g < 8; g++) {
        for (int i = 0; i < 32; i++) b->high[i] |= (uint8_t)((a.levels[32 * g + i] >> 4) << g);
    }
}

// MARK: Scales alone

/// A block before it is packed: the unit in half precision, each group's multiple of it, and the levels from 0 on.
typedef struct {
    uint16_t d;
    int scales[16];
    uint8_t levels[256];
} symmetric_block;

/// Scales are multiples -top..<top of the unit, of which the extreme scale takes -top; levels -top_level..<top_level.
K_INLINE void encode_symmetric(symmetric_block *b, const float *x, int top, float top_level) {
    float scales[16];
    for (int i = 0; i < 16; i++) {
        float w[16];
        k_weigh(w, x + 16 * i, 16);
        scales[i] = k_fit_symmetric((k_group){x + 16 * i, w, 16}, top_level, (k_tries){-0.9f, 0.1f, 19});
    }
    b->d = k_finite_half(k_extreme(scales, 16) / (float)-top);
    float d = f16_wide(b->d);
    for (int i = 0; i < 16; i++) {
        b->scales[i] = nearest_of(scales[i], d, -top, top - 1);
        float factor = k_reciprocal(d * (float)b->scales[i]);
        k_levels(b->levels + 16 * i, (k_group){x + 16 * i, x, 16}, factor, top_level, 2 * top_level - 1);
    }
}

void k_encode_q3_k(void *block, const float *x) {
    symmetric_block s;
    encode_symmetric(&s, x, 32, 4);
    k_q3_k *b = block;
    memset(b, 0, sizeof *b);
    b->d = s.d;
    for (int g = 0; g < 16; g++) {
        int scale = s.scales[g] + 32;
        b->scales[g % 8] |= (uint8_t)((scale & 15) << 4 * (g / 8));
        b->scales[8 + g % 4] |= (uint8_t)((scale >> 4) << 2 * (g / 4));
    }
    pack_quarters(b->q, s.levels);
    for (int j = 0; j < 8; j++) {
        for (int i = 0; i < 32; i++) b->high[i] |= (uint8_t)((s.levels[32 * j + i] >> 2) << j);
    }
}

void k_encode_q6_k(void *block, const float *x) {
    symmetric_block s;
    encode_symmetric(&s, x, 128, 32);
    k_q6_k *b = block;
    b->d = s.d;
    for (int g = 0; g < 16; g++) b->scales[g] = (int8_t)s.scales[g];
    pack_pairs(b->q, s.levels, 64);
    for (int h = 0; h < 2; h++) {
        const uint8_t *l = s.levels + 128 * h;
        for (int i = 0; i < 32; i++) {
            int low = l[i] >> 4 | (l[i + 32] >> 4) << 2, high = l[i + 64] >> 4 | (l[i + 96] >> 4) << 2;
            b->high[32 * h + i] = (uint8_t)(low | high << 4);
        }
    }
}
