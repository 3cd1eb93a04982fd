#!/usr/bin/env python3
"""Makes `bert-ranker` from `bert-cls`: the same encoder with a head of one label for pairs of texts, and the scores of
three pairs, computed by the formulas in float64.

    python Tests/Fixtures/encoders/make_ranker.py            (needs numpy)
"""
import json
import math
import struct
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
CLS, SEP = 1, 2
PAIRS = [([5, 6, 7], [8, 9]), ([5, 6, 7], [10, 11, 12, 13, 14]), ([90], [91, 3, 4])]


def read(path):
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8:8 + length])
    return {
        name: np.frombuffer(data[8 + length + e["data_offsets"][0]:8 + length + e["data_offsets"][1]], "<f4")
        .reshape(e["shape"]).astype(np.float64)
        for name, e in header.items() if name != "__metadata__" and e["dtype"] == "F32"}


def write(path, tensors):
    header, blob = {}, b""
    for name, tensor in sorted(tensors.items()):
        numbers = tensor.astype("<f4").tobytes()
        offsets = [len(blob), len(blob) + len(numbers)]
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": offsets}
        blob += numbers
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + blob)


def norm(x, w, name, epsilon):
    x = x - x.mean(-1, keepdims=True)
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + epsilon) * w[f"{name}.weight"] + w[f"{name}.bias"]


def dense(x, w, name):
    return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]


def score(w, c, first, second):
    ids = [CLS] + first + [SEP] + second + [SEP]
    types = [0] * (len(first) + 2) + [1] * (len(second) + 1)
    H, epsilon = c["num_attention_heads"], c["layer_norm_eps"]
    e = "bert.embeddings."
    x = w[e + "word_embeddings.weight"][ids] + w[e + "position_embeddings.weight"][:len(ids)]
    x = norm(x + w[e + "token_type_embeddings.weight"][types], w, e + "LayerNorm", epsilon)
    for layer in range(c["num_hidden_layers"]):
        b = f"bert.encoder.layer.{layer}."
        heads = lambda name: dense(x, w, b + f"attention.self.{name}").reshape(len(ids), H, -1)
        q, k, v = heads("query"), heads("key"), heads("value")
        s = np.einsum("qhd,khd->hqk", q, k) / math.sqrt(q.shape[-1])
        s = np.exp(s - s.max(-1, keepdims=True))
        out = np.einsum("hqk,khd->qhd", s / s.sum(-1, keepdims=True), v).reshape(len(ids), -1)
        x = norm(x + dense(out, w, b + "attention.output.dense"), w, b + "attention.output.LayerNorm", epsilon)
        h = dense(x, w, b + "intermediate.dense")
        h = h * 0.5 * (1 + np.vectorize(math.erf)(h / math.sqrt(2)))
        x = norm(x + dense(h, w, b + "output.dense"), w, b + "output.LayerNorm", epsilon)
    pooled = np.tanh(dense(x[:1], w, "bert.pooler.dense"))
    return 1 / (1 + math.exp(-dense(pooled, w, "classifier")[0, 0]))


def main():
    folder = HERE / "bert-ranker"
    folder.mkdir(exist_ok=True)
    config = json.loads((HERE / "bert-cls" / "config.json").read_text())
    config.update(architectures=["BertForSequenceClassification"], id2label={"0": "LABEL_0"})
    (folder / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    weights = {f"bert.{name}": tensor for name, tensor in read(HERE / "bert-cls" / "model.safetensors").items()}
    random = np.random.default_rng(7)
    width = config["hidden_size"]
    for name, shape in [("bert.pooler.dense", (width, width)), ("classifier", (1, width))]:
        weights[f"{name}.weight"] = random.normal(0, 0.3, shape).astype("<f4").astype(np.float64)
        weights[f"{name}.bias"] = random.normal(0, 0.1, shape[0]).astype("<f4").astype(np.float64)
    write(folder / "model.safetensors", weights)
    golden = {
        "pairs": [[CLS] + a + [SEP] + b + [SEP] for a, b in PAIRS], "second": [len(a) + 2 for a, _ in PAIRS],
        "scores": [score(weights, config, a, b) for a, b in PAIRS]}
    (folder / "golden.json").write_text(json.dumps(golden) + "\n")


main()
