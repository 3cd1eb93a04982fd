"""What every comparison shares: running a program for one JSON line, alternating, medians, rows and their file."""
import json
import math
import os
import statistics
import subprocess
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WORK = ROOT / "Benchmarks" / ".work"
RESULTS = ROOT / "Benchmarks" / "results" / "latest.json"
PEERS = ROOT / "Benchmarks" / "peers"


class BenchError(Exception):
    """Something is missing or answered nonsense; the message says what to do."""


@dataclass
class Row:
    """One comparison. `ratio` is always ours divided by the peer's; `better` says which way is good."""

    name: str
    ours: float
    peer: float | None
    unit: str
    better: str  # "higher" or "lower"
    command: str
    peer_name: str
    samples: dict = field(default_factory=dict)
    note: str = ""

    @property
    def ratio(self):
        return None if self.peer is None else self.ours / self.peer

    def record(self):
        """The row as it is written to the results file."""
        ratio = None if self.ratio is None else round(self.ratio, 3)
        return asdict(self) | {"ours": significant(self.ours), "peer": significant(self.peer), "ratio": ratio}


def significant(value, digits=4):
    """A number with four significant digits, which is more than any of these measurements can hold."""
    return value if value is None else float(f"{value:.{digits}g}")


def relative(path):
    """A path as seen from the repository's root, so that no machine's folders get into the results."""
    path = Path(path)
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


def shown(arguments):
    """A command line as it is shown in a table and in the results."""
    words = ["python" if str(a) == sys.executable else relative(a) if "/" in str(a) else str(a) for a in arguments]
    return " ".join(words)


def run(arguments, environment=None, timeout=3600):
    """Runs a program from the repository's root; gives its standard output."""
    arguments = [str(a) for a in arguments]
    try:
        done = subprocess.run(
            arguments, cwd=ROOT, env=os.environ | (environment or {}), capture_output=True, text=True, timeout=timeout)
    except FileNotFoundError:
        raise BenchError(f"there is no program {relative(arguments[0])}; build it with `swift build -c release`")
    except subprocess.TimeoutExpired:
        raise BenchError(f"`{shown(arguments)}` did not end within {timeout} s")
    if done.returncode != 0:
        last = "\n  ".join(done.stderr.strip().splitlines()[-8:]) or "(it wrote nothing to standard error)"
        raise BenchError(f"`{shown(arguments)}` ended with status {done.returncode}:\n  {last}")
    return done.stdout


def run_json(arguments, keys, environment=None, timeout=3600):
    """Runs a program whose last line is a JSON object, and checks that the keys asked for hold finite numbers."""
    lines = run(arguments, environment, timeout).strip().splitlines()
    try:
        record = json.loads(lines[-1])
    except (IndexError, json.JSONDecodeError):
        raise BenchError(f"`{shown(arguments)}` did not end with a line of JSON")
    for key in keys:
        value = record.get(key) if isinstance(record, dict) else None
        if not isinstance(value, (int, float)) or not math.isfinite(value):
            raise BenchError(f"`{shown(arguments)}` gave no number `{key}`")
    return record


def alternate(rounds, contenders):
    """Runs each contender once a round, in turn, so that a busy minute of the machine falls on all of them."""
    results = {label: [] for label in contenders}
    for number in range(rounds):
        for label, measure in contenders.items():
            progress(f"    round {number + 1} of {rounds}: {label}")
            results[label].append(measure())
    return results


def medians(results, key):
    """The median of one figure for each contender."""
    return {label: statistics.median(r[key] for r in records) for label, records in results.items()}


def samples(results, key):
    """All the measured figures of one kind, for the results file."""
    return {label: [significant(r[key]) for r in records] for label, records in results.items()}


def progress(line):
    """A line about what is being done, on standard error."""
    print(line, file=sys.stderr, flush=True)


def load_rows():
    """The rows of the last run, or none."""
    try:
        return json.loads(RESULTS.read_text())
    except FileNotFoundError:
        return []
    except json.JSONDecodeError:
        raise BenchError(f"{relative(RESULTS)} is not JSON; delete it")


def merge_rows(new):
    """Writes the new rows over those of the same name; the others stay."""
    fresh = {row["name"]: row for row in new}
    rows = [fresh.pop(row["name"], row) for row in load_rows()] + list(fresh.values())
    RESULTS.parent.mkdir(exist_ok=True)
    temporary = RESULTS.with_suffix(".part")
    temporary.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n")
    temporary.replace(RESULTS)


def table(rows):
    """The rows as aligned columns."""
    head = ("comparison", "Qalam", "other", "ratio", "unit", "better", "compared with")
    lines = [head]
    for row in rows:
        ratio = "" if row["ratio"] is None else f"{row['ratio']:.2f}×"
        lines.append((
            row["name"], number(row["ours"]), number(row["peer"]), ratio, row["unit"], row["better"], row["peer_name"]))
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    right = {1, 2, 3}

    def aligned(line):
        cells = (c.rjust(w) if i in right else c.ljust(w) for i, (c, w) in enumerate(zip(line, widths)))
        return "  ".join(cells).rstrip()

    return "\n".join([aligned(head), "  ".join("─" * w for w in widths)] + [aligned(line) for line in lines[1:]])


def number(value):
    """A figure for the table."""
    if value is None:
        return "–"
    return f"{value:,.0f}" if value >= 1000 else f"{value:.4g}"
