#!/usr/bin/env bash
# Makes out/qalam-VERSION-SYSTEM-MACHINE.tar.gz and its checksum: the program with Swift's runtime inside, the models, the
# licences, and what runs it.
set -euo pipefail
cd "$(dirname "$0")/.."
swift build -c release --product qalam
build=$(swift build -c release --show-bin-path)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if [ "$(uname -s)" = Linux ]; then
    # The same objects, linked once more, with the runtime as archives instead of shared libraries: `--static-swift-stdlib`
    # would compile every package again for that. Foundation's own archives are named, since objects made for the shared
    # libraries don't; lld takes archives in any order, and must keep the sections that Swift finds by their names.
    read -ra libraries <<<"$(pkg-config --libs librsvg-2.0 libwebp libjpeg libpng libarchive)"
    swiftc -static-stdlib -use-ld=lld -emit-executable -o "$work/qalam" -module-name qalam \
        "@$build/qalam.product/Objects.LinkFileList" "${libraries[@]}" -lstdc++ -lm -lz \
        -l_FoundationICU -l_FoundationCShims -l_FoundationCollections -lCoreFoundation \
        -Xlinker --gc-sections -Xlinker -z -Xlinker nostart-stop-gc -Xlinker --defsym -Xlinker main=qalam_main
    if ldd "$work/qalam" | grep -iE 'libswift|Foundation|libdispatch'; then
        echo "these should be inside the program" >&2
        exit 1
    fi
else
    cp "$build/qalam" "$work/qalam"
fi
strip "$work/qalam"

name=qalam-$("$work/qalam" --version)-$(uname -s)-$(uname -m)
folder=$work/$name
mkdir -p "$folder/bin" "$folder/licences" out
mv "$work/qalam" "$folder/bin/"
cp -r models docs LICENSE README.md deploy "$folder/"
for package in .build/checkouts/*/; do
    for text in "$package"{LICENSE,LICENSE.txt,LICENSE.md,NOTICE.txt}; do
        if [ -f "$text" ]; then cat "$text" >>"$folder/licences/$(basename "$package").txt"; fi
    done
done
# Swift's runtime is under the same licence (with its exception for linked programs).
cp .build/checkouts/swift-nio/LICENSE.txt "$folder/licences/swift-runtime.txt"
page=Sources/CQalamPage/files/libraries/licenses.txt
if [ -f "$page" ]; then cp "$page" "$folder/licences/page-libraries.txt"; fi
tar -C "$work" -czf "out/$name.tar.gz" "$name"
sum() { if command -v sha256sum >/dev/null; then sha256sum "$1"; else shasum -a 256 "$1"; fi; }
(cd out && sum "$name.tar.gz" >"$name.tar.gz.sha256")
echo "out/$name.tar.gz"
