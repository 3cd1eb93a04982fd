#!/usr/bin/env python3
"""Makes LoRA adapters for `../models/tiny-llama-tied` and the logits that the model gives with each; see README.md.

    python Tests/Fixtures/adapters/make.py            (needs numpy)

The model is computed here by its formulas in float64, with W + scale · B · A in place of each changed W.
"""
import json
import struct
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
MODEL = HERE.parent / "models" / "tiny-llama-tied"
ALL = ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj",
       "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"]
# name: seed, modules, r, alpha, rsLoRA, other ranks and alphas by module
ADAPTERS = {
    "all": (1, ALL, 4, 8, False, {}, {}),
    "some": (2, ["self_attn.q_proj", "self_attn.v_proj", "mlp.down_proj"], 2, 6, True,
             {"v_proj": 3}, {"mlp.down_proj": 12}),
}
IDS = [(7 * i * i + 3 * i + 5) % 320 for i in range(24)]


def read(path):
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8:8 + length])
    tensors = {}
    for name, entry in header.items():
        if name != "__metadata__":
            start, end = entry["data_offsets"]
            numbers = np.frombuffer(data[8 + length + start:8 + length + end], dtype="<f4")
            tensors[name] = numbers.reshape(entry["shape"]).astype(np.float64)
    return tensors


def write(path, tensors):
    header, blob = {}, b""
    for name, tensor in sorted(tensors.items()):
        numbers = tensor.astype("<f4").tobytes()
        offsets = [len(blob), len(blob) + len(numbers)]
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": offsets}
        blob += numbers
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + blob)


def rms(x, weight, epsilon):
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + epsilon) * weight


def rotated(x, theta):  # (T, heads, D)
    half = x.shape[-1] // 2
    angles = np.arange(x.shape[0])[:, None] * theta ** (-np.arange(half) / half)
    cos, sin = np.cos(angles)[:, None], np.sin(angles)[:, None]
    a, b = x[..., :half], x[..., half:]
    return np.concatenate([a * cos - b * sin, b * cos + a * sin], -1)


def logits(w, c):
    H, K, D = c["num_attention_heads"], c["num_key_value_heads"], c["head_dim"]
    T, epsilon = len(IDS), c["rms_norm_eps"]
    x = w["model.embed_tokens.weight"][IDS]
    mask = np.triu(np.full((T, T), -np.inf), 1)
    for layer in range(c["num_hidden_layers"]):
        at = lambda name: w[f"model.layers.{layer}.{name}.weight"]
        h = rms(x, at("input_layernorm"), epsilon)
        q = rotated((h @ at("self_attn.q_proj").T).reshape(T, H, D), c["rope_theta"])
        k = rotated((h @ at("self_attn.k_proj").T).reshape(T, K, D), c["rope_theta"])
        v = (h @ at("self_attn.v_proj").T).reshape(T, K, D)
        out = np.zeros((T, H, D))
        for head in range(H):
            scores = q[:, head] @ k[:, head * K // H].T / np.sqrt(D) + mask
            scores = np.exp(scores - scores.max(-1, keepdims=True))
            out[:, head] = scores / scores.sum(-1, keepdims=True) @ v[:, head * K // H]
        x = x + out.reshape(T, H * D) @ at("self_attn.o_proj").T
        h = rms(x, at("post_attention_layernorm"), epsilon)
        gate = h @ at("mlp.gate_proj").T
        x = x + (gate / (1 + np.exp(-gate)) * (h @ at("mlp.up_proj").T)) @ at("mlp.down_proj").T
    return rms(x, w["model.norm.weight"], epsilon) @ w["model.embed_tokens.weight"].T


def main():
    config = json.loads((MODEL / "config.json").read_text())
    base = read(MODEL / "model.safetensors")
    golden = {"ids": IDS, "base": logits(base, config)[-2:].tolist()}
    for name, (seed, modules, r, alpha, stabilized, ranks, alphas) in ADAPTERS.items():
        random = np.random.default_rng(seed)
        folder = HERE / name
        folder.mkdir(exist_ok=True)
        tensors, merged = {}, dict(base)
        for layer in range(config["num_hidden_layers"]):
            for module in modules:
                full = f"model.layers.{layer}.{module}"
                weight = base[f"{full}.weight"]
                rank = next((n for key, n in ranks.items() if module.endswith(key)), r)
                own = next((n for key, n in alphas.items() if module.endswith(key)), alpha)
                a = random.normal(0, 0.2, (rank, weight.shape[1])).astype("<f4").astype(np.float64)
                b = random.normal(0, 0.2, (weight.shape[0], rank)).astype("<f4").astype(np.float64)
                tensors[f"base_model.model.{full}.lora_A.weight"] = a
                tensors[f"base_model.model.{full}.lora_B.weight"] = b
                merged[f"{full}.weight"] = weight + own / (rank ** 0.5 if stabilized else rank) * (b @ a)
        write(folder / "adapter_model.safetensors", tensors)
        settings = {
            "peft_type": "LORA", "r": r, "lora_alpha": alpha, "use_rslora": stabilized, "bias": "none",
            "target_modules": [m.split(".")[-1] for m in modules], "rank_pattern": ranks, "alpha_pattern": alphas,
            "task_type": "CAUSAL_LM",
        }
        (folder / "adapter_config.json").write_text(json.dumps(settings, indent=2) + "\n")
        golden[name] = logits(merged, config)[-2:].tolist()
    rounded = {k: v if k == "ids" else [[float(f"{x:.8g}") for x in row] for row in v] for k, v in golden.items()}
    (HERE / "golden.json").write_text(json.dumps(rounded) + "\n")


main()
