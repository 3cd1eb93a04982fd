#!/usr/bin/env bash
# Draws every line of prompts.txt once.
#   runs/qalam-draw-mini/sheet.sh [model] [output folder]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
model=${1:-models/qalam-draw-mini}
out=${2:-out/sheet}
qalam=${QALAM:-$here/../../.build/release/qalam}
mkdir -p "$out"
number=0
while IFS= read -r prompt; do
    number=$((number + 1))
    "$qalam" draw "$prompt" --model "$model" --seed "$number" --output "$out/$(printf '%03d' "$number").png"
done < "$here/prompts.txt"
