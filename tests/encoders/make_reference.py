#!/usr/bin/env python3
"""Writes tests/support/encoder_reference.hpp: what PyTorch's modules give for weights and inputs of a formula. Writes
resnet18_narrow.safetensors and scripted.pt beside it, two files that Python saved.
Run it with a Python that has torch 2.13 and safetensors: make_reference.py"""
import collections, io, math, pathlib, sys, zipfile
import torch
from torch import nn
from torch.nn import functional as F

root = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(root / "tests/support"))
from by_formula import input_of, uniform_of


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


class Block(nn.Module):
    """A residual block with the names of torchvision."""

    def __init__(self, before, planes, stride, bottleneck):
        super().__init__()
        after = planes * (4 if bottleneck else 1)
        sizes = [(before, planes, 1, 1), (planes, planes, 3, stride), (planes, after, 1, 1)] if bottleneck else [
            (before, planes, 3, stride), (planes, planes, 3, 1)]
        self.layers = len(sizes)
        for i, (a, b, kernel, step) in enumerate(sizes, 1):
            setattr(self, f"conv{i}", nn.Conv2d(a, b, kernel, step, kernel // 2, bias=False))
            setattr(self, f"bn{i}", nn.BatchNorm2d(b))
        self.downsample = None
        if stride != 1 or before != after:
            self.downsample = nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))

    def forward(self, x):
        h = x
        for i in range(1, self.layers + 1):
            h = getattr(self, f"bn{i}")(getattr(self, f"conv{i}")(h))
            h = F.relu(h) if i < self.layers else h
        return F.relu(h + (self.downsample(x) if self.downsample else x))


class ResNet(nn.Module):
    """torchvision's ResNet without its classifier."""

    def __init__(self, depth, width=64):
        super().__init__()
        bottleneck, before = depth == 50, width
        self.conv1, self.bn1 = nn.Conv2d(3, width, 7, 2, 3, bias=False), nn.BatchNorm2d(width)
        for g, blocks in enumerate([2, 2, 2, 2] if depth == 18 else [3, 4, 6, 3]):
            layers = []
            for b in range(blocks):
                layers.append(Block(before, width << g, 2 if b == 0 and g > 0 else 1, bottleneck))
                before = (width << g) * (4 if bottleneck else 1)
            setattr(self, f"layer{g + 1}", nn.Sequential(*layers))

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        return self.layer4(self.layer3(self.layer2(self.layer1(x)))).mean((2, 3))


class VitLayer(nn.Module):
    def __init__(self, width, heads, hidden):
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(width, eps=1e-6), nn.LayerNorm(width, eps=1e-6)
        self.self_attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.mlp = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Dropout(0), nn.Linear(hidden, width))

    def forward(self, x):
        h = self.ln_1(x)
        x = x + self.self_attention(h, h, h)[0]
        return x + self.mlp(self.ln_2(x))


