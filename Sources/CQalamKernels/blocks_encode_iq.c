// SPDX-License-Identifier: Apache-2.0
//
// From floats to IQ4_NL and IQ4_XS: a search for the scale as in blocks_search.h, but to the nearest of the sixteen
// numbers in k_iq4_values.
#include "blocks_search.h"

#pragma STDC FP_CONTRACT OFF

/// The middle between the numbers i - 1 and i of the table: from here on x is nearer to the latter.
K_INLINE float middle(int i) { return 0.5f * (float)(k_iq4_values[i - 1] + k_iq4_values[i]); }

/// The numbers of the table nearest to x.
K_INLINE k_f4 nearest_values(k_f4 x) {
    k_f4 value = k_iq4_values[0];
    for (int i = 1; i < 16; i++) {
        k_f4 step = (float)(k_iq4_values[i] - k_iq4_values[i - 1]), none = 0, from = middle(i);
        value += x >= from ? step : none;
    }
    return value;
}

/// The scale of 32 numbers. Those are tried that take the extreme to -134...-120, around the table's lowest number,
/// and to 113, its highest.
static float fit_table(const float *x) {
    float w[32], extreme = k_extreme(x, 32), inverse = k_reciprocal(extreme), best = 0, most = 0;
    k_weigh(w, x, 32);
    for (int t = 0; inverse != 0 && t < 16; t++) {
        float factor = (t == 15 ? 113 : (float)(t - 134)) * inverse;
        k_f4 sum_qq = 0, sum_qx = 0;
        for (int i = 0; i < 32; i += 4) {
            k_f4 v = k_load4(x + i), q = nearest_values(factor * v), wq = k_load4(w + i) * q;
            sum_qq += wq * q;
            sum_qx += wq * v;
        }
        float QQ = k_sum4(sum_qq), QX = k_sum4(sum_qx), scale = QX / QQ;
        if (scale * QX > most) {
            most = scale * QX;
            best = scale;
        }
    }
    return best;
}

/// 32 places in the table, in halves of bytes.
static void encode_places(uint8_t *q, const float *x, float scale) {
    float inverse = k_reciprocal(scale);
    uint8_t places[32];
    for (int i = 0; i < 32; i++) {
        float v = x[i] * inverse;
        int place = 0;
        for (int j = 1; j < 16; j++) place += v >= middle(j);
        places[i] = (uint8_t)place;
    }
    k_pack_halves(q, places);
}

void k_encode_iq4_nl(void *block, const float *x) {
    k_iq4_nl *b = block;
    b->d = k_finite_half(fit_table(x));
    encode_places(b->q, x, f16_wide(b->d));
}

void k_encode_iq4_xs(void *block, const float *x) {
    float scales[8];
    for (int g = 0; g < 8; g++) scales[g] = fit_table(x + 32 * g);
    k_iq4_xs *b = block;
    *b = (k_iq4_xs){.d = k_finite_half(k_extreme(scales, 8) / -32)};
    float d = f16_wide(b->d), inverse = k_reciprocal(d);
    for (int g = 0; g < 8; g++) {
        float level = __builtin_rintf(scales[g] * inverse);
        int multiple = (int)(level < -32 ? -32 : level > 31 ? 31 : level);
        b->scales_low[g / 2] |= (uint8_t)(((multiple + 32) & 15) << 4 * (g % 2));
        b->scales_high |= (uint16_t)(((multiple + 32) >> 4) << 2 * g);
        encode_places(b->q + 16 * g, x + 32 * g, d * (float)multiple);
    }
}
