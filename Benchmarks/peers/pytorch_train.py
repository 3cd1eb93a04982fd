#!/usr/bin/env python3
"""The PyTorch side of the training comparison: one JSON line with tokens per second.

The model is a plain GPT in GPT-2's style (pre-norm, learned positions, tanh-GELU MLP of four times the width, biases
everywhere, output head tied to the embedding). A step is what `qalam bench train` times: draw a batch, forward,
mean cross-entropy, backward, fused AdamW. Nothing is left out on either side and no step is skipped.

    pytorch_train.py --shape a --mode eager --threads 2 --steps 4 --repeats 3
"""
import argparse
import json
import resource
import statistics
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F

# name: layers, width, heads, context, vocabulary, batch
SHAPES = {
    "a": (6, 288, 6, 256, 4096, 16),
    "b": (12, 768, 12, 512, 50257, 4),
    "c": (8, 512, 8, 512, 8192, 8),
    "tiny": (2, 64, 4, 64, 512, 4),
}


class Block(nn.Module):
    """One pre-norm transformer layer: causal attention, then an MLP."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.project = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x):
        batch, length, width = x.shape
        split = (batch, length, 3, self.heads, width // self.heads)
        q, k, v = self.qkv(self.norm1(x)).view(split).permute(2, 0, 3, 1, 4)  # each (B, H, T, D)
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.project(mixed.transpose(1, 2).reshape(batch, length, width))
        return x + self.down(F.gelu(self.up(self.norm2(x)), approximate="tanh"))


class GPT(nn.Module):
    """The whole model; `forward` gives the mean next-token loss."""

    def __init__(self, layers, width, heads, context, vocabulary):
        super().__init__()
        self.tokens, self.positions = nn.Embedding(vocabulary, width), nn.Embedding(context, width)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        for parameter in self.parameters():
            if parameter.dim() > 1:
                nn.init.normal_(parameter, std=0.02)

    def forward(self, inputs, targets):
        x = self.tokens(inputs) + self.positions.weight[: inputs.shape[1]]
        for block in self.blocks:
            x = block(x)
        logits = F.linear(self.norm(x), self.tokens.weight)
        return F.cross_entropy(logits.flatten(0, 1), targets.flatten())


def peak_rss_mb():
    """The most memory this process has held, in MB of 2^20 bytes as Qalam counts them."""
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10  # macOS counts in bytes, Linux in KiB
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def flops_per_token(model, layers, width, context):
    """Multiply-adds of the matrices, forward and backward, and of causal attention (half of the full square)."""
    matrices = sum(p.numel() for p in model.parameters()) - model.positions.weight.numel()
    return 6 * matrices + 6 * layers * width * context


def measure(options):
    """Trains for `repeats` runs of `steps` steps and returns the figures."""
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    layers, width, heads, context, vocabulary, batch = SHAPES[options.shape]
    import_rss = peak_rss_mb()
    model = GPT(layers, width, heads, context, vocabulary)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-4, betas=(0.9, 0.95), weight_decay=0.1, fused=True)
    forward = torch.compile(model) if options.mode == "compile" else model
    draws = torch.Generator().manual_seed(1)

    def step():
        ids = torch.randint(vocabulary, (batch, context + 1), generator=draws)
        with torch.autocast("cpu", torch.bfloat16, enabled=options.dtype == "bf16"):
            loss = forward(ids[:, :-1], ids[:, 1:])
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return loss.item()

    start = time.perf_counter()
    losses = [step()]
    first_step = time.perf_counter() - start
    losses.append(step())  # the second is warm too: the optimizer's state is made in the first
    rates, cpu_rates = [], []
    for _ in range(options.repeats):
        start, cpu_start = time.perf_counter(), time.process_time()
        losses += [step() for _ in range(options.steps)]
        tokens = options.steps * batch * context
        rates.append(tokens / (time.perf_counter() - start))
        cpu_rates.append(tokens * options.threads / (time.process_time() - cpu_start))
    tok_s = statistics.median(rates)
    return {
        "shape": options.shape, "mode": options.mode, "dtype": options.dtype, "threads": options.threads,
        "parameters": sum(p.numel() for p in model.parameters()),
        "tok_s": round(tok_s, 1), "low": round(min(rates), 1), "high": round(max(rates), 1),
        "cpu_tok_s": round(max(cpu_rates), 1),  # by processor time: what a machine that does nothing else might give
        "gflops": round(tok_s * flops_per_token(model, layers, width, context) / 1e9, 1),
        "peak_rss_mb": round(peak_rss_mb()), "import_rss_mb": round(import_rss),
        "first_step_s": round(first_step, 2), "loss": [round(losses[0], 4), round(losses[-1], 4)],
        "version": torch.__version__,
    }


def arguments(description, shapes):
    """The command line of a timed training; shared with `pytorch_images.py`."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--shape", choices=sorted(shapes), required=True)
    parser.add_argument("--mode", choices=["eager", "compile"], default="eager")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=3)
    return parser


def main():
    parser = arguments(__doc__.splitlines()[0], SHAPES)
    parser.add_argument("--dtype", choices=["fp32", "bf16"], default="fp32")
    print(json.dumps(measure(parser.parse_args())), flush=True)


if __name__ == "__main__":
    main()
