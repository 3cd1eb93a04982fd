// SPDX-License-Identifier: Apache-2.0
//
// Reorders blocks into panels (weight_layout.h). Plain C: loops over 4-byte groups, which compilers turn into SIMD.
#include "blocks.h"
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

/// A binary16 number of each row, at `offset` of its block.
static void pack_scales(uint8_t *out, const w_source *s, size_t offset) {
    for (size_t r = 0; r < W_ROWS; r++) memcpy(out + 2 * r, s->row[r] + offset, 2);
}

// MARK: Pairs of bytes

typedef uint16_t w_eight __attribute__((ext_vector_type(8)));

/// Eight numbers of each of eight rows become eight rows of numbers, `step` bytes apart.
static void transpose_eight(uint8_t *out, size_t step, const uint8_t *const *rows, size_t offset) {
    w_eight a[8], b[8];
    for (size_t i = 0; i < 8; i++) memcpy(&a[i], rows[i] + offset, sizeof a[i]);
    for (size_t i = 0; i < 4; i++) {
        b[2 * i] = __builtin_shufflevector(a[i], a[i + 4], 0, 8, 1, 9, 2, 10, 3, 11);
        b[2 * i + 1] = __builtin_shufflevector(a[i], a[i + 4], 4, 12, 5, 13, 6, 14, 7, 15);
    }
    for (size_t i = 0; i < 4; i++) {
        a[2 * i] = __builtin_shufflevector(b[i], b[i + 4], 0, 8, 1, 9, 2, 10, 3, 11);
        a[2 * i + 1] = __builtin_shufflevector(b[i], b[i + 4], 4, 12, 5, 13, 6, 14, 7, 15);
    }
    for (size_t i = 0; i < 4; i++) {
        b[2 * i] = __builtin_shufflevector(a[i], a[i + 4], 0, 8, 1, 9, 2, 10, 3, 11);
        b[2 * i + 1] = __builtin_shufflevector(a[i], a[i + 4], 4, 12, 5, 13, 6, 14, 7, 15);
    }
    for (size_t i = 0; i < 8; i++) memcpy(out + i * step, &b[i], sizeof b[i]);
}

static void pack_q8_0(uint8_t *out, const w_source *s) {
    pack_scales(out, s, 0);
    for (size_t part = 0; part < 4; part++) {
        size_t rows = part / 2 * 8, pairs = part % 2 * 8;
        transpose_eight(out + W_SCALES + pairs * 32 + rows * 2, 32, s->row + rows, 2 + pairs * 2);
    }
}

// MARK: Bits

/// 4 x `groups` bytes of each row, from `offset`: their low halves make quads `low ...`, their high ones `high ...`.
static void pack_nibbles(uint8_t *out, const w_source *s, size_t offset, size_t groups, size_t low, size_t high) {
    for (size_t r = 0; r < W_ROWS; r++) {
        const uint8_t *from = s->row[r] + offset;
        for (size_t i = 0; i < groups; i += 2) {
            uint32_t x = load32(from + 4 * i), y = load32(from + 4 * i + 4);
            store32(out + (low + i) * 32 + r * 4, (x & 0x0F0F0F0F) | (y & 0x0F0F0F0F) << 4);
            store32(out + (high + i) * 32 + r * 4, (x >> 4 & 0x0F0F0F0F) | (y & 0xF0F0F0F0));
        }
    }
}

/// Bit k of the 4 bytes of each row from `offset` belongs to column k of 32.
static void pack_bits_32(uint8_t *out, const w_source *s, size_t offset) {
    for (size_t r = 0; r < W_ROWS; r++) {
        uint32_t bits = load32(s->row[r] + offset), quads = 0;
        for (size_t k = 0; k < 32; k++) quads |= (bits >> k & 1) << (k % 4 * 8 + k / 4);
        store32(out + r * 4, quads);
    }
}

/// Bit j of byte i of the 32 bytes of each row from `offset` belongs to column 32j + i of 256.
static void pack_bits_256(uint8_t *out, const w_source *s, size_t offset) {
    for (size_t r = 0; r < W_ROWS; r++) {
        for (size_t j = 0; j < 8; j++) {
            uint32_t quads = 0;
            for (size_t i = 0; i < 8; i++) quads |= (load32(s->row[r] + offset + 4 * i) >> j & 0x01010101) << i;
            store32(out + j * 64 + r * 4, quads);
        }
    }
}

