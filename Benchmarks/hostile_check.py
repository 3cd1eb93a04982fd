#!/usr/bin/env python3
"""Checks that damaged model files end in an error that names the file, in little memory: never a crash, never a hang.

    hostile_check.py [--tries 1000] [--seed 1] [--only NAME,…]

Each kind of file is cut at random places, loses or gains bytes, and has bits flipped, numbers made huge and pieces
copied over others; `qalam inspect`, `qalam tokenizer encode` or `qalam bench logits` opens each copy with the address
space bounded (`ulimit -v`). A copy that still opens is fine. Files are those of Tests/Fixtures, and GGUF files made
of them.
"""
import argparse
import json
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FIXTURES = ROOT / "Tests/Fixtures"
MEMORY = 2 << 30
SECONDS = 20
NUMBERS = [b"4611686018427387904", b"-1", b"1e400", b"99999999999", b"0", b"null", b"[]", b"\"\"", b"NaN",
           b"18446744073709551615"]


def damage(data, pick):
    kind = pick.random()
    if kind < 0.3:
        return data[:pick.randrange(len(data))]
    data = bytearray(data)
    if kind < 0.65:
        # Heads say more than numbers do.
        reach = min(len(data), pick.choice([64, 512, 4096, len(data)]))
        for _ in range(pick.choice([1, 1, 2, 5])):
            data[pick.randrange(reach)] ^= 1 << pick.randrange(8)
    elif kind < 0.8:
        at = pick.randrange(len(data))
        data[at:at + 8] = pick.choice([b"\xff" * 8, b"\xff" * 7 + b"\x7f", b"\0" * 7 + b"\x40", bytes(8)])
    elif kind < 0.9:
        digits = [i for i, byte in enumerate(data[:1 << 16]) if chr(byte).isdigit()]
        if digits:
            at = pick.choice(digits)
            data[at:at + 1] = pick.choice(NUMBERS)
    elif kind < 0.95:
        a, b, size = pick.randrange(len(data)), pick.randrange(len(data)), pick.randrange(1, 64)
        data[a:a + size] = data[b:b + size]
    else:
        at = pick.randrange(len(data))
        del data[at:at + pick.randrange(1, 40)]
    return bytes(data)


def bounded():
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def outcome(arguments):
    """None where the program ended as it should, else what it did; and the most memory it held, in MB."""
    with tempfile.TemporaryFile() as errors:
        started = time.monotonic()
        process = subprocess.Popen(
            arguments, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors, preexec_fn=bounded)
        while True:
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
            if pid:
                break
            if time.monotonic() - started > SECONDS:
                process.kill()
                os.wait4(process.pid, 0)
                return f"did not end within {SECONDS} s", 0
            time.sleep(0.002)
        process.returncode = os.waitstatus_to_exitcode(status)
        errors.seek(0)
        text = errors.read().decode("utf8", "replace")
    memory = usage.ru_maxrss // 1024
    if process.returncode < 0:
        return f"signal {-process.returncode}: {text[-300:]}", memory
    if process.returncode and not text.startswith(("qalam: ", "Error: ")):
        return f"status {process.returncode} without an error: {text[:300]}", memory
    if "fatalError" in text or "Fatal" in text:
        return text[-300:], memory
    return None, memory


def copied(source, names=None):
    """A folder with those files of `source`."""
    def make(target):
        for path in sorted(source.rglob("*")):
            if path.is_file() and (names is None or path.name in names):
                (target / path.relative_to(source)).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, target / path.relative_to(source))
    return make


