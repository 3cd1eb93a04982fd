// SPDX-License-Identifier: Apache-2.0
//
// Which instruction set runs: chosen once when the program starts, and the public functions that forward to it.
#include "internal.h"

#include <stdlib.h>
#include <string.h>

#if defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>

static bool has_dot_products(void) { return getauxval(AT_HWCAP) >> 20 & 1; }  // HWCAP_ASIMDDP

static bool has_byte_matrices(void) { return getauxval(AT_HWCAP2) >> 13 & 1; }  // HWCAP2_I8MM
#elif defined(__aarch64__)
#include <sys/sysctl.h>

static bool has_dot_products(void) { return true; }

static bool has_byte_matrices(void) {
    int has = 0;
    size_t size = sizeof has;
    return sysctlbyname("hw.optional.arm.FEAT_I8MM", &has, &size, NULL, 0) == 0 && has;
}
#endif

static k_isa current_isa = K_ISA_GENERIC;
static const k_table *current = &k_table_generic;

const k_table *k_table_of(k_isa isa) {
    switch (isa) {
    case K_ISA_GENERIC:
        return &k_table_generic;
#if defined(__x86_64__)
    case K_ISA_AVX2:
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c")
                   ? &k_table_avx2
                   : NULL;
    case K_ISA_AVX512:
        return k_table_of(K_ISA_AVX2) && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                       __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")
                   ? &k_table_avx512
                   : NULL;
    case K_ISA_AVX512VNNI:
        return k_table_of(K_ISA_AVX512) && __builtin_cpu_supports("avx512vnni") ? &k_table_avx512vnni : NULL;
    case K_ISA_AVX512BF16:
        return k_table_of(K_ISA_AVX512VNNI) && __builtin_cpu_supports("avx512bf16") ? &k_table_avx512bf16 : NULL;
#elif defined(__aarch64__)
    case K_ISA_NEON:
        return &k_table_neon;
    case K_ISA_NEON_DOT:
        return has_dot_products() ? &k_table_neondot : NULL;
    case K_ISA_NEON_I8MM:
        return has_dot_products() && has_byte_matrices() ? &k_table_neoni8mm : NULL;
#endif
    default:
        return NULL;
    }
}

bool k_isa_select(k_isa isa) {
    const k_table *table = k_table_of(isa);
    if (!table) return false;
    current = table;
    current_isa = isa;
    return true;
}

k_isa k_isa_current(void) { return current_isa; }

const char *k_isa_name(k_isa isa) {
    static const char *const names[] = {"generic", "avx2", "avx512", "avx512vnni", "avx512bf16", "neon", "neondot",
                                        "neoni8mm"};
    return names[isa];
}

/// The best there is, or the one that the environment names in QALAM_INSTRUCTIONS.
__attribute__((constructor)) static void choose(void) {
#if defined(__x86_64__)
    __builtin_cpu_init();
#endif
    const char *wanted = getenv("QALAM_INSTRUCTIONS");
    for (int isa = K_ISA_LAST; wanted && isa >= K_ISA_GENERIC; isa--) {
        if (strcmp(wanted, k_isa_name((k_isa)isa)) == 0 && k_isa_select((k_isa)isa)) return;
    }
    for (int isa = K_ISA_LAST; isa >= K_ISA_GENERIC; isa--) {
        if (k_isa_select((k_isa)isa)) return;
    }
}

k_page_layout k_page_layout_of(k_cache_type type, size_t head_dim) {
    size_t element = type == K_CACHE_F32 ? 4 : type == K_CACHE_F16 ? 2 : 1;
    size_t width = (head_dim + K_PAGE_LANES - 1) / K_PAGE_LANES * K_PAGE_LANES;
    size_t values = K_PAGE_TOKENS * head_dim * element, scales = values + K_PAGE_TOKENS * width * element;
    size_t end = scales + (type == K_CACHE_Q8 ? 2 * K_PAGE_TOKENS * sizeof(float) : 0);
    return (k_page_layout){element, (end + 63) / 64 * 64, values, scales};
}

size_t k_paged_bytes(k_cache_type type, size_t kv_heads, size_t head_dim) {
    return kv_heads * k_page_layout_of(type, head_dim).head;
}

#define K_FORWARD(result, name, parameters, arguments)                                                                 \
    result name parameters { return current->name arguments; }
K_KERNELS(K_FORWARD)
