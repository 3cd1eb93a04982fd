#!/usr/bin/env python3
"""Writes a folder with GPT-2's tokenizer.json, the vocabulary both sides of the encoding comparison use.

The files encoder.json and vocab.bpe are taken from ../shared/data if they are there; otherwise a vocabulary of the same
size is trained on the text that is going to be encoded, and the source says so.

    vocabulary.py --text FILE --output FOLDER
"""
import argparse
import json
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

PUBLISHED = Path(__file__).resolve().parents[3] / "shared" / "data" / "tokenizers" / "gpt2-encoder-json"
END = "<|endoftext|>"


def published():
    """GPT-2's own merges."""
    vocabulary = json.loads((PUBLISHED / "encoder.json").read_text(encoding="utf-8"))
    lines = (PUBLISHED / "vocab.bpe").read_text(encoding="utf-8").splitlines()
    merges = [tuple(line.split(" ")) for line in lines if line and not line.startswith("#version")]
    return with_bytes(Tokenizer(models.BPE(vocab=vocabulary, merges=merges)))


def trained(text):
    """As many entries, learnt from the text."""
    tokenizer = with_bytes(Tokenizer(models.BPE()))
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train([str(text)], trainers.BpeTrainer(vocab_size=50256, show_progress=False, initial_alphabet=alphabet))
    return tokenizer


def with_bytes(tokenizer):
    """GPT-2's splitting into words and its spelling of bytes."""
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--text", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    source = "GPT-2" if PUBLISHED.is_dir() else "50,257 entries trained on the text"
    path, mark = options.output / "tokenizer.json", options.output / "source"
    if not (path.is_file() and mark.is_file() and mark.read_text() == source):
        options.output.mkdir(parents=True, exist_ok=True)
        tokenizer = published() if PUBLISHED.is_dir() else trained(options.text)
        tokenizer.add_special_tokens([END])
        tokenizer.save(str(path))
        mark.write_text(source)
    print(json.dumps({"size": Tokenizer.from_file(str(path)).get_vocab_size(), "source": source}))


if __name__ == "__main__":
    main()
