#!/usr/bin/env python3
"""Compares Qalam with other programs, side by side in one run, and writes Benchmarks/results/latest.json.

    bench.py [--only train,tokenizer,matmul,generate,start,engine,server] [--quick] [--shapes a,b,c]

Each comparison alternates between ours and the other's and takes medians. Rows that were not run keep their last value.
"""
import argparse
import sys

import comparisons
import engine
import overhead
from harness import BenchError, merge_rows, progress, table, ROOT

COMPARISONS = {
    "train": comparisons.train,
    "tokenizer": comparisons.tokenizer,
    "matmul": comparisons.matmul,
    "generate": comparisons.generate,
    "start": comparisons.start,
    "engine": engine.engine,
    "server": overhead.server,
}


def chosen(text):
    """The comparisons named in a comma-separated list."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in COMPARISONS]
    if unknown or not names:
        raise argparse.ArgumentTypeError(f"no comparison {', '.join(unknown)!r}; there are {', '.join(COMPARISONS)}")
    return names


def parse():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", type=chosen, default=list(COMPARISONS), help="comma-separated comparisons")
    parser.add_argument("--shapes", default=None, help="training shapes (default: all, or a when quick)")
    parser.add_argument("--kinds", default=None, help="the engine's types of files, such as Q8_0,Q4_K_M (default: all)")
    parser.add_argument("--quick", action="store_true", help="one round, small inputs: to see that all of it works")
    parser.add_argument("--threads", type=int, default=2, help="threads for both sides where both use several")
    parser.add_argument("--qalam", default=ROOT / ".build" / "release" / "qalam", help="the program to measure")
    parser.add_argument("--model", default=ROOT / "models" / "qalam-mini", help="the model for generate and start")
    options = parser.parse_args()
    everything = ",".join(comparisons.FIRST_LOSSES)
    options.shapes = (options.shapes or ("a" if options.quick else everything)).split(",")
    return options


def main():
    options = parse()
    rows, failures = [], []
    for name in options.only:
        progress(f"{name}:")
        try:
            for row in COMPARISONS[name](options):
                rows.append(row.record())
                if not options.quick:
                    merge_rows([rows[-1]])
        except BenchError as error:
            failures.append(f"{name}: {error}")
            progress(f"  {error}")
    if rows:
        print(table(rows))
        print("ratio: Qalam divided by the other; above 1 is better where `higher` stands, worse where `lower` does")
    if options.quick:
        print("quick run: nothing written to the results")
    for failure in failures:
        print(f"bench: {failure}", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BenchError as error:
        sys.exit(f"bench: {error}")
