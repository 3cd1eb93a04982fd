"""What the server costs: its own part of each token, and requests a second against llama-server."""
import json
import re
import shutil
import socket
import statistics
import sys
import time

import serving
from harness import (
    PEERS, ROOT, WORK, BenchError, Row, alternate, medians, progress, relative, run, run_json, samples, shown)

PROMPT, TOKENS = 32, 129
CONNECTIONS = 16
SECONDS = 5
# A model of a size that people use, its vocabulary and what ends its answers.
REAL, REAL_VOCABULARY = WORK / "gguf" / "qwen3-0.6b-Q8_0.gguf", (151_936, [151_643, 151_645])


def server(options):
    """The rows of `make bench ONLY=server`."""
    yield from overhead(options)
    yield from requests(options)


# MARK: One stream against the engine alone


def overhead(options):
    """A token over HTTP against a token in the process, one thread for the model and the rest for the server."""
    config = json.loads((ROOT / options.model / "config.json").read_text())
    ends = config["eos_token_id"]
    ends = ends if isinstance(ends, list) else [ends]
    rounds = 1 if options.quick else 5
    yield from compare(options, options.model, (config["vocab_size"], ends), TOKENS, rounds, "")
    if REAL.exists():
        yield from compare(options, REAL, REAL_VOCABULARY, 33, min(rounds, 3), " " + REAL.stem)
    else:
        progress(f"  no {relative(REAL)}: `make bench ONLY=engine` makes it")


def compare(options, model, words, tokens, rounds, suffix):
    """The rows of one model, whose vocabulary and ends are `words`."""
    progress(f"  one stream against the engine in its own process: {model.stem}")
    # As many streams as make a median of a model of this speed.
    streams = 12 if tokens == TOKENS else 4
    mine = [options.qalam, "bench", "generate", "--model", model, "--threads", 1, "--prompt-tokens", PROMPT,
            "--tokens", tokens, "--repeats", streams, "--json"]
    vocabulary, ends = words
    # Nothing may end the answer early.
    bias = {str(end): -100 for end in ends}

    def over():
        flags = ["--threads", 1, "--log-level", "error"]
        with serving.server(options.qalam, model, flags) as (port, _):
            runs = [stream(port, model.stem, vocabulary, bias, number, tokens) for number in range(streams)]
        runs = runs[2 if streams > 4 else 1:]
        return {"token_ms": statistics.median(r[1] for r in runs), "first_ms": statistics.median(r[0] for r in runs)}

    def engine():
        record = run_json(mine, ["first_token_ms", "tokens_s"])
        return {"token_ms": 1000 / record["tokens_s"], "first_ms": record["first_token_ms"]}

    results = alternate(rounds, {"ours": over, "engine": engine})
    command = shown([options.qalam, "serve", "--model", model, "--threads", 1])
    for key, aim in (("token_ms", "3% more"), ("first_ms", "1 ms more")):
        figure = medians(results, key)
        more = 1000 * (figure["ours"] - figure["engine"])
        name = f"server {'token' if key == 'token_ms' else 'first token'}{suffix}"
        yield Row(name, figure["ours"], figure["engine"], "ms", "lower", command, "Qalam's engine in its own process",
                  samples(results, key), f"{more:.0f} µs more over HTTP; the aim is at most {aim}")


def stream(port, model, vocabulary, bias, number, tokens):
    """Milliseconds to the first token, and of each one after it, as a client sees them that only notes the time."""
    prompt = [(index * 37 + 11 + number) % vocabulary for index in range(PROMPT)]
    body = json.dumps({"model": model, "prompt": prompt, "max_tokens": tokens, "temperature": 0, "stream": True,
                       "stream_options": {"include_usage": True}, "logit_bias": bias})
    request = (f"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
               f"Content-Length: {len(body)}\r\n\r\n{body}").encode()
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        begun = time.perf_counter()
        connection.sendall(request)
        first = last = None
        text = bytearray()
        while b"[DONE]" not in text[-40:]:
            piece = connection.recv(65536)
            if not piece:
                break
            now = time.perf_counter()
            if first is None and b'"text":' in piece:
                first = now
            if b'"finish_reason":null' in piece:
                last = now
            text += piece
    count = re.search(rb'"completion_tokens":(\d+)', text)
    if first is None or count is None or int(count[1]) != tokens:
        raise BenchError(f"the server answered {bytes(text[:300])!r}")
    return 1000 * (first - begun), 1000 * (last - first) / (tokens - 1)


# MARK: Many small requests


def requests(options):
    """Requests a second on small routes, against llama-server with the same file."""
    if shutil.which("wrk") is None:
        raise BenchError("requests a second are measured with wrk; install it (Debian: wrk)")
    programs = run([PEERS / "llama.sh", sys.executable], timeout=7200).strip().splitlines()[-1]
    path = WORK / "tiny.gguf"
    if not path.exists():
        run([options.qalam, "convert", options.model, path])
    flags = ["--threads", options.threads, "--log-level", "error"]
    mine = [options.qalam, "serve", "--model", path, *flags]
    theirs = [f"{programs}/llama-server", "-m", path, "-t", options.threads, "-c", 4096, "--embeddings", "--pooling",
              "mean", "--log-disable"]
    body = json.dumps({"model": path.stem, "input": "The fox sat by the river."})
    for name, route, script in (("models", "/v1/models", None), ("embeddings", "/v1/embeddings", post(body))):
        progress(f"  {route}")

        def rate(command, health):
            with serving.process(command, health) as (port, _):
                load(port, route, script, 1)
                return {"per_s": load(port, route, script, 1 if options.quick else SECONDS)}

        results = alternate(1 if options.quick else 3, {
            "ours": lambda: rate(mine, "/healthz"), "llama.cpp": lambda: rate(theirs, "/health")})
        figure = medians(results, "per_s")
        yield Row(f"server {name}", figure["ours"], figure["llama.cpp"], "requests/s", "higher", shown(mine),
                  "llama-server", samples(results, "per_s"),
                  f"wrk, {CONNECTIONS} connections that stay open; the aim is 2 times")


def post(body):
    """A script by which wrk posts `body`."""
    path = WORK / "post.lua"
    path.write_text(f"wrk.method = 'POST'\nwrk.body = '{body}'\nwrk.headers['Content-Type'] = 'application/json'\n")
    return path


def load(port, route, script, seconds):
    """Requests a second; every one must succeed."""
    command = ["wrk", "-t", 1, "-c", CONNECTIONS, "-d", seconds, *(["-s", script] if script else []),
               f"http://127.0.0.1:{port}{route}"]
    text = run(command)
    if "Non-2xx" in text or "Socket errors" in text:
        raise BenchError(f"`{shown(command)}` met errors:\n{text}")
    return float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1])
