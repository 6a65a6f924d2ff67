#!/usr/bin/env python3
"""Writes tests/support/boosted.hpp: a table, and what scikit-learn's gradient-boosted trees predict from it. Needs
scikit-learn, which the tests do not. All numbers of the table are multiples of 1/256, so that single precision, in
which scikit-learn holds a table, has them."""
import math, pathlib

import numpy as np
from sklearn.ensemble import GradientBoostingRegressor, HistGradientBoostingRegressor


def draw(n, seed):
    """n numbers in [0, 1)."""
    return np.array([math.modf(abs(math.sin(12.9898 * (i + 1) + 78.233 * seed)) * 43758.5453)[0] for i in range(n)])


N, TRAIN = 160, 100
x = np.column_stack([np.round(draw(N, f) * 1024) / 256 for f in range(1, 5)])
y = np.round(256 * (5 * np.abs(x[:, 0] - 2) + x[:, 1] * x[:, 2] + 2 * (draw(N, 9) - 0.5))) / 256
train, test = slice(0, TRAIN), slice(TRAIN, N)


def rmse(model):
    return float(np.sqrt(np.mean((model.fit(x[train], y[train]).predict(x[test]) - y[test]) ** 2)))


exact = GradientBoostingRegressor(n_estimators=60, learning_rate=0.1, max_depth=3, min_samples_leaf=5, random_state=1)
exact.fit(x[train], y[train])
drawn = [rmse(GradientBoostingRegressor(n_estimators=200, learning_rate=0.1, max_depth=3, min_samples_leaf=5,
                                        subsample=0.7, random_state=s)) for s in range(10)]
binned = rmse(HistGradientBoostingRegressor(max_iter=200, learning_rate=0.1, max_depth=3, min_samples_leaf=5,
                                            early_stopping=False, random_state=1))


def rows(values):
    return "\n".join("    " + ", ".join(f"{v:.17g}" for v in row) + "," for row in values)


table = np.column_stack([x, y])
predicted = np.array_split(exact.predict(x[test]), N - TRAIN)
text = f"""// SPDX-License-Identifier: MIT
#pragma once

/// \\file
/// A table and what scikit-learn's boosted trees predict from it, written by tests/evaluation/make_boosted.py.

namespace support::boosted {{

inline constexpr int rows = {N}, training_rows = {TRAIN}, features = {x.shape[1]};

/// [rows][features + 1], the target last; the first rows are for training.
inline constexpr double table[] = {{
{rows(table)}
}};

/// Of the other rows: 60 trees of depth 3, leaves of at least 5 records, shrinkage 0.1, all records.
inline constexpr double predicted[] = {{
{rows(predicted)}
}};

/// Root mean squared errors of the other rows. 200 trees, each on 70 % of the records, mean of ten seeds, and its
/// standard deviation over seeds; the same trees on all records with the features in bins.
inline constexpr double rmse_of_drawn = {np.mean(drawn):.17g}, rmse_sd = {np.std(drawn, ddof=1):.17g};
inline constexpr double rmse_of_binned = {binned:.17g};

}}  // namespace support::boosted
"""
(pathlib.Path(__file__).parent.parent / "support/boosted.hpp").write_text(text)
