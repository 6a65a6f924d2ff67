#!/usr/bin/env python3
"""Collects the ratios of bench_ratios and bench_psqa, a step beside a busy neighbour and PyTorch eager, and the seconds to compile examples/first_model.cpp."""
import argparse, json, os, pathlib, shlex, statistics, subprocess, sys, time

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


def step_under_load():
    """A training step on all cores beside one busy process, to the same step alone."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("OMP_", "GOMP_"))}

    def step():
        return float(subprocess.run([str(root / "build/bin/bench_ratios"), "threads"], stdout=subprocess.PIPE, text=True, check=True, env=environment).stdout)

    ratios = []
    for _ in range(3):
        quiet = step()
        neighbour = subprocess.Popen([sys.executable, "-c", "while True: pass"])
        try:
            ratios.append(step() / quiet)
        finally:
            neighbour.kill()
            neighbour.wait()
    return summary(ratios)


def step_against_eager(model):
    """A plain step of a model to one of PyTorch eager with the same layers; nothing where Python has no PyTorch."""
    environment = {**os.environ, "PYTHONPATH": str(root / ".deps/python"), "OMP_NUM_THREADS": "1"}
    ratios = []
    for _ in range(5):
        theirs = subprocess.run([sys.executable, str(root / "bench/eager_step.py"), model], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment)
        if theirs.returncode:
            return None
        ours = subprocess.run([str(root / "build/bin/bench_ratios"), f"{model}_step_ms"], stdout=subprocess.PIPE, text=True, check=True, env=environment)
        ratios.append(float(ours.stdout) / float(theirs.stdout))
    return summary(ratios)


# At most; what has none is for comparison.
GOALS = {
    "data.fetch_vs_step": 0.05,
    "evaluate.rows_1e5": 1.5,
    "flagship_step.vs_pytorch_eager": 0.85,
    "infer.rows_1e6": 1.5,
    "ogm.small_step": 1.15,
    "policy.ogm_vs_plain": 1.1,
    "small_step.vs_pytorch_eager": 0.5,
    "threads.busy_neighbour": 2.0,
    "compile.first_model_s": 30.0,
}

results = {}
for program in ("bench_ratios", "bench_psqa"):
    run = subprocess.run([str(root / "build/bin" / program)], stdout=subprocess.PIPE, text=True, check=True)
    results.update({k: summary(v) for k, v in json.loads(run.stdout).items()})
results["threads.busy_neighbour"] = step_under_load()
for model in ("small", "flagship"):
    if eager := step_against_eager(model):
        results[f"{model}_step.vs_pytorch_eager"] = eager
results["compile.first_model_s"] = compile_seconds()
for key, r in results.items():
    goal = f"   goal {GOALS[key]}" + (" missed" if r["median"] > GOALS[key] else "") if key in GOALS else ""
    print(f"{key:58} {r['median']:7.3f}   [{r['min']:.3f}, {r['max']:.3f}]{goal}")
if arguments.json:
    arguments.json.write_text(json.dumps(results, indent=2) + "\n")
