#!/usr/bin/env python3
"""Writes tests/support/encoder_reference.hpp: what PyTorch's modules give for weights and inputs of a formula.
Run it with a Python that has torch 2.13: make_reference.py"""
import math, pathlib
import numpy as np, torch
from torch import nn
from torch.nn import functional as F

root = pathlib.Path(__file__).resolve().parent.parent.parent


def uniform_of(name, shape):
    """Numbers in [0, 1) of a name: tests/support/by_formula.hpp computes the same."""
    start = 2166136261
    for c in name.encode():
        start = ((start ^ c) * 16777619) & 0xFFFFFFFF
    u = (start + np.arange(math.prod(shape), dtype=np.uint64) * 2654435761) & 0xFFFFFFFF
    u = ((u ^ (u >> 16)) * 0x45D9F3B) & 0xFFFFFFFF
    return torch.from_numpy((u ^ (u >> 16)).astype(np.float64) / 4294967296.0).view(shape)


def input_of(name, *shape):
    return ((uniform_of(name, shape) - 0.5) * 2).float()


@torch.no_grad()
def filled(module):
    for name, t in [*module.named_parameters(), *module.named_buffers()]:
        if not t.is_floating_point():
            continue
        u = uniform_of(name, t.shape)
        if t.dim() >= 2:
            t.copy_((u - 0.5) * (2 * math.sqrt(3 * t.shape[0] / t.numel())))
        else:
            t.copy_(u + 0.5 if name.endswith(("weight", "running_var")) else u - 0.5)
    return module.eval()


class Gru(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(3, 4, num_layers=2, bidirectional=True, batch_first=True)

    def forward(self, x, lengths):
        packed = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        return nn.utils.rnn.pad_packed_sequence(self.gru(packed)[0], batch_first=True, total_length=x.shape[1])[0]


class Transformer(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.project = nn.Linear(3, width)
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(width, 2, 4 * width, 0.0, "gelu", batch_first=True, norm_first=True) for _ in range(2)
        )
        self.norm = nn.LayerNorm(width)

    def forward(self, x, lengths):
        steps, width = x.shape[1], self.project.out_features
        rate = torch.exp(torch.arange(0, width, 2) * (-math.log(1e4) / width))
        angle = torch.arange(steps).unsqueeze(1) * rate
        padding = torch.arange(steps).unsqueeze(0) >= torch.tensor(lengths).unsqueeze(1)
        h = self.project(x) + torch.stack([angle.sin(), angle.cos()], 2).flatten(1)
        for layer in self.layers:
            h = layer(h, src_key_padding_mask=padding)
        return self.norm(h).masked_fill(padding.unsqueeze(2), 0)


class FtLayer(nn.Module):
    """A layer of the FT-Transformer: norms first, ReGLU."""

    def __init__(self, width, heads, first_norm):
        super().__init__()
        self.norm1 = nn.LayerNorm(width) if first_norm else None
        self.self_attn = nn.MultiheadAttention(width, heads, batch_first=True)
        self.norm2 = nn.LayerNorm(width)
        hidden = width * 4 // 3
        self.linear1, self.linear2 = nn.Linear(width, 2 * hidden), nn.Linear(hidden, width)

    def forward(self, x):
        h = self.norm1(x) if self.norm1 else x
        x = x + self.self_attn(h, h, h)[0]
        a, b = self.linear1(self.norm2(x)).chunk(2, -1)
        return x + self.linear2(a * F.relu(b))


class FtTransformer(nn.Module):
    def __init__(self, numbers=2, categories=(2, 3), width=8, heads=2):
        super().__init__()
        self.numbers, self.first = numbers, torch.tensor([0, categories[0] + 1])
        self.cls = nn.Parameter(torch.zeros(1, width))
        self.number_weight = nn.Parameter(torch.zeros(numbers, width))
        self.number_bias = nn.Parameter(torch.zeros(numbers, width))
        self.category_weight = nn.Parameter(torch.zeros(sum(categories) + len(categories), width))
        self.category_bias = nn.Parameter(torch.zeros(len(categories), width))
        self.layers = nn.ModuleList(FtLayer(width, heads, l > 0) for l in range(2))
        self.norm = nn.LayerNorm(width)

    def forward(self, numbers, categories):
        n = numbers.unsqueeze(2) * self.number_weight + self.number_bias
        c = self.category_weight[categories + 1 + self.first] + self.category_bias
        h = torch.cat([self.cls.expand(len(numbers), 1, -1), n, c], 1)
        for layer in self.layers:
            h = layer(h)
        return F.relu(self.norm(h[:, 0]))


class Cnn(nn.Module):
    """With place channels, in two or three dimensions."""

    def __init__(self, dimensions, widths=(4, 8)):
        super().__init__()
        conv, before, stages = (nn.Conv2d, nn.Conv3d)[dimensions - 2], 1 + dimensions, []
        for w in widths:
            stages.append(nn.ModuleList([conv(before, w, 3, 2, 1, bias=False), nn.GroupNorm(math.gcd(w, 8), w),
                                         conv(w, w, 3, 1, 1, bias=False), nn.GroupNorm(math.gcd(w, 8), w)]))
            before = w
        self.stages = nn.ModuleList(stages)

    def forward(self, x):
        lines = torch.meshgrid(*[torch.linspace(-1, 1, n) for n in x.shape[2:]], indexing="ij")
        x = torch.cat([x, *[line.expand(len(x), 1, *x.shape[2:]) for line in lines]], 1)
        for a, na, b, nb in self.stages:
            x = F.gelu(nb(b(F.gelu(na(a(x))))))
        return x


@torch.no_grad()
def references():
    lengths = [4, 1, 3]
    x = input_of("sequence", 3, 4, 3)
    yield "kGru", "[3, 4, 8]: two layers in two directions over packed sequences of 4, 1 and 3 steps", filled(Gru())(x, lengths)
    yield "kTransformer", "[3, 4, 8]: the same sequences, zero at padding", filled(Transformer())(x, lengths)
    categories = torch.tensor([[0, 2], [1, -1], [-1, 0]])
    yield "kFtTransformer", "[3, 8]", filled(FtTransformer())(input_of("table", 3, 2), categories)
    yield "kCnn2d", "[2, 8, 2, 2]", filled(Cnn(2))(input_of("image", 2, 1, 8, 6))
    yield "kCnn3d", "[1, 8, 1, 2, 2]", filled(Cnn(3))(input_of("volume", 1, 1, 4, 6, 8))


def main():
    out = ["#pragma once", "", "// Written by tests/encoders/make_reference.py.", "", "namespace support {", "", "// clang-format off"]
    for name, meaning, values in references():
        numbers = [f"{v:.8g}F" if any(c in f"{v:.8g}" for c in ".e") else f"{v:.8g}.0F" for v in values.flatten().tolist()]
        out += [f"/// {meaning}", f"inline constexpr float {name}[] = {{"]
        out += [f"    {', '.join(numbers[i : i + 10])}," for i in range(0, len(numbers), 10)] + ["};"]
    out += ["// clang-format on", "", "}  // namespace support", ""]
    (root / "tests/support/encoder_reference.hpp").write_text("\n".join(out))


main()
