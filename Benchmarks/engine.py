"""The engine against llama.cpp: the same GGUF files, the same threads, one after the other in turn."""
import concurrent.futures
import http.client
import json
import os
import statistics
import subprocess
import sys
import time

import serving
from harness import PEERS, ROOT, WORK, BenchError, Row, alternate, medians, progress, run, run_json, samples, shown

KINDS = ["Q8_0", "Q4_0", "Q4_K_M", "F16", "BF16"]
SHAPES = ["smollm2-135m", "qwen3-0.6b"]
MORE_KINDS = ["Q4_1", "Q5_1", "Q2_K", "Q3_K_M", "IQ4_NL", "IQ4_XS", "MXFP4"]  # prefill and decoding of the last shape
CLIENTS = 8


def engine(options):
    """Prefill, decoding alone and sixteen together, eight clients at once, and the start."""
    programs = run([PEERS / "llama.sh", sys.executable], timeout=7200).strip().splitlines()[-1]
    shapes = SHAPES[:1] if options.quick else SHAPES
    asked = options.kinds.split(",") if options.kinds else KINDS + MORE_KINDS
    unknown = [kind for kind in asked if kind not in KINDS + MORE_KINDS]
    if unknown:
        raise BenchError(f"--kinds: there are {', '.join(KINDS + MORE_KINDS)}, not {', '.join(unknown)}")
    kinds = [kind for kind in (KINDS[:2] if options.quick else KINDS) if kind in asked]
    models = WORK / "gguf"
    make_models(programs, models, shapes, kinds)
    for shape in shapes:
        for kind in kinds:
            path = models / f"{shape}-{kind}.gguf"
            label = f"{kind.lower()} {shape}"
            for threads in {1, options.threads}:
                yield from alone(options, programs, path, label, threads)
            yield together(options, programs, path, label)
            if kind in ("Q8_0", "Q4_0"):
                yield from clients(options, programs, path, label)
            if kind == "Q8_0":
                yield from coarse(options, programs, path, label)
                yield from start(options, programs, path, label)
                yield cached(options, path, label)
    if not options.quick:
        more = [kind for kind in MORE_KINDS if kind in asked]
        make_models(programs, models, SHAPES[-1:], more)
        for kind in more:
            path = models / f"{SHAPES[-1]}-{kind}.gguf"
            yield from alone(options, programs, path, f"{kind.lower()} {SHAPES[-1]}", options.threads)


def make_models(programs, folder, shapes, kinds):
    """The files that are not there yet."""
    if not kinds:
        return
    run([sys.executable, PEERS / "bench_models.py", "--output", folder, "--quantize", f"{programs}/llama-quantize",
         "--shapes", ",".join(shapes), "--types", ",".join(kinds)], timeout=7200)


def ours(options, path, threads, *more):
    """Our command line."""
    return [options.qalam, "bench", "engine", "--model", path, "--threads", threads, *more, "--json"]


def coarse(options, programs, path, label):
    """The same with int8 activations: what is faster by name."""
    yield from alone(options, programs, path, f"{label} int8", options.threads, "--activations", "int8")
    yield together(options, programs, path, f"{label} int8", "--activations", "int8")


def alone(options, programs, path, label, threads, *more):
    """Prefill of 512 tokens and decoding of 64, one sequence; and the peak memory of the process."""
    progress(f"  {label}, {threads} threads")
    mine = ours(options, path, threads, "--batch", 1, *more)
    theirs = [f"{programs}/llama-bench", "-m", path, "-p", 512, "-n", 64, "-t", threads, "-r", 2, "-o", "json"]

    def peer():
        records = json.loads(run(theirs))
        speeds = {("prefill" if r["n_prompt"] else "decode"): r["avg_ts"] for r in records}
        return {"prefill_tok_s": speeds["prefill"], "decode1_tok_s": speeds["decode"],
                "build": records[0]["build_commit"]}

    results = alternate(1 if options.quick else 3, {
        "ours": lambda: run_json(mine, ["prefill_tok_s", "decode1_tok_s", "read_gb_s"]), "llama.cpp": peer})
    name = f"llama.cpp {results['llama.cpp'][0]['build']}"
    read = statistics.median(r["read_gb_s"] for r in results["ours"])
    for what, key in (("prefill", "prefill_tok_s"), ("decode", "decode1_tok_s")):
        speed = medians(results, key)
        note = ""
        if what == "decode":
            used = speed["ours"] * results["ours"][0]["weights_mb"] / 1000
            note = f"{used:.1f} GB/s of weights, {100 * used / read:.0f}% of the {read:.1f} GB/s read in the same run"
        yield Row(f"engine {what} {label} {threads}t", speed["ours"], speed["llama.cpp"], "tokens/s", "higher",
                  shown(mine), name, samples(results, key), note)


def together(options, programs, path, label, *more):
    """Sixteen sequences decoded together: prompts of 16 tokens, 32 tokens each."""
    progress(f"  {label}, 16 together")
    mine = ours(options, path, options.threads, "--batch", 16, "--tokens", 32, "--prompt", 16, *more)
    theirs = [f"{programs}/llama-batched-bench", "-m", path, "-c", 4096, "-npp", 16, "-ntg", 32, "-npl", 16,
              "-t", options.threads, "--output-format", "jsonl"]

    def peer():
        lines = [line for line in run(theirs).splitlines() if line.startswith("{")]
        return {"decode16_tok_s": json.loads(lines[-1])["speed_tg"]}

    results = alternate(1 if options.quick else 3, {
        "ours": lambda: run_json(mine, ["decode16_tok_s"]), "llama.cpp": peer})
    speed = medians(results, "decode16_tok_s")
    return Row(f"engine batch16 {label} {options.threads}t", speed["ours"], speed["llama.cpp"], "tokens/s", "higher",
               shown(mine), "llama.cpp batched-bench", samples(results, "decode16_tok_s"))


