"""Makes the golden files for QalamTokenizersTests with Hugging Face `tokenizers` and tiktoken.

    pip install tokenizers==0.23.3 tiktoken==0.14.0
    python Tests/Fixtures/tokenizers/make.py [ENGLISH ARABIC]     (two plain-text files; without, corpus.txt)

ENGLISH was Tiny Shakespeare (public domain), ARABIC the Arabic sentences of Common Voice (CC0); `corpus.txt` is the
beginning of both. Everything else follows from it and from the seed.

corpus.txt        what the vocabularies are trained on
PATTERN.json      a tokenizer for each pattern, trained by Hugging Face
digits.json …     variants of gpt2.json in the style of other models
small.tiktoken    the ranks of gpt2.json
cases.json        texts, their ids under every file, and ids with the text they decode to
"""

import base64
import json
import random
import sys
from pathlib import Path

import tiktoken
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

HERE = Path(__file__).parent
END = "<|endoftext|>"
CONTRACTION = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
WORDS = CONTRACTION + r"|[^\r\n\p{L}\p{N}]?\p{L}+"
SYMBOLS = r"| ?[^\s\p{L}\p{N}]+[\r\n]*"
SPACES = r"|\s*[\r\n]+|\s+(?!\S)|\s+"
UPPER, LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
PREFIX = r"[^\r\n\p{L}\p{N}]?"
PATTERNS = {
    "gpt2": None,
    "cl100k": WORDS + r"|\p{N}{1,3}" + SYMBOLS + r"|\s+\z|\s*[\r\n]|\s+(?!\S)|\s",
    "llama3": WORDS + r"|\p{N}{1,3}" + SYMBOLS + SPACES,
    "qwen2": WORDS + r"|\p{N}" + SYMBOLS + SPACES,
    "o200k": f"{PREFIX}{UPPER}*{LOWER}+{CONTRACTION}?|{PREFIX}{UPPER}+{LOWER}*{CONTRACTION}?"
    + r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*"
    + SPACES,
    "tekken": f"{PREFIX}{UPPER}*{LOWER}+|{PREFIX}{UPPER}+{LOWER}*" + r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*" + SPACES,
}
# tiktoken's own spelling of the patterns.
TIKTOKEN = {
    "gpt2": r"""'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s""",
    "cl100k": r"""'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$"""
    + r"""|\s*[\r\n]|\s+(?!\S)|\s""",
    "o200k": PATTERNS["o200k"],
}
TEXTS = [
    "", "a", " ", "  ", "\n", "Hello, world!",
    "The quick brown fox doesn't jump; I'll say it's they're we've I'm he'd.",
    "DON'T SHOUT'S 'S 'Ll 'RE 'ſ x'ſ ''s 'x", "tabs\tand\n\nlines\r\n\r\n  end  ", "trailing   ", "trailing \n ",
    "\n\n  \n   x", " \t\r\n\u00a0\u3000\u2028\u2029\x85\x0b\x0c.",
    "1 12 123 1234 12345 1,234.56 -7 ٣٤٥ ½ Ⅷ ²³", "x1y22z333",
    "CamelCaseWords HTTPServer iPhone XMLHttpRequest ÉCOLE École éCOLE ǅungla", "foo/bar//baz/\n/x",
    "a_b-c+d=e;f(g)[h]{i}",
    "http://example.org/path?q=1&r=2#top", "العربيّة لغةٌ جميلةٌ، أليسَ كذلك؟", "قَلَمٌ وكِتابٌ — ١٢٣٤",
    "مرحبا world مرحبا",
    "שָׁלוֹם", "中文字符没有空格，对吧？", "日本語のテキスト", "한국어 각각 ᄀᆞᆷ", "हिन्दी में पाठ", "ไทยไม่มีช่องว่าง",
    "😀😃👍🏽", "👨‍👩‍👧‍👦 🏳️‍🌈 🇸🇦🇬🇧", "e\u0301 é a\u0328\u0301 q\u0307\u0323 \u0301x \u0301\u0301X", "\u0345ⓐⒶªʼ",
    "z\u200dz \u200b\u200e\u202e\ufeff\ufe0f", "\x00\x01\x02\x1f\x7f", "null\x00inside", "\ufffd\ufffe\uffff",
    "\U0010ffff",
    "𝒜𝓑 𐐀𐐨 𞤀𞤢", "a" * 150, "ab" * 70, " " * 100, "\n" * 98, "!" * 98, "é" * 50, "😀" * 26, "0" * 20,
    "ACGT" * 30 + "acgt" * 30, "=" * 97, "<" * 50, END, f"a{END}b", f"{END}{END}", f" {END} ", "<|endoftext",
    "<|end<|endoftext|>",
    f"'s{END}'s  {END}", "The word and the words; a sword. word", "[L] [R]  [L]  [R]  x", "x \n[L]\t[R] \n y",
    "Hi é? é? <n><n>",
]
POOL = (
    [" "] * 6 + ["  ", "\n", "\r\n", "\t", "\u00a0", "'s", "'S", "'ll", "'", "/", "a", "B", "Hello", "é", "É",
    "ß", "Ж", "ǅ", "ʰ",
    "א", "م", "مُ", "\u0301", "中", "한", "1", "123", "٣", "½", "!", "...", "_", "😀", "\u200d", "\x00", "K",
    END, "[L]", "[R]"]
)


