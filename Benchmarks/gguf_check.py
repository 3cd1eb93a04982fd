#!/usr/bin/env python3
"""Checks GGUF files that Qalam writes: each family against its folder and against llama.cpp, each type by perplexity.

    gguf_check.py [--llama FOLDER] [--only NAME,…]        families: logits, and twenty greedy tokens
    gguf_check.py --types [--llama FOLDER] [--text FILE]  models/qalam-mini in every type: perplexity

FOLDER is what Benchmarks/peers/llama.sh makes (Benchmarks/.work/llama): `source` and `build/bin`; without it Qalam
is only compared with itself. Families are those of Tests/Fixtures/families with a vocabulary of 320 drawn anew.
Logits must agree to 1e-3 of the largest in float32, perplexities to 0.5%. Needs numpy, safetensors, gguf.
"""
import argparse
import ctypes
import json
import lzma
import os
import shutil
import subprocess
import sys
import tempfile
import types
from pathlib import Path

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save_file

ROOT = Path(__file__).resolve().parent.parent
FIXTURES = ROOT / "Tests/Fixtures"
TEXT = FIXTURES / "tokenizers/corpus.txt"
VOCABULARY = 320
TOKENS = 40
GREEDY = 20
TYPES = ["F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q2_K", "Q3_K_M", "Q4_K_S", "Q4_K_M", "Q5_K_S",
         "Q5_K_M", "Q6_K", "IQ4_NL", "IQ4_XS"]
EMBEDDINGS = ("embed_tokens.weight", "wte.weight", "lm_head.weight")


def qalam(options, *arguments):
    done = subprocess.run([options.qalam, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr.strip() or f"status {done.returncode}")
    return done.stdout


def qalam_logits(options, model, ids):
    output = qalam(options, "bench", "logits", "--model", model, "--ids", ",".join(map(str, ids)), "--json")
    return np.array(json.loads(output)["logits"])


class Llama:
    """llama.cpp, through the bindings that come with its source package."""

    def __init__(self, folder):
        os.environ["LLAMA_CPP_LIB_PATH"] = str(folder / "build/bin")
        package = types.ModuleType("llama_cpp")  # without what the package itself wants to import
        package.__path__ = [str(folder / "source/llama_cpp")]
        sys.modules["llama_cpp"] = package
        import llama_cpp.llama_cpp as binding

        self.binding = binding
        callback = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)
        self.quiet = callback(lambda level, text, data: sys.stderr.write(text.decode()) if level == 4 else None)
        binding.llama_log_set(self.quiet, None)
        binding.llama_backend_init()

    def open(self, file, length):
        b = self.binding
        model = b.llama_model_load_from_file(str(file).encode(), b.llama_model_default_params())
        if not model:
            raise RuntimeError("llama.cpp does not open it")
        settings = b.llama_context_default_params()
        settings.n_ctx = settings.n_batch = settings.n_ubatch = length
        settings.n_threads = settings.n_threads_batch = 1
        settings.type_k = settings.type_v = 0  # F32
        settings.flash_attn_type = 0
        context = b.llama_init_from_model(model, settings)
        if not context:
            raise RuntimeError("llama.cpp has no context for it")
        return model, context

    def close(self, model, context):
        self.binding.llama_free(context)
        self.binding.llama_model_free(model)

    def logits(self, opened, ids):
        b = self.binding
        model, context = opened
        size = b.llama_vocab_n_tokens(b.llama_model_get_vocab(model))
        b.llama_memory_clear(b.llama_get_memory(context), True)
        batch = b.llama_batch_init(len(ids), 0, 1)
        batch.n_tokens = len(ids)
        for i, id in enumerate(ids):
            batch.token[i], batch.pos[i], batch.n_seq_id[i], batch.logits[i] = id, i, 1, 1
            batch.seq_id[i][0] = 0
        if b.llama_decode(context, batch):
            raise RuntimeError("llama.cpp does not run it")
        rows = b.llama_get_logits(context)
        result = np.ctypeslib.as_array(rows, shape=(len(ids), size)).astype(np.float64)
        b.llama_batch_free(batch)
        return result


# MARK: Families


def draw(shape, generator, scale=0.3):
    return (scale * generator.standard_normal(shape)).astype(np.float32)


