// SPDX-License-Identifier: Apache-2.0
//
// The kernels for x86-64 with AVX2, FMA and F16C.
#if defined(__x86_64__)
#define K_SUFFIX _avx2
#define K_VF 8
#define K_HAS_FMA 1
#define K_X86 1
#define K_AVX2 1

#include <immintrin.h>
#include "internal.h"
#include "weight_layout.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)
#include "Shared/vector.inc"
#include "Shared/range.inc"
#include "Shared/product.inc"

#include "Shared/attention_block.inc"
#include "Shared/attention_few.inc"
#include "Shared/attention.inc"
#include "Shared/attention_backward.inc"
#include "Shared/elementwise.inc"
#include "Shared/embedding.inc"
#include "Shared/gemm.inc"
#include "Shared/convolution.inc"
#include "Shared/loss.inc"
#include "Shared/norm.inc"
#include "Shared/gated.inc"
#include "Shared/gumbel.inc"
#include "Shared/optimizer.inc"
#include "Shared/paged_panels.inc"
#include "Shared/paged_store.inc"
#include "Shared/paged_tile.inc"
#include "Shared/paged.inc"
#include "Shared/pictures.inc"
#include "Shared/rope.inc"
#include "Shared/weight_activation.inc"
#include "Shared/weight_quads.inc"
#include "Shared/weight_float.inc"
#include "Shared/weight_unpack.inc"
#include "Shared/weight_tile.inc"
#include "Shared/weight_vector.inc"
#include "Shared/weight_linear.inc"

K_DEFINE_TABLE

#pragma clang attribute pop
#endif
