#!/usr/bin/env python3
"""Writes suite.json: cases of the JSON Schema Test Suite for draft 2020-12.

The suite (https://github.com/json-schema-org/JSON-Schema-Test-Suite, MIT licence, see LICENSE) comes with the source
package of `jsonschema`: pip download --no-binary :all: --no-deps jsonschema==4.23.0

    make.py path/to/jsonschema-4.23.0/json
"""
import json
import sys
from pathlib import Path

# `format.json` holds format for an annotation; here it is asserted, as in optional/format.
SKIPPED = {"format.json", "content.json", "vocabulary.json", "refRemote.json", "dynamicRef.json"}
FORMATS = ["date", "date-time", "duration", "email", "hostname", "ipv4", "ipv6", "time", "uri", "uuid"]


def main():
    tests = Path(sys.argv[1]) / "tests" / "draft2020-12"
    files = sorted(path for path in tests.glob("*.json") if path.name not in SKIPPED)
    files += [tests / "optional" / "format" / f"{name}.json" for name in FORMATS]
    groups = []
    for path in files:
        for group in json.loads(path.read_text(encoding="utf-8")):
            cases = [[case["description"], case["data"], case["valid"]] for case in group["tests"]]
            groups.append([path.stem, group["description"], group["schema"], cases])
    with open(Path(__file__).with_name("suite.json"), "w", encoding="utf-8") as file:
        file.write("[\n" + ",\n".join(json.dumps(group, ensure_ascii=False) for group in groups) + "\n]\n")


main()
