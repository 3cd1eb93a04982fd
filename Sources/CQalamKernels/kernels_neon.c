// SPDX-License-Identifier: Apache-2.0
//
// The kernels for arm64, where NEON is always there.
#if defined(__aarch64__)
#define K_SUFFIX _neon
#define K_VF 4
#define K_HAS_FMA 1
#define K_NEON 1

#include <arm_neon.h>
#include "internal.h"
#include "weight_layout.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

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

#endif
