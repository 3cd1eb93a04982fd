"""The comparisons: each is a generator of rows, so that a long one's finished rows are kept when a later part fails."""
import json
import math
import os
import shutil
import statistics
import sys
import time

import serving
from harness import PEERS, ROOT, WORK, BenchError, Row, alternate, medians, progress, run, run_json, samples, shown

# A fresh language model predicts nothing: its first loss is near ln(vocabulary). One that draws guesses around zero:
# its first loss is near the variance of its targets, which are even in -1...1.
FIRST_LOSSES = {
    "a": math.log(4096), "b": math.log(50257), "c": math.log(8192), "image-tokenizer": 1 / 3, "image": 1 / 3,
}
# Steps of one timed repeat: each repeat takes some seconds.
STEPS = {"a": 4, "b": 1, "c": 2, "image-tokenizer": 4, "image": 6}


def train(options):
    """Samples per second and peak memory of whole training steps, against the better of PyTorch eager and compiled."""
    for shape in options.shapes:
        if shape not in FIRST_LOSSES:
            raise BenchError(f"there is no training shape {shape!r}; there are {', '.join(FIRST_LOSSES)}")
        progress(f"  shape {shape}")
        rate, unit, script = "tok_s", "tokens/s", "pytorch_train.py"
        if shape.startswith("image"):
            rate, unit, script = "img_s", "pictures/s", "pytorch_images.py"
        steps = ["--steps", 1 if options.quick else STEPS[shape], "--repeats", 1 if options.quick else 3]
        size = ["--shape", shape, "--threads", options.threads, *steps]
        ours = [options.qalam, "bench", "train", *size, "--json"]
        peer = [sys.executable, PEERS / script, *size, "--mode"]
        results = alternate(1 if options.quick else 2, {
            "ours": lambda: run_json(ours, [rate, "gflops", "peak_rss_mb", "parameters"]),
            "eager": lambda: run_json([*peer, "eager"], [rate, "peak_rss_mb", "parameters"]),
            "compile": lambda: run_json([*peer, "compile"], [rate, "peak_rss_mb", "parameters"]),
        })
        check_same_work(shape, results["ours"], results["eager"])
        speed, memory = medians(results, rate), medians(results, "peak_rss_mb")
        fast = max(("eager", "compile"), key=speed.get)
        small = min(("eager", "compile"), key=memory.get)
        version = results["eager"][0]["version"]
        yield Row(
            f"train step {shape}", speed["ours"], speed[fast], unit, "higher", shown(ours),
            f"PyTorch {version}, {fast}", samples(results, rate))
        yield Row(
            f"train memory {shape}", memory["ours"], memory[small], "MB", "lower", shown(ours),
            f"PyTorch {version}, {small}", samples(results, "peak_rss_mb"),
            f"of the other's, {results[small][0]['import_rss_mb']} MB is held after its import")


def check_same_work(shape, records, peers):
    """Speed with a broken loss or another model doesn't count."""
    expected = FIRST_LOSSES[shape]
    for record in records:
        losses = record.get("loss") or []
        if not losses or not all(math.isfinite(x) for x in losses):
            raise BenchError(f"`qalam bench train --shape {shape}` gave no finite `loss`: {losses}")
        if abs(losses[0] - expected) > 1:
            raise BenchError(f"the first loss of shape {shape} is {losses[0]:.3f}, expected about {expected:.3f}")
    ours, other = records[0]["parameters"], peers[0]["parameters"]
    if ours != other:
        raise BenchError(f"shape {shape} has {ours} parameters here and {other} in PyTorch: not the same model")


def tokenizer(options):
    """Encoding with GPT-2's vocabulary against tiktoken; training 8,192 entries against Hugging Face tokenizers."""
    megabytes = 2 if options.quick else 20
    make_text = [sys.executable, PEERS / "texts.py", "--megabytes", megabytes, "--output", WORK / "texts"]
    made = run_json(make_text, ["bytes"])
    text, source = WORK / "texts" / f"english-{megabytes}.txt", made["source"]
    make_vocabulary = [sys.executable, PEERS / "vocabulary.py", "--text", text, "--output", WORK / "gpt2"]
    vocabulary = run_json(make_vocabulary, ["size"])
    note = f"text: {source}; vocabulary: {vocabulary['source']}"
    yield encoding(options, text, note)
    yield from tokenizer_training(options, text, f"text: {source}")


def encoding(options, text, note):
    """One thread, the whole text in one call."""
    ours = [options.qalam, "bench", "tokenizer", "encode", "--tokenizer", WORK / "gpt2", "--text", text, "--json"]
    peer = [sys.executable, PEERS / "tiktoken_encode.py", "--tokenizer", WORK / "gpt2", "--text", text]
    results = alternate(1 if options.quick else 3, {
        "ours": lambda: run_json(ours, ["mb_s"]),
        "tiktoken": lambda: run_json(peer, ["mb_s", "tokens"]),
    })
    counted, expected = results["ours"][0].get("tokens"), results["tiktoken"][0]["tokens"]
    if counted not in (None, expected):
        raise BenchError(f"qalam encodes the text in {counted} tokens and tiktoken in {expected}: not the same work")
    speed = medians(results, "mb_s")
    return Row(
        "tokenizer encode", speed["ours"], speed["tiktoken"], "MB/s", "higher", shown(ours),
        f"tiktoken {results['tiktoken'][0]['version']}, 1 thread", samples(results, "mb_s"), note)


