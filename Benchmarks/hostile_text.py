"""Text that tokenizers get wrong: drawn from words, marks, scripts, controls and what nobody has assigned yet."""
import unicodedata
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CORPUS = (ROOT / "Tests/Fixtures/tokenizers/corpus.txt").read_text(encoding="utf8")
MARK = "\u2581"
CONTROLS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|begin_of_text|>"]
KNOWN = {c for c in range(0x110000) if unicodedata.category(chr(c)) != "Cn"}
ASSIGNED = [c for c in range(0x110000) if unicodedata.category(chr(c)) not in ("Cs", "Cn", "Co")]
MARKS = [c for c in ASSIGNED if unicodedata.category(chr(c)).startswith("M")]
DECOMPOSED = [c for c in ASSIGNED if unicodedata.decomposition(chr(c))]
SPACE_LIKE = [c for c in range(0x3001) if chr(c).isspace()] + [0x200B, 0x2060, 0xFEFF, 0x180E, 0x00AD, 0x85, 0x1C]
CASED = [c for c in ASSIGNED if chr(c).lower() != chr(c) or chr(c).upper() != chr(c)]
EMOJI = ["👨‍👩‍👧‍👦", "🏳️‍🌈", "🇸🇦🇬🇧", "👍🏽", "1️⃣", "❤️", "🧑🏿‍🚀", "\U0001f3f4\U000e0067\U000e0062\U000e007f"]
ARABIC = ["العَرَبِيَّة", "قلـــــم", "لآ", "ﷲ", "ﻻ", "١٢٣", "؟", "ـ", "َُِّْ", "‏", "‎", "كِتَابٌ ", "ة", "بسم الله"]
WORDS = ["Hello", " world", "don't", "I'LL", "we'Ve", "'s", "'S", "'ſ", "HTTPServer", "iPhone", "naïve", "ÉCOLE", "the",
         " the", "word", "words", "Straße", "İstanbul", "ΣΊΣΥΦΟΣ", "ǅungla", "foo/bar", "x=1;", "1234567", "3.14", "½",
         "[L]", "[R]", "[B]", " [B] ", "[n]", "|||IP_ADDRESS|||", "ж?", "й?", "<unk>", "<s>", "</s>", "[UNK]",
         "[MASK]", "[SEP]", "<mask>", "<think>", "<0x0A>", "<|user|>", "[INST]", "``", "''", " n't", " .", "中文", "日本語",
         "한국어", "각", "हिन्दी", "ไทย", "ǆ", MARK, MARK * 3, "\u1100\u1161\u11a8", "ﬁ", "①", "ｶﾞ", "Å",
         "\u0344", "\u0958"]
PLAIN = list("abcdefghijklmnopqrstuvwxyzABCXYZ0123456789 .,;:!?'\"-_/\\()[]{}<>|@#$%^&*+=~`\n\t\r")


def scalar(pick):
    kind = pick.random()
    if kind < 0.35:
        return pick.choice(PLAIN)
    if kind < 0.5:
        return chr(pick.choice(MARKS))
    if kind < 0.6:
        return chr(pick.choice(DECOMPOSED))
    if kind < 0.68:
        return chr(pick.choice(SPACE_LIKE))
    if kind < 0.74:
        return chr(pick.choice(CASED))
    if kind < 0.92:
        return chr(pick.choice(ASSIGNED))
    while True:  # anything at all, unassigned and private included
        code = pick.choice([pick.randrange(0x110000), pick.randrange(0x3000), pick.randrange(0x20)])
        if not 0xD800 <= code < 0xE000:
            return chr(code)


def chunk(pick):
    kind = pick.random()
    if kind < 0.3:
        return "".join(scalar(pick) for _ in range(pick.randint(1, 6)))
    if kind < 0.5:
        return pick.choice(WORDS)
    if kind < 0.58:
        return pick.choice(CONTROLS)
    if kind < 0.65:
        return pick.choice(EMOJI)
    if kind < 0.75:
        return pick.choice(ARABIC)
    if kind < 0.85:
        return pick.choice([" ", "  ", "   ", "\n", "\r\n", "\n\n", "\t", " \n", "\u00a0", "\u3000"])
    if kind < 0.9:
        return scalar(pick) * pick.choice([2, 3, 5, 30, 130])
    start = pick.randrange(len(CORPUS) - 60)
    return CORPUS[start:start + pick.randint(1, 60)]


def hostile(pick):
    return "".join(chunk(pick) for _ in range(pick.choice([1, 1, 2, 3, 5, 8, 15])))
