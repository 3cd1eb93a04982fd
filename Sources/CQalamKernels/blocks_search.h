// SPDX-License-Identifier: Apache-2.0
//
// The searches for scales: rounding with a scale a little off the obvious one gives other levels, to which weighted
// least squares fit the best scale (and minimum); of some twenty such fits the one with the least error is kept. The
// error needs no second pass: what a fit by least squares explains follows from the sums that were taken for it.
#ifndef QALAM_BLOCKS_SEARCH_H
#define QALAM_BLOCKS_SEARCH_H

#include "blocks.h"

#pragma clang assume_nonnull begin

// MARK: Vectors of four floats, which every processor has

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

// MARK: What is fitted

/// n numbers that share a scale, n a multiple of 4, and the weights of their errors.
typedef struct {
    const float *x, *w;
    int n;
} k_group;

/// The weights of all searches: |x| and the root of the group's mean square. Large weights matter more than their
/// number; without the second term small ones would not matter at all.
K_INLINE void k_weigh(float *w, const float *x, int n) {
    k_f4 squares = 0;
    for (int i = 0; i < n; i += 4) squares += k_load4(x + i) * k_load4(x + i);
    float root = __builtin_sqrtf(k_sum4(squares) / (float)n);
    for (int i = 0; i < n; i++) w[i] = root + __builtin_fabsf(x[i]);
}

/// Factors tried in turn: those that take the extreme to top + first + step * i, for i in 0..<count.
typedef struct {
    float first, step;
    int count;
} k_tries;

/// x ≈ scale * level - min.
typedef struct {
    float scale, min;
} k_affine;

// MARK: Searches

/// The fit with levels 0...top, scale and min not negative.
K_INLINE k_affine k_fit_affine(k_group g, float top, k_tries tries) {
    float low = 0, high = g.x[0];
    k_f4 sum_w = 0, sum_wx = 0;
    for (int i = 0; i < g.n; i++) {
        low = g.x[i] < low ? g.x[i] : low;
        high = g.x[i] > high ? g.x[i] : high;
    }
    for (int i = 0; i < g.n; i += 4) {
        sum_w += k_load4(g.w + i);
        sum_wx += k_load4(g.w + i) * k_load4(g.x + i);
    }
    k_affine best = {0, -low};
    float range = k_reciprocal(high - low);
    double W = k_sum4(sum_w), X = k_sum4(sum_wx), most = 0;
    for (int t = 0; range > 0 && t < tries.count; t++) {
        float factor = (top + tries.first + tries.step * (float)t) * range;
        k_f4 sum_l = 0, sum_ll = 0, sum_lx = 0;
        for (int i = 0; i < g.n; i += 4) {
            k_f4 x = k_load4(g.x + i), l = k_clamp4(k_round4(factor * (x - low)), 0, top), wl = k_load4(g.w + i) * l;
            sum_l += wl;
            sum_ll += wl * l;
            sum_lx += wl * x;
        }
        double L = k_sum4(sum_l), LL = k_sum4(sum_ll), LX = k_sum4(sum_lx), determinant = W * LL - L * L;
        if (!(determinant > 0)) continue;
        double scale = (W * LX - X * L) / determinant, offset = (LL * X - L * LX) / determinant;
        if (offset > 0) {
            offset = 0;
            scale = LX / LL;
        }
        double explained = scale * LX + offset * X;
        if (scale > 0 && explained > most) {
            most = explained;
            best = (k_affine){(float)scale, -(float)offset};
        }
    }
    return best;
}

/// The weighted error of a fit with levels 0...top.
K_INLINE float k_affine_error(k_group g, float top, k_affine fit) {
    float factor = k_reciprocal(fit.scale), shift = fit.min * factor;
    k_f4 error = 0;
    for (int i = 0; i < g.n; i += 4) {
        k_f4 x = k_load4(g.x + i), l = k_clamp4(k_round4(x * factor + shift), 0, top);
        k_f4 rest = l * fit.scale - (x + fit.min);
        error += k_load4(g.w + i) * rest * rest;
    }
    return k_sum4(error);
}

/// The scale with levels -top..<top and no minimum; negative if that takes the extreme to -top.
K_INLINE float k_fit_symmetric(k_group g, float top, k_tries tries) {
    float extreme = k_extreme(g.x, g.n), inverse = k_reciprocal(extreme), best = 0, most = 0;
    for (int t = 0; inverse != 0 && t < tries.count; t++) {
        float factor = -(top + tries.first + tries.step * (float)t) * inverse;
        k_f4 sum_ll = 0, sum_lx = 0;
        for (int i = 0; i < g.n; i += 4) {
            k_f4 x = k_load4(g.x + i), l = k_clamp4(k_round4(factor * x), -top, top - 1), wl = k_load4(g.w + i) * l;
            sum_ll += wl * l;
            sum_lx += wl * x;
        }
        float LL = k_sum4(sum_ll), LX = k_sum4(sum_lx), scale = LL > 0 ? LX / LL : 0;
        if (scale * LX > most) {
            most = scale * LX;
            best = scale;
        }
    }
    return best;
}

/// levels (n) = x * factor + shift to the nearest integer, in 0...top.
K_INLINE void k_levels(uint8_t *levels, k_group g, float factor, float shift, float top) {
    for (int i = 0; i < g.n; i += 4) {
        k_f4 l = k_clamp4(k_round4(k_load4(g.x + i) * factor + shift), 0, top);
        for (int j = 0; j < 4; j++) levels[i + j] = (uint8_t)l[j];
    }
}

#pragma clang assume_nonnull end

#endif
