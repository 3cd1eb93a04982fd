// SPDX-License-Identifier: Apache-2.0
//
// Products with weights that stay as files hold them: blocks of 4 to 8 bits, or 16-bit floats.
//
// Activations are quantized to match (int16 or int8 with a scale per 32 or 256), integers are summed exactly inside a
// block, and each output is one chain of float multiply-adds in the order of blocks. So a row of y depends on its row
// of x alone: not on how many rows there are, nor on threads.
#ifndef QALAM_WEIGHTS_H
#define QALAM_WEIGHTS_H

#include "qalam_blocks.h"

#pragma clang assume_nonnull begin

/// A weight matrix (rows, columns): y gets `rows` outputs.
typedef struct {
    k_block_type type;
    size_t rows, columns;
    /// Row-major blocks, as GGUF files hold them. May be NULL for a weight without rows, or once `panels` is there.
    const void *_Nullable blocks;
    /// What k_weight_pack made of them, or NULL: then panels are made again for every product, with the same results.
    const void *_Nullable panels;
    const float *_Nullable bias;  // (rows)
} k_weight;

/// Bytes of the panels of a weight; 0 if the type is multiplied as it lies in `blocks`.
size_t k_weight_panel_bytes(k_block_type type, size_t rows, size_t columns);
/// Reorders `weight->blocks` into panels of 16 rows, for which products are fastest. Works on all threads.
void k_weight_pack(void *panels, const k_weight *weight);

/// y (m, sum of the weights' rows) = x (m, columns) · each weight transposed + its bias, side by side. All weights have
/// the same columns.
typedef struct {
    size_t m;
    const float *x;
    size_t ldx;
    const k_weight *weights;
    size_t count;
    float *y;
    size_t ldy;
} k_linear_args;

void k_linear(const k_linear_args *args);

#pragma clang assume_nonnull end

#endif
