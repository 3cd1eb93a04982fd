# SPDX-License-Identifier: Apache-2.0
"""Writes names.json: for each architecture, the tensors of a small model as Hugging Face and as GGUF name them.

    pip install torch transformers gguf && python make_names.py

The names of Hugging Face are those of `transformers`' models; the other ones come from the tensor map of the package
`gguf`. Experts are listed one by one, as files hold them.
"""

import json
import pathlib
import re

import gguf
import torch
import transformers as t

small = dict(hidden_size=64, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4, vocab_size=64)
decoder = small | dict(num_key_value_heads=2)
gpt2 = dict(n_embd=64, n_layer=2, n_head=4, vocab_size=64, n_positions=32)
moe = decoder | dict(num_local_experts=2, num_experts=2, moe_intermediate_size=32)
models = {
    "gpt2": ("GPT2", gpt2, "GPT2LMHeadModel", {}),
    "llama": ("Llama", decoder, "LlamaForCausalLM", {"attention_bias": True, "mlp_bias": True}),
    "qwen2": ("Qwen2", decoder, "Qwen2ForCausalLM", {}),
    "qwen3": ("Qwen3", decoder, "Qwen3ForCausalLM", {}),
    "gemma2": ("Gemma2", decoder, "Gemma2ForCausalLM", {}),
    "gemma3": ("Gemma3Text", decoder, "Gemma3ForCausalLM", {}),
    "phi3": ("Phi3", decoder, "Phi3ForCausalLM", {"pad_token_id": 0}),
    "smollm3": ("SmolLM3", decoder, "SmolLM3ForCausalLM", {"pad_token_id": 0}),
    "olmo2": ("Olmo2", decoder, "Olmo2ForCausalLM", {}),
    "bert": ("Bert", small, "BertModel", {}),
}
pairs = {}


def mapped(architecture, names):
    kind = next(key for key, value in gguf.MODEL_ARCH_NAMES.items() if value == architecture)
    table = gguf.get_tensor_name_map(kind, 2)
    result = []
    for name in names:
        stem = re.sub(r"\.experts\.\d+\.", ".experts.", name)
        stem = re.sub(r"block_sparse_moe\.experts\.", "feed_forward.experts.", stem).replace("model.layers", "layers") \
            if "block_sparse_moe.experts" in name else stem
        found = table.get_name(stem, try_suffixes=(".weight", ".bias"))
        if found is None:
            raise SystemExit(f"{architecture}: {name} has no name")
        result.append([name, found])
    return result


for architecture, (config, sizes, model, extra) in models.items():
    configuration = getattr(t, config + "Config")(**(sizes | extra))
    with torch.device("meta"):
        names = list(getattr(t, model)(configuration).state_dict())
    tied = architecture in ("gpt2", "gemma2", "gemma3")
    skipped = ("position_ids", "pooler", "inv_freq", ".attn.bias", "masked_bias") + (("lm_head",) if tied else ())
    pairs[architecture] = mapped(architecture, [n for n in names if not any(s in n for s in skipped)])

experts = [f"{i}.{w}" for i in range(2) for w in ("w1", "w2", "w3")]
pairs["llama"] += mapped("llama", [
    f"model.layers.0.block_sparse_moe.{n}.weight" for n in ["gate"] + [f"experts.{e}" for e in experts]])
experts = [f"experts.{i}.{w}_proj" for i in range(2) for w in ("gate", "up", "down")]
pairs["qwen3moe"] = [p for p in pairs["qwen3"] if ".mlp." not in p[0]] + mapped("qwen3moe", [
    f"model.layers.1.mlp.{n}.weight" for n in ["gate"] + experts])
layers = "encoder.layers.0."
pairs["nomic-bert"] = mapped("nomic-bert", [
    f"{n}.weight" for n in ["embeddings.word_embeddings", "embeddings.token_type_embeddings", "emb_ln"]
    + [layers + n for n in ["attn.Wqkv", "attn.out_proj", "mlp.fc11", "mlp.fc12", "mlp.fc2", "norm1", "norm2"]]])
(pathlib.Path(__file__).parent / "names.json").write_text(
    "{\n" + ",\n".join(
        f"{json.dumps(k)}: [\n" + ",\n".join("  " + json.dumps(p) for p in v) + "\n]" for k, v in pairs.items())
    + "\n}\n")
