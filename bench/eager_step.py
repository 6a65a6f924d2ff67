#!/usr/bin/env python3
"""Prints the milliseconds of a training step of PyTorch eager, batches of 32, AdamW, one thread. The model is 33-64-64-3 with LayerNorm and GELU, or, with the argument flagship, the layers of BMMQA."""
import statistics, sys, time
import torch

torch.set_num_threads(1)
torch.manual_seed(2)
nn, F = torch.nn, torch.nn.functional


class Cnn(nn.Module):
    def __init__(self, widths=(16, 32, 64, 128)):
        super().__init__()
        self.stages, before = nn.ModuleList(), 1
        for w in widths:
            self.stages.append(nn.Sequential(nn.Conv2d(before, w, 3, 2, 1, bias=False), nn.GroupNorm(8, w), nn.GELU(), nn.Conv2d(w, w, 3, 1, 1, bias=False), nn.GroupNorm(8, w), nn.GELU()))
            before = w

    def forward(self, x):
        skips = []
        for stage in self.stages:
            skips.append(x)
            x = stage(x)
        return x, skips


class Attention(nn.Module):
    def __init__(self, features=(128, 64), width=64, hidden=32):
        super().__init__()
        self.values = nn.ModuleList(nn.Sequential(nn.Linear(f, width), nn.GELU()) for f in features)
        self.scores = nn.ModuleList(nn.Sequential(nn.Linear(width, hidden), nn.Tanh(), nn.Linear(hidden, 1)) for _ in features)

    def forward(self, features):
        values = [layer(f) for layer, f in zip(self.values, features)]
        weights = torch.cat([layer(v) for layer, v in zip(self.scores, values)], 1).softmax(1)
        return sum(weights[:, m : m + 1] * v for m, v in enumerate(values))


class Cascade(nn.Module):
    def __init__(self, widths=(64, 32, 16, 8), deep=128, skips=(64, 32, 16, 1), vector=64):
        super().__init__()
        self.first = nn.Conv2d(deep, widths[0], 1)
        self.skips = nn.ModuleList(nn.Conv2d(s, w, 1) for s, w in zip(skips, widths))
        self.vectors = nn.ModuleList(nn.Linear(vector, w) for w in widths)
        self.reduce = nn.ModuleList(nn.Conv2d(a, b, 1) for a, b in zip(widths, widths[1:]))
        self.mix = nn.ModuleList(nn.Sequential(nn.Conv2d(w, w, 3, 1, 1, bias=False), nn.GroupNorm(1, w), nn.GELU()) for w in widths)

    def forward(self, deepest, skips, vector):
        x = self.first(deepest)
        for level, mix in enumerate(self.mix):
            skip = self.skips[level](skips[-1 - level])
            if level:
                x = self.reduce[level - 1](x)
            x = F.interpolate(x, skip.shape[2:], mode="bilinear")
            x = mix(x + skip + self.vectors[level](vector)[:, :, None, None])
        return x


class Flagship(nn.Module):
    def __init__(self, metrics=44):
        super().__init__()
        self.dose = Cnn()
        self.metrics = nn.Sequential(nn.Linear(metrics, 64), nn.LayerNorm(64), nn.GELU(), nn.Linear(64, 64), nn.LayerNorm(64), nn.GELU())
        self.attention, self.cascade = Attention(), Cascade()
        self.gpr, self.dd = nn.Linear(64, 4), nn.Conv2d(8, 1, 1)

    def loss(self, dose, metrics, gpr, dd):
        deepest, skips = self.dose(dose)
        table = self.metrics(metrics)
        rates = self.gpr(self.attention([deepest.mean((2, 3)), table]))
        return F.huber_loss(rates, gpr) + F.mse_loss(self.dd(self.cascade(deepest, skips, table)), dd)


class Small(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Linear(33, 64), nn.LayerNorm(64), nn.GELU(), nn.Linear(64, 64), nn.GELU(), nn.Linear(64, 3))

    def loss(self, x, y):
        return (self(x) - y).square().mean()


if sys.argv[1:] == ["flagship"]:
    model, epochs = Flagship(), 6
    data = torch.rand(256, 1, 60, 60), torch.randn(256, 44), torch.randn(256, 4), torch.randn(256, 1, 60, 60)
else:
    model, epochs = Small(), 40
    data = torch.randn(2048, 33), torch.randn(2048, 3)
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=1e-2)


def epoch():
    order, total = torch.randperm(len(data[0])), 0.0
    for rows in order.split(32):
        optimizer.zero_grad()
        loss = model.loss(*(part[rows] for part in data))
        loss.backward()
        optimizer.step()
        total += loss.item()
    return total


times = []
for _ in range(epochs):
    begin = time.monotonic()
    epoch()
    times.append(1e3 * (time.monotonic() - begin) / (len(data[0]) // 32))
print(statistics.median(times[1:]))
