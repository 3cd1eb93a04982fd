#!/usr/bin/env bash
# Brings in the libraries of the page (marked, DOMPurify, highlight.js, KaTeX) as Debian 13 packages them, each pinned
# by its sum: from apt where it has just these versions, else from Debian's public archive. Does nothing if they are there.
# Without a network Qalam is built all the same; the page then shows answers as plain text.
set -euo pipefail
cd "$(dirname "$0")/.."

packages="
marked/node-marked_4.2.3+ds+~4.0.7-4_all.deb n/node-marked 6ee035d2b0f93a00d77c30d0e0d60e94c520a49a717c6640cfc0a3cf891a570b
dompurify/node-dompurify_3.1.7+dfsg+~3.0.5-2_all.deb n/node-dompurify 8b38531a0c22d1cfda40da9fd75ea1db39e6721173e1288b25e546e0be68f419
highlight/node-highlight.js_9.18.5+dfsg1-2_all.deb h/highlight.js 6b7f56edd30c5f0ec4ee5197563a5ccea54d73fc4e4886ba8ca5bbaeabca31f8
katex/libjs-katex_0.16.10+~cs6.1.0-2_all.deb n/node-katex b44f67be7da6d00f209f2856ec5bff926d4a5b083fa4c22668eb75bdf3acb7b9
fonts/fonts-katex_0.16.10+~cs6.1.0-2_all.deb n/node-katex 5e743eddcc7895070de480895bbbe7f7a0478ceeb152e4e18b5fed3372bd795a
"
languages="bash cmake cpp cs css dart diff dockerfile elixir erlang fortran go haskell http ini java javascript
    json julia kotlin lua makefile markdown matlab nginx objectivec perl php powershell python r ruby rust scala scss sql
    swift tex typescript vim xml yaml"

folder=Sources/CQalamPage/files/libraries
stamp=$folder/.stamp
wanted=$(cat "$0" | cksum)
[ "$(cat $stamp 2>/dev/null)" = "$wanted" ] && exit 0

have() { command -v "$1" >/dev/null; }
sum() { if have sha256sum; then sha256sum "$1"; else shasum -a 256 "$1"; fi | cut -d' ' -f1; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# fetch FILE POOL SUM: leaves FILE in $work.
fetch() {
    local file=$1 pool=$2 expected=$3 name version place
    name=${file%%_*}
    version=${file#*_}
    version=${version%_all.deb}
    if have apt-get; then
        (cd "$work" && apt-get download -qq "$name=$version" >/dev/null 2>&1) || true
        # apt writes an epoch or a tilde in a name in its own way.
        local got
        got=$(find "$work" -name "${name}_*.deb" | head -1)
        [ -z "$got" ] || [ "$got" = "$work/$file" ] || mv "$got" "$work/$file"
    fi
    for place in https://deb.debian.org/debian https://snapshot.debian.org/archive/debian/20250901T000000Z; do
        [ -f "$work/$file" ] && [ "$(sum "$work/$file")" = "$expected" ] && return 0
        curl -fsSL --retry 2 --connect-timeout 10 --max-time 120 -o "$work/$file" "$place/pool/main/$pool/$file" || true
    done
    [ -f "$work/$file" ] && [ "$(sum "$work/$file")" = "$expected" ]
}

# unpack FILE FOLDER
unpack() {
    mkdir -p "$2"
    if have dpkg-deb; then
        dpkg-deb -x "$1" "$2"
    else
        (cd "$2" && ar x "$1" && tar -xf data.tar.*)
    fi
}

echo "bringing in the page's libraries"
while read -r entry pool expected; do
    [ -n "$entry" ] || continue
    if ! fetch "${entry#*/}" "$pool" "$expected"; then
        echo "The page's libraries could not be fetched (${entry#*/}): it will show answers as plain text." >&2
        exit 0
    fi
    unpack "$work/${entry#*/}" "$work/${entry%%/*}"
done <<<"$packages"

new=$work/libraries
mkdir -p "$new/fonts" "$new/highlight"
cp "$work/marked/usr/share/nodejs/marked/lib/marked.esm.js" "$new/marked.js"
cp "$work/dompurify/usr/share/nodejs/dompurify/dist/purify.min.js" "$new/purify.js"
cp "$work/katex/usr/share/javascript/katex/katex.js" "$new/katex.js"
cp "$work/katex/usr/share/javascript/katex/katex.min.css" "$new/katex.css"
cp "$work/fonts/usr/share/fonts/truetype/katex/"*.woff2 "$new/fonts/"
highlight=$work/highlight/usr/share/nodejs/highlight.js/lib
# They are made for Node; a browser's modules say "export".
module() { sed 's/^module\.exports = /export default /' "$highlight/$1" >"$new/$2"; }
module highlight.js highlight.js
for language in $languages; do module "languages/$language.js" "highlight/$language.js"; done
for package in "$work"/*/usr/share/doc/*; do
    echo "==== $(basename "$package")"
    cat "$package/copyright"
done >"$new/licenses.txt"

# The part of the table in page.c that is about them.
{
    number=0
    rows=""
    while read -r path; do
        case $path in
            *.js) type="text/javascript; charset=utf-8" ;;
            *.css) type="text/css; charset=utf-8" ;;
            *.woff2) type="font/woff2" ;;
            *) type="text/plain; charset=utf-8" ;;
        esac
        printf 'static const uint8_t library_%d[] = {\n#embed "%s"\n};\n' "$number" "$path"
        rows="$rows    {\"/libraries/$path\", \"$type\", library_$number, sizeof library_$number}, \\"$'\n'
        number=$((number + 1))
    done < <(cd "$new" && find . -type f ! -name '*.inc' | sed 's|^\./||' | LC_ALL=C sort)
    printf '#define LIBRARIES \\\n%s\n' "$rows"
} >"$new/table.inc"

rm -rf $folder
mv "$new" $folder
echo "$wanted" >$stamp
touch Sources/CQalamPage/page.c  # it looks for the table when it is compiled
