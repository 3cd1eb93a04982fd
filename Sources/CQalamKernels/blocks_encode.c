// SPDX-License-Identifier: Apache-2.0
//
// From floats to blocks whose scales follow from the extremes: the types of 32 numbers but IQ4_NL.
#include "blocks.h"

#pragma STDC FP_CONTRACT OFF

static void bounds_of(float *low, float *high, const float *x, int n) {
    *low = *high = x[0];
    for (int i = 1; i < n; i++) {
        *low = x[i] < *low ? x[i] : *low;
        *high = x[i] > *high ? x[i] : *high;
    }
}

/// levels = x * factor + shift without the fraction, at most `top`.
static void levels_of(uint8_t *levels, const float *x, float factor, float shift, int top) {
    for (int i = 0; i < 32; i++) {
        int level = (int)(x[i] * factor + shift);
        levels[i] = (uint8_t)(level < top ? level : top);
    }
}

/// The fifth bits of 32 levels.
static uint32_t fifth_bits(const uint8_t *levels) {
    uint32_t bits = 0;
    for (int i = 0; i < 32; i++) bits |= (uint32_t)(levels[i] >> 4 & 1) << i;
    return bits;
}

// MARK: A scale. The extreme becomes the lowest level, which has no counterpart of the other sign

void k_encode_q4_0(void *block, const float *x) {
    float d = k_extreme(x, 32) / -8;
    uint8_t levels[32];
    levels_of(levels, x, k_reciprocal(d), 8.5f, 15);
    k_q4_0 *b = block;
    b->d = k_finite_half(d);
    k_pack_halves(b->q, levels);
}

void k_encode_q5_0(void *block, const float *x) {
    float d = k_extreme(x, 32) / -16;
    uint8_t levels[32];
    levels_of(levels, x, k_reciprocal(d), 16.5f, 31);
    k_q5_0 *b = block;
    b->d = k_finite_half(d);
    b->high = fifth_bits(levels);
    k_pack_halves(b->q, levels);
}

/// Halves are rounded away from zero.
void k_encode_q8_0(void *block, const float *x) {
    float d = __builtin_fabsf(k_extreme(x, 32)) / 127, inverse = k_reciprocal(d);
    k_q8_0 *b = block;
    b->d = k_finite_half(d);
    for (int i = 0; i < 32; i++) {
        float scaled = x[i] * inverse;
        int whole = (int)scaled;
        float rest = scaled - (float)whole;
        b->q[i] = (int8_t)(whole + (rest >= 0.5f) - (rest <= -0.5f));
    }
}

/// The scale is the power of two that takes the largest number to 4..<8, where FP4's largest is 6; halves are rounded
/// towards zero.
void k_encode_mxfp4(void *block, const float *x) {
    float largest = __builtin_fabsf(k_extreme(x, 32));
    int exponent = (int)(bits_of(largest) >> 23) - 2;
    k_mxfp4 *b = block;
    b->exponent = (uint8_t)(exponent > 0 ? exponent : 0);
    float d = k_mxfp4_scale(b->exponent);
    uint8_t levels[32];
    for (int i = 0; i < 32; i++) {
        float size = __builtin_fabsf(x[i]);
        int level = (size > 0.5f * d) + (size > 1.5f * d) + (size > 2.5f * d) + (size > 3.5f * d) + (size > 5 * d) +
                    (size > 7 * d) + (size > 10 * d);
        levels[i] = (uint8_t)(level | (x[i] < 0 && level > 0 ? 8 : 0));
    }
    k_pack_halves(b->q, levels);
}

// MARK: A scale and a minimum

void k_encode_q4_1(void *block, const float *x) {
    float low, high, above[32];
    bounds_of(&low, &high, x, 32);
    float d = (high - low) / 15;
    for (int i = 0; i < 32; i++) above[i] = x[i] - low;
    uint8_t levels[32];
    levels_of(levels, above, k_reciprocal(d), 0.5f, 15);
    k_q4_1 *b = block;
    b->d = k_finite_half(d);
    b->min = k_finite_half(low);
    k_pack_halves(b->q, levels);
}

void k_encode_q5_1(void *block, const float *x) {
    float low, high, above[32];
    bounds_of(&low, &high, x, 32);
    float d = (high - low) / 31;
    for (int i = 0; i < 32; i++) above[i] = x[i] - low;
    uint8_t levels[32];
    levels_of(levels, above, k_reciprocal(d), 0.5f, 31);
    k_q5_1 *b = block;
    b->d = k_finite_half(d);
    b->min = k_finite_half(low);
    b->high = fifth_bits(levels);
    k_pack_halves(b->q, levels);
}
