#!/usr/bin/env python3
"""Writes tests/support/mmtm_reference.hpp: what a model with MMTM gives in PyTorch, for weights and inputs of a formula.
Each record goes through alone, its signal cut to its length. Run it with a Python that has torch 2.13: make_reference.py"""
import math, pathlib, sys
import torch
from torch import nn
from torch.nn import functional as F

root = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(root / "tests/support"))
from by_formula import input_of, uniform_of


def weight(name, *shape):
    u = uniform_of(name, shape)
    if len(shape) >= 2:
        return ((u - 0.5) * (2 * math.sqrt(3 * shape[0] / math.prod(shape)))).float()
    return (u + 0.5 if name.endswith("weight") else u - 0.5).float()


class Mmtm(nn.Module):
    """The module of the paper's code for any number of modalities, with the paper's factor 2."""

    def __init__(self, place, channels):
        super().__init__()
        hidden = int(2 * sum(channels) / 4)
        self.fc_squeeze = nn.Linear(sum(channels), hidden)
        self.fc = nn.ModuleList(nn.Linear(hidden, c) for c in channels)
        with torch.no_grad():
            self.fc_squeeze.weight.copy_(torch.cat([weight(f"{place}.squeeze.{m}.weight", hidden, c) for m, c in enumerate(channels)], 1))
            self.fc_squeeze.bias.copy_(weight(f"{place}.bias", hidden))
            for m, c in enumerate(channels):
                self.fc[m].weight.copy_(weight(f"{place}.excite.{m}.weight", c, hidden))
                self.fc[m].bias.copy_(weight(f"{place}.excite.{m}.bias", c))
        self.channels = channels

    def forward(self, features):
        squeeze = [torch.zeros(1, c) if h is None else h.flatten(2).mean(2) for h, c in zip(features, self.channels)]
        u = F.relu(self.fc_squeeze(torch.cat(squeeze, 1)))
        gates = [2 * torch.sigmoid(fc(u)) for fc in self.fc]
        return [None if h is None else h * g.view(1, -1, *[1] * (h.dim() - 2)) for h, g in zip(features, gates)]


def convolutions(place, before, width, x):
    kernel = (3, 3) if x.dim() == 4 else (1, 3)
    conv = F.conv2d if x.dim() == 4 else F.conv1d
    for layer, inside, stride in ((0, before, 2), (2, width, 1)):
        w = weight(f"{place}.{layer}.weight", width, inside, *kernel)
        x = conv(x, w if x.dim() == 4 else w.squeeze(2), stride=stride, padding=1)
        norm = f"{place}.{layer + 1}"
        x = F.gelu(F.group_norm(x, math.gcd(width, 8), weight(f"{norm}.weight", width), weight(f"{norm}.bias", width)))
    return x


def perceptron(place, l, before, width, x):
    x = F.linear(x.flatten(1), weight(f"{place}.{2 * l}.weight", width, before), weight(f"{place}.{2 * l}.bias", width))
    norm = f"{place}.{2 * l + 1}"
    return F.gelu(F.layer_norm(x, [width], weight(f"{norm}.weight", width), weight(f"{norm}.bias", width))).unsqueeze(2)


def stage(s, features):
    image, signal, table = features
    return [None if image is None else convolutions(f"encoders.image.stages.{s}", (1, 4)[s], (4, 8)[s], image),
            None if signal is None else convolutions(f"encoders.signal.stages.{s}", (2, 4)[s], (4, 6)[s], signal),
            None if table is None else perceptron("encoders.table.layers", s, (4, 6)[s], (6, 5)[s], table)]


def predict(features, fused):
    """[outputs] of one record's inputs; with exchanges or without."""
    place, head, outputs = ("fusions.y.last", "heads.y.linear", 3) if fused else ("fusions.z", "heads.z.linear", 2)
    for s, channels in enumerate([(4, 4, 6), (8, 6, 5)]):
        features = stage(s, features)
        if fused:
            features = Mmtm(f"fusions.y.exchanges.{s}", channels)(features)
    joint = weight(f"{place}.bias", 6)
    for m, (h, c) in enumerate(zip(features, (8, 6, 5))):
        if h is not None:
            joint = joint + F.linear(h.flatten(2).mean(2), weight(f"{place}.blocks.{m}.weight", 6, c))
    return F.linear(F.gelu(joint), weight(f"{head}.weight", outputs, 6), weight(f"{head}.bias", outputs))[0]


@torch.no_grad()
def references():
    image, signal, table = input_of("image", 3, 1, 8, 6), input_of("signal", 3, 8, 2), input_of("table", 3, 4)
    inputs = [(image[i : i + 1], signal[i : i + 1, :length].transpose(1, 2), table[i : i + 1]) for i, length in enumerate((8, 5, 4))]

    def of(coalition, fused):
        return torch.stack([predict([x if coalition >> m & 1 else None for m, x in enumerate(record)], fused) for record in inputs])

    yield "kMmtm", "[7, 3, 3]: each coalition but the empty one, each record", torch.stack([of(c, True) for c in range(1, 8)])
    yield "kWithoutMmtm", "[3, 2]: the other task, whose fusion has no exchange", of(7, False)


def main():
    out = ["#pragma once", "", "// Written by tests/fusion/make_reference.py.", "", "namespace support {", "", "// clang-format off"]
    for name, meaning, values in references():
        numbers = [f"{v:.8g}F" if any(c in f"{v:.8g}" for c in ".e") else f"{v:.8g}.0F" for v in values.flatten().tolist()]
        out += [f"/// {meaning}", f"inline constexpr float {name}[] = {{"]
        out += [f"    {', '.join(numbers[i : i + 10])}," for i in range(0, len(numbers), 10)] + ["};"]
    out += ["// clang-format on", "", "}  // namespace support", ""]
    (root / "tests/support/mmtm_reference.hpp").write_text("\n".join(out))


main()