def read(file):
    """A file's tensors as float32; bfloat16 is the upper half of it."""
    with safe_open(file, "np") as tensors:
        names = list(tensors.keys())
    data = file.read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8:8 + length])
    result = {}
    for name in names:
        entry = header[name]
        start, end = (8 + length + offset for offset in entry["data_offsets"])
        raw = data[start:end]
        if entry["dtype"] == "BF16":
            values = (np.frombuffer(raw, "<u2").astype(np.uint32) << 16).view(np.float32)
        elif entry["dtype"] == "U8":
            result[name] = np.frombuffer(raw, np.uint8).reshape(entry["shape"])
            continue
        else:
            values = np.frombuffer(raw, {"F32": "<f4", "F16": "<f2"}[entry["dtype"]]).astype(np.float32)
        result[name] = np.ascontiguousarray(values.reshape(entry["shape"]))
    return result


def redrawn(name, shape, generator, gemma):
    """Random numbers for a tensor: norms around 1 (Gemma's around 0), biases and sinks small."""
    # Width 40 becomes 48, the heads' own; where experts have gate and up beside each other, 40 is twice their width.
    kept = len(shape) - 1 if "experts.gate_up_proj" in name else None
    shape = [VOCABULARY if size == 96 else 48 if size == 40 and at != kept else size for at, size in enumerate(shape)]
    if len(shape) > 1:
        return draw(shape, generator, 0.5 if name.endswith(EMBEDDINGS) else 0.15)
    return draw(shape, generator, 0.1) + np.float32("norm" in name and not gemma)


def family_folder(source, folder):
    """The family's model with a tokenizer's vocabulary, and as its files are where GGUF has no key."""
    folder.mkdir()
    config = json.loads((source / "config.json").read_text())
    family, generator = config["model_type"], np.random.default_rng(3)
    stored = read(source / "model.safetensors")
    layers = {"gemma3_text": 7, "smollm3": 4}.get(family, config.get("num_hidden_layers"))
    tensors = {}
    for name, values in stored.items():
        if values.dtype == np.uint8 or config.get("hidden_size") != 40:
            tensors[name] = values
            if name.endswith(EMBEDDINGS) and len(values) < VOCABULARY:
                tensors[name] = draw((VOCABULARY, values.shape[1]), generator)
        elif ".layers.0." in name:
            for layer in range(layers):
                copy = name.replace(".layers.0.", f".layers.{layer}.")
                tensors[copy] = redrawn(name, values.shape, generator, family.startswith("gemma"))
        elif ".layers." not in name:
            tensors[name] = redrawn(name, values.shape, generator, family.startswith("gemma"))
    if config.get("hidden_size") == 40:
        config["hidden_size"] = 48
    if family in ("gemma2", "gemma3_text"):
        config["query_pre_attn_scalar"] = config["head_dim"]
    if family == "qwen3_moe":
        config["norm_topk_prob"] = True
    if family == "phi3":  # llama.cpp takes the long factors where its context, at least 256, is beyond the original
        config.update(original_max_position_embeddings=256, max_position_embeddings=512)
        config["rope_parameters"]["original_max_position_embeddings"] = 256
    if family == "mistral":
        config["sliding_window"] = None
    if family == "qwen2":
        config.update(use_sliding_window=False, layer_types=["full_attention"] * layers)
    if family in ("gemma3_text", "smollm3"):
        config["num_hidden_layers"] = layers
        for key in ("layer_types", "no_rope_layers", "no_rope_layer_interval", "sliding_window_pattern"):
            config.pop(key, None)
    config.update(vocab_size=VOCABULARY, bos_token_id=1, eos_token_id=2, pad_token_id=0)
    save_file(tensors, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(config))
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(FIXTURES / "models/tiny-llama" / name, folder)


def furthest(a, b):
    return np.abs(a - b).max() / np.abs(b).max()


def check_family(name, source, options, judge, temporary):
    folder, file = temporary / "model", temporary / "model.gguf"  # llama.cpp looks for families in names
    family_folder(source, folder)
    ids = np.random.default_rng(5).integers(3, VOCABULARY, 24 if "phi3" in name else TOKENS).tolist()
    ours = qalam_logits(options, folder, ids)
    found = []
    for kind, limit in (("f16", 1e-2), ("f32", 1e-5)):
        qalam(options, "convert", folder, file, "--type", kind)
        found.append((f"{kind} against the folder", furthest(qalam_logits(options, file, ids), ours), limit))
    note = ""
    if judge:
        # llama.cpp looks its tanh-GELU up in a table of float16, and rounds activations to 8 bits before MXFP4.
        is_rounded = name == "gpt-oss-mxfp4"
        limit = 3e-2 if is_rounded else 1e-2 if name.startswith(("gemma", "tiny-gpt2")) else 1e-3
        opened = judge.open(file, 256)
        mine = qalam_logits(options, file, ids)
        found.append(("against llama.cpp", furthest(mine, judge.logits(opened, ids)), limit))
        theirs, text = ids[:8], ids[:8]
        for _ in range(0 if is_rounded else min(GREEDY, len(ids) - 8)):
            theirs = theirs + [int(judge.logits(opened, theirs)[-1].argmax())]
            text = text + [int(qalam_logits(options, file, text)[-1].argmax())]
        judge.close(*opened)
        note = f"; {len(text) - 8} greedy tokens " + ("the same" if theirs == text else f"differ: {text} {theirs}")
    passed = all(value <= limit for _, value, limit in found) and "differ" not in note
    return passed, ", ".join(f"{value:.1e} {what}" for what, value, _ in found) + note


