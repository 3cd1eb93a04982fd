// SPDX-License-Identifier: Apache-2.0
//
// Products with weights for x86-64 with AVX-512 VNNI and BF16; everything else is that of AVX-512.
#if defined(__x86_64__)
#define K_SUFFIX _avx512bf16
#define K_VF 16
#define K_HAS_FMA 1
#define K_X86 1
#define K_AVX512 1
#define K_VNNI 1
#define K_DOT 1
#define K_BF16 1

#include <immintrin.h>
#include "internal.h"
#include "weight_layout.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define K_TARGET "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512bf16,fma,f16c,avx2"
#pragma clang attribute push(__attribute__((target(K_TARGET))), apply_to = function)
#include "Shared/vector.inc"
#include "Shared/weight_activation.inc"
#include "Shared/weight_quads.inc"
#include "Shared/weight_float.inc"
#include "Shared/weight_unpack.inc"
#include "Shared/weight_tile.inc"
#include "Shared/weight_vector.inc"
#include "Shared/weight_linear.inc"
#pragma clang attribute pop

#define K_BASE _avx512
K_DEFINE_TABLE_WITH_LINEAR
#endif
