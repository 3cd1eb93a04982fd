#!/usr/bin/env python3
"""Writes an English text of a given size, and says where it is from.

Real prose is taken from ../shared/data if that is there; otherwise sentences are made from a seeded list of words whose
frequencies follow Zipf's law. Made-up sentences are easier to encode than prose, so such figures are marked.

    texts.py --megabytes 20 --output FOLDER      →  FOLDER/english-20.txt
"""
import argparse
import json
import lzma
import random
from pathlib import Path

PROSE = Path(__file__).resolve().parents[3] / "shared" / "data" / "english" / "wiki_simple_wide.txt.xz"


def prose(size):
    """The first `size` bytes of the encyclopedia text, ended at a line."""
    with lzma.open(PROSE) as stream:
        data = stream.read(size)
    return data[: data.rindex(b"\n") + 1]


def made_up(size):
    """Sentences of words of one to four syllables, drawn with Zipf's frequencies."""
    draw = random.Random(7)
    starts, vowels = "b c d f g h l m n p r s t w st tr pl".split(), "a e i o u ea ou".split()

    def word():
        syllables = range(draw.choice([1, 1, 2, 2, 3, 4]))
        return "".join(draw.choice(starts) + draw.choice(vowels) + draw.choice(" nrst").strip() for _ in syllables)

    words = list(dict.fromkeys(word() for _ in range(20_000)))
    weights = [1 / (rank + 3) for rank in range(len(words))]
    lines, length = [], 0
    while length < size:
        sentence = draw.choices(words, weights, k=draw.randint(5, 24))
        sentence[0] = sentence[0].capitalize()
        if len(sentence) > 10:
            sentence[5] += ","
        lines.append(" ".join(sentence) + draw.choice([". ", ". ", "?\n", ".\n"]))
        length += len(lines[-1])
    return "".join(lines).encode()[:size]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megabytes", type=int, default=20)
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    path = options.output / f"english-{options.megabytes}.txt"
    source = "Simple English Wikipedia" if PROSE.is_file() else "made-up sentences"
    mark = path.with_suffix(".source")
    if not (path.is_file() and mark.is_file() and mark.read_text() == source):
        options.output.mkdir(parents=True, exist_ok=True)
        size = options.megabytes * 1_000_000
        path.write_bytes(prose(size) if PROSE.is_file() else made_up(size))
        mark.write_text(source)
    print(json.dumps({"bytes": path.stat().st_size, "source": source}))


if __name__ == "__main__":
    main()
