#!/usr/bin/env bash
# Sends requests made from /openapi.json to `qalam serve`: Benchmarks/schema.py says what it checks.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=Benchmarks/.work/schema
if [ ! -x "$venv/bin/schemathesis" ]; then
    python3 -m venv "$venv"
    "$venv/bin/pip" install -q schemathesis
fi
"$venv/bin/python" Benchmarks/schema.py "$@"
