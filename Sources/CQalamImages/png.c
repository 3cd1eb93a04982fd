// SPDX-License-Identifier: Apache-2.0
#include <png.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "CQalamImages.h"

typedef struct {
    const uint8_t *bytes;
    size_t count;
    k_picture_info *info;
} source;

static void fail(png_structp png, png_const_charp message) {
    source *from = png_get_error_ptr(png);
    if (from) snprintf(from->info->message, sizeof from->info->message, "%s", message);
    png_longjmp(png, 1);
}

static void ignore(png_structp png, png_const_charp message) {
    (void)png;
    (void)message;
}

static void take(png_structp png, png_bytep to, size_t count) {
    source *from = png_get_io_ptr(png);
    if (from->count - from->info->position < count) {
        from->info->truncated = 1;
        png_error(png, "it ends too early");
    }
    memcpy(to, from->bytes + from->info->position, count);
    from->info->position += count;
}

// A reader that keeps no chunk of unknown kind and inflates no text beyond 64 KB.
static png_structp reader(source *from) {
    png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, from, fail, ignore);
    if (!png) return NULL;
    png_set_read_fn(png, from, take);
    png_set_user_limits(png, 0x7fffffff, 0x7fffffff);
    png_set_chunk_malloc_max(png, 1 << 16);
    png_set_chunk_cache_max(png, 32);
    png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, NULL, 0);
    return png;
}

static int read_png(const uint8_t *bytes, size_t count, uint8_t *pixels, k_picture_info *info) {
    info->position = 0;
    source from = {bytes, count, info};
    png_structp png = reader(&from);
    png_infop chunks = png ? png_create_info_struct(png) : NULL;
    if (!chunks) {
        png_destroy_read_struct(&png, NULL, NULL);
        snprintf(info->message, sizeof info->message, "there is no memory for it");
        return 0;
    }
    if (setjmp(png_jmpbuf(png))) {
        png_destroy_read_struct(&png, &chunks, NULL);
        return 0;
    }
    png_read_info(png, chunks);
    uint32_t width = png_get_image_width(png, chunks), height = png_get_image_height(png, chunks);
    if (pixels) {
        if (width != info->width || height != info->height) png_error(png, "its header changed");
        png_set_expand(png);
        png_set_scale_16(png);
        png_set_gray_to_rgb(png);
        png_set_add_alpha(png, 0xFF, PNG_FILLER_AFTER);
        int passes = png_set_interlace_handling(png);
        png_read_update_info(png, chunks);
        if (png_get_rowbytes(png, chunks) != (size_t)width * 4) png_error(png, "its pixels are of an unknown kind");
        for (int pass = 0; pass < passes; pass++) {
            for (uint32_t y = 0; y < height; y++) png_read_row(png, pixels + (size_t)y * width * 4, NULL);
        }
        png_read_end(png, NULL);
    }
    info->width = width;
    info->height = height;
    png_destroy_read_struct(&png, &chunks, NULL);
    return 1;
}

int k_png_header(const uint8_t *bytes, size_t count, k_picture_info *info) {
    return read_png(bytes, count, NULL, info);
}

int k_png_decode(const uint8_t *bytes, size_t count, uint8_t *pixels, k_picture_info *info) {
    return read_png(bytes, count, pixels, info);
}

static void append(png_structp png, png_bytep bytes, size_t count) {
    k_picture_bytes *out = png_get_io_ptr(png);
    uint8_t *grown = realloc(out->bytes, out->count + count);
    if (!grown) png_error(png, "there is no memory for it");
    memcpy(grown + out->count, bytes, count);
    out->bytes = grown;
    out->count += count;
}

static void flush(png_structp png) { (void)png; }

// Plain ASCII goes into tEXt, the rest into iTXt.
static void add_text(png_structp png, png_infop chunks, const char *key, const char *value) {
    int ascii = 1;
    for (const char *c = value; *c; c++) ascii &= (unsigned char)*c < 0x80;
    png_text text = {.compression = ascii ? PNG_TEXT_COMPRESSION_NONE : PNG_ITXT_COMPRESSION_NONE,
                     .key = (char *)key,
                     .text = (char *)value,
                     .text_length = ascii ? strlen(value) : 0,
                     .itxt_length = ascii ? 0 : strlen(value)};
    png_set_text(png, chunks, &text, 1);
}

int k_png_encode(const uint8_t *pixels, uint32_t width, uint32_t height, const char *const *keys,
                 const char *const *values, size_t texts, k_picture_bytes *out) {
    out->bytes = NULL;
    out->count = 0;
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, fail, ignore);
    png_infop chunks = png ? png_create_info_struct(png) : NULL;
    if (!chunks || setjmp(png_jmpbuf(png))) {
        png_destroy_write_struct(&png, &chunks);
        free(out->bytes);
        out->bytes = NULL;
        return 0;
    }
    png_set_write_fn(png, out, append, flush);
    png_set_IHDR(png, chunks, width, height, 8, PNG_COLOR_TYPE_RGBA, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_BASE,
                 PNG_FILTER_TYPE_BASE);
    for (size_t i = 0; i < texts; i++) add_text(png, chunks, keys[i], values[i]);
    png_write_info(png, chunks);
    for (uint32_t y = 0; y < height; y++) png_write_row(png, pixels + (size_t)y * width * 4);
    png_write_end(png, chunks);
    png_destroy_write_struct(&png, &chunks);
    return 1;
}

void k_picture_free(uint8_t *bytes) { free(bytes); }
