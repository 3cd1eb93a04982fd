#!/usr/bin/env python3
"""Sends what /openapi.json allows, and what it doesn't, to `qalam serve`: schemathesis with all of its checks.

    schema.py [--examples 20] [--seed N] [--program .build/release/qalam] [--model models/qalam-mini]

Needs schemathesis in the same environment. Ends with its status: 0 if nothing was found.
"""
import argparse
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent

# Operations that may refuse what their schema allows, because JSON Schema can't say what they ask for.
LIMITS = {
    "POST /v1/chat/completions": "tools have different names, a named tool is one of them, biases name tokens",
    "POST /v1/responses": "tools have different names, a named tool is one of them, answers before are complete",
    "POST /v1/responses/input_tokens": "tools have different names, a named tool is one of them",
    "POST /v1/completions": "best_of is at least n, 0 tokens need echo, token ids are the model's own",
    "POST /v1/messages": "tools have different names, a named tool is one of them",
    "POST /v1/messages/count_tokens": "tools have different names, a named tool is one of them",
    "POST /api/chat": "tools have different names, a context is no larger than the model's",
    "POST /api/generate": "a context is no larger than the model's",
    "POST /api/embed": "dimensions are at most the model's",
    "POST /v1/embeddings": "dimensions are at most the model's, token ids are the model's own",
    "POST /detokenize": "token ids are the model's own",
    "GET /v1/responses/{response_id}": "starting_after needs stream, and parameters have no rules",
    "POST /v1/images/generations": "a prompt is no longer than the model reads",
    "POST /v1/images/edits": "a picture is more than a string, a mask has its size",
    "POST /v1/images/variations": "a picture is more than a string",
    "POST /v1/batches": "the lines of the file are the endpoint's",
}

# A size over the server's own limits is refused with 413 whatever the schema says.
EXPECTED = {
    "positive_data_acceptance": ["2xx", "3xx", "401", "403", "404", "409", "413", "429", "5xx"],
    "negative_data_rejection": ["400", "401", "403", "404", "405", "406", "409", "413", "415", "422", "428", "429",
                                "5xx"],
}


def settings():
    """The settings of schemathesis."""
    lines = []
    for name, statuses in EXPECTED.items():
        lines += [f"[checks.{name}]", f"expected-statuses = {statuses!r}"]
    for operation in LIMITS:
        lines += ["[[operations]]", f'include-name = "{operation}"', "[operations.checks]",
                  "positive_data_acceptance.enabled = false"]
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--examples", type=int, default=20)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--program", default=ROOT / ".build/release/qalam")
    parser.add_argument("--model", default=ROOT / "models/qalam-mini")
    options = parser.parse_args()
    for operation, why in LIMITS.items():
        print(f"not checked: that {operation} takes all its schema allows ({why})")
    name = pathlib.Path(options.model).name.removesuffix(".gguf")
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(
            [options.program, "serve", "--port", "0", "--data", f"{folder}/data", "--model", options.model,
             "--model", "models/qalam-draw-mini", "--alias", f"*={name}", "--log-level", "error"],
            stdout=subprocess.PIPE, text=True, cwd=ROOT)
        try:
            address = re.search(r"https?://\S+", process.stdout.readline())[0]
            (pathlib.Path(folder) / "schemathesis.toml").write_text(settings())
            command = [pathlib.Path(sys.executable).parent / "schemathesis", "run", f"{address}/openapi.json",
                       "--url", address, "--max-examples", str(options.examples),
                       "--phases", "examples,coverage,fuzzing", "--request-timeout", "60",
                       "--suppress-health-check", "all", "--warnings", "off", "--continue-on-failure"]
            if options.seed is not None:
                command += ["--seed", str(options.seed)]
            status = subprocess.run(
                command, cwd=folder, env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}).returncode
            if process.poll() is not None:
                sys.exit("the server has ended")
        finally:
            process.terminate()
            process.wait()
    sys.exit(status)


main()
