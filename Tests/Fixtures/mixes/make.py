# SPDX-License-Identifier: Apache-2.0
"""Writes mixes.json: which type llama.cpp's quantizer gives each tensor of small models, for each mix.

    python make.py LIBLLAMA      the shared library of llama.cpp, with those it needs beside it

Needs numpy and gguf. The models have the names and sizes that the choice looks at, and eight rows in every tensor.
"""
import ctypes
import json
import pathlib
import sys
import tempfile

import gguf
import numpy

MIXES = {
    "F32": 0, "F16": 1, "Q4_0": 2, "Q4_1": 3, "Q8_0": 7, "Q5_0": 8, "Q5_1": 9, "Q2_K": 10, "Q3_K_S": 11, "Q3_K_M": 12,
    "Q3_K_L": 13, "Q4_K_S": 14, "Q4_K_M": 15, "Q5_K_S": 16, "Q5_K_M": 17, "Q6_K": 18, "IQ4_NL": 25, "IQ4_XS": 30,
    "BF16": 32, "MXFP4_MOE": 38,
}


class Parameters(ctypes.Structure):
    _fields_ = [(name, ctypes.c_int32) for name in ("threads", "mix", "output_type", "embedding_type")]
    _fields_ += [(name, ctypes.c_bool)
                 for name in ("requantize", "quantize_output", "only_copy", "pure", "keep_split", "dry_run")]
    _fields_ += [(name, ctypes.c_void_p) for name in ("imatrix", "overrides", "tensor_overrides", "prune")]
    _fields_ += [("buffer", ctypes.c_size_t)]


def layer(index, kind, columns):
    """(name, shape) of the tensors of a layer; shapes outermost first."""
    blk = f"blk.{index}."
    yield blk + "attn_norm.weight", [columns]
    if kind == "fused":
        yield blk + "attn_qkv.weight", [8, columns]
        yield blk + "attn_qkv.bias", [8]
    else:
        for part in ("q", "k", "v"):
            yield blk + f"attn_{part}.weight", [8, columns]
    yield blk + "attn_output.weight", [8, columns]
    if kind == "experts":
        yield blk + "ffn_gate_inp.weight", [8, columns]
    for part in ("gate", "up", "down"):
        if kind == "experts":
            yield blk + f"ffn_{part}_exps.weight", [4, 8, columns]
        elif kind != "fused" or part != "gate":
            yield blk + f"ffn_{part}.weight", [8, 2 * columns if part == "down" else columns]


def model(name, layers, heads, kv_heads, kind="plain", experts=0, columns=256, tied=False):
    tensors = [("token_embd.weight", [8, columns]), ("output_norm.weight", [columns])]
    if name == "gpt2":
        tensors.append(("position_embd.weight", [8, columns]))
    for index in range(layers):
        tensors += layer(index, kind, columns)
    if not tied:
        tensors.append(("output.weight", [8, columns]))
    return {"architecture": name, "layers": layers, "heads": heads, "kvHeads": kv_heads, "experts": experts,
            "tensors": tensors}


MODELS = [
    model("llama", 16, 8, 2),
    model("llama", 22, 8, 8, tied=True),
    model("qwen3", 12, 8, 4, tied=True, columns=192),
    model("llama", 5, 8, 2, columns=80),
    model("llama", 16, 8, 2, kind="experts", experts=8),
    model("qwen3moe", 10, 8, 1, kind="experts", experts=16),
    model("llama", 80, 64, 8),
    model("gpt2", 12, 8, 8, kind="fused", tied=True),
]


def write(description, path):
    writer = gguf.GGUFWriter(path, description["architecture"])
    writer.add_block_count(description["layers"])
    writer.add_context_length(64)
    writer.add_embedding_length(256)
    writer.add_feed_forward_length(256)
    writer.add_head_count(description["heads"])
    writer.add_head_count_kv(description["kvHeads"])
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_layer_norm_eps(1e-5)
    if description["experts"]:
        writer.add_expert_count(description["experts"])
        writer.add_expert_used_count(2)
        writer.add_expert_feed_forward_length(256)
    for name, shape in description["tensors"]:
        writer.add_tensor(name, numpy.ones(shape, numpy.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def types_of(library, description, folder, pure=False):
    """Mix → the type of each tensor in order."""
    source, target = f"{folder}/in.gguf", f"{folder}/out.gguf"
    write(description, source)
    result = {}
    for mix, number in MIXES.items():
        parameters = library.llama_model_quantize_default_params()
        parameters.mix, parameters.threads, parameters.pure = number, 1, pure
        if library.llama_model_quantize(source.encode(), target.encode(), ctypes.byref(parameters)) != 0:
            sys.exit(f"{description['architecture']} {mix}: the quantizer failed")
        found = {tensor.name: tensor.tensor_type.name for tensor in gguf.GGUFReader(target).tensors}
        result[mix] = [found[name] for name, _ in description["tensors"]]
    return result


def main():
    library = ctypes.CDLL(sys.argv[1])
    library.llama_model_quantize_default_params.restype = Parameters
    kinds = []
    with tempfile.TemporaryDirectory() as folder:
        for description in MODELS:
            description["types"] = types_of(library, description, folder)
        MODELS[2]["pure"] = types_of(library, MODELS[2], folder, pure=True)
    # Types as letters of an alphabet, which keeps the file small.
    for description in MODELS:
        for key in ("types", "pure"):
            for mix, types in description.get(key, {}).items():
                kinds = list(dict.fromkeys(kinds + types))
                description[key][mix] = "".join(chr(ord("a") + kinds.index(name)) for name in types)
        description["names"] = [name for name, _ in description["tensors"]]
        description["shapes"] = [shape for _, shape in description.pop("tensors")]
    lines = ",\n".join(json.dumps(description, separators=(",", ":")) for description in MODELS)
    path = pathlib.Path(__file__).with_name("mixes.json")
    path.write_text(f'{{"alphabet":{json.dumps(kinds)},\n"models":[\n{lines}\n]}}\n')


main()
