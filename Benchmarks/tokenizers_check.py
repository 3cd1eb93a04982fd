#!/usr/bin/env python3
"""Checks that Qalam gives the ids and texts that Hugging Face `tokenizers` gives, on hostile text.

    tokenizers_check.py [--texts 2000] [--seed 1] [--only NAME,…]   small tokenizers, each set up as a family has it
    tokenizers_check.py --scalars                                   every character there is, between others
    tokenizers_check.py --speed                                     megabytes of one character: seconds, by family
    tokenizers_check.py --vocabularies FOLDER                       *.gguf with *.inp and *.out beside, of llama.cpp

The tokenizers are trained here on Tests/Fixtures/tokenizers/corpus.txt. A difference is shown with the shortest text
that still has it. Needs tokenizers and sentencepiece.

Qalam's side is `qalam bench tokenizer ids --tokenizer FILE`, a line of JSON for a line of JSON: {"text": …} gives
{"ids": …, "text": …, "seconds": …}, and {"ids": …} gives {"text": …}.
"""
import argparse
import io
import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path

import sentencepiece
from sentencepiece import sentencepiece_model_pb2 as model_pb2
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from hostile_text import CONTROLS, CORPUS, KNOWN, MARK, ROOT, hostile

BYTES = [f"<0x{b:02X}>" for b in range(256)]
NORMAL = dict(normalized=True, special=False)

# MARK: Tokenizers as families have them

CONTRACTION = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
SPACES = r"|\s*[\r\n]+|\s+(?!\S)|\s+"
UPPER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]"
LOWER = r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
PREFIX = r"[^\r\n\p{L}\p{N}]?"
PATTERNS = {
    "llama3": CONTRACTION + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*" + SPACES,
    "qwen": CONTRACTION + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*" + SPACES,
    "cl100k": CONTRACTION + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    + r"|\s+\z|\s*[\r\n]|\s+(?!\S)|\s",
    "o200k": f"{PREFIX}{UPPER}*{LOWER}+{CONTRACTION}?|{PREFIX}{UPPER}+{LOWER}*{CONTRACTION}?"
    + r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*" + SPACES,
    "tekken": f"{PREFIX}{UPPER}*{LOWER}+|{PREFIX}{UPPER}+{LOWER}*"
    + r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*" + SPACES,
}


def byte_level(pre_tokenizer, normalizer=None, ignores_merges=False):
    tokenizer = Tokenizer(models.BPE(ignore_merges=ignores_merges))
    if normalizer:
        tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    trainer = trainers.BpeTrainer(
        vocab_size=1500, special_tokens=CONTROLS, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False)
    tokenizer.train_from_iterator([CORPUS], trainer)
    return tokenizer


def split(pattern, **more):
    return byte_level(
        pre_tokenizers.Sequence([
            pre_tokenizers.Split(Regex(PATTERNS[pattern]), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]), **more)


def with_added(tokenizer, *tokens):
    for content, flags in tokens:
        tokenizer.add_tokens([AddedToken(content, **({"normalized": False, "special": True} | flags))])
    return tokenizer


def qwen():
    return with_added(
        split("qwen", normalizer=normalizers.NFC()), ("<think>", dict(special=False)),
        ("</think>", dict(special=False)),
        ("<tool_call>", dict(special=False)))


def olmo():
    """Tokens that are looked for in normalized text, and spaces that belong to tokens."""
    return with_added(
        split("llama3"), ("|||IP_ADDRESS|||", NORMAL), ("ж?", NORMAL), ("[L]", dict(lstrip=True)),
        ("[R]", dict(rstrip=True)), ("[B]", dict(lstrip=True, rstrip=True)), ("word", dict(single_word=True)),
        ("ال", dict(single_word=True, special=False)))


def neox():
    return with_added(
        byte_level(pre_tokenizers.ByteLevel(add_prefix_space=False), normalizer=normalizers.NFC()),
        *[(" " * n, NORMAL) for n in (24, 12, 7, 4, 3, 2)], ("\n\n", NORMAL))


def smol():
    return byte_level(pre_tokenizers.Sequence([
        pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]))


def piece_bpe(normalizer, pre_tokenizer, strips, added=(), fallback=True, train_marks=True):
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=fallback))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend(MARK), normalizers.Replace(" ", MARK)])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never")
    trainer = trainers.BpeTrainer(
        vocab_size=1600, special_tokens=["<unk>", "<s>", "</s>"] + BYTES, show_progress=False, limit_alphabet=120)
    tokenizer.train_from_iterator(CORPUS.split("\n"), trainer)
    tail = [decoders.Strip(" ", 1, 0)] if strips else []
    tokenizer.decoder = decoders.Sequence([
        decoders.Replace(MARK, " "), decoders.ByteFallback(), decoders.Fuse()] + tail)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 1)])
    file = json.loads(tokenizer.to_str())
    file["normalizer"] = normalizer and json.loads(normalizer.__getstate__())
    file["pre_tokenizer"] = pre_tokenizer
    file["added_tokens"] = [token for token in file["added_tokens"] if token["id"] < 3]
    return with_added(Tokenizer.from_str(json.dumps(file)), *added)


