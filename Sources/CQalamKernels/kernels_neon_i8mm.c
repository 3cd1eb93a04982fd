// SPDX-License-Identifier: Apache-2.0
//
// Products with blocks for arm64 with products of byte matrices (Armv8.6, Apple's since the M2); everything else is
// that of NEON.
#if defined(__aarch64__)
#define K_SUFFIX _neoni8mm
#define K_VF 4
#define K_HAS_FMA 1
#define K_NEON 1
#define K_DOT 1
#define K_I8MM 1

#include <arm_neon.h>
#include "internal.h"
#include "weight_layout.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#pragma clang attribute push(__attribute__((target("dotprod,i8mm"))), apply_to = function)
#include "Shared/vector.inc"
#include "Shared/weight_activation.inc"
#include "Shared/weight_quads.inc"
#include "Shared/weight_float.inc"
#include "Shared/weight_unpack.inc"
#include "Shared/weight_tile.inc"
#include "Shared/weight_vector.inc"
#include "Shared/weight_linear.inc"
#pragma clang attribute pop

#define K_BASE _neon
K_DEFINE_TABLE_WITH_LINEAR
#endif
