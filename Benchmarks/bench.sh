#!/bin/sh
# Builds Qalam in release, makes the comparisons' virtual environment if it is missing, and runs bench.py.
#   ONLY=train,matmul Benchmarks/bench.sh [--quick] [--shapes a,c]
set -eu
cd "$(dirname "$0")/.."
work=Benchmarks/.work
mkdir -p "$work"

# The copy of the requirements is written last, so an interrupted installation is taken up again.
if ! cmp -s Benchmarks/requirements.txt "$work/venv/requirements.txt"; then
    command -v python3 > /dev/null || { echo "bench: the comparisons need python3; install it first" >&2; exit 1; }
    echo "bench: installing the programs to compare with into $work/venv (PyTorch is several GB) ..." >&2
    python3 -m venv "$work/venv"
    "$work/venv/bin/python" -m pip install --quiet --requirement Benchmarks/requirements.txt
    cp Benchmarks/requirements.txt "$work/venv/requirements.txt"
fi

swift build -c release --product qalam
if [ -f Benchmarks/kernels/Makefile ]; then
    make --quiet -C Benchmarks/kernels
fi
exec "$work/venv/bin/python" Benchmarks/bench.py ${ONLY:+--only "$ONLY"} "$@"
