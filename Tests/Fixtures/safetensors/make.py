# SPDX-License-Identifier: Apache-2.0
"""Writes the fixtures of this folder with the reference implementation.

    pip install numpy safetensors ml_dtypes && python make.py

all_types.safetensors: one tensor of each type Qalam reads, with a metadata text.
sharded/: two shards and their index.
expected.json: what must be read back, floats as the bit patterns of their float32 values.
"""

import json
import pathlib

import ml_dtypes
import numpy as np
from safetensors.numpy import save_file

here = pathlib.Path(__file__).parent
floats = np.array([0.0, -0.0, 1.0, -2.5, 3.140625, 65504.0, 6.1e-5, 6e-8, np.inf, -np.inf], dtype=np.float64)

tensors = {
    "f64": floats.reshape(2, 5),
    "f32": floats.astype(np.float32),
    "f16": floats.astype(np.float16).reshape(5, 2),
    "bf16": floats.astype(ml_dtypes.bfloat16).reshape(1, 2, 5),
    "i64": np.array([-(2**63), -1, 0, 2**63 - 1], dtype=np.int64),
    "i32": np.array([[-(2**31), 2**31 - 1]], dtype=np.int32),
    "u32": np.array([0, 2**32 - 1], dtype=np.uint32),
    "i16": np.array([-(2**15), 2**15 - 1], dtype=np.int16),
    "u16": np.array([0, 2**16 - 1], dtype=np.uint16),
    "i8": np.array([-128, 127, 5], dtype=np.int8),
    "u8": np.array([0, 255, 7], dtype=np.uint8),
    "bool": np.array([True, False, True]),
    "scalar": np.array(2.5, dtype=np.float32),
    "empty": np.zeros((0, 4), dtype=np.float32),
    "قلم.weight": np.array([1.0], dtype=np.float32),
}
save_file(tensors, here / "all_types.safetensors", metadata={"made by": "make.py", "note": "كلمة \"quoted\"\n"})

sharded = here / "sharded"
sharded.mkdir(exist_ok=True)
shards = {
    "model-00001-of-00002.safetensors": {"a": np.arange(6, dtype=np.float32).reshape(2, 3)},
    "model-00002-of-00002.safetensors": {"b": np.arange(4, dtype=np.float16), "c": np.array([9], dtype=np.int64)},
}
for name, shard in shards.items():
    save_file(shard, sharded / name, metadata={"format": "np"})
index = {
    "metadata": {"total_size": sum(t.nbytes for s in shards.values() for t in s.values())},
    "weight_map": {t: name for name, s in shards.items() for t in s},
}
(sharded / "model.safetensors.index.json").write_text(json.dumps(index, indent=1) + "\n")


def described(array):
    if array.dtype.kind in "iub":
        return {"shape": list(array.shape), "integers": [str(int(x)) for x in array.reshape(-1)]}
    bits = np.atleast_1d(array.astype(np.float32)).reshape(-1).view(np.uint32)
    return {"shape": list(array.shape), "bits": [int(x) for x in bits]}


expected = {name: described(array) for name, array in tensors.items()}
(here / "expected.json").write_text(json.dumps(expected, indent=1, ensure_ascii=False) + "\n")