def families(options, judge):
    sources = {path.name: path for path in sorted((FIXTURES / "families").iterdir())}
    # The longer text of phi3-long is for the folder alone: the file's context ends before.
    del sources["phi3-long"]
    sources |= {name: FIXTURES / "models" / name for name in ("tiny-gpt2", "tiny-llama-tied")}
    results = []
    for name, source in sources.items():
        if options.only and name not in options.only.split(","):
            continue
        with tempfile.TemporaryDirectory() as temporary:
            try:
                passed, detail = check_family(name, source, options, judge, Path(temporary))
            except RuntimeError as error:
                passed, detail = False, str(error)[:300]
        results.append(passed)
        print(f"{'ok  ' if passed else 'FAIL'} {name:16} {detail}", flush=True)
    return results


# MARK: Types


def perplexity(logits, ids):
    """Of every token but the first."""
    rows = logits[:-1]
    shifted = rows - rows.max(-1, keepdims=True)
    losses = np.log(np.exp(shifted).sum(-1)) - shifted[np.arange(len(rows)), ids[1:]]
    return losses


def windows(options, count, length):
    data = lzma.open(options.text).read() if options.text.suffix == ".xz" else options.text.read_bytes()
    with tempfile.NamedTemporaryFile() as file:
        text = data[:count * length * 12].decode("utf8", "ignore")
        if ".jsonl" in options.text.name:
            text = "\n\n".join(json.loads(line)["text"] for line in text.split("\n")[:-1])
        file.write(text.encode())
        file.flush()
        with open(file.name) as source:
            output = subprocess.run(
                [options.qalam, "tokenizer", "encode", "--tokenizer", ROOT / "models/qalam-mini", "--json"],
                stdin=source, capture_output=True, text=True, check=True).stdout
    ids = json.loads(output)["ids"]
    return [ids[i * length:(i + 1) * length] for i in range(count) if len(ids) >= (i + 1) * length]


def check_types(options, judge):
    results = []
    with tempfile.TemporaryDirectory() as temporary:
        base = Path(temporary) / "base.gguf"
        qalam(options, "convert", ROOT / "models/qalam-mini", base, "--type", "f32")
        parts = windows(options, options.windows, 512)
        print(f"{len(parts)} windows of 512 tokens")
        for kind in ["F32", *TYPES]:
            if options.only and kind not in options.only.split(","):
                continue
            file = base
            try:
                if kind != "F32":
                    file = Path(temporary) / f"{kind}.gguf"
                    qalam(options, "quantize", base, file, kind)
                ours = np.exp(np.concatenate([perplexity(qalam_logits(options, file, p), p) for p in parts]).mean())
                note, passed = "", True
                if judge:
                    opened = judge.open(file, 512)
                    theirs = np.exp(np.concatenate([perplexity(judge.logits(opened, p), p) for p in parts]).mean())
                    judge.close(*opened)
                    passed = abs(ours / theirs - 1) <= 0.005
                    note = f", llama.cpp {theirs:.4f}: {100 * (ours / theirs - 1):+.3f}%"
                detail = f"perplexity {ours:.4f}{note}"
            except RuntimeError as error:
                passed, detail = False, str(error)[:300]
            results.append(passed)
            print(f"{'ok  ' if passed else 'FAIL'} {kind:8} {detail}", flush=True)
    return results


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--qalam", default=str(ROOT / ".build/release/qalam"))
    parser.add_argument("--llama", type=Path)
    parser.add_argument("--only", help="names, joined by commas")
    parser.add_argument("--types", action="store_true")
    parser.add_argument("--text", type=Path, default=TEXT)
    parser.add_argument("--windows", type=int, default=6)
    options = parser.parse_args()
    judge = Llama(options.llama.resolve()) if options.llama else None
    results = (check_types if options.types else families)(options, judge)
    print(f"{sum(results)} of {len(results)} agree")
    sys.exit(not all(results))


if __name__ == "__main__":
    main()
