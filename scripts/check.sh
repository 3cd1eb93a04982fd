#!/usr/bin/env bash
# The checks beside the tests: format, lengths of files and functions, warnings and undeclared imports, words and links.
# Reads only; exits with 1 and a list if anything is wrong.
set -uo pipefail
cd "$(dirname "$0")/.."
failed=0

check() {
    local name=$1
    shift
    local output
    if output=$("$@" 2>&1); then
        echo "ok    $name"
    else
        echo "FAIL  $name"
        echo "$output" | tail -40
        failed=1
    fi
}

lint() { swift format lint --strict --parallel --recursive Sources Tests Package.swift; }

# Warnings are errors in every target of ours, so a build proves there are none.
build() { swift build -c release --build-tests --explicit-target-dependency-import-check error; }

lengths() { python3 scripts/lengths.py; }

links() { python3 scripts/links.py; }

# Large files may only be shipped models and fixtures.
sizes() {
    local large
    large=$(git ls-files -z | xargs -0 du -k 2>/dev/null | awk '$1 > 1024 && $2 !~ /^(models|Tests\/Fixtures)\//')
    [ -z "$large" ] || { echo "$large"; return 1; }
    local models
    models=$(git ls-files -z models | xargs -0 -r du -ck 2>/dev/null | tail -1 | cut -f1)
    [ "${models:-0}" -le 61440 ] || { echo "models/ holds ${models} KB, more than 60 MB"; return 1; }
}

forbidden() {
    ! git grep -nE 'try!|fatalError\(|TODO|FIXME|unsafeFlags\(' -- Sources Package.swift
}

check "format" lint
check "build without warnings or undeclared imports" build
check "lengths of files and functions" lengths
check "links in documents" links
check "sizes of files" sizes
check "words that must not be in sources" forbidden
exit $failed
