#!/usr/bin/env bash
# From emoji to qalam-draw-mini: pictures with captions, codes, the model that draws, a judge. Some hours on two cores.
#   runs/qalam-draw-mini/train.sh [data folder] [output folder]
set -euo pipefail
cd "$(dirname "$0")/../.."
data=${1:-../shared/data}
out=${2:-out/qalam-draw-mini}
qalam=.build/release/qalam

# 1) Noto's and Fluent's emoji at 64 pixels, two more colours of each where one rules, one concept in twenty held out
[ -e "$out/pictures" ] || $qalam data images "$data/images/noto" "$data/images/fluent" --output "$out/pictures" \
    --size 64 --recolor 2 --skip-skin-tones

# 2) what turns pictures into 16×16 codes and back: 0.7 M parameters
$qalam train image-tokenizer "$out/pictures" --output "$out/codes" --steps 2400 --batch 32

# 3) what draws: 3.4 M parameters
$qalam train image "$out/pictures" --image-tokenizer "$out/codes/model" --output "$out/draw" --depth 6 --steps 8000 \
    --batch 48 --micro-batch 48

# 4) a judge that knows the held-out pictures too, and what it says of drawings of their captions
$qalam train image-score "$out/pictures" --all --output "$out/judge"
$qalam evaluate drawing "$out/draw/model" --score "$out/judge/model" --data "$out/pictures" --output "$out/evaluation"

# 5) a hundred prompts that are no captions
runs/qalam-draw-mini/sheet.sh "$out/draw/model" "$out/sheet"
echo "the model is in $out/draw/model"
