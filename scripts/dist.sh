#!/usr/bin/env bash
# Makes out/qalam-VERSION-SYSTEM-MACHINE.tar.gz: the program with Swift's runtime inside, the model, and what runs it.
set -euo pipefail
cd "$(dirname "$0")/.."
swift build -c release --product qalam --static-swift-stdlib
program=$(swift build -c release --show-bin-path --static-swift-stdlib)/qalam
name=qalam-$("$program" --version)-$(uname -s)-$(uname -m)
folder=out/$name
rm -rf "$folder"
mkdir -p "$folder/bin"
cp "$program" "$folder/bin/"
strip "$folder/bin/qalam" 2>/dev/null || true
cp -r models docs LICENSE README.md deploy "$folder/"
tar -C out -czf "out/$name.tar.gz" "$name"
rm -rf "$folder"
echo "out/$name.tar.gz"
