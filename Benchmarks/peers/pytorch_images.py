#!/usr/bin/env python3
"""The PyTorch side of the training comparison for the models that draw: one JSON line with pictures per second.

The models are those of `qalam bench train --shape image-tokenizer` and `--shape image`, layer for layer: an
autoencoder of 3×3 convolutions with finite scalar quantization, and a flow transformer with adaptive layer norm. A
step is random data, forward, mean squared error, backward, fused AdamW. Convolutions get the memory format that is
faster for them here (channels last).

    pytorch_images.py --shape image --mode eager --threads 2 --steps 4 --repeats 3
"""
import json
import math
import statistics
import time

import torch
from pytorch_train import arguments, peak_rss_mb
from torch import nn
from torch.nn import functional as F

LEVELS = (8, 5, 5, 5)
FINE, COARSE = 32, 96


class RMSNorm(nn.Module):
    """Over the channels of (B, C, H, W)."""

    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x):
        scale = torch.rsqrt(x.square().mean(1, keepdim=True) + 1e-6)
        return x * scale * self.weight[:, None, None]


class ConvolutionBlock(nn.Module):
    """x + down(gelu(up(norm(convolution(x)))))."""

    def __init__(self, width):
        super().__init__()
        self.mix, self.norm = nn.Conv2d(width, width, 3, padding=1), RMSNorm(width)
        self.up, self.down = nn.Conv2d(width, 2 * width, 1), nn.Conv2d(2 * width, width, 1)

    def forward(self, x):
        return x + self.down(F.gelu(self.up(self.norm(self.mix(x))), approximate="tanh"))


