#!/usr/bin/env bash
# The token transformer at the flow's training time (2,600 steps of 0.58 s are 2,139 of 0.705 s, measured on two cores), a
# score model that has not seen the held-out pictures, and what the judge says of each. After train.sh.
#   runs/qalam-draw-mini/compare.sh [output folder of train.sh]
set -euo pipefail
cd "$(dirname "$0")/../.."
out=${1:-out/qalam-draw-mini}
qalam=.build/release/qalam

# 1) a model of as many parameters, 3.2 M, that draws code by code
$qalam train image "$out/pictures" --model token --image-tokenizer "$out/codes/model" --output "$out/token" --depth 6 \
    --steps 2139 --batch 16 --micro-batch 16

# 2) what chooses among candidates
$qalam train image-score "$out/pictures" --output "$out/rank" --steps 400

# 3) drawings of held-out captions with three seeds each, which tell how much is luck
for seed in 1 1001 2001; do
    for model in draw token; do
        for candidates in 1 4; do
            echo "$model, seed $seed, best of $candidates"
            $qalam evaluate drawing "$out/$model/model" --score "$out/judge/model" --data "$out/pictures" \
                --seed "$seed" --rank "$out/rank/model" --candidates "$candidates"
        done
    done
done