/// Bits 2j, 2j + 1 of byte 32h + i of the 64 bytes of each row from `offset` belong to column 128h + 32j + i of 256.
static void pack_two_bits(uint8_t *out, const w_source *s, size_t offset) {
    for (size_t r = 0; r < W_ROWS; r++) {
        for (size_t part = 0; part < 16; part++) {  // 16 columns each
            const uint8_t *from = s->row[r] + offset + part / 8 * 32 + part % 2 * 16;
            uint32_t quads = 0;
            for (size_t i = 0; i < 4; i++) {
                quads |= (load32(from + 4 * i) >> part % 8 / 2 * 2 & 0x03030303) << 2 * i;
            }
            store32(out + part * 64 + r * 4, quads);
        }
    }
}

// MARK: Types

/// Types of 32 columns: scales, minima if there are any, `high` bytes of fifth bits if there are any, nibbles.
static void pack_32(k_block_type type, uint8_t *out, const w_source *s) {
    size_t at = type == K_BLOCK_MXFP4 ? 1 : 2;
    if (at == 2) pack_scales(out, s, 0);
    for (size_t r = 0; at == 1 && r < W_ROWS; r++) {
        uint32_t bits = bits_of(k_mxfp4_scale(s->row[r][0])) >> 16;  // exact: a power of two
        memcpy(out + 2 * r, &bits, 2);
    }
    if (w_has_minima(type)) {
        pack_scales(out + W_SCALES, s, at);
        at += 2;
    }
    if (type == K_BLOCK_Q5_0 || type == K_BLOCK_Q5_1) {
        pack_bits_32(out + w_high_bits(type), s, at);
        at += 4;
    }
    pack_nibbles(out + w_low_bits(type), s, at, 4, 0, 4);
}

/// d, dmin, scales and minima: the common head of Q4_K and Q5_K.
static void pack_k_head(uint8_t *out, const w_source *s) {
    pack_scales(out, s, 0);
    pack_scales(out + W_SCALES, s, 2);
    for (size_t r = 0; r < W_ROWS; r++) {
        uint8_t scales[8], minima[8];
        k_unpack_scales(scales, minima, s->row[r] + 4);
        for (size_t j = 0; j < 8; j++) {
            out[w_sub_scales_at(K_BLOCK_Q4_K) + j * 16 + r] = scales[j];
            out[W_K_MINIMA_AT + j * 16 + r] = minima[j];
        }
    }
}

static void pack_q4_k(uint8_t *out, const w_source *s) {
    uint8_t *to = out + w_low_bits(K_BLOCK_Q4_K);
    pack_k_head(out, s);
    for (size_t c = 0; c < 4; c++) pack_nibbles(to, s, 16 + 32 * c, 8, 16 * c, 16 * c + 8);
}

static void pack_q5_k(uint8_t *out, const w_source *s) {
    uint8_t *to = out + w_low_bits(K_BLOCK_Q5_K);
    pack_k_head(out, s);
    for (size_t c = 0; c < 4; c++) pack_nibbles(to, s, 48 + 32 * c, 8, 16 * c, 16 * c + 8);
    pack_bits_256(out + w_high_bits(K_BLOCK_Q5_K), s, 16);
}

static void pack_q6_k(uint8_t *out, const w_source *s) {
    uint8_t *to = out + w_low_bits(K_BLOCK_Q6_K), *scales = out + w_sub_scales_at(K_BLOCK_Q6_K);
    pack_scales(out, s, 208);
    for (size_t r = 0; r < W_ROWS; r++) {
        for (size_t j = 0; j < 16; j++) scales[j * 16 + r] = s->row[r][192 + j];
    }
    for (size_t half = 0; half < 2; half++) {
        pack_nibbles(to, s, 64 * half, 8, 32 * half, 32 * half + 16);
        pack_nibbles(to, s, 64 * half + 32, 8, 32 * half + 8, 32 * half + 24);
    }
    pack_two_bits(out + w_high_bits(K_BLOCK_Q6_K), s, 128);
}

static void pack_q2_k(uint8_t *out, const w_source *s) {
    uint8_t *scales = out + w_sub_scales_at(K_BLOCK_Q2_K);
    pack_scales(out, s, 80);
    pack_scales(out + W_SCALES, s, 82);
    for (size_t r = 0; r < W_ROWS; r++) {
        for (size_t j = 0; j < 16; j++) scales[j * 16 + r] = s->row[r][j];
    }
    pack_two_bits(out + w_low_bits(K_BLOCK_Q2_K), s, 16);
}