def llama2():
    return piece_bpe(
        normalizers.Sequence([normalizers.Prepend(MARK), normalizers.Replace(" ", MARK)]), None, True,
        [("<|user|>", dict(rstrip=True)), ("<|end|>", dict(rstrip=True)), ("[n]", NORMAL)])


def mistral():
    metaspace = {"type": "Metaspace", "replacement": MARK, "prepend_scheme": "first", "split": False}
    return piece_bpe(None, metaspace, True, [("[INST]", {}), ("[/INST]", {})])


def gemma():
    cut = {"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious", "invert": False}
    plain = dict(special=False)
    return piece_bpe(
        normalizers.Replace(" ", MARK), cut, False,
        [("<start_of_turn>", {}), ("<end_of_turn>", {})] + [("\n" * n, plain) for n in range(1, 5)]
        + [(MARK * n, plain) for n in range(2, 6)] + [("\t", plain), ("\t\t", plain), ("<table>", plain)])


def unigram(rule, size=700, split_first=True, squeezes=False, more=None):
    output = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(CORPUS.split("\n")), model_writer=output, vocab_size=size, model_type="unigram",
        normalization_rule_name=rule, hard_vocab_limit=False, minloglevel=2, max_sentence_length=100000)
    proto = model_pb2.ModelProto.FromString(output.getvalue())
    pieces = [(piece.piece, piece.score) for piece in proto.pieces]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=0, byte_fallback=False))
    steps = more or []
    if proto.normalizer_spec.precompiled_charsmap:
        steps.append(normalizers.Precompiled(proto.normalizer_spec.precompiled_charsmap))
    if squeezes:
        steps.append(normalizers.Replace(Regex(" {2,}"), " "))
    if steps:
        tokenizer.normalizer = normalizers.Sequence(steps)
    metaspace = pre_tokenizers.Metaspace(prepend_scheme="always")
    tokenizer.pre_tokenizer = (
        pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), metaspace]) if split_first else metaspace)
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="always")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", 2)])
    file = json.loads(tokenizer.to_str())
    tokenizer = Tokenizer.from_str(json.dumps(file))
    return with_added(tokenizer, ("<s>", {}), ("</s>", {}), ("<unk>", {}), ("<mask>", dict(lstrip=True)))


def albert():
    return unigram("nmt_nfkc_cf", split_first=True, more=[
        normalizers.Replace("``", '"'), normalizers.Replace("''", '"'), normalizers.NFKD(),
        normalizers.StripAccents(), normalizers.Lowercase()])


def bert(lowercases=True):
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lowercases)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    trainer = trainers.WordPieceTrainer(
        vocab_size=1500, special_tokens=special, show_progress=False, limit_alphabet=400)
    alphabet = "".join(dict.fromkeys(CORPUS + "漢字かな한글кирабвгдеאבגדआइउกขค"))
    tokenizer.train_from_iterator(CORPUS.split("\n") + list(alphabet), trainer)
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return tokenizer