# MARK: Whole processes


def timed(arguments):
    """Seconds of a process and the most memory it had, in MB."""
    begun = time.perf_counter()
    child = subprocess.Popen([str(a) for a in arguments], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    if status != 0:
        raise BenchError(f"`{shown(arguments)}` ended with status {status}")
    scale = 1 if sys.platform == "darwin" else 1024
    return {"seconds": time.perf_counter() - begun, "peak_mb": usage.ru_maxrss * scale / 1e6}


def start(options, programs, path, label):
    """From the start of a process to its first token, files in the page cache; and the peak memory, context 4096."""
    progress(f"  {label}, start to first token")
    mine = [options.qalam, "generate", "--model", path, "--threads", options.threads, "--max-tokens", 1, "abcd efgh"]
    theirs = [f"{programs}/llama-completion", "-m", path, "-t", options.threads, "-n", 1, "-c", 4096, "-no-cnv",
              "-p", "abcd efgh"]
    results = alternate(2 if options.quick else 7, {"ours": lambda: timed(mine), "llama.cpp": lambda: timed(theirs)})
    for what, key, unit in (("start", "seconds", "s"), ("peak memory", "peak_mb", "MB")):
        figure = medians(results, key)
        yield Row(f"engine {what} {label} {options.threads}t", figure["ours"], figure["llama.cpp"], unit, "lower",
                  shown(mine), "llama-completion", samples(results, key))


# MARK: Servers


def cached(options, path, label):
    """The first token of a prompt of 4,100 tokens asked for again, against that of a short prompt that is new."""
    progress(f"  {label}, a cached prompt")
    long = " ".join(["abcd efgh ijkl mnop"] * 380)  # in the made-up vocabulary 4,100 tokens or so

    def first(port, text, number):
        results = []
        ask(port, path.stem, number, results, text=text, tokens=1)
        return results[0][0] * 1000

    samples = {"long": [], "short": []}
    with serving.server(options.qalam, path, ["--threads", options.threads]) as (port, _):
        first(port, long, 0)
        for number in range(9):
            samples["long"].append(first(port, long, 0))
            samples["short"].append(first(port, "abcd efgh ijkl"[number:], 0))
    medians = {key: statistics.median(values) for key, values in samples.items()}
    command = shown([options.qalam, "serve", "--model", path, "--threads", options.threads])
    return Row(f"engine cached4096 first token {label} {options.threads}t", medians["long"], medians["short"], "ms",
               "lower", command, "Qalam, a prompt of some 16 tokens", samples)



def ask(port, model, number, results, text=None, tokens=64):
    """One streamed chat; notes the time to its first token and how many came."""
    words = text or " ".join("abcd efgh ijkl mnop"[(number + i) % 5:] for i in range(24))
    body = json.dumps({
        "model": model, "stream": True, "max_tokens": tokens, "temperature": 0,
        "stream_options": {"include_usage": True},
        "messages": [{"role": "user", "content": f"{number} {words}"}]})
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    start = time.perf_counter()
    connection.request("POST", "/v1/chat/completions", body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    if answer.status != 200:
        raise BenchError(f"the server answered {answer.status}: {answer.read()[:300]}")
    first, tokens = None, 0
    for line in answer:
        if not line.startswith(b"data: {"):
            continue
        event = json.loads(line[6:])
        if event.get("choices") and event["choices"][0]["delta"].get("content"):
            first = first or time.perf_counter() - start
        if event.get("usage"):
            tokens = event["usage"]["completion_tokens"]
    results.append((first or time.perf_counter() - start, tokens))


def load(port, model):
    """Eight clients at once, twice; the second time counts."""
    for _ in range(2):
        results = []
        start = time.perf_counter()
        with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
            for task in [pool.submit(ask, port, model, number, results) for number in range(CLIENTS)]:
                task.result()
        seconds = time.perf_counter() - start
    return {"tok_s": sum(tokens for _, tokens in results) / seconds,
            "first_ms": 1000 * statistics.median(first for first, _ in results)}


def clients(options, programs, path, label):
    """Total tokens a second and the median time to the first token, against llama-server."""
    progress(f"  {label}, {CLIENTS} clients")

    def mine():
        with serving.server(options.qalam, path, ["--threads", options.threads]) as (port, _):
            return load(port, path.stem)

    def theirs():
        command = [f"{programs}/llama-server", "-m", path, "-t", options.threads, "-c", 8192, "-np", CLIENTS]
        with serving.process(command, "/health") as (port, _):
            return load(port, path.stem)

    results = alternate(1 if options.quick else 3, {"ours": mine, "llama.cpp": theirs})
    command = shown([options.qalam, "serve", "--model", path, "--threads", options.threads])
    for what, key, unit, better in (("clients8", "tok_s", "tokens/s", "higher"),
                                    ("clients8 first token", "first_ms", "ms", "lower")):
        figure = medians(results, key)
        yield Row(f"engine {what} {label} {options.threads}t", figure["ours"], figure["llama.cpp"], unit, better,
                  command, "llama-server", samples(results, key))
