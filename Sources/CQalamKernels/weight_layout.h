// SPDX-License-Identifier: Apache-2.0
//
// How weights lie in panels of 16 rows, shared by the packer and the kernels.
//
// A panel holds the blocks of its 16 rows column block by column block. Numbers are grouped in quads: 4 columns of 16
// rows. The bits of some quads share 64 bytes, byte (row, column % 4): 4 bits of two quads, the second in the upper
// half; 2 or 1 bits of four or eight.
#ifndef QALAM_WEIGHT_LAYOUT_H
#define QALAM_WEIGHT_LAYOUT_H

#include "qalam_weights.h"

#include <stdbool.h>

enum {
    W_ROWS = 16,
    // 16-bit floats: a column of 16 rows; of BF16 pairs of columns, [16 rows][2].
    W_F16_BYTES = 32,
    W_BF16_BYTES = 64,
    // Bits of a block of 32 or 256 columns.
    W_NIBBLES_32 = 256,
    W_BITS_32 = 64,
    W_NIBBLES_256 = 2048,
    W_TWO_BITS_256 = 1024,
    W_BITS_256 = 512,
    // 16 scales of a block of 32, or d of one of 256, in binary16 (MXFP4: bfloat16), come first; then 16 minima.
    W_SCALES = 32,
    W_MINIMA = 32,
    W_Q8_0_BYTES = W_SCALES + 512,  // [16 pairs of columns][16 rows][2] int8
};

/// Whether numbers have a minimum beside their scale.
static inline bool w_has_minima(k_block_type type) {
    return type == K_BLOCK_Q4_1 || type == K_BLOCK_Q5_1 || type == K_BLOCK_Q2_K || type == K_BLOCK_Q4_K ||
           type == K_BLOCK_Q5_K;
}

/// Whether scales are shared by 16 columns, not 32.
static inline bool w_has_sixteenths(k_block_type type) {
    return type == K_BLOCK_Q2_K || type == K_BLOCK_Q3_K || type == K_BLOCK_Q6_K;
}

/// Columns of one block of the types with panels.
static inline size_t w_block_columns(k_block_type type) {
    switch (type) {
    case K_BLOCK_F32:
    case K_BLOCK_F16: return 1;
    case K_BLOCK_BF16: return 2;
    case K_BLOCK_Q4_K:
    case K_BLOCK_Q5_K:
    case K_BLOCK_IQ4_XS: return 256;
    default: return w_has_sixteenths(type) ? 256 : 32;
    }
}

/// Where the scales of the parts of a block of 256 start: [part][16 rows] bytes, of Q2_K the minimum in the high half.
static inline size_t w_sub_scales_at(k_block_type type) { return W_SCALES + (w_has_minima(type) ? W_MINIMA : 0); }

/// Where Q4_K and Q5_K have their 8 minima: [8][16 rows] bytes.
enum { W_K_MINIMA_AT = W_SCALES + W_MINIMA + 128 };

/// Where the lower bits of the numbers of a block start: two of each for Q2_K and Q3_K, else four.
static inline size_t w_low_bits(k_block_type type) {
    size_t scales = w_sub_scales_at(type);
    switch (type) {
    case K_BLOCK_Q4_K:
    case K_BLOCK_Q5_K: return W_K_MINIMA_AT + 128;
    case K_BLOCK_IQ4_XS: return scales + 128;
    default: return scales + (w_has_sixteenths(type) ? 256 : 0);
    }
}

/// Where the higher bits start, if the type has any; else where the block ends.
static inline size_t w_high_bits(k_block_type type) {
    size_t low = type == K_BLOCK_Q2_K || type == K_BLOCK_Q3_K ? W_TWO_BITS_256 : W_NIBBLES_256;
    return w_low_bits(type) + (w_block_columns(type) == 32 ? W_NIBBLES_32 : low);
}

/// Bytes of one column block of a panel; 0 for types without panels.
static inline size_t w_block_bytes(k_block_type type) {
    switch (type) {
    case K_BLOCK_F16: return W_F16_BYTES;
    case K_BLOCK_BF16: return W_BF16_BYTES;
    case K_BLOCK_Q8_0:
    case K_BLOCK_Q8_0_INT8: return W_Q8_0_BYTES;
    case K_BLOCK_Q5_0:
    case K_BLOCK_Q5_1: return w_high_bits(type) + W_BITS_32;
    case K_BLOCK_Q3_K:
    case K_BLOCK_Q5_K: return w_high_bits(type) + W_BITS_256;
    case K_BLOCK_Q6_K: return w_high_bits(type) + W_TWO_BITS_256;
    case K_BLOCK_Q4_0:
    case K_BLOCK_Q4_1:
    case K_BLOCK_IQ4_NL:
    case K_BLOCK_MXFP4:
    case K_BLOCK_Q2_K:
    case K_BLOCK_Q4_K:
    case K_BLOCK_IQ4_XS: return w_high_bits(type);
    default: return 0;
    }
}

/// Whether a weight is multiplied as panels, be they there or made as they are needed.
static inline bool w_has_panels(const k_weight *w) {
    return w_block_bytes(w->type) != 0 && w->columns % w_block_columns(w->type) == 0;
}

/// Writes columns k0 ..< k0 + columns, whole blocks, of a panel of a weight that has only blocks.
void w_pack_columns(void *out, const k_weight *weight, size_t panel, size_t k0, size_t columns);

#endif
