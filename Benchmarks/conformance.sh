#!/usr/bin/env bash
# Runs the unmodified tests of the `openai` Python package against `qalam serve`, and writes docs/conformance.md.
set -euo pipefail
cd "$(dirname "$0")/.."
work=Benchmarks/.work/conformance
mkdir -p "$work"
if [ ! -x "$work/venv/bin/pytest" ]; then
    python3 -m venv "$work/venv"
    # The wheel has no tests: they are in the source package.
    "$work/venv/bin/pip" download -q --no-deps --no-binary openai -d "$work" openai
    tar -C "$work" -xzf "$work"/openai-*.tar.gz
    "$work/venv/bin/pip" install -q "$(ls "$work"/openai-*.tar.gz)[aiohttp]" pytest pytest-asyncio pytest-timeout rich
fi
"$work/venv/bin/python" Benchmarks/conformance.py --tests "$(ls -d "$work"/openai-*/)" "$@"