def corpus():
    if len(sys.argv) < 3:
        return (HERE / "corpus.txt").read_bytes().decode("utf8")
    english, arabic = (Path(p).read_text(encoding="utf8") for p in sys.argv[1:3])
    return english[:24000] + "\n" + arabic[:6000]


def train(pattern, text):
    tokenizer = Tokenizer(models.BPE())
    if pattern is None:
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    else:
        split = pre_tokenizers.Split(Regex(pattern), "isolated")
        byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, byte_level])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=450, special_tokens=[END], initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator([text], trainer)
    return json.loads(tokenizer.to_str())


def added(id, content, **flags):
    token = dict(id=id, content=content, single_word=False, lstrip=False, rstrip=False, normalized=False, special=True)
    return token | flags


def variants(base, llama3):
    def copy(source=base):
        return json.loads(json.dumps(source))

    digits = copy()
    digits["pre_tokenizer"] = {
        "type": "Sequence",
        "pretokenizers": [{"type": "Digits", "individual_digits": True}, base["pre_tokenizer"]],
    }
    digits["model"]["merges"] = [" ".join(merge) for merge in digits["model"]["merges"]]
    prefix = copy()
    prefix["pre_tokenizer"]["add_prefix_space"] = True
    prefix["normalizer"] = {"type": "NFC"}
    prefix["added_tokens"] += [added(450, "é?", normalized=True, special=False), added(451, "<n>", normalized=False)]
    flags = copy()
    flags["added_tokens"] += [
        added(450, "[L]", lstrip=True), added(451, "[R]", rstrip=True), added(452, "word", single_word=True),
        added(453, "<|", special=False), added(454, "Hello", special=False, normalized=True),
    ]
    whole = copy(llama3)
    whole["model"]["ignore_merges"] = True
    whole["model"]["merges"] = whole["model"]["merges"][:100]
    whole["post_processor"] = {
        "type": "Sequence",
        "processors": [
            {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False, "use_regex": True},
            {
                "type": "TemplateProcessing",
                "single": [{"SpecialToken": {"id": END, "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
                "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
                "special_tokens": {END: {"id": END, "ids": [0], "tokens": [END]}},
            },
        ],
    }
    return {"digits": digits, "prefix": prefix, "flags": flags, "whole": whole}


def byte_of_character():
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    spare = [b for b in range(256) if b not in printable]
    return {chr(b): b for b in printable} | {chr(256 + i): b for i, b in enumerate(spare)}


def ranks(base):
    table = byte_of_character()
    tokens = sorted((i, t) for t, i in base["model"]["vocab"].items() if t != END)
    return {bytes(table[c] for c in token): rank for rank, (_, token) in enumerate(tokens)}


def main():
    text = corpus()
    (HERE / "corpus.txt").write_text(text, encoding="utf8", newline="")
    files = {name: train(pattern, text) for name, pattern in PATTERNS.items()}
    files |= variants(files["gpt2"], files["llama3"])
    random.seed(7)
    texts = TEXTS + ["".join(random.choices(POOL, k=random.randint(3, 14))) for _ in range(70)]
    cases = {"texts": texts, "json": {}, "tiktoken": {}, "plain": {}, "decode": []}
    for name, content in files.items():
        raw = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
        (HERE / f"{name}.json").write_text(raw, encoding="utf8", newline="")
        tokenizer = Tokenizer.from_str(raw)
        cases["json"][name] = [tokenizer.encode(t, add_special_tokens=False).ids for t in texts]
        if name == "flags":
            tokenizer.encode_special_tokens = True
            cases["plain"][name] = [tokenizer.encode(t, add_special_tokens=False).ids for t in texts]
        if name == "gpt2":
            for _ in range(60):
                ids = random.choices(range(1, 260), k=random.randint(1, 9))
                cases["decode"].append({"ids": ids, "text": tokenizer.decode(ids)})
    table = ranks(files["gpt2"])
    lines = [base64.b64encode(token) + b" %d\n" % rank for token, rank in table.items()]
    (HERE / "small.tiktoken").write_bytes(b"".join(lines))
    for name, pattern in TIKTOKEN.items():
        encoding = tiktoken.Encoding(name, pat_str=pattern, mergeable_ranks=table, special_tokens={END: 1000})
        cases["tiktoken"][name] = [encoding.encode(t, allowed_special="all") for t in texts]
    raw = json.dumps(cases, ensure_ascii=True, separators=(",", ":"))
    (HERE / "cases.json").write_text(raw + "\n", encoding="utf8", newline="")


main()
