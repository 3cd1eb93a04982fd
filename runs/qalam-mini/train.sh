#!/usr/bin/env bash
# From raw text to qalam-mini: data, tokenizer, pre-training, then conversations. About an hour on two cores.
#   runs/qalam-mini/train.sh [data folder] [output folder]
set -euo pipefail
cd "$(dirname "$0")/../.."
data=${1:-../shared/data}
out=${2:-out/qalam-mini}
qalam=.build/release/qalam

# 1) the texts: outside ones filtered, our own generated
runs/qalam-mini/prepare.sh "$data" "$out/text"

# 2) a tokenizer of 4,096 entries, and the texts as its ids
$qalam tokenizer train --vocab-size 4096 --output "$out/tokenizer" "$out/text/pretrain.jsonl"
$qalam data pack --tokenizer "$out/tokenizer" --output "$out/data" "$out/text/pretrain.jsonl"

# 3) pre-training: 4.3 M parameters, 9.8 M tokens
$qalam train "$out/data" --output "$out/base" --depth 4 --steps 1200 \
    --sample-prompt "Once upon a time" --sample-prompt $'User: What is your name?\nQalam:'

# 4) conversations, the loss on the assistant's turns
$qalam data pack --chat --tokenizer "$out/base/model" --context 512 --output "$out/talks" "$out/text/sft.jsonl"
$qalam train "$out/talks" --from "$out/base/model" --output "$out/chat" --epochs 1 --learning-rate 1e-3 \
    --precision bfloat16

# 5) what it says to prompts it has not seen
runs/qalam-mini/answers.sh "$out/chat/model" > "$out/answers.md"
echo "the model is in $out/chat/model, its answers in $out/answers.md"
