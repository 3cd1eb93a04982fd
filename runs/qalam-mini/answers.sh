#!/usr/bin/env bash
# What a model answers to the prompts of prompts.txt, as Markdown on standard output.
#   runs/qalam-mini/answers.sh MODEL_FOLDER
set -euo pipefail
cd "$(dirname "$0")/../.."
while IFS= read -r prompt; do
    [ -n "$prompt" ] || continue
    printf '**%s**\n\n' "$prompt"
    printf '%s\n' "$prompt" | .build/release/qalam chat --model "$1" --temperature 0.3 --seed 1 | sed 's/^/> /'
    printf '\n'
done < "$(dirname "$0")/prompts.txt"