def quantize(x):
    """Finite scalar quantization of (B, D, H, W); the gradient passes the rounding."""
    levels = torch.tensor(LEVELS, dtype=x.dtype)[:, None, None]
    half = (levels - 1) * 1.001 / 2
    offset = torch.where(levels % 2 == 0, 0.5, 0.0)
    bounded = torch.tanh(x + torch.atanh(offset / half)) * half - offset
    return (bounded + (bounded.round() - bounded).detach()) / (levels // 2)


class ImageTokenizer(nn.Module):
    """`forward` gives the mean squared error of the reconstruction of (B, 4, 64, 64)."""

    def __init__(self):
        super().__init__()

        def blocks(count, width):
            return [ConvolutionBlock(width) for _ in range(count)]

        self.encoder = nn.Sequential(
            nn.PixelUnshuffle(2), nn.Conv2d(16, FINE, 3, padding=1), *blocks(1, FINE), nn.PixelUnshuffle(2),
            nn.Conv2d(4 * FINE, COARSE, 1), *blocks(2, COARSE), nn.Conv2d(COARSE, len(LEVELS), 1))
        self.decoder = nn.Sequential(
            nn.Conv2d(len(LEVELS), COARSE, 1), *blocks(3, COARSE), nn.Conv2d(COARSE, 4 * FINE, 1), nn.PixelShuffle(2),
            *blocks(2, FINE), RMSNorm(FINE), nn.Conv2d(FINE, 16, 3, padding=1), nn.PixelShuffle(2))

    def forward(self, x):
        return F.mse_loss(self.decoder(quantize(self.encoder(x))), x)

    @staticmethod
    def data(draws):
        x = torch.rand(32, 4, 64, 64, generator=draws) * 2 - 1
        return (x.to(memory_format=torch.channels_last),)


WIDTH, HEADS, LAYERS, VOCABULARY, TEXT, TOKENS, PATCH = 192, 6, 6, 2048, 24, 64, 16


class FlowBlock(nn.Module):
    """Attention and feed-forward, each modulated before and gated after."""

    def __init__(self):
        super().__init__()
        self.table = nn.Parameter(torch.randn(6 * WIDTH) * 0.3)
        self.qkv, self.output = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.up, self.down = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, x, shared):
        scale1, shift1, gate1, scale2, shift2, gate2 = (shared + self.table)[:, None].chunk(6, -1)
        batch, length, _ = x.shape
        qkv = self.qkv(norm(x) * (1 + scale1) + shift1)
        q, k, v = qkv.view(batch, length, 3, HEADS, WIDTH // HEADS).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(batch, length, WIDTH)
        x = x + self.output(mixed) * gate1
        return x + self.down(F.gelu(self.up(norm(x) * (1 + scale2) + shift2), approximate="tanh")) * gate2


def norm(x):
    """Layer norm without weights."""
    return F.layer_norm(x, (WIDTH,), eps=1e-6)


class Flow(nn.Module):
    """`forward` gives the mean squared error of the predicted clean codes (B, 64, 16)."""

    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(VOCABULARY + 1, WIDTH)
        self.word_positions = nn.Parameter(torch.randn(TEXT, WIDTH) * 0.1)
        self.image_positions = nn.Parameter(torch.randn(TOKENS, WIDTH) * 0.1)
        self.patches, self.text_summary = nn.Linear(PATCH, WIDTH), nn.Linear(WIDTH, WIDTH)
        self.time_up, self.time_down = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH)
        self.modulations = nn.Linear(WIDTH, 6 * WIDTH)
        self.blocks = nn.ModuleList(FlowBlock() for _ in range(LAYERS))
        self.final_table = nn.Parameter(torch.randn(2 * WIDTH) * 0.02)
        self.head = nn.Linear(WIDTH, PATCH)

    def forward(self, noisy, clean, times, text):
        read = self.words(text) + self.word_positions
        half = WIDTH // 2
        angles = times[:, None] * 1000 * torch.exp(torch.arange(half) * (-math.log(10000) / half))
        time_rows = F.gelu(self.time_up(torch.cat([angles.cos(), angles.sin()], 1)), approximate="tanh")
        condition = self.time_down(time_rows) + self.text_summary(read.mean(1))
        shared = self.modulations(condition)
        x = torch.cat([read, self.patches(noisy) + self.image_positions], 1)
        for block in self.blocks:
            x = block(x, shared)
        scale, shift = (self.final_table + condition.repeat(1, 2))[:, None].chunk(2, -1)
        return F.mse_loss(self.head(norm(x[:, TEXT:]) * (1 + scale) + shift), clean)

    @staticmethod
    def data(draws):
        noisy, clean = (torch.rand(48, TOKENS, PATCH, generator=draws) * 2 - 1 for _ in range(2))
        return noisy, clean, torch.rand(48, generator=draws), torch.randint(VOCABULARY, (48, TEXT), generator=draws)


MODELS = {"image-tokenizer": ImageTokenizer, "image": Flow}


def measure(options):
    """Trains for `repeats` runs of `steps` steps and returns the figures."""
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    import_rss = peak_rss_mb()
    model = MODELS[options.shape]()
    if options.shape == "image-tokenizer":
        model = model.to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-4, betas=(0.9, 0.95), weight_decay=0.1, fused=True)
    forward = torch.compile(model) if options.mode == "compile" else model
    draws = torch.Generator().manual_seed(1)
    pictures = len(model.data(draws)[0])

    def step():
        loss = forward(*model.data(draws))
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return loss.item()

    losses = [step(), step()]
    rates = []
    for _ in range(options.repeats):
        start = time.perf_counter()
        losses += [step() for _ in range(options.steps)]
        rates.append(options.steps * pictures / (time.perf_counter() - start))
    return {
        "shape": options.shape, "mode": options.mode, "threads": options.threads,
        "parameters": sum(p.numel() for p in model.parameters()), "img_s": round(statistics.median(rates), 2),
        "low": round(min(rates), 2), "high": round(max(rates), 2), "peak_rss_mb": round(peak_rss_mb()),
        "import_rss_mb": round(import_rss), "loss": [round(losses[0], 4), round(losses[-1], 4)],
        "version": torch.__version__,
    }


def main():
    options = arguments(__doc__.splitlines()[0], MODELS).parse_args()
    print(json.dumps(measure(options)), flush=True)


if __name__ == "__main__":
    main()
