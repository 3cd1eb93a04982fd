// SPDX-License-Identifier: Apache-2.0
#ifndef QALAM_PAGE_H
#define QALAM_PAGE_H

#include <stddef.h>
#include <stdint.h>

/// A file of the page.
typedef struct page_file {
    /// The path it is served at.
    const char *_Nonnull path;
    /// Its media type.
    const char *_Nonnull type;
    /// What it holds; `length` bytes.
    const uint8_t *_Nonnull bytes;
    size_t length;
} page_file;

/// All files of the page; sets `count` to how many there are.
const page_file *_Nonnull page_files(size_t *_Nonnull count);

#endif
