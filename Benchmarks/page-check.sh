#!/usr/bin/env bash
# Uses the page in a headless Chromium as people do: Benchmarks/page_check.py says how.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=Benchmarks/.work/page
if [ ! -x "$venv/bin/playwright" ]; then
    python3 -m venv "$venv"
    "$venv/bin/pip" install -q playwright axe-core-python
fi
"$venv/bin/python" Benchmarks/page_check.py "$@"
