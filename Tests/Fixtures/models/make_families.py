#!/usr/bin/env python3
"""Makes tiny models of every decoder family with transformers: weights, config.json and golden.json; see README.md.

    python Tests/Fixtures/models/make_families.py [NAME ...]      (needs torch, transformers)
"""
import json
import shutil
import sys

import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from make import HERE, draw_weights, rounded, write_json

FOLDER = HERE.parent / "families"
VOCABULARY = 96
SIZES = dict(
    vocab_size=VOCABULARY, hidden_size=40, intermediate_size=44, num_hidden_layers=2, num_attention_heads=4,
    num_key_value_heads=2, head_dim=12, max_position_embeddings=64, pad_token_id=0, bos_token_id=1, eos_token_id=2,
)
EXPERTS = dict(num_local_experts=5, num_experts_per_tok=2, intermediate_size=20)
PLAIN = dict(rope_type="default", rope_theta=10000.0)
SHORT, LONG = [1.0 + 0.1 * i for i in range(6)], [2.0 + 0.7 * i for i in range(6)]
LONGROPE = dict(
    head_dim=16, hidden_size=64, intermediate_size=20, num_hidden_layers=1, original_max_position_embeddings=32,
    rope_parameters=dict(
        PLAIN, rope_type="longrope", short_factor=SHORT, long_factor=LONG, partial_rotary_factor=0.75,
        original_max_position_embeddings=32),
)
YARN = dict(rope_type="yarn", rope_theta=10000.0, factor=4.0, original_max_position_embeddings=16)

# name: configuration class, what it adds to SIZES, tokens in the sequence
FAMILIES = {
    "llama3": ("LlamaConfig", dict(rope_parameters=dict(
        rope_type="llama3", rope_theta=500000.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
        original_max_position_embeddings=32)), 24),
    "llama-linear": ("LlamaConfig", dict(
        num_hidden_layers=1, attention_bias=True, mlp_bias=True, rope_parameters=dict(
            PLAIN, rope_type="linear", factor=2.5)), 24),
    "llama-yarn": ("LlamaConfig", dict(num_hidden_layers=1, rope_parameters=YARN), 24),
    "mistral": ("MistralConfig", dict(sliding_window=5), 24),
    "mixtral": ("MixtralConfig", dict(EXPERTS), 16),
    "qwen2": ("Qwen2Config", dict(use_sliding_window=True, sliding_window=6, max_window_layers=1), 24),
    "qwen3": ("Qwen3Config", dict(tie_word_embeddings=True, num_hidden_layers=1), 24),
    "qwen3-moe": ("Qwen3MoeConfig", dict(
        num_experts=5, num_experts_per_tok=3, moe_intermediate_size=20, norm_topk_prob=False), 16),
    "gemma2": ("Gemma2Config", dict(
        sliding_window=5, query_pre_attn_scalar=20, attn_logit_softcapping=4.0, final_logit_softcapping=3.0), 24),
    "gemma3": ("Gemma3TextConfig", dict(
        num_hidden_layers=3, sliding_window=5, query_pre_attn_scalar=20,
        layer_types=["sliding_attention", "sliding_attention", "full_attention"],
        rope_parameters=dict(
            full_attention=dict(rope_type="linear", rope_theta=1e6, factor=8.0), sliding_attention=PLAIN)), 24),
    "phi3": ("Phi3Config", LONGROPE, 24),
    "phi3-long": ("Phi3Config", LONGROPE, 40),
    "smollm3": ("SmolLM3Config", dict(no_rope_layer_interval=2), 24),
    "olmo2": ("Olmo2Config", dict(), 24),
    "gpt-oss": ("GptOssConfig", dict(
        EXPERTS, sliding_window=5, rope_parameters=dict(YARN, rope_theta=150000.0, truncate=False)), 24),
    "gpt-oss-mxfp4": ("GptOssConfig", dict(
        EXPERTS, num_hidden_layers=1, hidden_size=64, intermediate_size=32, num_local_experts=3,
        sliding_window=5, rope_parameters=dict(YARN, rope_theta=150000.0, truncate=False)), 24),
}


