#!/usr/bin/env python3
"""tiktoken's side of the encoding comparison: one thread, the whole text in one call, the median of five.

The ranks are made from the vocabulary of the same tokenizer.json that Qalam reads: an entry's rank is its id.

    tiktoken_encode.py --tokenizer FOLDER --text FILE
"""
import argparse
import json
import statistics
import time
from pathlib import Path

import tiktoken

PATTERN = r"""'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"""  # GPT-2's


def byte_of_character():
    """GPT-2 spells each byte as a printable character: most as themselves, the rest from U+0100 on, in order."""
    plain = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in plain]
    return {chr(byte): byte for byte in plain} | {chr(256 + i): byte for i, byte in enumerate(others)}


def encoding(folder):
    """A tiktoken encoding with the vocabulary of a folder."""
    record = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    special = {token["content"]: token["id"] for token in record["added_tokens"]}
    spelling = byte_of_character()
    ranks = {
        bytes(spelling[c] for c in text): rank
        for text, rank in record["model"]["vocab"].items() if text not in special
    }
    return tiktoken.Encoding("same", pat_str=PATTERN, mergeable_ranks=ranks, special_tokens=special)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tokenizer", type=Path, required=True)
    parser.add_argument("--text", type=Path, required=True)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    encoder = encoding(options.tokenizer)
    data = options.text.read_bytes()
    text = data.decode()
    encoder.encode_ordinary(text[:100_000])
    seconds = []
    for _ in range(options.repeats):
        start = time.perf_counter()
        ids = encoder.encode_ordinary(text)
        seconds.append(time.perf_counter() - start)
    speed = len(data) / 1e6 / statistics.median(seconds)
    print(json.dumps({"mb_s": round(speed, 3), "tokens": len(ids), "version": tiktoken.__version__}))


if __name__ == "__main__":
    main()
