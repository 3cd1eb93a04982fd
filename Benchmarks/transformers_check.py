#!/usr/bin/env python3
"""Checks that transformers and Qalam compute the same logits from the same folder, in both directions.

    transformers_check.py FOLDER…     opens folders that Qalam wrote with transformers and compares
    transformers_check.py             makes random tiny folders with transformers, opens them with Qalam and compares

Qalam's side is `qalam bench logits --model FOLDER --ids 1,2,3 --json`, which gives {"logits": [[…]]}, a row a token.
The largest difference over all logits must be within 1e-4 of the largest logit.
"""
import argparse
import json
import sys
import tempfile
from pathlib import Path

import torch
import transformers
from transformers import (
    AutoModelForCausalLM, AutoTokenizer, GPT2Config, LlamaConfig, MistralConfig, Qwen2Config, Qwen3Config)

from harness import ROOT, BenchError, relative, run

TOLERANCE = 1e-4
SMALL = dict(vocab_size=199, hidden_size=64, intermediate_size=112, max_position_embeddings=96, num_hidden_layers=2)
GPT2 = dict(vocab_size=199, n_positions=96, bos_token_id=0, eos_token_id=0)
GROUPED = dict(num_attention_heads=8, num_key_value_heads=2)
LLAMA3_ROPE = dict(
    rope_type="llama3", rope_theta=500000.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
    original_max_position_embeddings=32)

# name: configuration and the type the weights are stored in; the second group only with --all
REQUIRED = {
    "llama": (LlamaConfig(**SMALL, **GROUPED), torch.float32),
    "llama, tied, bfloat16": (LlamaConfig(**SMALL, **GROUPED, tie_word_embeddings=True), torch.bfloat16),
    "llama, all heads, wide heads": (
        LlamaConfig(**SMALL, num_attention_heads=4, num_key_value_heads=4, head_dim=24), torch.float32),
    "llama, one key head, float16": (
        LlamaConfig(**SMALL, num_attention_heads=4, num_key_value_heads=1, rms_norm_eps=1e-5), torch.float16),
    "gpt2": (GPT2Config(**GPT2, n_embd=64, n_layer=2, n_head=4), torch.float32),
    "gpt2, narrow inner": (
        GPT2Config(**GPT2, n_embd=48, n_layer=3, n_head=3, n_inner=100), torch.bfloat16),
}
OPTIONAL = {
    "llama 3 positions": (LlamaConfig(**SMALL, **GROUPED, rope_parameters=LLAMA3_ROPE), torch.float32),
    "llama with biases": (LlamaConfig(**SMALL, **GROUPED, attention_bias=True, mlp_bias=True), torch.float32),
    "mistral": (MistralConfig(**SMALL, **GROUPED, sliding_window=None), torch.float32),
    "qwen2": (Qwen2Config(**SMALL, **GROUPED), torch.bfloat16),
    "qwen3": (Qwen3Config(**SMALL, **GROUPED, head_dim=16), torch.bfloat16),
}


def make_folder(folder, config, dtype, seed):
    """Random weights, biases and norms too, so that none of them can be forgotten without being seen."""
    config._attn_implementation = "eager"
    model = AutoModelForCausalLM.from_config(config)
    draws = torch.Generator().manual_seed(seed)
    for _, parameter in sorted(model.named_parameters()):
        noise = torch.randn(parameter.shape, generator=draws)
        parameter.data.copy_(0.1 * noise if parameter.dim() > 1 else parameter.data + 0.1 * noise)
    model.to(dtype).save_pretrained(folder)


def reference_logits(folder, ids):
    """What transformers computes, in float64 from the stored weights: (tokens, vocabulary)."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")
    with torch.no_grad():
        return model.double().eval()(input_ids=torch.tensor([ids])).logits[0]


def qalam_logits(program, folder, ids):
    """What Qalam computes."""
    output = run([program, "bench", "logits", "--model", folder, "--ids", ",".join(map(str, ids)), "--json"])
    try:
        rows = json.loads(output.strip().splitlines()[-1])["logits"]
        return torch.tensor(rows, dtype=torch.float64)
    except (IndexError, KeyError, TypeError, ValueError):
        raise BenchError("`qalam bench logits` gave no line of JSON with `logits` as rows of equal length")


def compare(program, folder):
    """The largest difference relative to the largest logit, and whether it is small enough."""
    config = json.loads((Path(folder) / "config.json").read_text())
    limit = min(48, config.get("max_position_embeddings") or config.get("n_positions"))
    ids = torch.randint(config["vocab_size"], (limit,), generator=torch.Generator().manual_seed(5)).tolist()
    theirs, ours = reference_logits(folder, ids), qalam_logits(program, folder, ids)
    if ours.shape != theirs.shape:
        raise BenchError(f"Qalam gave logits of shape {tuple(ours.shape)}, transformers {tuple(theirs.shape)}")
    if not torch.isfinite(ours).all():
        raise BenchError("Qalam gave logits that are not finite")
    return ((ours - theirs).abs().max() / theirs.abs().max()).item()


def check_tokenizer(folder):
    """That transformers opens the tokenizer beside a model, decodes what it encodes, and can use the chat template."""
    if not (Path(folder) / "tokenizer.json").is_file():
        return "no tokenizer.json beside it"
    tokenizer = AutoTokenizer.from_pretrained(folder)
    text = "Hello, world! قلم 🖋\n  twice"
    if tokenizer.decode(tokenizer.encode(text, add_special_tokens=False)) != text:
        raise BenchError(f"transformers' tokenizer of {relative(folder)} does not give back what it encoded")
    if tokenizer.chat_template is None:
        return "tokenizer opens, no chat template"
    messages = [{"role": "user", "content": "Hello"}]
    prompt = tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
    if "Hello" not in prompt:
        raise BenchError(f"the chat template of {relative(folder)} lost the message: {prompt!r}")
    return "tokenizer and chat template work"


def report(name, program, folder, tokenizer=False):
    """Checks one folder and prints a line; gives whether it passed."""
    try:
        difference = compare(program, folder)
        passed = difference <= TOLERANCE
        detail = f"largest difference {difference:.1e} of the largest logit"
        if tokenizer:
            detail += "; " + check_tokenizer(folder)
    except (BenchError, OSError, ValueError) as error:
        passed, detail = False, str(error)
    print(f"{'ok  ' if passed else 'FAIL'} {name:32} {detail}", flush=True)
    return passed


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--qalam", type=Path, default=ROOT / ".build" / "release" / "qalam")
    parser.add_argument("--all", action="store_true", help="with families beyond Llama and GPT-2")
    options = parser.parse_args()
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    if options.folders:
        results = [report(relative(f.resolve()), options.qalam, f.resolve(), tokenizer=True) for f in options.folders]
    else:
        results = []
        for seed, (name, (config, dtype)) in enumerate((REQUIRED | (OPTIONAL if options.all else {})).items()):
            with tempfile.TemporaryDirectory() as folder:
                make_folder(folder, config, dtype, seed)
                results.append(report(name, options.qalam, folder))
    print(f"{sum(results)} of {len(results)} agree within {TOLERANCE:g}")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
