// SPDX-License-Identifier: Apache-2.0
//
// The cache in pages, one element after the other: where each lies, and attention over them in double.
#include "internal.h"

#include <math.h>
#include <stdlib.h>

/// The address of element i of the key or value at `position`; its scale is in *scale, for int8.
static char *element_at(const k_paged_layer *layer, const k_paged_span *span, size_t position, size_t head, size_t i,
                        bool value, float **scale) {
    k_page_layout layout = k_page_layout_of(layer->type, layer->head_dim);
    size_t slot = position % K_PAGE_TOKENS, lanes = K_PAGE_LANES, at;
    char *page = layer->cache + (size_t)span->pages[position / K_PAGE_TOKENS] * layer->page_stride;
    page += head * layout.head;
    *scale = (float *)(page + layout.scales) + (value ? K_PAGE_TOKENS : 0) + slot;
    if (value) {
        at = (i / lanes * K_PAGE_TOKENS + slot) * lanes + i % lanes;
        return page + layout.values + at * layout.element;
    }
    at = (slot / lanes * layer->head_dim + i) * lanes + slot % lanes;
    return page + at * layout.element;
}

static void write_row(const k_paged_layer *layer, const k_paged_span *span, size_t position, size_t head,
                      const float *x, bool value) {
    float most = 0, *scale;
    size_t width = value ? (layer->head_dim + K_PAGE_LANES - 1) / K_PAGE_LANES * K_PAGE_LANES : layer->head_dim;
    for (size_t i = 0; i < layer->head_dim; i++) most = fmaxf(most, fabsf(x[i]));
    float inverse = most == 0 ? 0 : 1.0f / (most / 127.0f);
    for (size_t i = 0; i < width; i++) {
        float number = i < layer->head_dim ? x[i] : 0, held = fminf(65504, fmaxf(-65504, number));
        char *to = element_at(layer, span, position, head, i, value, &scale);
        if (layer->type == K_CACHE_F32) *(float *)to = number;
        if (layer->type == K_CACHE_F16) k_table_reference()->k_f32_to_f16((uint16_t *)to, &held, 1);
        if (layer->type == K_CACHE_Q8) {
            *scale = most / 127.0f;
            *(int8_t *)to = (int8_t)lrintf(number * inverse);
        }
    }
}

static double read_element(const k_paged_layer *layer, const k_paged_span *span, size_t position, size_t head,
                           size_t i, bool value) {
    float *scale, number;
    char *at = element_at(layer, span, position, head, i, value, &scale);
    if (layer->type == K_CACHE_F32) return *(float *)at;
    if (layer->type == K_CACHE_Q8) return (double)*scale * *(int8_t *)at;
    k_table_reference()->k_f16_to_f32(&number, (uint16_t *)at, 1);
    return number;
}

void k_reference_paged_store(const k_paged_layer *layer, const float *k, const float *v, size_t row_stride) {
    for (size_t s = 0; s < layer->span_count; s++) {
        const k_paged_span *span = layer->spans + s;
        for (size_t i = 0; i < span->rows * layer->kv_heads; i++) {
            size_t row = i / layer->kv_heads, head = i % layer->kv_heads;
            size_t at = (span->first_row + row) * row_stride + head * layer->head_dim;
            write_row(layer, span, span->start + row, head, k + at, false);
            write_row(layer, span, span->start + row, head, v + at, true);
        }
    }
}

/// One query of one head.
static void attend_row(const k_paged_layer *layer, const k_paged_span *span, size_t position, size_t head,
                       const float *q, float *out) {
    size_t D = layer->head_dim, kv_head = head / (layer->heads / layer->kv_heads), n = position + 1;
    size_t first = layer->window && n > layer->window ? n - layer->window : 0;
    double *p = malloc(n * sizeof(double)), most = layer->sinks ? layer->sinks[head] : -INFINITY, sum = 0;
    for (size_t j = first; p && j < n; j++) {
        double s = 0;
        for (size_t i = 0; i < D; i++) s += q[i] * read_element(layer, span, j, kv_head, i, false);
        s *= layer->scale;
        p[j] = layer->softcap != 0 ? layer->softcap * tanh(s / layer->softcap) : s;
        most = fmax(most, p[j]);
    }
    if (layer->sinks) sum = exp(layer->sinks[head] - most);
    for (size_t j = first; p && j < n; j++) sum += p[j] = exp(p[j] - most);
    for (size_t i = 0; p && i < D; i++) {
        double value = 0;
        for (size_t j = first; j < n; j++) value += p[j] * read_element(layer, span, j, kv_head, i, true);
        out[i] = (float)(value / sum);
    }
    free(p);
}

void k_reference_paged_attention(const k_paged_layer *layer, float *out, size_t out_stride, const float *q,
                                 size_t q_stride) {
    for (size_t s = 0; s < layer->span_count; s++) {
        const k_paged_span *span = layer->spans + s;
        for (size_t i = 0; i < span->rows * layer->heads; i++) {
            size_t row = span->first_row + i / layer->heads, head = i % layer->heads, at = head * layer->head_dim;
            size_t position = span->start + i / layer->heads;
            attend_row(layer, span, position, head, q + row * q_stride + at, out + row * out_stride + at);
        }
    }
}
