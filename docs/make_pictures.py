#!/usr/bin/env python3
"""Draws docs/simulator.png and docs/cohort.png from a cohort that psqa simulates now, or from `--cohort FOLDER`. Needs numpy and matplotlib."""
import argparse, csv, pathlib, subprocess, tempfile

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

root = pathlib.Path(__file__).resolve().parent.parent
arguments = argparse.ArgumentParser(description=__doc__)
arguments.add_argument("--cohort", type=pathlib.Path, help="a cohort of at least 300 plans; simulated when not given")
arguments.add_argument("--psqa", default=str(root / "build/bin/psqa"), help="the program")
given = arguments.parse_args()
psqa = given.psqa
plt.rcParams.update({"font.size": 9, "axes.titlesize": 10, "axes.spines.top": False, "axes.spines.right": False, "figure.dpi": 110})


def maps(folder, rows, planned, measured):
    """One record of median passing rate: plan, measurement, difference, gamma."""
    order = sorted((float(r["gpr_2_2"]), i) for i, r in enumerate(rows) if r["site"] == "head_and_neck")
    rate, i = order[len(order) // 2]
    np.save(folder / "p.npy", planned[i]), np.save(folder / "m.npy", measured[i])
    subprocess.run([psqa, "gamma", "m.npy", "p.npy", "--spacing", "2", "--map", "g.npy"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    top = planned[i].max()
    figure, axes = plt.subplots(1, 4, figsize=(12.5, 3.1), layout="constrained")
    extent = [-120, 120, -120, 120]
    for axis, image, title, kind in [(axes[0], planned[i], "planned, Gy", dict(cmap="viridis", vmin=0, vmax=top)),
                                     (axes[1], measured[i], "measured, Gy", dict(cmap="viridis", vmin=0, vmax=top)),
                                     (axes[2], 100 * (measured[i] - planned[i]) / top, "difference, % of the maximum", dict(cmap="RdBu_r", vmin=-8, vmax=8)),
                                     (axes[3], np.load(folder / "g.npy"), f"gamma 2%/2 mm, {rate:.1f} % pass", dict(cmap="RdBu_r", vmin=0, vmax=2))]:
        shown = axis.imshow(image, origin="lower", extent=extent, **kind)
        figure.colorbar(shown, ax=axis, shrink=0.8)
        axis.set_title(title), axis.set_xlabel("x, mm")
    figure.savefig(root / "docs/simulator.png")


def cohort(rows):
    """Passing rates by site, and against two metrics."""
    sites = ["breast", "pelvis", "prostate", "lung", "head_and_neck"]
    rate = np.array([float(r["gpr_2_2"]) for r in rows])
    site = np.array([r["site"] for r in rows])
    figure, axes = plt.subplots(1, 3, figsize=(12.5, 3.4), layout="constrained")
    axes[0].boxplot([rate[site == s] for s in sites], whis=(5, 95), flierprops={"markersize": 3, "markeredgecolor": "#888888"})
    axes[0].set_xticks(range(1, 6), [s.replace("_and_", "\n& ") for s in sites]), axes[0].set_ylabel("GPR 2%/2 mm, %")
    axes[0].axhline(90, color="#b03030", linewidth=0.8)
    for axis, key, name in [(axes[1], "PM", "plan modulation PM"), (axes[2], "MCS", "modulation complexity score MCS")]:
        for s in sites:
            axis.plot([float(r[key]) for r in rows if r["site"] == s], rate[site == s], "o", markersize=2.6, label=s.replace("_", " "))
        axis.set_xlabel(name), axis.axhline(90, color="#b03030", linewidth=0.8)
    axes[2].legend(frameon=False, markerscale=2, fontsize=8)
    figure.savefig(root / "docs/cohort.png")


with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    made = given.cohort or folder / "cohort"
    if not given.cohort:
        subprocess.run([psqa, "simulate", "--plans", "300", "--noise-ceiling", "0", "--out", str(made)], check=True, stdout=subprocess.DEVNULL)
    records = list(csv.DictReader(open(made / "records.csv")))
    maps(folder, records, np.load(made / "planned.npy", mmap_mode="r"), np.load(made / "measured.npy", mmap_mode="r"))
    cohort(records)
