#!/usr/bin/env bash
# Installs what Qalam needs beside Swift: libarchive (reads .gz, .xz, .zst, .tar), SQLite, libpng, libjpeg-turbo, libwebp
# and librsvg (pictures), and pkg-config. Does nothing if they are there.
set -euo pipefail

have() {
    command -v pkg-config >/dev/null && pkg-config --exists libarchive sqlite3 libpng libjpeg libwebp librsvg-2.0
}

if ! command -v swift >/dev/null; then
    echo "Swift 6.3 or newer is needed: see https://www.swift.org/install" >&2
    exit 1
fi
# Homebrew keeps libarchive and libjpeg-turbo apart from others of their kind.
if command -v brew >/dev/null; then
    opt="$(brew --prefix)/opt"
    export PKG_CONFIG_PATH="$opt/libarchive/lib/pkgconfig:$opt/jpeg-turbo/lib/pkgconfig:${PKG_CONFIG_PATH:-}"
fi
have && exit 0

if command -v apt-get >/dev/null; then
    sudo=""
    if [ "$(id -u)" != 0 ]; then sudo="sudo"; fi
    packages="libarchive-dev libsqlite3-dev libpng-dev libjpeg-dev libwebp-dev librsvg2-dev pkg-config"
    echo "installing $packages"
    $sudo apt-get update -qq
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $packages >/dev/null
elif command -v brew >/dev/null; then
    brew install libarchive sqlite libpng jpeg-turbo webp librsvg pkg-config
fi

if ! have; then
    echo "Qalam needs libarchive, SQLite, libpng, libjpeg, libwebp and librsvg with their headers, and pkg-config:" \
        "install them with this system's package manager." >&2
    exit 1
fi
