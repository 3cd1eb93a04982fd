// SPDX-License-Identifier: Apache-2.0
//
// Pictures in files and back, through libpng, libjpeg, libwebp and librsvg: the part that must be C, because two of
// these libraries return from errors by longjmp. Limits, formats and messages are the business of Swift.
//
// Pixels are RGBA, 8 bits each, straight alpha, row after row without gaps, unless a line says otherwise.
#ifndef QALAM_IMAGES_H
#define QALAM_IMAGES_H

#include <stddef.h>
#include <stdint.h>

#pragma clang assume_nonnull begin

/// What a header says, and what went wrong.
typedef struct {
    uint32_t width;
    uint32_t height;
    /// The byte that had been reached; 0 where the library does not tell.
    size_t position;
    /// What is wrong, as the library says it; empty if nothing is.
    char message[160];
    /// The data ends too early.
    int truncated;
    /// There are several frames.
    int animated;
} k_picture_info;

/// Bytes that a writer made; give `bytes` back with k_picture_free.
typedef struct {
    uint8_t *_Nullable bytes;
    size_t count;
} k_picture_bytes;

/// Each reads the header of `count` bytes into `info`; 1 if it is sound.
int k_png_header(const uint8_t *bytes, size_t count, k_picture_info *info);
int k_jpeg_header(const uint8_t *bytes, size_t count, k_picture_info *info);
int k_webp_header(const uint8_t *bytes, size_t count, k_picture_info *info);

/// Each writes info->width * info->height pixels, those that its header function found, to `pixels`; 1 if all are there.
int k_png_decode(const uint8_t *bytes, size_t count, uint8_t *pixels, k_picture_info *info);
int k_jpeg_decode(const uint8_t *bytes, size_t count, uint8_t *pixels, k_picture_info *info);
int k_webp_decode(const uint8_t *bytes, size_t count, uint8_t *pixels, k_picture_info *info);

/// A PNG with `texts` pairs of a keyword and UTF-8 text; 1 if it could be made.
int k_png_encode(const uint8_t *pixels, uint32_t width, uint32_t height, const char *_Nonnull const *_Nullable keys,
                 const char *_Nonnull const *_Nullable values, size_t texts, k_picture_bytes *out);

/// A JPEG of 3 bytes a pixel (RGB), quality 1...100; 1 if it could be made.
int k_jpeg_encode(const uint8_t *rgb, uint32_t width, uint32_t height, int quality, k_picture_bytes *out);

/// A WebP, quality 0...100, or lossless with colours kept under transparent pixels; 1 if it could be made.
int k_webp_encode(const uint8_t *pixels, uint32_t width, uint32_t height, float quality, int lossless,
                  k_picture_bytes *out);

/// Draws an SVG into width * height pixels of premultiplied RGBA, whole, centred, in its own proportions; loads
/// nothing from outside. 1 if it could be drawn.
int k_svg_draw(const uint8_t *bytes, size_t count, uint8_t *pixels, k_picture_info *info);

/// Gives back what an encoder made.
void k_picture_free(uint8_t *_Nullable bytes);

#pragma clang assume_nonnull end
#endif
