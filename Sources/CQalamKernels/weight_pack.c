// SPDX-License-Identifier: Apache-2.0
//
// Reorders blocks into panels (weight_layout.h). Plain C: loops over 4-byte groups, which compilers turn into SIMD.
#include "internal.h"
#include "qalam_weights.h"
#include "weight_layout.h"

#include <string.h>

static inline uint32_t load32(const uint8_t *p) {
    uint32_t x;
    memcpy(&x, p, 4);
    return x;
}

static inline void store32(uint8_t *p, uint32_t x) { memcpy(p, &x, 4); }

/// The blocks of the 16 rows of a panel at one column block; missing rows are zeros, whose scale is zero.
typedef struct {
    const uint8_t *row[W_ROWS];
} w_source;

static void pack_scales(uint8_t *out, const w_source *s, size_t offset) {
    for (size_t r = 0; r < W_ROWS; r++) memcpy(out + 2 * r, s->row[r] + offset, 2);
}

static void pack_q8_0(uint8_t *out, const w_source *s) {
    pack_scales(out, s, 0);
    for (size_t r = 0; r < W_ROWS; r++) {
        for (size_t pair = 0; pair < 16; pair++) memcpy(out + 32 + pair * 32 + r * 2, s->row[r] + 2 + pair * 2, 2);
    }
}

/// 4 x `groups` bytes of each row, from `offset`: their low halves make quads `low ...`, their high ones `high ...`.
static void pack_nibbles(uint8_t *out, const w_source *s, size_t offset, size_t groups, size_t low, size_t high) {
    for (size_t r = 0; r < 8; r++) {
        const uint8_t *a = s->row[r] + offset, *b = s->row[r + 8] + offset;
        for (size_t i = 0; i < groups; i++) {
            uint32_t x = load32(a + 4 * i), y = load32(b + 4 * i);
            store32(out + (low + i) * 32 + r * 4, (x & 0x0F0F0F0F) | (y & 0x0F0F0F0F) << 4);
            store32(out + (high + i) * 32 + r * 4, (x >> 4 & 0x0F0F0F0F) | (y & 0xF0F0F0F0));
        }
    }
}

static void pack_q4_0(uint8_t *out, const w_source *s) {
    pack_scales(out, s, 0);
    pack_nibbles(out + 32, s, 2, 4, 0, 4);
}

static void pack_q5_0(uint8_t *out, const w_source *s) {
    pack_scales(out, s, 0);
    pack_nibbles(out + 32, s, 6, 4, 0, 4);
    uint8_t *high = out + 32 + 256;
    memset(high, 0, 64);
    for (size_t r = 0; r < W_ROWS; r++) {
        uint32_t bits = load32(s->row[r] + 2);
        for (size_t k = 0; k < 32; k++) high[r / 8 * 32 + r % 8 * 4 + k % 4] |= (bits >> k & 1) << k / 4;
    }
}

/// The 6-bit scales and minima of a super-block's 8 sub-blocks, 12 bytes.
static void unpack_k_scales(const uint8_t *packed, uint8_t *scales, uint8_t *minima) {
    for (size_t j = 0; j < 4; j++) {
        scales[j] = packed[j] & 63;
        minima[j] = packed[j + 4] & 63;
        scales[j + 4] = (packed[j + 8] & 15) | (packed[j] >> 6) << 4;
        minima[j + 4] = packed[j + 8] >> 4 | (packed[j + 4] >> 6) << 4;
    }
}

/// d, dmin, scales and minima: the common head of Q4_K and Q5_K.
static void pack_k_head(uint8_t *out, const w_source *s) {
    pack_scales(out, s, 0);
    pack_scales(out + 32, s, 2);
    for (size_t r = 0; r < W_ROWS; r++) {
        uint8_t scales[8], minima[8];
        unpack_k_scales(s->row[r] + 4, scales, minima);
        for (size_t j = 0; j < 8; j++) out[64 + j * 16 + r] = scales[j], out[192 + j * 16 + r] = minima[j];
    }
}

static void pack_q4_k(uint8_t *out, const w_source *s) {
    pack_k_head(out, s);
    for (size_t c = 0; c < 4; c++) pack_nibbles(out + 320, s, 16 + 32 * c, 8, 16 * c, 16 * c + 8);
}

