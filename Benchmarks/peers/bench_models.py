#!/usr/bin/env python3
"""Makes GGUF files of random weights in the shapes of real models, in F16 and what llama-quantize makes of them.

    bench_models.py --output FOLDER --quantize PATH/llama-quantize [--shapes smollm2-135m,qwen3-0.6b]
                    [--types F16,BF16,Q8_0,Q4_0,Q4_K_M]

Speed does not depend on what the weights are. The vocabulary is made up: single bytes, then words of letters.
"""
import argparse
import itertools
import json
import subprocess
from pathlib import Path

import gguf
import numpy as np

SHAPES = {
    "smollm2-135m": dict(arch="llama", vocabulary=49152, width=576, inner=1536, layers=30, heads=9, kv_heads=3,
                         head=64, context=8192, theta=100000.0, epsilon=1e-5, qk_norm=False),
    "qwen3-0.6b": dict(arch="qwen3", vocabulary=151936, width=1024, inner=3072, layers=28, heads=16, kv_heads=8,
                       head=128, context=40960, theta=1000000.0, epsilon=1e-6, qk_norm=True),
}


def byte_alphabet():
    """The characters that stand for bytes in byte-level BPE, as GPT-2 defines them."""
    kept = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = itertools.count(256)
    return [chr(b) if b in kept else chr(next(others)) for b in range(256)]


def vocabulary(size):
    """Tokens and merges: bytes, pairs of letters, pairs of pairs, and so on until there are enough."""
    tokens, merges = byte_alphabet(), []
    known = set(tokens)
    level = [chr(c) for c in range(ord("a"), ord("z") + 1)]
    while len(tokens) < size - 2:
        following = []
        for a, b in itertools.product(level, repeat=2):
            if len(tokens) >= size - 2:
                break
            if a + b not in known:
                known.add(a + b)
                tokens.append(a + b)
                merges.append(f"{a} {b}")
                following.append(a + b)
        level = following
    return tokens + ["<|endoftext|>", "<|im_end|>"], merges


def metadata(writer, shape):
    """The keys that a decoder needs."""
    writer.add_context_length(shape["context"])
    writer.add_embedding_length(shape["width"])
    writer.add_block_count(shape["layers"])
    writer.add_feed_forward_length(shape["inner"])
    writer.add_head_count(shape["heads"])
    writer.add_head_count_kv(shape["kv_heads"])
    writer.add_key_length(shape["head"])
    writer.add_value_length(shape["head"])
    writer.add_rope_dimension_count(shape["head"])
    writer.add_layer_norm_rms_eps(shape["epsilon"])
    writer.add_rope_freq_base(shape["theta"])
    writer.add_vocab_size(shape["vocabulary"])
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    tokens, merges = vocabulary(shape["vocabulary"])
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2" if shape["arch"] == "qwen3" else "smollm")
    writer.add_token_list(tokens)
    writer.add_token_types([1] * (len(tokens) - 2) + [3, 3])
    writer.add_token_merges(merges)
    writer.add_bos_token_id(len(tokens) - 2)
    writer.add_eos_token_id(len(tokens) - 1)
    writer.add_add_bos_token(False)
    writer.add_chat_template(
        "{% for m in messages %}{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
        "{% if add_generation_prompt %}assistant\n{% endif %}")


def tensors(shape):
    """(name, rows, columns) of every matrix, and (name, size) of every norm."""
    width, head = shape["width"], shape["head"]
    yield "token_embd.weight", shape["vocabulary"], width
    yield "output_norm.weight", width
    for i in range(shape["layers"]):
        block = f"blk.{i}."
        yield block + "attn_norm.weight", width
        yield block + "attn_q.weight", shape["heads"] * head, width
        yield block + "attn_k.weight", shape["kv_heads"] * head, width
        yield block + "attn_v.weight", shape["kv_heads"] * head, width
        yield block + "attn_output.weight", width, shape["heads"] * head
        if shape["qk_norm"]:
            yield block + "attn_q_norm.weight", head
            yield block + "attn_k_norm.weight", head
        yield block + "ffn_norm.weight", width
        yield block + "ffn_gate.weight", shape["inner"], width
        yield block + "ffn_up.weight", shape["inner"], width
        yield block + "ffn_down.weight", width, shape["inner"]


def write(path, name, shape):
    """The F16 file."""
    writer = gguf.GGUFWriter(path, shape["arch"])
    writer.add_name(name)
    metadata(writer, shape)
    random = np.random.default_rng(1)
    for tensor, *extents in tensors(shape):
        if len(extents) == 1:
            writer.add_tensor(tensor, np.ones(extents[0], dtype=np.float32))
        else:
            numbers = random.standard_normal(extents, dtype=np.float32) * np.float32(0.02)
            writer.add_tensor(tensor, numbers.astype(np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def recipe(kind, base, part):
    """Arguments of llama-quantize, which makes MXFP4 of the experts of mixtures only unless told more."""
    if kind != "MXFP4":
        return [base, part, kind]
    return ["--tensor-type", "attn=mxfp4", "--tensor-type", "ffn=mxfp4", base, part, "Q4_0"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--quantize", type=Path, required=True)
    parser.add_argument("--shapes", default=",".join(SHAPES))
    parser.add_argument("--types", default="F16,BF16,Q8_0,Q4_0,Q4_K_M")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    made = {}
    for name in options.shapes.split(","):
        base = options.output / f"{name}-F16.gguf"
        if not base.exists():
            part = base.with_suffix(".part")
            write(part, name, SHAPES[name])
            part.rename(base)
        for kind in options.types.split(","):
            path = options.output / f"{name}-{kind}.gguf"
            if not path.exists():
                part = path.with_suffix(".part")
                subprocess.run([options.quantize, *recipe(kind, base, part)], check=True, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
                part.rename(path)
            made[f"{name} {kind}"] = str(path)
    print(json.dumps(made))


if __name__ == "__main__":
    main()