def older_gemma3(folder):
    """config.json in the keys of transformers 4, as the published files have them."""
    path = folder / "config.json"
    config = json.loads(path.read_text())
    del config["layer_types"], config["rope_parameters"]
    config.pop("_sliding_window_pattern", None)
    config.update(
        sliding_window_pattern=3, rope_theta=1e6, rope_local_base_freq=10000.0,
        rope_scaling=dict(rope_type="linear", factor=8.0))
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")


FP4 = torch.tensor([0, 0.5, 1, 1.5, 2, 3, 4, 6, -0.0, -0.5, -1, -1.5, -2, -3, -4, -6])


def mxfp4(weight):
    """Rows (..., columns) as bytes of two codes and scales, and the values they stand for."""
    blocks = weight.reshape(*weight.shape[:-1], -1, 32)
    exponent = torch.floor(torch.log2(blocks.abs().amax(-1, keepdim=True))) - 2
    codes = (blocks / 2**exponent).unsqueeze(-1).sub(FP4).abs().argmin(-1)
    values = (FP4[codes] * 2**exponent).reshape(weight.shape)
    packed = (codes[..., 0::2] | codes[..., 1::2] << 4).to(torch.uint8)
    return packed, (exponent.squeeze(-1) + 127).to(torch.uint8), values


def to_mxfp4(folder):
    """Stores the experts as gpt-oss is published, and rounds nothing else."""
    path = folder / "model.safetensors"
    tensors = load_file(path)
    for name in [n for n in tensors if n.endswith(("gate_up_proj", "down_proj"))]:
        packed, scales, _ = mxfp4(tensors.pop(name).float().transpose(1, 2))
        tensors[name + "_blocks"], tensors[name + "_scales"] = packed, scales
    save_file(tensors, path, metadata={"format": "pt"})


def make(name):
    """Writes one folder."""
    kind, settings, length = FAMILIES[name]
    seed = 20 + sorted(FAMILIES).index(name)
    folder = FOLDER / name
    shutil.rmtree(folder, ignore_errors=True)
    config = getattr(transformers, kind)(**{**SIZES, **settings})
    config._attn_implementation = "eager"
    model = AutoModelForCausalLM.from_config(config)
    draw_weights(model, seed)
    for parameter_name, parameter in model.named_parameters():
        if parameter_name.endswith("gate_up_proj") and "gpt-oss" in name:
            parameter.data *= 20  # so that some gates and ups pass the limit
        if "mxfp4" in name and parameter_name.endswith(("gate_up_proj", "down_proj")):
            parameter.data = mxfp4(parameter.data.transpose(1, 2))[2].transpose(1, 2).contiguous()
    model.generation_config.pad_token_id = 0
    dtype = torch.float32 if name == "qwen3" else torch.float16 if name == "olmo2" else torch.bfloat16
    model.to(dtype).save_pretrained(folder)
    (folder / "generation_config.json").unlink()
    stored = AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager", experts_implementation="eager")
    ids = torch.randint(VOCABULARY, (1, length), generator=torch.Generator().manual_seed(seed + 100))
    logits = stored.double().train(False)(input_ids=ids).logits[0]
    write_json(folder / "golden.json", {
        "ids": ids[0].tolist(),
        "parameters": sum(p.numel() for p in stored.parameters()),
        "logits": rounded(logits[-4:].tolist()),
    })
    if name == "gemma3":
        older_gemma3(folder)
    if "mxfp4" in name:
        to_mxfp4(folder)


def main():
    torch.set_num_threads(1)
    for name in sys.argv[1:] or FAMILIES:
        with torch.no_grad():
            make(name)
        for path in sorted((FOLDER / name).iterdir()):
            print(f"{path.stat().st_size:8d} {path.relative_to(HERE.parent)}")


if __name__ == "__main__":
    main()