static void pack_q5_k(uint8_t *out, const w_source *s) {
    pack_k_head(out, s);
    for (size_t c = 0; c < 4; c++) pack_nibbles(out + 320, s, 48 + 32 * c, 8, 16 * c, 16 * c + 8);
    uint8_t *high = out + 320 + 2048;
    memset(high, 0, 512);
    for (size_t r = 0; r < W_ROWS; r++) {
        const uint8_t *bits = s->row[r] + 16;
        for (size_t j = 0; j < 8; j++) {  // sub-block j takes bit j of the 32 bytes
            uint8_t *to = high + j * 64 + r / 8 * 32 + r % 8 * 4;
            for (size_t k = 0; k < 32; k++) to[k % 4] |= (bits[k] >> j & 1) << k / 4;
        }
    }
}

static void pack_q6_k(uint8_t *out, const w_source *s) {
    pack_scales(out, s, 208);
    for (size_t r = 0; r < W_ROWS; r++) {
        for (size_t j = 0; j < 16; j++) out[32 + j * 16 + r] = s->row[r][192 + j];
    }
    for (size_t half = 0; half < 2; half++) {
        pack_nibbles(out + 288, s, 64 * half, 8, 32 * half, 32 * half + 16);
        pack_nibbles(out + 288, s, 64 * half + 32, 8, 32 * half + 8, 32 * half + 24);
    }
    uint8_t *high = out + 288 + 2048;
    memset(high, 0, 1024);
    for (size_t r = 0; r < W_ROWS; r++) {
        const uint8_t *bits = s->row[r] + 128;
        for (size_t k = 0; k < 256; k++) {
            uint8_t two = bits[k / 128 * 32 + k % 32] >> (k % 128 / 32 * 2) & 3;
            high[k / 16 * 64 + r / 8 * 32 + r % 8 * 4 + k % 4] |= two << (k % 16 / 4 * 2);
        }
    }
}

static void pack_block(k_block_type type, uint8_t *out, const w_source *s) {
    switch (type) {
    case K_BLOCK_Q8_0: pack_q8_0(out, s); break;
    case K_BLOCK_Q4_0: pack_q4_0(out, s); break;
    case K_BLOCK_Q5_0: pack_q5_0(out, s); break;
    case K_BLOCK_Q4_K: pack_q4_k(out, s); break;
    case K_BLOCK_Q5_K: pack_q5_k(out, s); break;
    case K_BLOCK_Q6_K: pack_q6_k(out, s); break;
    default: break;
    }
}

size_t k_weight_panel_bytes(k_block_type type, size_t rows, size_t columns) {
    size_t bytes = w_block_bytes(type);
    return bytes ? (rows + W_ROWS - 1) / W_ROWS * (columns / w_block_columns(type)) * bytes : 0;
}

typedef struct {
    uint8_t *panels;
    const k_weight *weight;
} w_packing;

/// Columns of 16-bit floats of a panel; missing rows are zeros.
static void pack_halves(uint8_t *out, const k_weight *w, size_t panel) {
    for (size_t r = 0; r < W_ROWS; r++) {
        size_t row = panel * W_ROWS + r;
        const uint8_t *from = (const uint8_t *)w->blocks + row * w->columns * 2;
        for (size_t k = 0; k < w->columns; k++) {
            uint16_t half = 0;
            if (row < w->rows) memcpy(&half, from + 2 * k, 2);
            memcpy(out + k * W_HALF_BYTES + 2 * r, &half, 2);
        }
    }
}

static void pack_panel(void *context, size_t panel) {
    static const uint8_t zeros[256] = {0};
    const w_packing *p = context;
    const k_weight *w = p->weight;
    size_t count = w->columns / w_block_columns(w->type), bytes = w_block_bytes(w->type);
    size_t source_bytes = k_block_bytes(w->type), row_bytes = count * source_bytes;
    uint8_t *out = p->panels + panel * count * bytes;
    if (bytes == W_HALF_BYTES) {
        pack_halves(out, w, panel);
        return;
    }
    for (size_t b = 0; b < count; b++, out += bytes) {
        w_source source;
        for (size_t r = 0; r < W_ROWS; r++) {
            size_t row = panel * W_ROWS + r;
            const uint8_t *start = w->blocks;
            source.row[r] = row < w->rows ? start + row * row_bytes + b * source_bytes : zeros;
        }
        pack_block(w->type, out, &source);
    }
}

void k_weight_pack(void *panels, const k_weight *weight) {
    w_packing packing = {panels, weight};
    k_parallel_for((weight->rows + W_ROWS - 1) / W_ROWS, pack_panel, &packing);
}
