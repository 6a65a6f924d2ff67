#!/usr/bin/env python3
"""Collects the ratios of bench_ratios and the seconds to compile examples/first_model.cpp."""
import argparse, json, pathlib, shlex, statistics, subprocess, sys, time

parser = argparse.ArgumentParser()
parser.add_argument("--json", type=pathlib.Path)
arguments = parser.parse_args()
root = pathlib.Path(__file__).resolve().parent.parent


def summary(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def compile_seconds():
    """Without cache and precompiled header, as a user's own project would compile it."""
    commands = json.loads(subprocess.run(["ninja", "-C", str(root / "build"), "-t", "compdb"], capture_output=True, text=True, check=True).stdout)
    line = next(c["command"] for c in commands if c["file"].endswith("examples/first_model.cpp"))
    includes = [w for w in shlex.split(line) if w.startswith("-I")]
    words, system = shlex.split(line), []
    for i, w in enumerate(words):
        if w == "-isystem":
            system += ["-isystem", words[i + 1]]
    out = []
    for _ in range(3):
        begin = time.monotonic()
        subprocess.run(["c++", "-std=c++20", "-O2", *includes, *system, "-c", str(root / "examples/first_model.cpp"), "-o", "/dev/null"], check=True)
        out.append(time.monotonic() - begin)
    return summary(out)


results = {}
for program in ("bench_ratios", "bench_psqa"):
    run = subprocess.run([str(root / "build/bin" / program)], stdout=subprocess.PIPE, text=True, check=True)
    results.update({k: summary(v) for k, v in json.loads(run.stdout).items()})
results["compile.first_model_s"] = compile_seconds()
for key, r in results.items():
    print(f"{key:58} {r['median']:7.3f}   [{r['min']:.3f}, {r['max']:.3f}]")
if arguments.json:
    arguments.json.write_text(json.dumps(results, indent=2) + "\n")
