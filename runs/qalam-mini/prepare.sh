#!/usr/bin/env bash
# Makes the training texts of qalam-mini: pretrain.jsonl, sft.jsonl, their held-out parts and sources.json.
# Usage: runs/qalam-mini/prepare.sh [data folder] [output folder]
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
data=${1:-$root/../shared/data}
out=${2:-$root/out/qalam-mini}

[ -d "$data/english" ] || { echo "prepare.sh: no data in $data; give the data folder as first argument" >&2; exit 1; }
mkdir -p "$out"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

for file in "$data"/english/{aesop_for_children.jsonl,storybooks_en.jsonl,fairytaleqa_stories.jsonl}.xz \
            "$data"/english/{onestopenglish.jsonl,common_voice_en.txt}.xz \
            "$data"/english/{wiki_simple_strict.txt,wiki_simple_wide.txt}.xz \
            "$data"/chat/{self_dialogue.jsonl,ms_chitchat_en.jsonl}.xz; do
    if [ -f "$file" ]; then
        xz -dc "$file" > "$work/$(basename "${file%.xz}")"
    else
        echo "prepare.sh: $file is missing and will be left out" >&2
    fi
done

swiftc -O -parse-as-library -module-name generate "$here"/*.swift -o "$work/generate"
"$work/generate" "$here" "$work" "$out"
