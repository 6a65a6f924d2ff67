#!/usr/bin/env python3
"""Writes tests/support/task_metrics.hpp: metrics of predictions by scikit-learn, SciPy, scikit-image and
lifelines. The test draws the same numbers by `draw`. Needs those packages, which the tests do not."""
import math, pathlib

import numpy as np
from lifelines.utils import concordance_index
from scipy import stats
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from sklearn import metrics as sk


def draw(n, seed):
    """n numbers in [0, 1)."""
    return np.array([math.modf(abs(math.sin(12.9898 * (i + 1) + 78.233 * seed)) * 43758.5453)[0] for i in range(n)])


def softmax(z):
    e = np.exp(z - z.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def ece(confidence, right, bins=15):
    """Guo et al. 2017, eq. 3."""
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    return sum(abs(right[place == b].sum() - confidence[place == b].sum()) for b in range(bins)) / len(confidence)


N = 40
out = {}

# Two outputs; every fifth entry is missing. Rounded predictions have ties.
y = (draw(2 * N, 1) * 4).reshape(N, 2)
z = np.round(y + draw(2 * N, 2).reshape(N, 2) * 3 - 1, 1)
y[np.arange(2 * N).reshape(N, 2) % 5 == 0] = np.nan
columns = [(y[~np.isnan(y[:, o]), o], z[~np.isnan(y[:, o]), o]) for o in range(2)]
of = lambda f: float(np.mean([f(a, b) for a, b in columns]))
out["mae"] = of(sk.mean_absolute_error)
out["rmse"] = of(sk.root_mean_squared_error)
out["r2"] = of(sk.r2_score)
out["pearson"] = of(lambda a, b: stats.pearsonr(a, b)[0])
out["spearman"] = of(lambda a, b: stats.spearmanr(a, b)[0])
out["absolute_bias"] = of(lambda a, b: abs(np.mean(b - a)))

for classes in (2, 4):
    truth = (draw(N, 3) ** 2 * classes).astype(int)
    logits = np.round(draw(N * classes, 4).reshape(N, classes) * 4 + 1.5 * np.eye(classes)[truth], 1)
    p, best = softmax(logits), logits.argmax(1)
    kind = f"of_{classes}_classes_"
    out[kind + "balanced_accuracy"] = sk.balanced_accuracy_score(truth, best)
    out[kind + "macro_f1"] = sk.f1_score(truth, best, average="macro")
    out[kind + "auroc"] = sk.roc_auc_score(truth, p[:, 1] if classes == 2 else p, multi_class="ovr")
    one_hot = np.eye(classes)[truth]
    out[kind + "auprc"] = sk.average_precision_score(truth if classes == 2 else one_hot, p[:, 1] if classes == 2 else p)
    out[kind + "brier"] = sk.brier_score_loss(truth, p[:, 1] if classes == 2 else p)
    out[kind + "ece"] = ece(p.max(1), best == truth)

# Three labels.
truth = draw(3 * N, 5).reshape(N, 3) > 0.6
logits = np.round(draw(3 * N, 6).reshape(N, 3) * 4 - 2.5 + 1.5 * truth, 1)
p = 1 / (1 + np.exp(-logits))
out["of_labels_balanced_accuracy"] = float(np.mean([sk.balanced_accuracy_score(truth[:, l], p[:, l] >= 0.5) for l in range(3)]))
out["of_labels_macro_f1"] = sk.f1_score(truth, p >= 0.5, average="macro")
out["of_labels_auroc"] = sk.roc_auc_score(truth, p, average="macro")
out["of_labels_auprc"] = sk.average_precision_score(truth, p, average="macro")
out["of_labels_brier"] = float(np.mean([sk.brier_score_loss(truth[:, l], p[:, l]) for l in range(3)]))
out["of_labels_ece"] = ece(p.flatten(), truth.flatten())

# Three maps of 16 x 14 pixels.
maps = (draw(3 * 16 * 14, 7) * 2).reshape(3, 16, 14)
said = maps + draw(3 * 16 * 14, 8).reshape(3, 16, 14) - 0.5
ssim = lambda a, b: structural_similarity(a, b, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=2.0)
out["ssim"] = float(np.mean([ssim(a, b) for a, b in zip(maps, said)]))
out["psnr"] = float(np.mean([peak_signal_noise_ratio(a, b, data_range=2.0) for a, b in zip(maps, said)]))

# Class maps of three classes.
regions = (draw(3 * 6 * 5, 9) * 3).astype(int).reshape(3, 30)
scores = draw(3 * 3 * 30, 10).reshape(3, 3, 30)
out["dice"] = float(np.mean([sk.f1_score(t == c, s.argmax(0) == c) for t, s in zip(regions, scores) for c in (1, 2)]))

# Times in whole units have ties.
time, event = np.ceil(draw(N, 11) * 20), draw(N, 12) > 0.3
risk = np.round(-time / 8 + draw(N, 13) * 3, 1)
out["c_index"] = concordance_index(time, -risk, event)

lines = "".join(f"inline constexpr double {name} = {float(value)!r};\n" for name, value in out.items())
target = pathlib.Path(__file__).resolve().parent.parent / "support/task_metrics.hpp"
target.write_text(f"""// SPDX-License-Identifier: MIT
#pragma once

/// \\file
/// Metrics of predictions, written by tests/evaluation/make_task_metrics.py.

namespace support::reference {{

{lines}
}}  // namespace support::reference
""")
print(lines)
