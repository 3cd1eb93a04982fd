#!/usr/bin/env python3
"""Hugging Face's side of tokenizer training: byte-level BPE with GPT-2's splitting.

RAYON_NUM_THREADS says how many threads it uses.

    hf_bpe_train.py --vocab-size 8192 FILE
"""
import argparse
import json
import time

import tokenizers
from tokenizers import Tokenizer, models, pre_tokenizers, trainers


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--vocab-size", type=int, default=8192)
    parser.add_argument("text")
    options = parser.parse_args()
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=options.vocab_size, show_progress=False, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=["<|endoftext|>"])
    start = time.perf_counter()
    tokenizer.train([options.text], trainer)
    seconds = time.perf_counter() - start
    print(json.dumps({
        "seconds": round(seconds, 3), "size": tokenizer.get_vocab_size(), "version": tokenizers.__version__,
    }))


if __name__ == "__main__":
    main()
