// SPDX-License-Identifier: Apache-2.0
//
// The searches for scales: rounding with a scale a little off the obvious one gives other levels, to which weighted
// least squares fit the best scale (and minimum); of some twenty such fits the one with the least error is kept. The
// error needs no second pass: a fit by least squares explains sums that were taken for the fit.
#ifndef QALAM_BLOCKS_SEARCH_H
#define QALAM_BLOCKS_SEARCH_H

#include "blocks.h"

#pragma clang assume_nonnull begin

typedef float k_f4 __attribute__((ext_vector_type(4)));
typedef k_f4 k_f4u __attribute__((aligned(4), may_alias));

K_INLINE k_f4 k_load4(const float *p) { return *(const k_f4u *)p; }
K_INLINE float k_sum4(k_f4 x) { return (x[0] + x[2]) + (x[1] + x[3]); }
/// To the nearest integer, ties to even, for magnitudes below 2^22; larger ones stay large.
K_INLINE k_f4 k_round4(k_f4 x) { return (x + 12582912.0f) - 12582912.0f; }
K_INLINE k_f4 k_clamp4(k_f4 x, float low, float high) {
    k_f4 l = low, h = high;
    x = x > l ? x : l;
    return x < h ? x : h;
}

/// Factors tried in turn: 1 + (first + step * i) / top for i in 0..<count, times that which takes the extreme to `top`.
typedef struct {
    float first, step;
    int count;
} k_tries;

typedef struct {
    float scale, min;
} k_affine;

/// x (n) ≈ scale * level - min with levels 0...top, scale and min not negative; errors are weighted by w (n).
K_INLINE k_affine k_fit_affine(const float *x, const float *w, int n, float top, k_tries tries) {
    float low = 0, high = x[0];
    k_f4 sum_w = 0, sum_wx = 0;
    for (int i = 0; i < n; i++) {
        low = x[i] < low ? x[i] : low;
        high = x[i] > high ? x[i] : high;
    }
    for (int i = 0; i < n; i += 4) {
        sum_w += k_load4(w + i);
        sum_wx += k_load4(w + i) * k_load4(x + i);
    }
    k_affine best = {0, -low};
    float width = high - low;
    if (k_reciprocal(width) == 0) return best;
    double W = k_sum4(sum_w), X = k_sum4(sum_wx), most = -1;
    for (int t = 0; t < tries.count; t++) {
        float factor = (top + tries.first + tries.step * (float)t) / width;
        k_f4 sum_l = 0, sum_ll = 0, sum_lx = 0;
        for (int i = 0; i < n; i += 4) {
            k_f4 v = k_load4(x + i), l = k_clamp4(k_round4(factor * (v - low)), 0, top), wl = k_load4(w + i) * l;
            sum_l += wl;
            sum_ll += wl * l;
            sum_lx += wl * v;
        }
        double L = k_sum4(sum_l), LL = k_sum4(sum_ll), LX = k_sum4(sum_lx), determinant = W * LL - L * L;
        if (!(determinant > 0)) continue;
        double scale = (W * LX - X * L) / determinant, offset = (LL * X - L * LX) / determinant;
        if (offset > 0) {
            offset = 0;
            scale = LX / LL;
        }
        double explained = scale * LX + offset * X;  // of the weighted sum of squares
        if (scale > 0 && explained > most) {
            most = explained;
            best = (k_affine){(float)scale, -(float)offset};
        }
    }
    return best;
}

/// x (n) ≈ scale * level with levels -top..<top and errors weighted by x^2. The scale may be negative, as the extreme
/// goes to -top.
K_INLINE float k_fit_symmetric(const float *x, int n, float top, k_tries tries) {
    float extreme = k_extreme(x, n), inverse = k_reciprocal(extreme);
    float best = 0, most = 0;
    if (inverse == 0) return 0;
    for (int t = 0; t < tries.count; t++) {
        float factor = -(top + tries.first + tries.step * (float)t);
        k_f4 sum_ll = 0, sum_lx = 0;
        for (int i = 0; i < n; i += 4) {
            k_f4 v = k_load4(x + i) * inverse, l = k_clamp4(k_round4(factor * v), -top, top - 1), wl = v * v * l;
            sum_ll += wl * l;
            sum_lx += wl * v;
        }
        float LL = k_sum4(sum_ll), LX = k_sum4(sum_lx);
        if (LL > 0 && LX * LX > most * LL) {
            most = LX * LX / LL;
            best = LX / LL;
        }
    }
    return best * extreme;
}

/// levels (n) = x * factor + shift to the nearest integer, in 0...top.
K_INLINE void k_levels(uint8_t *levels, const float *x, int n, float factor, float shift, float top) {
    for (int i = 0; i < n; i += 4) {
        k_f4 l = k_clamp4(k_round4(k_load4(x + i) * factor + shift), 0, top);
        for (int j = 0; j < 4; j++) levels[i + j] = (uint8_t)l[j];
    }
}

#pragma clang assume_nonnull end

#endif
