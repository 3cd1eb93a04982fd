// SPDX-License-Identifier: Apache-2.0
#include <librsvg/rsvg.h>
#include <stdio.h>
#include <string.h>

#include "CQalamImages.h"

static int fail(GError *error, k_picture_info *info) {
    snprintf(info->message, sizeof info->message, "%s", error ? error->message : "it can't be drawn");
    if (error) g_error_free(error);
    return 0;
}

// Words of blue, green, red, alpha from the lowest byte up become bytes of red, green, blue, alpha.
static void copy_pixels(cairo_surface_t *surface, uint8_t *pixels, uint32_t width, uint32_t height) {
    cairo_surface_flush(surface);
    const uint8_t *data = cairo_image_surface_get_data(surface);
    size_t stride = (size_t)cairo_image_surface_get_stride(surface);
    for (uint32_t y = 0; y < height; y++) {
        for (uint32_t x = 0; x < width; x++) {
            uint32_t word;
            memcpy(&word, data + y * stride + x * 4, 4);
            uint8_t *to = pixels + ((size_t)y * width + x) * 4;
            to[0] = (uint8_t)(word >> 16);
            to[1] = (uint8_t)(word >> 8);
            to[2] = (uint8_t)word;
            to[3] = (uint8_t)(word >> 24);
        }
    }
}

int k_svg_draw(const uint8_t *bytes, size_t count, uint8_t *pixels, k_picture_info *info) {
    // Without a base file, librsvg refuses every reference to another one.
    GError *error = NULL;
    GInputStream *stream = g_memory_input_stream_new_from_data(bytes, (gssize)count, NULL);
    RsvgHandle *handle = rsvg_handle_new_from_stream_sync(stream, NULL, RSVG_HANDLE_FLAGS_NONE, NULL, &error);
    g_object_unref(stream);
    if (!handle) return fail(error, info);
    cairo_surface_t *surface =
        cairo_image_surface_create(CAIRO_FORMAT_ARGB32, (int)info->width, (int)info->height);
    cairo_t *context = cairo_create(surface);
    RsvgRectangle viewport = {.x = 0, .y = 0, .width = info->width, .height = info->height};
    int drawn = cairo_status(context) == CAIRO_STATUS_SUCCESS &&
                rsvg_handle_render_document(handle, context, &viewport, &error) &&
                cairo_status(context) == CAIRO_STATUS_SUCCESS;
    if (drawn) {
        copy_pixels(surface, pixels, info->width, info->height);
    } else {
        fail(error, info);
    }
    cairo_destroy(context);
    cairo_surface_destroy(surface);
    g_object_unref(handle);
    return drawn;
}