static void pack_q3_k(uint8_t *out, const w_source *s) {
    uint8_t *scales = out + w_sub_scales_at(K_BLOCK_Q3_K);
    pack_scales(out, s, 108);
    for (size_t r = 0; r < W_ROWS; r++) {
        for (int j = 0; j < 16; j++) scales[j * 16 + (int)r] = (uint8_t)k_q3_scale(s->row[r] + 96, j);
    }
    pack_two_bits(out + w_low_bits(K_BLOCK_Q3_K), s, 32);
    pack_bits_256(out + w_high_bits(K_BLOCK_Q3_K), s, 0);
}

static void pack_iq4_xs(uint8_t *out, const w_source *s) {
    uint8_t *to = out + w_low_bits(K_BLOCK_IQ4_XS), *scales = out + w_sub_scales_at(K_BLOCK_IQ4_XS);
    pack_scales(out, s, 0);
    for (size_t r = 0; r < W_ROWS; r++) {
        for (int j = 0; j < 8; j++) scales[j * 16 + (int)r] = (uint8_t)k_iq4_xs_scale((const k_iq4_xs *)s->row[r], j);
    }
    for (size_t j = 0; j < 8; j++) pack_nibbles(to, s, 8 + 16 * j, 4, 8 * j, 8 * j + 4);
}

static void pack_block(k_block_type type, uint8_t *out, const w_source *s) {
    switch (type) {
    case K_BLOCK_Q8_0:
    case K_BLOCK_Q8_0_INT8: pack_q8_0(out, s); break;
    case K_BLOCK_Q2_K: pack_q2_k(out, s); break;
    case K_BLOCK_Q3_K: pack_q3_k(out, s); break;
    case K_BLOCK_Q4_K: pack_q4_k(out, s); break;
    case K_BLOCK_Q5_K: pack_q5_k(out, s); break;
    case K_BLOCK_Q6_K: pack_q6_k(out, s); break;
    case K_BLOCK_IQ4_XS: pack_iq4_xs(out, s); break;
    default: pack_32(type, out, s); break;
    }
}

size_t k_weight_panel_bytes(k_block_type type, size_t rows, size_t columns) {
    size_t bytes = w_block_bytes(type);
    if (bytes == 0 || columns % w_block_columns(type) != 0) return 0;
    return (rows + W_ROWS - 1) / W_ROWS * (columns / w_block_columns(type)) * bytes;
}

/// Columns k0 ..< k0 + columns of 16-bit floats of a panel, `group` at a time; missing rows are zeros.
static void pack_halves(uint8_t *out, const k_weight *w, size_t panel, size_t k0, size_t columns, size_t group) {
    size_t bytes = 2 * group;
    for (size_t r = 0; r < W_ROWS; r++) {
        size_t row = panel * W_ROWS + r;
        const uint8_t *from = (const uint8_t *)w->blocks + (row * w->columns + k0) * 2;
        for (size_t k = 0; k < columns / group; k++) {
            uint32_t halves = 0;
            if (row < w->rows) memcpy(&halves, from + bytes * k, bytes);
            memcpy(out + bytes * (W_ROWS * k + r), &halves, bytes);
        }
    }
}

void w_pack_columns(void *panel_columns, const k_weight *w, size_t panel, size_t k0, size_t columns) {
    static const uint8_t zeros[256] = {0};
    size_t width = w_block_columns(w->type), bytes = w_block_bytes(w->type);
    size_t source_bytes = k_block_bytes(w->type), row_bytes = w->columns / width * source_bytes;
    uint8_t *out = panel_columns;
    if (w->type == K_BLOCK_F16 || w->type == K_BLOCK_BF16) {
        pack_halves(out, w, panel, k0, columns, width);
        return;
    }
    for (size_t b = k0 / width; b < (k0 + columns) / width; b++, out += bytes) {
        w_source source;
        for (size_t r = 0; r < W_ROWS; r++) {
            size_t row = panel * W_ROWS + r;
            const uint8_t *start = w->blocks;
            source.row[r] = row < w->rows ? start + row * row_bytes + b * source_bytes : zeros;
        }
        pack_block(w->type, out, &source);
    }
}

typedef struct {
    uint8_t *panels;
    const k_weight *weight;
} w_packing;

static void pack_panel(void *context, size_t panel) {
    const w_packing *p = context;
    const k_weight *w = p->weight;
    size_t panel_bytes = w->columns / w_block_columns(w->type) * w_block_bytes(w->type);
    w_pack_columns(p->panels + panel * panel_bytes, w, panel, 0, w->columns);
}

void k_weight_pack(void *panels, const k_weight *weight) {
    w_packing packing = {panels, weight};
    k_parallel_for((weight->rows + W_ROWS - 1) / W_ROWS, pack_panel, &packing);
}
