// SPDX-License-Identifier: Apache-2.0
//
// The naive twins of the kernels for pictures.
#include "internal.h"

#include <math.h>

/// x at channel c of a pixel, zero outside the picture.
static double pixel(const float *x, const k_convolution_args *p, size_t picture, size_t row, size_t column, size_t c,
                    size_t channels) {
    if (row >= p->height || column >= p->width) return 0;  // -1 is the largest size_t
    return x[((picture * p->height + row) * p->width + column) * channels + c];
}

void k_reference_convolution(const k_convolution_args *args) {
    k_convolution_args p = *args;
    for (size_t at = 0; at < p.batch * p.height * p.width * p.out; at++) {
        size_t o = at % p.out, column = at / p.out % p.width, row = at / p.out / p.width % p.height;
        double sum = p.bias ? p.bias[o] : 0;
        for (size_t tap = 0; tap < 9; tap++) {
            for (size_t i = 0; i < p.in; i++) {
                size_t weight = p.turned ? (i * 9 + 8 - tap) * p.out + o : (o * 9 + tap) * p.in + i;
                size_t picture = at / p.out / p.width / p.height;
                sum += p.weight[weight] * pixel(p.x, args, picture, row + tap / 3 - 1, column + tap % 3 - 1, i, p.in);
            }
        }
        p.y[at] = (float)(p.accumulate ? p.y[at] + sum : sum);
    }
}

void k_reference_convolution_weight_gradient(const k_convolution_args *args, const float *dy) {
    k_convolution_args p = *args;
    for (size_t at = 0; at < p.out * 9 * p.in; at++) {
        size_t i = at % p.in, tap = at / p.in % 9, o = at / p.in / 9;
        double sum = p.y[at];
        for (size_t pixels = 0; pixels < p.batch * p.height * p.width; pixels++) {
            size_t column = pixels % p.width, row = pixels / p.width % p.height, picture = pixels / p.width / p.height;
            sum += dy[pixels * p.out + o] *
                   pixel(p.x, args, picture, row + tap / 3 - 1, column + tap % 3 - 1, i, p.in);
        }
        p.y[at] = (float)sum;
    }
}

void k_reference_space_to_depth(float *out, const float *x, size_t rows, size_t width, size_t channels, bool inverse) {
    for (size_t at = 0; at < rows * width * channels; at++) {
        size_t c = at % channels, column = at / channels % width, row = at / channels / width;
        size_t square = row / 2 * (width / 2) + column / 2;
        size_t deep = ((square * 2 + row % 2) * 2 + column % 2) * channels + c;
        out[inverse ? at : deep] = x[inverse ? deep : at];
    }
}

void k_reference_modulate(const k_modulation_args *args) {
    k_modulation_args p = *args;
    for (size_t at = 0; at < p.samples * p.tokens * p.d; at++) {
        size_t own = at / p.d / p.tokens * p.stride + at % p.d;
        double base = (p.base ? p.base[at] : 0) + (p.shift ? (double)p.shift[own] : 0);
        p.out[at] = (float)(base + (double)p.x[at] * p.scale[own]);
    }
}

void k_reference_modulate_backward(const k_modulation_args *args, const float *dy, float *dx, float *dscale,
                                   float *dshift, bool accumulate) {
    k_modulation_args p = *args;
    for (size_t each = 0; each < p.samples * p.d; each++) {
        size_t sample = each / p.d, j = each % p.d, own = sample * p.stride + j;
        double products = 0, sum = 0;
        for (size_t token = 0; token < p.tokens; token++) {
            size_t at = (sample * p.tokens + token) * p.d + j;
            products += (double)dy[at] * p.x[at];
            sum += dy[at];
            if (dx) dx[at] = (accumulate ? dx[at] : 0) + dy[at] * p.scale[own];
        }
        if (dscale) dscale[own] = (float)(dscale[own] + products);
        if (dshift) dshift[own] = (float)(dshift[own] + sum);
    }
}

/// Gumbel noise from 32 hashed bits, in double.
static double reference_noise(uint32_t seed, uint32_t position) {
    uint32_t x = position * 0x9E3779B9u + seed;
    x = (x ^ (x >> 16)) * 0x21f0aaadu;
    x = (x ^ (x >> 15)) * 0x735a2d97u;
    x ^= x >> 15;
    return -log(-log(((x >> 8) + 0.5) / (1 << 24)));
}

/// log of the sum of e^(x + noise), both divided by the temperature.
static double reference_log_sum(const k_relaxation_args *args, size_t row, bool noisy) {
    double sum = 0, most = -INFINITY;
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < args->codes; i++) {
            size_t at = row * args->codes + i;
            double z = args->logits[at];
            if (noisy) z = (z + reference_noise(args->seed, (uint32_t)at)) / args->temperature;
            if (pass == 0) most = fmax(most, z);
            if (pass == 1) sum += exp(z - most);
        }
    }
    return most + log(sum);
}

void k_reference_relax(const k_relaxation_args *args) {
    for (size_t row = 0; row < args->rows; row++) {
        double noisy = reference_log_sum(args, row, true), plain = reference_log_sum(args, row, false), entropy = 0;
        for (size_t i = 0; i < args->codes; i++) {
            size_t at = row * args->codes + i;
            double z = args->logits[at] + reference_noise(args->seed, (uint32_t)at);
            args->out[at] = (float)exp(z / args->temperature - noisy);
            entropy -= exp(args->logits[at] - plain) * (args->logits[at] - plain);
        }
        args->divergences[row] = (float)(log((double)args->codes) - entropy);
    }
}

void k_reference_relax_backward(const k_relaxation_args *args, const float *dy, float *dlogits, float weight) {
    for (size_t row = 0; row < args->rows; row++) {
        double plain = reference_log_sum(args, row, false), dot = 0, negentropy = 0;
        for (size_t i = 0; i < args->codes; i++) {
            size_t at = row * args->codes + i;
            dot += (double)args->out[at] * dy[at];
            negentropy += exp(args->logits[at] - plain) * (args->logits[at] - plain);
        }
        for (size_t i = 0; i < args->codes; i++) {
            size_t at = row * args->codes + i;
            double log_share = args->logits[at] - plain;
            double relaxed = args->out[at] * (dy[at] - dot) / args->temperature;
            dlogits[at] = (float)(relaxed + weight * exp(log_share) * (log_share - negentropy));
        }
    }
}
