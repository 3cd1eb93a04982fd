#!/usr/bin/env python3
"""transformers' side of generation: greedy, with its key/value cache, float32, the median of three.

    transformers_generate.py --model FOLDER --prompt-tokens 32 --new-tokens 128 --threads 2
"""
import argparse
import json
import statistics
import time

import torch
import transformers


def seconds(model, ids, count):
    """The time to generate exactly `count` tokens after a prompt."""
    start = time.perf_counter()
    made = model.generate(
        input_ids=ids, attention_mask=torch.ones_like(ids), min_new_tokens=count, max_new_tokens=count,
        do_sample=False, num_beams=1, use_cache=True, pad_token_id=0)
    if made.shape[1] != ids.shape[1] + count:
        raise SystemExit(f"transformers gave {made.shape[1] - ids.shape[1]} tokens instead of {count}")
    return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True)
    parser.add_argument("--prompt-tokens", type=int, default=32)
    parser.add_argument("--new-tokens", type=int, default=128)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    model = transformers.AutoModelForCausalLM.from_pretrained(options.model, dtype=torch.float32)
    draws = torch.Generator().manual_seed(1)
    ids = torch.randint(3, model.config.vocab_size, (1, options.prompt_tokens), generator=draws)
    seconds(model, ids, 4)
    first = statistics.median(seconds(model, ids, 1) for _ in range(3))
    whole = statistics.median(seconds(model, ids, options.new_tokens) for _ in range(3))
    print(json.dumps({
        "first_token_ms": round(1000 * first, 2), "tokens_s": round((options.new_tokens - 1) / (whole - first), 2),
        "version": transformers.__version__,
    }))


if __name__ == "__main__":
    main()