def tokenizer_training(options, text, note):
    """Whole process against whole process, and against the time of the other's training call alone."""
    output = WORK / "trained"
    ours = [options.qalam, "tokenizer", "train", "--vocab-size", 8192, "--output", output, text]
    peer = [sys.executable, PEERS / "hf_bpe_train.py", "--vocab-size", 8192, text]
    threads = {"RAYON_NUM_THREADS": str(options.threads), "TOKENIZERS_PARALLELISM": "true"}

    def train_ours():
        shutil.rmtree(output, ignore_errors=True)
        start = time.perf_counter()
        run(ours)
        seconds = time.perf_counter() - start
        if not (output / "tokenizer.json").is_file():
            raise BenchError(f"`{shown(ours)}` ended well but wrote no tokenizer.json")
        return {"process": seconds, "call": seconds}

    def train_peer():
        start = time.perf_counter()
        record = run_json(peer, ["seconds"], threads)
        return {"process": time.perf_counter() - start, "call": record["seconds"], "version": record["version"]}

    results = alternate(1 if options.quick else 3, {"ours": train_ours, "tokenizers": train_peer})
    name = f"Hugging Face tokenizers {results['tokenizers'][0]['version']}, {options.threads} threads"
    for label, key, what in (
        ("tokenizer train", "process", "process against process"),
        ("tokenizer train, call", "call", "our whole process against the other's training call alone"),
    ):
        seconds = medians(results, key)
        yield Row(
            label, seconds["ours"], seconds["tokenizers"], "s", "lower", shown(ours), name, samples(results, key),
            f"{what}; {note}")


def matmul(options):
    """Single-precision products in the shapes training and decoding meet, against OpenBLAS, call by call in turn."""
    program = ROOT / "Benchmarks" / "kernels" / "build" / "gemm_bench"
    if not program.is_file():
        raise BenchError("there is no Benchmarks/kernels/build/gemm_bench; build it with `make -C Benchmarks/kernels`")
    library = run_json([sys.executable, PEERS / "openblas.py"], [])
    groups = ["d288"] if options.quick else ["d288", "d512", "d768", "decode"]
    for threads in range(1, options.threads + 1):
        for group in groups:
            seconds = 0.05 if options.quick else 0.8
            arguments = [program, "--threads", threads, "--only", group, "--seconds", seconds, "--json"]
            progress(f"  {group}, {threads} thread{'s' if threads > 1 else ''}")
            shapes = [json.loads(line) for line in run([*arguments, "--blas", library["path"]]).splitlines()]
            yield matmul_row(f"matmul {group}, {threads} thr", shapes, library, shown(arguments))


def matmul_row(name, shapes, library, command):
    """One row for a group of shapes: all their work divided by the time of all, on both sides."""
    if not shapes or not all(shape["openblas"] > 0 for shape in shapes):
        raise BenchError(f"`{command} --blas …` gave no figures of OpenBLAS")
    rates = {}
    for key in ("gflops", "openblas"):
        work = [2e-9 * shape["m"] * shape["n"] * shape["k"] for shape in shapes]
        rates[key] = sum(work) / sum(w / shape[key] for w, shape in zip(work, shapes))
    ratios = {f"{s['kind']} {s['m']}×{s['n']}×{s['k']}": round(s["gflops"] / s["openblas"], 2) for s in shapes}
    slowest = min(ratios, key=ratios.get)
    return Row(
        name, rates["gflops"], rates["openblas"], "GFLOP/s", "higher", command + " --blas OPENBLAS",
        f"OpenBLAS {library['version']}, {library['core']}", {"ratios": ratios},
        f"{shapes[0]['isa']}; worst shape {slowest}: {ratios[slowest]}×; peak {shapes[0]['peak']:.0f} GFLOP/s")


def generate(options):
    """Greedy generation with the shipped model, against transformers on the same folder."""
    need_model(options)
    ours = [options.qalam, "bench", "generate", "--model", options.model, "--json"]
    first = run_json(ours, ["first_token_ms", "tokens_s"])  # also says how long its prompt and answer are
    peer = [
        sys.executable, PEERS / "transformers_generate.py", "--model", options.model, "--threads", options.threads,
        "--prompt-tokens", first.get("prompt_tokens", 32), "--new-tokens", first.get("new_tokens", 128),
    ]
    results = alternate(1 if options.quick else 3, {
        "ours": lambda: run_json(ours, ["first_token_ms", "tokens_s"]),
        "transformers": lambda: run_json(peer, ["first_token_ms", "tokens_s"]),
    })
    version = f"transformers {results['transformers'][0]['version']}"
    rate, delay = medians(results, "tokens_s"), medians(results, "first_token_ms")
    yield Row(
        "generate", rate["ours"], rate["transformers"], "tokens/s", "higher", shown(ours), version,
        samples(results, "tokens_s"))
    yield Row(
        "first token", delay["ours"], delay["transformers"], "ms", "lower", shown(ours), version,
        samples(results, "first_token_ms"))


def start(options):
    """From starting the server's process to its first 200 on /healthz: the median of ten."""
    need_model(options)
    times = [serving.startup_ms(options.qalam, options.model) for _ in range(3 if options.quick else 10)]
    command = [options.qalam, "serve", "--port", "PORT", "--model", options.model]
    yield Row(
        "start", statistics.median(times), None, "ms", "lower", shown(command), "nothing; the aim is 300 ms",
        {"ours": [round(t, 1) for t in times]})


def need_model(options):
    """Says early that the model is not there."""
    if not os.path.isfile(os.path.join(options.model, "config.json")):
        raise BenchError(f"there is no model in {options.model}; train one, or name one with --model")