FAMILIES = {
    "gpt2": lambda: byte_level(pre_tokenizers.ByteLevel(add_prefix_space=False)),
    "gpt2 with a space in front": lambda: byte_level(pre_tokenizers.ByteLevel(add_prefix_space=True)),
    "cl100k": lambda: split("cl100k"),
    "o200k": lambda: split("o200k"),
    "llama3": lambda: split("llama3", ignores_merges=True),
    "tekken": lambda: split("tekken", ignores_merges=True),
    "qwen": qwen,
    "olmo2": olmo,
    "neox": neox,
    "smollm": smol,
    "llama2": llama2,
    "mistral": mistral,
    "gemma": gemma,
    "t5": lambda: unigram("nmt_nfkc"),
    "xlm-r": lambda: unigram("nmt_nfkc", squeezes=True),
    "unigram, whole text": lambda: unigram("identity", split_first=False),
    "albert": albert,
    "bert": bert,
    "bert cased": lambda: bert(False),
}

# MARK: Comparing


class Qalam:
    """`qalam bench tokenizer ids`, one line for one line."""

    def __init__(self, program, file):
        self.process = subprocess.Popen(
            [program, "bench", "tokenizer", "ids", "--tokenizer", str(file)], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE)

    def ask(self, **question):
        self.process.stdin.write(json.dumps(question).encode() + b"\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"Qalam ended with status {self.process.wait()} at {str(question)[:300]}")
        return json.loads(line)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def shortened(text, fails):
    """The text with as much taken away as can be while it still fails."""
    size = max(len(text) // 2, 1)
    while True:
        at = 0
        while at < len(text):
            rest = text[:at] + text[at + size:]
            if fails(rest):
                text = rest
            else:
                at += size
        if size == 1:
            return text
        size = max(size // 2, 1)


def spelled(tokenizer, ids):
    return [tokenizer.id_to_token(id) for id in ids]


def check(name, options, folder):
    tokenizer = FAMILIES[name]()
    file = Path(folder) / (name.replace(" ", "-") + ".json")
    file.write_text(tokenizer.to_str(), encoding="utf8")
    tokenizer = Tokenizer.from_file(str(file))
    qalam = Qalam(options.qalam, file)
    pick = random.Random(options.seed)
    failures = {"ids": 0, "text": 0, "text of drawn ids": 0}

    def theirs(text):
        return tokenizer.encode(text, add_special_tokens=False).ids

    def wrong_ids(text):
        return qalam.ask(text=text)["ids"] != theirs(text)

    def wrong_text(text):
        found = qalam.ask(text=text)
        return found["ids"] == theirs(text) and found["text"] != tokenizer.decode(
            found["ids"], skip_special_tokens=False)

    # Bytes that are no character make Hugging Face give up a whole run of bytes, which Qalam does not.
    usable = sorted(id for text, id in tokenizer.get_vocab().items() if text not in BYTES)
    for _ in range(options.texts):
        text = hostile(pick)
        for kind, fails in (("ids", wrong_ids), ("text", wrong_text)):
            if not fails(text):
                continue
            failures[kind] += 1
            if failures[kind] <= options.show:
                short = shortened(text, fails)
                found, ids = qalam.ask(text=short), theirs(short)
                print(f"  {name}: {kind} of {ascii(short)}")
                if kind == "ids":
                    print(f"    theirs {ascii(spelled(tokenizer, ids))[:300]}")
                    print(f"    ours   {ascii(spelled(tokenizer, found['ids']))[:300]}")
                else:
                    print(f"    theirs {ascii(tokenizer.decode(ids, skip_special_tokens=False))[:300]}")
                    print(f"    ours   {ascii(found['text'])[:300]}")
        ids = [pick.choice(usable) for _ in range(pick.randint(1, 6))]
        expected, found = tokenizer.decode(ids, skip_special_tokens=False), qalam.ask(ids=ids)["text"]
        if expected != found:
            failures["text of drawn ids"] += 1
            if failures["text of drawn ids"] <= options.show:
                print(f"  {name}: text of {ascii(spelled(tokenizer, ids))}")
                print(f"    theirs {ascii(expected)}\n    ours   {ascii(found)}")
    qalam.close()
    wrong = ", ".join(f"{count} {kind}" for kind, count in failures.items() if count) or "all the same"
    print(f"{'FAIL' if any(failures.values()) else 'ok  '} {name:28} {options.texts} texts: {wrong}", flush=True)
    return not any(failures.values())


# MARK: Every character

# Over bytes, so that ids spell the normalized text.
NORMALIZERS = {
    "NFC": normalizers.NFC, "NFD": normalizers.NFD, "NFKC": normalizers.NFKC, "NFKD": normalizers.NFKD,
    "lowercase": normalizers.Lowercase, "strip accents": normalizers.StripAccents, "strip": normalizers.Strip,
    "Nmt": normalizers.Nmt, "Bert": normalizers.BertNormalizer,
    "Bert cased": lambda: normalizers.BertNormalizer(lowercase=False),
    "Bert, cased, no accents": lambda: normalizers.BertNormalizer(lowercase=False, strip_accents=True),
    "runs of spaces": lambda: normalizers.Replace(Regex(r"\s+"), " "),
}
CUTTERS = {
    "whitespace split": pre_tokenizers.WhitespaceSplit, "words": pre_tokenizers.Whitespace,
    "punctuation": pre_tokenizers.Punctuation, "digits": lambda: pre_tokenizers.Digits(individual_digits=True),
    "BERT words": pre_tokenizers.BertPreTokenizer,
}


def normalizing(normalizer):
    tokenizer = Tokenizer(models.BPE({c: i for i, c in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}, []))
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def cutting(pre_tokenizer):
    tokenizer = unigram("identity", split_first=False)
    tokenizer.pre_tokenizer = pre_tokenizer
    return tokenizer


ALL = (
    FAMILIES | {name: lambda make=make: normalizing(make()) for name, make in NORMALIZERS.items()}
    | {name: lambda make=make: cutting(make()) for name, make in CUTTERS.items()})


def scalars(name, options, folder):
    maker = ALL[name]
    file = Path(folder) / (name.replace(" ", "-") + ".json")
    file.write_text(maker().to_str(), encoding="utf8")
    tokenizer = Tokenizer.from_file(str(file))
    qalam = Qalam(options.qalam, file)
    wrong = []

    def text(code):
        c = chr(code)
        return f"a{c}\u0323\u0301 e\u0301{c} {c} X{c}y1{c}2.{c}.\n{c}'{c}s\n"

    def differs(codes):
        joined = "|".join(map(text, codes))
        return qalam.ask(text=joined)["ids"] != tokenizer.encode(joined, add_special_tokens=False).ids

    def search(codes):
        if not differs(codes):
            return
        if len(codes) == 1:
            wrong.append(codes[0])
            return
        search(codes[:len(codes) // 2])
        search(codes[len(codes) // 2:])

    every = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
    every = [c for c in every if options.all_planes or c in KNOWN or c % 97 == 0]
    for start in range(0, len(every), 64):
        search(every[start:start + 64])
    qalam.close()
    runs = []
    for code in wrong:
        if runs and runs[-1][1] == code - 1:
            runs[-1][1] = code
        else:
            runs.append([code, code])
    shown = " ".join(f"{a:04X}" if a == b else f"{a:04X}-{b:04X}" for a, b in runs)
    state = "FAIL" if wrong else "ok  "
    print(f"{state} {name:28} {len(every)} characters, {len(wrong)} different {shown[:options.width]}", flush=True)
    return not wrong


# MARK: Speed

RUNS = {
    "a": "a", "space": " ", "newline": "\n", "dot": ".", "digit": "1", "mark": "\u0301", "two marks": "\u0301\u0323",
    "e and marks": "e\u0323\u0301", "harakat": "َّ", "tatweel": "ـ", "Arabic": "ب", "Chinese": "中",
    "jamo": "\u1100\u1161\u11a8",
    "emoji": "😀", "joined emoji": "👩‍", "flags": "🇸", "ligature": "ﷺ", "unassigned": "\U000e0fff", "words": "ab ",
    "apostrophes": "'", "upper": "A", "spaced lines": " \n", "almost a token": "<|im_star", "unknown": "☃",
    "zero width": "\u200d", "hangul": "각", "marked space": MARK,
}


def speed(name, options, folder):
    file = Path(folder) / (name.replace(" ", "-") + ".json")
    file.write_text(FAMILIES[name]().to_str(), encoding="utf8")
    qalam = Qalam(options.qalam, file)
    slow = []
    for kind, unit in RUNS.items():
        bytes_of_unit = len(unit.encode())
        times = []
        for size in (1 << 18, 1 << 20):
            times.append(qalam.ask(text=unit * (size // bytes_of_unit), quiet=True)["seconds"])
        # Four times the text: a quadratic step would take sixteen times as long.
        if times[1] > 2 or times[1] > 0.2 and times[1] > 10 * times[0]:
            slow.append(f"{kind} {times[0]:.3f} s, {times[1]:.3f} s")
    qalam.close()
    print(f"{'FAIL' if slow else 'ok  '} {name:28} {'; '.join(slow) or 'linear on all runs of 1 MB'}", flush=True)
    return not slow


# MARK: Vocabularies of others


def vocabularies(folder, options):
    passed = True
    for file in sorted(Path(folder).glob("*.gguf")):
        texts, results = Path(f"{file}.inp"), Path(f"{file}.out")
        if not texts.is_file():
            continue
        texts = texts.read_text(encoding="utf8").split("\n__ggml_vocab_test__\n")
        results = [[int(id) for id in line.split()] for line in results.read_text().split("\n")][:len(texts)]
        try:
            qalam = Qalam(options.qalam, file)
            wrong = [(text, ids) for text, ids in zip(texts, results) if qalam.ask(text=text)["ids"] != ids]
        except SystemExit:
            print(f"FAIL {file.name:40} not opened")
            passed = False
            continue
        for text, ids in wrong[:options.show]:
            ours = qalam.ask(text=text)["ids"]
            print(f"  {ascii(text)[:200]}\n    theirs {str(ids)[:200]}\n    ours   {str(ours)[:200]}")
        qalam.close()
        passed = passed and not wrong
        print(f"{'FAIL' if wrong else 'ok  '} {file.name:40} {len(texts)} texts, {len(wrong)} different", flush=True)
    return passed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--qalam", default=str(ROOT / ".build/release/qalam"))
    parser.add_argument("--texts", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--show", type=int, default=3, help="differences of each kind to show")
    parser.add_argument("--only", help="names of families, joined by commas")
    parser.add_argument("--speed", action="store_true")
    parser.add_argument("--scalars", action="store_true")
    parser.add_argument("--all-planes", action="store_true", help="with --scalars, all code points, assigned or not")
    parser.add_argument("--width", type=int, default=300, help="how much of a list to show")
    parser.add_argument("--vocabularies", type=Path)
    options = parser.parse_args()
    if options.vocabularies:
        sys.exit(not vocabularies(options.vocabularies, options))
    names = [
        name for name in (ALL if options.scalars else FAMILIES)
        if not options.only or any(name.startswith(start) for start in options.only.split(","))]
    step = scalars if options.scalars else speed if options.speed else check
    with tempfile.TemporaryDirectory() as folder:
        results = [step(name, options, folder) for name in names]
    print(f"{sum(results)} of {len(results)} agree")
    sys.exit(not all(results))


if __name__ == "__main__":
    main()