class Vit(nn.Module):
    """torchvision's vision transformer without its classifier."""

    def __init__(self, image=8, patch=4, width=8, layers=2, heads=2, hidden=16):
        super().__init__()
        self.class_token = nn.Parameter(torch.zeros(1, 1, width))
        self.conv_proj = nn.Conv2d(3, width, patch, patch)
        self.encoder = nn.Module()
        self.encoder.pos_embedding = nn.Parameter(torch.zeros(1, 1 + (image // patch) ** 2, width))
        named = {f"encoder_layer_{i}": VitLayer(width, heads, hidden) for i in range(layers)}
        self.encoder.layers = nn.Sequential(collections.OrderedDict(named))
        self.encoder.ln = nn.LayerNorm(width, eps=1e-6)

    def forward(self, x):
        patches = self.conv_proj(x).flatten(2).transpose(1, 2)
        h = torch.cat([self.class_token.expand(len(x), -1, -1), patches], 1) + self.encoder.pos_embedding
        return self.encoder.ln(self.encoder.layers(h))[:, 0]


@torch.no_grad()
def narrow_file():
    """The safetensors file of a ResNet-18 two channels wide, as Python's library writes it, with a classifier."""
    from safetensors.torch import save_file

    torch.manual_seed(1)
    net = ResNet(18, 2)
    for name, t in [*net.named_parameters(), *net.named_buffers()]:  # weights that no formula of the tests knows
        if t.is_floating_point():
            t.copy_(torch.rand_like(t) + 0.5 if "running_var" in name else torch.randn_like(t) * 0.25)
    state = {**net.state_dict(), "fc.weight": torch.randn(3, 16), "fc.bias": torch.randn(3)}
    save_file(state, root / "tests/encoders/resnet18_narrow.safetensors", {"format": "pt"})
    return net.eval()


class Script(nn.Module):
    """What is saved as TorchScript: layers in two levels, statistics of batches, dropout, a branch on the input."""

    def __init__(self):
        super().__init__()
        self.first = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8))
        self.drop = nn.Dropout(0.5)
        self.last = nn.Linear(8, 6)

    def forward(self, x):
        if x.dim() != 2:
            raise ValueError("expected a table")
        return self.last(self.drop(F.relu(self.first(x))))


def scripted_file():
    """The TorchScript file, saved in evaluation, without what TorchScript notes of the sources' place."""
    net, written = filled(Script()), io.BytesIO()
    torch.jit.save(torch.jit.script(net), written)
    with zipfile.ZipFile(written) as whole, zipfile.ZipFile(root / "tests/encoders/scripted.pt", "w") as kept:
        for entry in whole.infolist():
            if not entry.filename.endswith(".debug_pkl"):
                kept.writestr(zipfile.ZipInfo(entry.filename), whole.read(entry))
    return net


@torch.no_grad()
def references():
    lengths = [4, 1, 3]
    x = input_of("sequence", 3, 4, 3)
    yield "kGru", "[3, 4, 8]: two layers in two directions over packed sequences of 4, 1 and 3 steps", filled(Gru())(x, lengths)
    yield "kTransformer", "[3, 4, 8]: the same sequences, zero at padding", filled(Transformer())(x, lengths)
    categories = torch.tensor([[0, 2], [1, -1], [-1, 0]])
    yield "kFtTransformer", "[3, 8]", filled(FtTransformer())(input_of("table", 3, 2), categories)
    yield "kCnn2d", "[2, 8, 2, 2]", filled(Cnn(2))(input_of("image", 2, 1, 8, 6))
    photo = input_of("photo", 1, 3, 64, 64)
    yield "kResNet18", "[1, 512]: means of the deepest map", filled(ResNet(18))(photo)
    yield "kResNet50", "[1, 256]: the same, eight channels wide", filled(ResNet(50, 8))(photo)
    yield "kResNet18File", "[1, 16]: of resnet18_narrow.safetensors", narrow_file()(photo)
    yield "kScripted", "[5, 6]: of scripted.pt", scripted_file()(input_of("columns", 5, 4))
    yield "kVit", "[2, 8]: the class token", filled(Vit())(input_of("tiles", 2, 3, 8, 8))
    yield "kCnn3d", "[1, 8, 1, 2, 2]", filled(Cnn(3))(input_of("volume", 1, 1, 4, 6, 8))


def main():
    out = ["#pragma once", "", "// Written by tests/encoders/make_reference.py.", "", "namespace support {", "", "// clang-format off"]
    for name, meaning, values in references():
        numbers = [f"{v:.8g}F" if any(c in f"{v:.8g}" for c in ".e") else f"{v:.8g}.0F" for v in values.flatten().tolist()]
        out += [f"/// {meaning}", f"inline constexpr float {name}[] = {{"]
        out += [f"    {', '.join(numbers[i : i + 10])}," for i in range(0, len(numbers), 10)] + ["};"]
    out += ["// clang-format on", "", "}  // namespace support", ""]
    (root / "tests/support/encoder_reference.hpp").write_text("\n".join(out))


if __name__ == "__main__":
    main()
