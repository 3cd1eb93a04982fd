# SPDX-License-Identifier: Apache-2.0
"""Writes blocks.json: random blocks of each type, and the numbers that the Python package gguf reads from them.

    python make.py

Needs numpy and gguf. Blocks and numbers (float32, little-endian) are in base64.
"""
import base64
import json
import pathlib

import gguf
import numpy

TYPES = ["F32", "F16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "IQ4_NL",
         "IQ4_XS", "BF16", "MXFP4"]


def example(name, generator):
    """Some hundred finite numbers in random blocks: those with an infinite or NaN scale are drawn again."""
    kind = gguf.GGMLQuantizationType[name]
    numbers, size = gguf.GGML_QUANT_SIZES[kind]
    blocks, values = [], []
    while sum(map(len, values)) < 512:
        block = generator.integers(0, 256, size, dtype=numpy.uint8)
        with numpy.errstate(all="ignore"):
            decoded = gguf.dequantize(block.reshape(1, -1), kind).ravel()
        if numpy.isfinite(decoded).all():
            blocks.append(block)
            values.append(decoded.astype("<f4"))
    return {"blocks": base64.b64encode(numpy.concatenate(blocks).tobytes()).decode(),
            "numbers": base64.b64encode(numpy.concatenate(values).tobytes()).decode()}


def main():
    generator = numpy.random.default_rng(7)
    lines = ",\n".join(f'"{name}":{json.dumps(example(name, generator))}' for name in TYPES)
    pathlib.Path(__file__).with_name("blocks.json").write_text(f"{{\n{lines}\n}}\n")


main()
