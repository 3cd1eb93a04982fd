#!/usr/bin/env bash
# Runs real clients of OpenAI, Anthropic and Ollama against `qalam serve`: Benchmarks/clients.py says which.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=Benchmarks/.work/clients
if [ ! -x "$venv/bin/llm" ]; then
    python3 -m venv "$venv"
    "$venv/bin/pip" install -q openai anthropic ollama litellm llm langchain-openai
fi
"$venv/bin/python" Benchmarks/clients.py "$@"
