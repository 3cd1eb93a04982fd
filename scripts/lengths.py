#!/usr/bin/env python3
"""Files of at most 500 lines, functions of at most 60, lines of at most 120 columns.

Tables of data are excepted by name.
"""
import re
import subprocess
import sys

EXCEPTED = {
    "Sources/QalamTokenizers/UnicodeClassData.swift",  # a table
}
STARTS = {
    ".swift": re.compile(r"^(\s*)(?:@\w+(?:\([^)]*\))?\s+)*(?:[a-z()]+\s+)*(?:func\s+\S+|init[?]?[(<])"),
    ".c": re.compile(r"^()[a-z][\w \*]*\**K?_?\w+\([^;]*$"),
    ".inc": re.compile(r"^()[a-z][\w \*]*\**K?_?\w+\([^;]*$"),
    ".js": re.compile(r"^(\s*)(?:async )?function\b"),
    ".py": None,
}


def functions(lines, pattern):
    """(name, first line, length) of each function, found by its indentation: it ends at the brace below its start."""
    for index, line in enumerate(lines):
        match = pattern.match(line)
        if not match or line.rstrip().endswith("}"):
            continue  # no function, or one on a single line
        end = next((j for j in range(index, len(lines)) if lines[j].startswith(match[1] + "}")), None)
        # A requirement of a protocol has no body: the protocol ends before any brace below it.
        if end is not None and all(line.startswith(match[1]) or not line.strip() for line in lines[index:end]):
            yield line.strip(), index + 1, end - index + 1


def main():
    files = subprocess.run(["git", "ls-files"], capture_output=True, text=True, check=True).stdout.split("\n")
    faults = []
    for name in files:
        suffix = re.search(r"\.\w+$", name)
        if not suffix or suffix[0] not in STARTS or name in EXCEPTED:
            continue
        with open(name, encoding="utf-8") as file:
            lines = file.read().split("\n")
        if len(lines) > 501:
            faults.append(f"{name}: {len(lines) - 1} lines, at most 500")
        for number, line in enumerate(lines, 1):
            if len(line) > 120:
                faults.append(f"{name}:{number}: {len(line)} columns, at most 120")
        if STARTS[suffix[0]]:
            for text, start, length in functions(lines, STARTS[suffix[0]]):
                if length > 60:
                    faults.append(f"{name}:{start}: {length} lines, at most 60: {text[:60]}")
    print("\n".join(faults))
    sys.exit(1 if faults else 0)


main()
