// SPDX-License-Identifier: Apache-2.0
//
// The block formats of GGUF tensors: how llama.cpp and its relatives store quantized numbers, a block of 32 or 256 with
// its scales after the other.
#ifndef QALAM_BLOCKS_H
#define QALAM_BLOCKS_H

#include <stddef.h>

#pragma clang assume_nonnull begin

/// The types by their numbers in GGUF. A name tells the bits of a number; `_0` has a scale for 32 numbers, `_1` a scale
/// and a minimum, `_K` 256 numbers whose groups have scales of a few bits; IQ4 and MXFP4 store places in a fixed table.
typedef enum {
    K_BLOCK_F32 = 0,
    K_BLOCK_F16 = 1,
    K_BLOCK_Q4_0 = 2,
    K_BLOCK_Q4_1 = 3,
    K_BLOCK_Q5_0 = 6,
    K_BLOCK_Q5_1 = 7,
    K_BLOCK_Q8_0 = 8,
    K_BLOCK_Q2_K = 10,
    K_BLOCK_Q3_K = 11,
    K_BLOCK_Q4_K = 12,
    K_BLOCK_Q5_K = 13,
    K_BLOCK_Q6_K = 14,
    K_BLOCK_IQ4_NL = 20,
    K_BLOCK_IQ4_XS = 23,
    K_BLOCK_BF16 = 30,
    K_BLOCK_MXFP4 = 39,
    /// No type of files: blocks of Q8_0 whose products take activations as int8 where the processor adds four products
    /// of bytes at once, rather than as int16. Nearly twice as fast with many rows; the error is 1e-2 rather than 4e-5.
    K_BLOCK_Q8_0_INT8 = 1008,
} k_block_type;

/// Numbers in one block: 1, 32 or 256; 0 for a type that is none of the above.
size_t k_block_numbers(k_block_type type);
/// Bytes of one block; 0 for a type that is none of the above.
size_t k_block_bytes(k_block_type type);

/// out (n) = the numbers in `blocks`, which may lie at any address; n is a multiple of the block's numbers. On the
/// calling thread alone. The same bits come out on every processor.
void k_block_decode(float *out, k_block_type type, const void *blocks, size_t n);

/// `blocks` = x (rows, columns); columns is a multiple of the block's numbers. In parallel. The same bits come out on
/// every processor. In a type with scales, NaN counts as 0 and numbers beyond the type's range as its ends, so that no
/// scale is ever infinite or NaN. F16 and BF16 must lie at an even address, F32 at a multiple of 4.
void k_block_encode(void *blocks, k_block_type type, const float *x, size_t rows, size_t columns);

#pragma clang assume_nonnull end

#endif
