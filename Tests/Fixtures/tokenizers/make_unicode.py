"""Writes Sources/QalamTokenizers/UnicodeClassData.swift: the character classes that tokenizer patterns use.

The classes are asked of the regex engine inside Hugging Face `tokenizers`, so that ours agree with it to the
character (0.23.3 and tiktoken 0.14.0 agree with each other; both know Unicode 16).
Run from the root of the repository: python Tests/Fixtures/tokenizers/make_unicode.py
"""

from pathlib import Path

from tokenizers import Regex, pre_tokenizers

# Letters as written by UnicodeClasses.swift: what each run of code points is.
CLASSES = {"u": r"[\p{Lu}\p{Lt}]", "l": r"\p{Ll}", "o": r"[\p{Lm}\p{Lo}]", "m": r"\p{M}", "n": r"\p{N}", "s": r"\s"}


def members(pattern):
    """The code points that match a one-character pattern."""
    split = pre_tokenizers.Split(Regex(pattern), "removed", invert=True)
    found = set()
    points = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
    for start in range(0, len(points), 4096):
        text = "".join(map(chr, points[start : start + 4096]))
        for piece, _ in split.pre_tokenize_str(text):
            found.update(map(ord, piece))
    return found


def main():
    table = ["x"] * 0x110000
    for letter, pattern in CLASSES.items():
        for point in members(pattern):
            table[point] = letter
    runs, start = [], 0
    for point in range(1, 0x110001):
        if point == 0x110000 or table[point] != table[start]:
            length = point - start
            runs.append(table[start] + (str(length) if length > 1 else ""))
            start = point
    text, lines = "".join(runs), []
    while text:
        lines.append(text[:110])
        text = text[110:]
    body = "\\\n".join("        " + line for line in lines)
    Path("Sources/QalamTokenizers/UnicodeClassData.swift").write_text(
        "// Written by Tests/Fixtures/tokenizers/make_unicode.py; do not edit.\n\n"
        "extension UnicodeClasses {\n"
        "    /// Runs of code points from U+0000 up: a class letter, then the length of the run where it is not one.\n"
        '    static let runs: StaticString = """\n' + body + '\n        """\n}\n'
    )
    print(len(runs), "runs,", len(lines), "lines")


main()
