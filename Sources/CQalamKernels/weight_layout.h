// SPDX-License-Identifier: Apache-2.0
//
// How weights lie in panels of 16 rows, shared by the packer and the kernels.
//
// A panel holds the blocks of its 16 rows column block by column block. Bytes are grouped in quads: 4 columns of 16
// rows. 4 bits of a quad are 32 bytes, byte (row % 8, column % 4) holding row % 8 in its low and row % 8 + 8 in its
// high half. High bits follow the nibbles, several quads to a byte, rows 0-7 and then rows 8-15.
#ifndef QALAM_WEIGHT_LAYOUT_H
#define QALAM_WEIGHT_LAYOUT_H

#include "qalam_weights.h"

enum {
    W_ROWS = 16,
    // Single columns: 16 halves.
    W_HALF_BYTES = 32,
    // Blocks of 32: 16 scales in binary16, then the numbers.
    W_Q8_0_BYTES = 32 + 512,      // [16 pairs of columns][16 rows][2] int8
    W_Q4_0_BYTES = 32 + 256,      // [8 quads] nibbles, value + 8
    W_Q5_0_BYTES = 32 + 256 + 64, // the same, and bit 4 (value + 16): bit q of a byte belongs to quad q
    // Blocks of 256: 16 d, 16 dmin in binary16, scales and minima by sub-block, then the numbers.
    W_Q4_K_BYTES = 64 + 128 + 128 + 2048,        // scales[8][16], minima[8][16], [64 quads] nibbles
    W_Q5_K_BYTES = 64 + 128 + 128 + 2048 + 512,  // and bit 4, 64 bytes for each 8 quads
    W_Q6_K_BYTES = 32 + 256 + 2048 + 1024,       // d; int8 scales[16][16]; nibbles; bits 4-5, 64 bytes for 4 quads
};

/// Bytes of one column block of a panel; 0 for types without panels.
static inline size_t w_block_bytes(k_block_type type) {
    switch (type) {
    case K_BLOCK_F16:
    case K_BLOCK_BF16: return W_HALF_BYTES;
    case K_BLOCK_Q8_0: return W_Q8_0_BYTES;
    case K_BLOCK_Q4_0: return W_Q4_0_BYTES;
    case K_BLOCK_Q5_0: return W_Q5_0_BYTES;
    case K_BLOCK_Q4_K: return W_Q4_K_BYTES;
    case K_BLOCK_Q5_K: return W_Q5_K_BYTES;
    case K_BLOCK_Q6_K: return W_Q6_K_BYTES;
    default: return 0;
    }
}

/// Columns of one block of the types with panels.
static inline size_t w_block_columns(k_block_type type) {
    if (type == K_BLOCK_F16 || type == K_BLOCK_BF16) return 1;
    return type == K_BLOCK_Q4_K || type == K_BLOCK_Q5_K || type == K_BLOCK_Q6_K ? 256 : 32;
}

/// Where the nibbles of a block of a panel start.
static inline size_t w_nibbles(k_block_type type) {
    switch (type) {
    case K_BLOCK_Q4_K:
    case K_BLOCK_Q5_K: return 64 + 128 + 128;
    case K_BLOCK_Q6_K: return 32 + 256;
    default: return 32;
    }
}

#endif
