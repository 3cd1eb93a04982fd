// SPDX-License-Identifier: Apache-2.0
//
// From floats to IQ4_NL and IQ4_XS: a search for the scale as in blocks_search.h, but to the nearest of the sixteen
// numbers in k_iq4_values.
#include "blocks_search.h"

#pragma STDC FP_CONTRACT OFF

/// The numbers of the table nearest to x: each step between two of them is taken where x is past the middle.
K_INLINE k_f4 nearest_values(k_f4 x) {
    k_f4 value = k_iq4_values[0];
    for (int i = 1; i < 16; i++) {
        k_f4 middle = 0.5f * (float)(k_iq4_values[i - 1] + k_iq4_values[i]);
        k_f4 step = (float)(k_iq4_values[i] - k_iq4_values[i - 1]), none = 0;
        value += x >= middle ? step : none;
    }
    return value;
}

/// x (32) ≈ scale * value with errors weighted by x^2. Scales near those that take the extreme to the table's lowest
/// number are tried, and one that takes it to minus that.
static float fit_table(const float *x) {
    float extreme = k_extreme(x, 32), inverse = k_reciprocal(extreme);
    float best = 0, most = 0;
    if (inverse == 0) return 0;
    for (int t = -8; t <= 7; t++) {
        float factor = t == -8 ? 127 : (float)(t - 127);
        k_f4 sum_qq = 0, sum_qx = 0;
        for (int i = 0; i < 32; i += 4) {
            k_f4 v = k_load4(x + i) * inverse, q = nearest_values(factor * v), wq = v * v * q;
            sum_qq += wq * q;
            sum_qx += wq * v;
        }
        float QQ = k_sum4(sum_qq), QX = k_sum4(sum_qx);
        if (QQ > 0 && QX * QX > most * QQ) {
            most = QX * QX / QQ;
            best = QX / QQ;
        }
    }
    return best * extreme;
}

/// 32 places in the table, in halves of bytes.
static void encode_places(uint8_t q[16], const float *x, float scale) {
    float inverse = k_reciprocal(scale);
    uint8_t levels[32];
    for (int i = 0; i < 32; i++) {
        float v = x[i] * inverse;
        int level = 0;
        for (int j = 1; j < 16; j++) level += v >= 0.5f * (float)(k_iq4_values[j - 1] + k_iq4_values[j]);
        levels[i] = (uint8_t)level;
    }
    k_pack_halves(q, levels);
}

void k_encode_iq4_nl(void *block, const float *x) {
    k_iq4_nl *b = block;
    float scale = fit_table(x);
    b->d = k_finite_half(scale);
    encode_places(b->q, x, scale);
}

void k_encode_iq4_xs(void *block, const float *x) {
    float scales[8];
    for (int g = 0; g < 8; g++) scales[g] = fit_table(x + 32 * g);
    float unit = k_extreme(scales, 8) / -32, inverse = k_reciprocal(unit);
    k_iq4_xs *b = block;
    *b = (k_iq4_xs){.d = k_finite_half(unit)};
    for (int g = 0; g < 8; g++) {
        float level = __builtin_rintf(scales[g] * inverse);
        int multiple = (int)(level < -32 ? -32 : level > 31 ? 31 : level);
        b->scales_low[g / 2] |= (uint8_t)(((multiple + 32) & 15) << 4 * (g % 2));
        b->scales_high |= (uint16_t)(((multiple + 32) >> 4) << 2 * g);
        encode_places(b->q + 16 * g, x + 32 * g, unit * (float)multiple);
    }
}
