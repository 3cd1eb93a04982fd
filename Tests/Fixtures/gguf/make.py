# SPDX-License-Identifier: Apache-2.0
"""Writes the fixtures of this folder with the reference implementation.

    pip install numpy gguf && python make.py

all_types.gguf: one tensor of each type Qalam reads, one value of each metadata type, arrays of arrays too.
aligned.gguf: an alignment of 64 and a few tensors.
split-0000N-of-00003.gguf: a model in three parts.
expected.json: what must be read back; bytes of tensors in base 16.
"""

import json
import pathlib

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type
from gguf import GGUFValueType as Value

here = pathlib.Path(__file__).parent
random = np.random.default_rng(7)
types = ["F32", "F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K",
         "IQ4_NL", "IQ4_XS", "MXFP4"]
expected = {}


def add(writer, name, kind, shape):
    block, size = gguf.GGML_QUANT_SIZES[kind]
    data = random.integers(0, 256, (*shape[:-1], shape[-1] // block * size), dtype=np.uint8)
    if kind == Type.F32:
        data = random.standard_normal(shape).astype(np.float32)
    elif kind == Type.F16:
        data = random.standard_normal(shape).astype(np.float16)
    raw = None if kind in (Type.F32, Type.F16) else kind
    writer.add_tensor(name, data, raw_dtype=raw)
    expected[name] = {"type": kind.name, "shape": list(shape), "bytes": data.tobytes().hex()}


def close(writer):
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


writer = gguf.GGUFWriter(here / "all_types.gguf", "llama")
values = {
    "v.uint8": (250, Value.UINT8), "v.int8": (-5, Value.INT8), "v.uint16": (65000, Value.UINT16),
    "v.int16": (-30000, Value.INT16), "v.uint32": (4000000000, Value.UINT32), "v.int32": (-2000000000, Value.INT32),
    "v.uint64": (2**63 + 1, Value.UINT64), "v.int64": (-(2**62), Value.INT64), "v.float32": (1.5, Value.FLOAT32),
    "v.float64": (0.1, Value.FLOAT64), "v.bool": (True, Value.BOOL), "v.string": ("قلم \"pen\"", Value.STRING),
}
for key, (value, kind) in values.items():
    writer.add_key_value(key, value, kind)
writer.add_array("a.strings", ["a", "", "كلمة", "Ġthe"])
writer.add_array("a.ints", [1, -2, 3])
writer.add_array("a.floats", [0.5, -1.25])
writer.add_array("a.bools", [True, False])
writer.add_array("a.nested", [[1, 2], [3], [4, 5, 6]])
writer.add_key_value("a.bytes", b"\x01\xff", Value.ARRAY, sub_type=Value.UINT8)
for name in types:
    add(writer, f"t.{name}", Type[name], (2, 256) if gguf.GGML_QUANT_SIZES[Type[name]][0] == 256 else (3, 32))
add(writer, "t.four", Type.F32, (2, 1, 3, 4))
add(writer, "t.vector", Type.F16, (5,))
close(writer)
(here / "expected.json").write_text(json.dumps(expected, indent=1, ensure_ascii=False) + "\n")

writer = gguf.GGUFWriter(here / "aligned.gguf", "llama")
writer.add_custom_alignment(64)
for name in ["a", "b", "c"]:
    writer.add_tensor(name, np.arange(3, dtype=np.float32) + ord(name))
close(writer)

writer = gguf.GGUFWriter(here / "split.gguf", "llama", split_max_tensors=2)
writer.add_name("split model")
for index in range(5):
    writer.add_tensor(f"t{index}", np.full((2, 3), index, dtype=np.float32))
close(writer)
