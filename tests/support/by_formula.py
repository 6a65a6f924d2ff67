"""Weights and inputs from a formula of a name and an index, which by_formula.hpp computes too."""
import math

import numpy as np, torch


def uniform_of(name, shape):
    """Numbers in [0, 1) of a name."""
    start = 2166136261
    for c in name.encode():
        start = ((start ^ c) * 16777619) & 0xFFFFFFFF
    u = (start + np.arange(math.prod(shape), dtype=np.uint64) * 2654435761) & 0xFFFFFFFF
    u = ((u ^ (u >> 16)) * 0x45D9F3B) & 0xFFFFFFFF
    return torch.from_numpy((u ^ (u >> 16)).astype(np.float64) / 4294967296.0).view(shape)


def input_of(name, *shape):
    """An input: numbers in [-1, 1)."""
    return ((uniform_of(name, shape) - 0.5) * 2).float()