def cases(options, folder):
    """name: what fills a folder, the file in it that is damaged, and the program's arguments with {} for the folder."""
    llama = FIXTURES / "models/tiny-llama"
    gguf = folder / "whole.gguf"
    subprocess.run([options.qalam, "convert", llama, gguf], check=True, stdout=subprocess.DEVNULL)
    quantized = folder / "small.gguf"
    subprocess.run([options.qalam, "quantize", gguf, quantized, "Q8_0"], check=True, stdout=subprocess.DEVNULL)
    subprocess.run(
        [options.qalam, "convert", llama, folder / "split.gguf", "--split-size", "60K"], check=True,
        stdout=subprocess.DEVNULL)
    parts = sorted(folder.glob("split-*.gguf"))
    logits = ["bench", "logits", "--ids", "5,6,7", "--model"]

    def files(*paths):
        return lambda target: [shutil.copy(path, target) for path in paths]

    found = {
        "gguf": (files(gguf), gguf.name, ["inspect", "{}/whole.gguf", "--tensors"]),
        "gguf, run": (files(gguf), gguf.name, logits + ["{}/whole.gguf"]),
        "gguf, blocks, run": (files(quantized), quantized.name, logits + ["{}/small.gguf"]),
        "gguf, chat": (
            files(gguf), gguf.name, ["generate", "--model", "{}/whole.gguf", "--max-tokens", "2", "Hello"]),
        "gguf, first part": (files(*parts), parts[0].name, ["inspect", f"{{}}/{parts[0].name}"]),
        "gguf, other part": (files(*parts), parts[1].name, ["inspect", f"{{}}/{parts[0].name}"]),
        "gguf, all types": (
            files(FIXTURES / "gguf/all_types.gguf"), "all_types.gguf", ["inspect", "{}/all_types.gguf", "--tensors"]),
        "gguf to folder": (files(gguf), gguf.name, ["convert", "{}/whole.gguf", "{}/out"]),
        "gguf to blocks": (files(gguf), gguf.name, ["quantize", "{}/whole.gguf", "{}/out.gguf", "Q4_K_M"]),
        "safetensors": (
            files(FIXTURES / "safetensors/all_types.safetensors"), "all_types.safetensors",
            ["inspect", "{}/all_types.safetensors", "--tensors"]),
        "safetensors index": (copied(llama), "model.safetensors.index.json", logits + ["{}"]),
        "safetensors shard": (copied(llama), "model-00002-of-00003.safetensors", logits + ["{}"]),
        "config": (copied(llama), "config.json", logits + ["{}"]),
        "encoder config": (copied(FIXTURES / "encoders/bert-cls"), "config.json", ["inspect", "{}"]),
        "tokenizer config": (copied(llama), "tokenizer_config.json", [
            "generate", "--model", "{}", "--max-tokens", "2", "Hello"]),
        "generation config": (copied(llama), "generation_config.json", [
            "generate", "--model", "{}", "--max-tokens", "2", "Hello"]),
        "chat template": (copied(llama), "chat_template.jinja", [
            "generate", "--model", "{}", "--max-tokens", "2", "Hello"]),
    }
    for name in ("gpt2", "qwen2", "o200k", "flags", "llama", "gemma", "unigram", "fallback", "bert", "steps"):
        found[f"tokenizer {name}"] = (
            files(FIXTURES / f"tokenizers/{name}.json"), f"{name}.json",
            ["tokenizer", "encode", "--tokenizer", f"{{}}/{name}.json", "Hello <s> wörld 123 ﬁ ❤️ العربية"])
    return found


def check(name, case, options, folder):
    make, target, arguments = case
    place = folder / "case"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    make(place)
    whole = (place / target).read_bytes()
    arguments = [options.qalam] + [word.replace("{}", str(place)) for word in arguments]
    fault, usual = outcome(arguments)
    if fault:
        print(f"FAIL {name:24} the whole file: {fault}")
        return False
    pick = random.Random(options.seed)
    failures, most, refused = 0, 0, 0
    for number in range(options.tries):
        data = damage(whole, pick)
        (place / target).write_bytes(data)
        shutil.rmtree(place / "out", ignore_errors=True)
        fault, memory = outcome(arguments)
        most = max(most, memory)
        if fault is None and memory > usual + 150:
            fault = f"{memory} MB instead of {usual}"
        if fault:
            failures += 1
            if failures <= options.show:
                kept = Path(options.keep or folder) / f"{name.replace(' ', '-')}-{number}"
                kept.write_bytes(data)
                print(f"  {name}, damage {number}{f' ({kept})' if options.keep else ''}: {fault}")
    print(f"{'FAIL' if failures else 'ok  '} {name:24} {options.tries} damages, {failures} wrong, "
          f"at most {most} MB ({usual} MB whole)", flush=True)
    return not failures


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--qalam", default=str(ROOT / ".build/release/qalam"))
    parser.add_argument("--tries", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--show", type=int, default=3)
    parser.add_argument("--only", help="beginnings of names, joined by commas")
    parser.add_argument("--keep", help="a folder for the files that went wrong")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        chosen = {
            name: case for name, case in cases(options, folder).items()
            if not options.only or any(name.startswith(start) for start in options.only.split(","))}
        results = [check(name, case, options, folder) for name, case in chosen.items()]
    print(f"{sum(results)} of {len(results)} kinds are safe")
    sys.exit(not all(results))


if __name__ == "__main__":
    main()
