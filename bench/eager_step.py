#!/usr/bin/env python3
"""Prints the milliseconds of a training step of PyTorch eager: 33-64-64-3 with LayerNorm and GELU, batches of 32, AdamW, one thread."""
import statistics, time
import torch

torch.set_num_threads(1)
torch.manual_seed(2)
nn = torch.nn
model = nn.Sequential(nn.Linear(33, 64), nn.LayerNorm(64), nn.GELU(), nn.Linear(64, 64), nn.GELU(), nn.Linear(64, 3))
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=1e-2)
x, y = torch.randn(2048, 33), torch.randn(2048, 3)


def epoch():
    order, total = torch.randperm(len(x)), 0.0
    for rows in order.split(32):
        optimizer.zero_grad()
        loss = (model(x[rows]) - y[rows]).square().mean()
        loss.backward()
        optimizer.step()
        total += loss.item()
    return total


times = []
for _ in range(40):
    begin = time.monotonic()
    epoch()
    times.append(1e3 * (time.monotonic() - begin) / 64)
print(statistics.median(times[1:]))
