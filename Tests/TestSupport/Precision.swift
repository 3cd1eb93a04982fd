// SPDX-License-Identifier: Apache-2.0
internal import QalamTensors

/// The largest distance from a reference in double that models with weights in bfloat16 may have: where the processor
/// multiplies bfloat16 numbers, their activations are rounded to it.
public let bfloat16Tolerance = Device.cpu.instructionSet == "avx512bf16" ? 4e-2 : 1e-5
