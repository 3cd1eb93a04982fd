#!/usr/bin/env python3
"""Runs the unmodified tests of the `openai` package against `qalam serve --contract`, and writes docs/conformance.md.

    conformance.py --tests FOLDER [--program .build/release/qalam] [--model models/qalam-mini] [--report FILE]
"""
import argparse
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree

ROOT = pathlib.Path(__file__).resolve().parent.parent

# Endpoint, test files below tests/api_resources.
ENDPOINTS = [
    ("/v1/chat/completions", ["chat/test_completions.py", "chat/completions"]),
    ("/v1/completions", ["test_completions.py"]),
    ("/v1/embeddings", ["test_embeddings.py"]),
    ("/v1/models", ["test_models.py"]),
    ("/v1/responses", ["test_responses.py", "responses"]),
    ("/v1/conversations", ["test_conversations.py", "conversations"]),
    ("/v1/files", ["test_files.py"]),
    ("/v1/uploads", ["test_uploads.py", "uploads"]),
    ("/v1/batches", ["test_batches.py"]),
    ("/v1/images", ["test_images.py"]),
]

# What is refused on purpose: a pattern for file and test, and why.
EXCEPTIONS = [
    (r"chat/test_completions\.py.*test_method_create_with_all_params",
     "asks for audio, moderation, predicted outputs and web search, which are refused by name"),
    (r"api_resources/test_completions\.py.*test_method_create_with_all_params",
     "asks for a suffix, for `best_of` 0 and for a bias on a token named `foo`, which are refused by name"),
    (r"test_responses\.py.*test_method_create_with_all_params",
     "asks for stored prompts, moderation and asynchronous functions, which are refused by name"),
    (r"test_responses\.py.*test_method_compact_with_all_params",
     "asks for options of the cache and of images, which are refused by name"),
    (r"test_input_tokens\.py.*test_method_count_with_all_params",
     "asks for a personality and asynchronous functions, which are refused by name"),
    (r"test_embeddings\.py::test_(method|raw_response|streaming_response)_create\[(strict|aiohttp)\]",
     "the client asks for base64, and its strict mode takes nothing but numbers"),
    (r"test_images\.py.*_with_all_params_overload",
     "asks for animated pictures, drawings of lines and a style, which are refused by name"),
    (r"test_models\.py.*_delete", "models are not deleted over HTTP"),
    (r"test_uploads\.py.*test_method_complete_with_all_params", "sends `md5` as a checksum, which is none"),
]


def serve(program, models, folder):
    """Starts the server on a free port: the process and its address."""
    command = [program, "serve", "--port", "0", "--contract", "--data", f"{folder}/data", "--log-level", "error"]
    for model in models:
        command += ["--model", model]
    name = pathlib.Path(models[0]).name.removesuffix(".gguf")
    # Names of embedding models go to the second model, if there is one.
    command += ["--alias", f"*={name}"]
    # Names of models that draw go to the one in the repository.
    command += ["--model", ROOT / "models/qalam-draw-mini"]
    for alias in ["gpt-image-1.5", "gpt-image-2.5-flare"]:
        command += ["--alias", f"{alias}=qalam-draw-mini"]
    if len(models) > 1:
        embedder = pathlib.Path(models[1]).name.removesuffix(".gguf")
        command += ["--alias", f"text-embedding-3-small={embedder}"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    for line in process.stdout:
        found = re.search(r"https?://\S+", line)
        if found:
            return process, found[0]
    sys.exit(f"{program} did not start")


def run(tests, files, address):
    """Runs test files: (name, outcome, message) of each test."""
    with tempfile.NamedTemporaryFile(suffix=".xml") as report:
        subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-o", "addopts=", "-p", "no:cacheprovider", "--timeout", "120",
             f"--junitxml={report.name}"] + [f"tests/api_resources/{file}" for file in files],
            cwd=tests, env=os.environ | {"TEST_API_BASE_URL": f"{address}/v1"}, stdout=subprocess.DEVNULL)
        outcomes = []
        for case in ElementTree.parse(report.name).iter("testcase"):
            fault = next((case.find(kind) for kind in ("failure", "error") if case.find(kind) is not None), None)
            skipped = case.find("skipped") is not None
            path = case.get("classname").rsplit(".", 1)[0].replace(".", "/") + ".py"
            outcome = "failed" if fault is not None else "skipped" if skipped else "passed"
            message = "" if fault is None else (fault.get("message") or "").split("\n")[0]
            outcomes.append((f"{path}::{case.get('name')}", outcome, message))
        return outcomes


def reason(name):
    """Why a test is not expected to pass; None: it is."""
    return next((why for pattern, why in EXCEPTIONS if re.search(pattern, name)), None)


def report(version, rows, failures, excepted):
    """The document."""
    lines = [
        "# Conformance", "",
        f"The unmodified tests of the `openai` Python package {version} for the endpoints that Qalam serves, loose and",
        "strict, synchronous and asynchronous, run by `make conformance` against a server in",
        "[contract mode](operating.md#contract-mode) with the models in this repository.", "",
        "| endpoint | tests | passed | skipped by the suite | excepted | failed |", "|---|---|---|---|---|---|",
    ]
    for endpoint, counts in rows:
        lines.append("| `{}` | {} | {} | {} | {} | {} |".format(
            endpoint, sum(counts.values()), *(counts[kind] for kind in ("passed", "skipped", "excepted", "failed"))))
    lines += ["", "Excepted, because they ask for what is refused on purpose:", "", "| tests | reason |", "|---|---|"]
    for why, names in excepted.items():
        short = sorted({re.sub(r".*/(test_\w+)\.py::(\w+)\[.*", r"\1: \2", name) for name in names})
        lines.append(f"| {', '.join(f'`{name}`' for name in short)} ({len(names)}) | {why} |")
    if failures:
        lines += ["", "Failed:", ""] + [f"- `{name}`: {message[:160]}" for name, message in failures]
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tests", required=True)
    parser.add_argument("--program", default=".build/release/qalam")
    parser.add_argument("--model", action="append")
    parser.add_argument("--report", default="docs/conformance.md")
    options = parser.parse_args()
    version = re.search(r"openai-([\d.]+)", options.tests)[1]
    rows, failures, excepted = [], [], {}
    with tempfile.TemporaryDirectory() as folder:
        process, address = serve(options.program, options.model or ["models/qalam-mini"], folder)
        try:
            for endpoint, files in ENDPOINTS:
                counts = dict.fromkeys(("passed", "skipped", "excepted", "failed"), 0)
                for name, outcome, message in run(options.tests, files, address):
                    why = reason(name)
                    if outcome == "failed" and why:
                        outcome = "excepted"
                        excepted.setdefault(why, []).append(name)
                    elif outcome == "failed":
                        failures.append((name, message))
                    counts[outcome] += 1
                rows.append((endpoint, counts))
                print(endpoint, counts, flush=True)
        finally:
            process.terminate()
            process.wait()
    (ROOT / options.report).write_text(report(version, rows, failures, excepted))
    for name, message in failures:
        print(f"failed: {name}: {message[:200]}")
    sys.exit(1 if failures else 0)


main()
