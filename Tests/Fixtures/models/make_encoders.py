#!/usr/bin/env python3
"""Makes tiny sentence encoders with transformers: weights, config.json and golden.json; see README.md.

    python Tests/Fixtures/models/make_encoders.py            (needs torch, transformers)
"""
import json
import shutil

import torch
from transformers import BertConfig, BertModel, NomicBertConfig, NomicBertModel

from make import HERE, draw_weights, rounded, write_json

FOLDER = HERE.parent / "encoders"
VOCABULARY = 96
SIZES = dict(
    vocab_size=VOCABULARY, hidden_size=40, intermediate_size=44, num_hidden_layers=2, num_attention_heads=4,
    max_position_embeddings=32, pad_token_id=0,
)
# name: configuration, model, stored type, whether the folder says how to pool (CLS, not normalised)
ENCODERS = {
    "bert": (BertConfig(**SIZES), BertModel, torch.float16, False),
    "bert-cls": (BertConfig(**{**SIZES, "num_hidden_layers": 1}), BertModel, torch.float32, True),
    "nomic": (NomicBertConfig(**SIZES), NomicBertModel, torch.bfloat16, False),
}


def write_modules(folder):
    """How sentence-transformers describes its pooling."""
    (folder / "1_Pooling").mkdir()
    pooling = {"word_embedding_dimension": 40, "pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}
    (folder / "1_Pooling/config.json").write_text(json.dumps(pooling, indent=2) + "\n")
    kinds = ["sentence_transformers.models.Transformer", "sentence_transformers.models.Pooling"]
    modules = [{"idx": i, "name": str(i), "path": "", "type": kind} for i, kind in enumerate(kinds)]
    (folder / "modules.json").write_text(json.dumps(modules, indent=2) + "\n")


def older_nomic(folder):
    """config.json in the keys of the published files, which came with code of their own."""
    path = folder / "config.json"
    config = json.loads(path.read_text())
    for key in ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "head_dim",
                "max_position_embeddings", "layer_norm_eps", "hidden_act", "rope_parameters"):
        del config[key]
    config.update(
        n_embd=40, n_inner=44, n_layer=2, n_head=4, n_positions=32, layer_norm_epsilon=1e-12,
        activation_function="swiglu", rotary_emb_base=1000, rotary_emb_fraction=1.0, qkv_proj_bias=False)
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")


def main():
    torch.set_num_threads(1)
    for seed, (name, (config, kind, dtype, has_modules)) in enumerate(ENCODERS.items(), start=60):
        folder = FOLDER / name
        shutil.rmtree(folder, ignore_errors=True)
        config._attn_implementation = "eager"
        model = kind(config, add_pooling_layer=False)
        draw_weights(model, seed)
        model.to(dtype).save_pretrained(folder)
        stored = kind.from_pretrained(
            folder, dtype=torch.float32, attn_implementation="eager", add_pooling_layer=False).double().train(False)
        generator = torch.Generator().manual_seed(seed + 100)
        texts = [torch.randint(VOCABULARY, (length,), generator=generator) for length in (9, 1, 14)]
        with torch.no_grad():
            states = [stored(input_ids=ids[None]).last_hidden_state[0] for ids in texts]
        if has_modules:
            vectors = [state[0] for state in states]
            write_modules(folder)
        else:
            vectors = [torch.nn.functional.normalize(state.mean(0), dim=0) for state in states]
        if name == "nomic":
            older_nomic(folder)
        write_json(folder / "golden.json", {
            "texts": [ids.tolist() for ids in texts],
            "vectors": [rounded(vector.tolist()) for vector in vectors],
        })
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            print(f"{path.stat().st_size:8d} {path.relative_to(HERE.parent)}")


if __name__ == "__main__":
    main()
