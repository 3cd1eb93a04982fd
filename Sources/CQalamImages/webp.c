// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <webp/decode.h>
#include <webp/encode.h>

#include "CQalamImages.h"

static int fail(VP8StatusCode status, size_t count, k_picture_info *info) {
    const char *why = status == VP8_STATUS_NOT_ENOUGH_DATA       ? "it ends too early"
                      : status == VP8_STATUS_UNSUPPORTED_FEATURE ? "it uses what the library does not read"
                      : status == VP8_STATUS_OUT_OF_MEMORY       ? "there is no memory for it"
                                                                 : "it is damaged";
    snprintf(info->message, sizeof info->message, "%s", why);
    info->truncated = status == VP8_STATUS_NOT_ENOUGH_DATA;
    info->position = info->truncated ? count : 0;
    return 0;
}

int k_webp_header(const uint8_t *bytes, size_t count, k_picture_info *info) {
    WebPBitstreamFeatures features;
    VP8StatusCode status = WebPGetFeatures(bytes, count, &features);
    if (status != VP8_STATUS_OK) return fail(status, count, info);
    info->width = (uint32_t)features.width;
    info->height = (uint32_t)features.height;
    info->animated = features.has_animation;
    return 1;
}

int k_webp_decode(const uint8_t *bytes, size_t count, uint8_t *pixels, k_picture_info *info) {
    WebPDecoderConfig config;
    if (!WebPInitDecoderConfig(&config)) return fail(VP8_STATUS_UNSUPPORTED_FEATURE, count, info);
    config.output.colorspace = MODE_RGBA;
    config.output.is_external_memory = 1;
    config.output.u.RGBA.rgba = pixels;
    config.output.u.RGBA.stride = (int)info->width * 4;
    config.output.u.RGBA.size = (size_t)info->width * info->height * 4;
    VP8StatusCode status = WebPDecode(bytes, count, &config);
    WebPFreeDecBuffer(&config.output);
    return status == VP8_STATUS_OK ? 1 : fail(status, count, info);
}

int k_webp_encode(const uint8_t *pixels, uint32_t width, uint32_t height, float quality, int lossless,
                  k_picture_bytes *out) {
    out->bytes = NULL;
    out->count = 0;
    WebPConfig config;
    WebPPicture picture;
    WebPMemoryWriter writer;
    if (!WebPConfigInit(&config) || !WebPPictureInit(&picture)) return 0;
    if (lossless && !WebPConfigLosslessPreset(&config, 6)) return 0;
    if (!lossless) config.quality = quality;
    config.exact = lossless;
    picture.use_argb = 1;
    picture.width = (int)width;
    picture.height = (int)height;
    WebPMemoryWriterInit(&writer);
    picture.writer = WebPMemoryWrite;
    picture.custom_ptr = &writer;
    int made = WebPPictureImportRGBA(&picture, pixels, (int)width * 4) && WebPEncode(&config, &picture);
    WebPPictureFree(&picture);
    // The library's memory is given back by its own function, so the bytes move into ours.
    if (made && (out->bytes = malloc(writer.size))) {
        memcpy(out->bytes, writer.mem, writer.size);
        out->count = writer.size;
    }
    WebPMemoryWriterClear(&writer);
    return out->bytes != NULL;
}
