#!/usr/bin/env python3
"""Writes tests/support/task_metrics.hpp: metrics of predictions by scikit-learn, SciPy, scikit-image, MedPy
and lifelines. The test draws the same numbers by `draw`. Needs those packages, which the tests do not."""
import math, pathlib

import numpy as np
from lifelines.utils import concordance_index
from medpy.metric.binary import hd95
from scipy import ndimage, signal, stats
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


def ms_ssim(a, b, scales, L=2.0):
    """Wang, Simoncelli, Bovik 2003, as in their MATLAB program: SSIM at the last scale, 2 x 2 means, the last row repeated at odd sides."""
    weights = np.array([0.0448, 0.2856, 0.3001, 0.2363, 0.1333])[:scales]
    weights = weights if scales == 5 else weights / weights.sum()
    g = np.exp(-0.5 * (np.arange(-5, 6) / 1.5) ** 2)
    window = np.outer(g, g) / g.sum() ** 2
    local = lambda x: signal.convolve2d(x, window, mode="valid")
    c1, c2, out = (0.01 * L) ** 2, (0.03 * L) ** 2, 1.0
    for j in range(scales):
        ma, mb = local(a), local(b)
        va, vb, vab = local(a * a) - ma**2, local(b * b) - mb**2, local(a * b) - ma * mb
        cs, l = (2 * vab + c2) / (va + vb + c2), (2 * ma * mb + c1) / (ma**2 + mb**2 + c1)
        out *= max((cs if j < scales - 1 else l * cs).mean(), 0) ** weights[j]
        a, b = (ndimage.uniform_filter(x, 2, mode="nearest", origin=-1)[::2, ::2] for x in (a, b))
    return out


# Maps in 64ths, which single precision holds: 161 x 176 pixels for five scales, 45 x 41 for three.
def coarse(n, seed):
    return np.floor(draw(n, seed) * 64) / 64


for name, height, width, scales in (("ms_ssim", 161, 176, 5), ("ms_ssim_of_3_scales", 45, 41, 3)):
    a = (coarse(height * width, 14) * 2).reshape(height, width)
    out[name] = ms_ssim(a + coarse(height * width, 15).reshape(height, width) - 0.5, a, scales)

# Class maps of three classes.
regions = (draw(3 * 6 * 5, 9) * 3).astype(int).reshape(3, 30)
scores = draw(3 * 3 * 30, 10).reshape(3, 3, 30)
out["dice"] = float(np.mean([sk.f1_score(t == c, s.argmax(0) == c) for t, s in zip(regions, scores) for c in (1, 2)]))
# Two discs a class in each of two records, and what a predicted map has elsewhere.
rows, columns = np.mgrid[:20, :24]
truth = [np.where((rows - 7 - i) ** 2 + (columns - 6) ** 2 < 20, 1, np.where((rows - 9) ** 2 + (columns - 17 + i) ** 2 < 12, 2, 0)) for i in range(2)]
said = [np.where((rows - 9) ** 2 + (columns - 7 - 3 * i) ** 2 < 25, 1, np.where((rows - 12 + i) ** 2 + (columns - 16) ** 2 < 8, 2, 0)) for i in range(2)]
for name, spacing in (("hausdorff95", (1, 1)), ("hausdorff95_in_mm", (2.5, 1.25))):
    out[name] = float(np.mean([hd95(s == c, t == c, voxelspacing=spacing) for t, s in zip(truth, said) for c in (1, 2)]))
noisy = (draw(20 * 24, 16).reshape(20, 24) > 0.8, draw(20 * 24, 17).reshape(20, 24) > 0.7)
out["hausdorff95_of_noise"] = hd95(*noisy, voxelspacing=(0.7, 1.1))

# Two volumes of 4 x 22 x 23 voxels. SSIM and MS-SSIM are those of the slices, the others those of the volume.
volumes = (coarse(2 * 4 * 22 * 23, 18) * 2).reshape(2, 4, 22, 23)
said = volumes + coarse(volumes.size, 19).reshape(volumes.shape) - 0.5 + np.arange(4).reshape(4, 1, 1) / 4
out["of_volumes_mae"] = sk.mean_absolute_error(volumes.flatten(), said.flatten())
out["of_volumes_rmse"] = sk.root_mean_squared_error(volumes.flatten(), said.flatten())
out["of_volumes_psnr"] = float(np.mean([peak_signal_noise_ratio(a, b, data_range=2.0) for a, b in zip(volumes, said)]))
slices = [(a, b) for of_a, of_b in zip(volumes, said) for a, b in zip(of_a, of_b)]
out["of_volumes_ssim"] = float(np.mean([ssim(a, b) for a, b in slices]))
out["of_volumes_ms_ssim"] = float(np.mean([ms_ssim(b, a, 2) for a, b in slices]))

# Two balls a class in each of two records of 9 x 20 x 24 voxels.
z, y, x = np.mgrid[:9, :20, :24]
ball = lambda at, size: (z - at[0]) ** 2 + (y - at[1]) ** 2 + (x - at[2]) ** 2 < size
truth = [np.where(ball((3 + i, 7, 6), 12), 1, np.where(ball((5, 9, 17 - i), 10), 2, 0)) for i in range(2)]
said = [np.where(ball((5, 8, 6 + 3 * i), 16), 1, np.where(ball((3, 11 - i, 16), 14), 2, 0)) for i in range(2)]
out["of_volumes_dice"] = float(np.mean([sk.f1_score((t == c).flatten(), (s == c).flatten()) for t, s in zip(truth, said) for c in (1, 2)]))
for name, spacing in (("of_volumes_hausdorff95", (1, 1, 1)), ("of_volumes_hausdorff95_in_mm", (3, 2.5, 1.25))):
    out[name] = float(np.mean([hd95(s == c, t == c, voxelspacing=spacing) for t, s in zip(truth, said) for c in (1, 2)]))
noisy = (draw(6 * 8 * 10, 20).reshape(6, 8, 10) > 0.9, draw(6 * 8 * 10, 21).reshape(6, 8, 10) > 0.5)
out["hausdorff95_of_noise_in_a_volume"] = hd95(*noisy, voxelspacing=(1.9, 0.7, 1.1))

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
