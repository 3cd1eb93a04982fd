// SPDX-License-Identifier: Apache-2.0
#include <stddef.h>
#include <stdio.h>
#include <jpeglib.h>
#include <jerror.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include "CQalamImages.h"

// A progressive file may ask for any number of passes over its pixels; sound ones have about ten.
enum { scan_limit = 100 };

typedef struct {
    struct jpeg_error_mgr manager;
    struct jpeg_progress_mgr progress;
    jmp_buf back;
    k_picture_info *info;
} faults;

static void fail(j_common_ptr jpeg) {
    faults *from = (faults *)jpeg->err;
    if (from->info) {
        char message[JMSG_LENGTH_MAX];
        jpeg->err->format_message(jpeg, message);
        snprintf(from->info->message, sizeof from->info->message, "%s", message);
    }
    longjmp(from->back, 1);
}

// Missing data is an error here, where the library would fill in grey.
static void note(j_common_ptr jpeg, int level) {
    if (level >= 0) return;
    int code = jpeg->err->msg_code;
    faults *from = (faults *)jpeg->err;
    if (code == JWRN_JPEG_EOF && from->info) from->info->truncated = 1;
    if (code == JWRN_JPEG_EOF || code == JWRN_HIT_MARKER) fail(jpeg);
    jpeg->err->num_warnings++;
}

static void watch(j_common_ptr jpeg) {
    if (!jpeg->is_decompressor || ((j_decompress_ptr)jpeg)->input_scan_number <= scan_limit) return;
    faults *from = (faults *)jpeg->err;
    snprintf(from->info->message, sizeof from->info->message, "it has more than %d scans", scan_limit);
    longjmp(from->back, 1);
}

static void mute(j_common_ptr jpeg) { (void)jpeg; }

static struct jpeg_error_mgr *prepare(faults *errors, k_picture_info *info) {
    jpeg_std_error(&errors->manager);
    errors->manager.error_exit = fail;
    errors->manager.emit_message = note;
    errors->manager.output_message = mute;
    errors->progress = (struct jpeg_progress_mgr){.progress_monitor = watch};
    errors->info = info;
    return &errors->manager;
}

// One row in place, from the 1, 3 or 4 samples of a pixel to RGBA; from the end, because it grows.
static void spread(uint8_t *row, uint32_t width, int samples, int inverted) {
    for (uint32_t x = width; x-- > 0;) {
        const uint8_t *from = row + (size_t)x * samples;
        uint8_t *to = row + (size_t)x * 4;
        uint8_t r = from[0], g = samples > 1 ? from[1] : r, b = samples > 1 ? from[2] : r;
        if (samples == 4) {
            int k = inverted ? from[3] : 255 - from[3];
            r = (uint8_t)((inverted ? r : 255 - r) * k / 255);
            g = (uint8_t)((inverted ? g : 255 - g) * k / 255);
            b = (uint8_t)((inverted ? b : 255 - b) * k / 255);
        }
        to[0] = r;
        to[1] = g;
        to[2] = b;
        to[3] = 255;
    }
}

static void read_pixels(struct jpeg_decompress_struct *jpeg, uint8_t *pixels, k_picture_info *info) {
    if (jpeg->image_width != info->width || jpeg->image_height != info->height) ERREXIT(jpeg, JERR_WIDTH_OVERFLOW);
    int cmyk = jpeg->jpeg_color_space == JCS_CMYK || jpeg->jpeg_color_space == JCS_YCCK;
    int grey = jpeg->jpeg_color_space == JCS_GRAYSCALE;
    jpeg->out_color_space = cmyk ? JCS_CMYK : grey ? JCS_GRAYSCALE : JCS_RGB;
    // The coefficients of a progressive file: at most 4 samples of 2 bytes a pixel.
    jpeg->mem->max_memory_to_use = (long)info->width * info->height * 8 + (16 << 20);
    jpeg_start_decompress(jpeg);
    int samples = jpeg->output_components;
    if (samples != (cmyk ? 4 : grey ? 1 : 3)) ERREXIT(jpeg, JERR_BAD_J_COLORSPACE);
    while (jpeg->output_scanline < jpeg->output_height) {
        JSAMPROW row = pixels + (size_t)jpeg->output_scanline * info->width * 4;
        jpeg_read_scanlines(jpeg, &row, 1);
        spread(row, info->width, samples, jpeg->saw_Adobe_marker);
    }
    jpeg_finish_decompress(jpeg);
}

static int read_jpeg(const uint8_t *bytes, size_t count, uint8_t *pixels, k_picture_info *info) {
    struct jpeg_decompress_struct jpeg;
    faults errors;
    memset(&jpeg, 0, sizeof jpeg);
    jpeg.err = prepare(&errors, info);
    if (setjmp(errors.back)) {
        if (jpeg.src) info->position = count - jpeg.src->bytes_in_buffer;
        if (info->truncated) info->position = count;
        jpeg_destroy_decompress(&jpeg);
        return 0;
    }
    jpeg_create_decompress(&jpeg);
    jpeg.progress = &errors.progress;
    jpeg_mem_src(&jpeg, bytes, count);
    jpeg_read_header(&jpeg, TRUE);
    if (pixels) {
        read_pixels(&jpeg, pixels, info);
    } else {
        info->width = jpeg.image_width;
        info->height = jpeg.image_height;
    }
    jpeg_destroy_decompress(&jpeg);
    return 1;
}

int k_jpeg_header(const uint8_t *bytes, size_t count, k_picture_info *info) {
    return read_jpeg(bytes, count, NULL, info);
}

int k_jpeg_decode(const uint8_t *bytes, size_t count, uint8_t *pixels, k_picture_info *info) {
    return read_jpeg(bytes, count, pixels, info);
}

int k_jpeg_encode(const uint8_t *rgb, uint32_t width, uint32_t height, int quality, k_picture_bytes *out) {
    struct jpeg_compress_struct jpeg;
    faults errors;
    unsigned long size = 0;
    unsigned char *buffer = NULL;
    memset(&jpeg, 0, sizeof jpeg);
    out->bytes = NULL;
    out->count = 0;
    jpeg.err = prepare(&errors, NULL);
    // The one error left is want of memory; the library alone knows which buffer is in use then, and it is lost.
    if (setjmp(errors.back)) {
        jpeg_destroy_compress(&jpeg);
        return 0;
    }
    jpeg_create_compress(&jpeg);
    jpeg_mem_dest(&jpeg, &buffer, &size);
    jpeg.image_width = width;
    jpeg.image_height = height;
    jpeg.input_components = 3;
    jpeg.in_color_space = JCS_RGB;
    jpeg_set_defaults(&jpeg);
    jpeg_set_quality(&jpeg, quality, TRUE);
    jpeg_start_compress(&jpeg, TRUE);
    while (jpeg.next_scanline < height) {
        JSAMPROW row = (JSAMPROW)rgb + (size_t)jpeg.next_scanline * width * 3;
        jpeg_write_scanlines(&jpeg, &row, 1);
    }
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    out->bytes = buffer;
    out->count = size;
    return 1;
}
