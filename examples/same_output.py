#!/usr/bin/env python3
"""Runs a program and compares what it prints with a file, word by word; numbers may differ by a tenth, since processors round differently: same_output.py PROGRAM FILE [DATA]

The program gets the folder DATA of the sample data, which lie in EQUIPOISE_DATA or in shared/data beside the checkout. Without it nothing is compared (exit code 77)."""
import os, pathlib, re, subprocess, sys

program, file, *data = sys.argv[1:]
samples = pathlib.Path(os.environ.get("EQUIPOISE_DATA") or pathlib.Path(__file__).resolve().parents[2] / "shared" / "data")
folders = [samples / d for d in data]
for folder in folders:
    if not folder.is_dir():
        print(f"skipped: no folder {folder}; set EQUIPOISE_DATA")
        sys.exit(77)
run = subprocess.run([program, *folders], capture_output=True, text=True)
got, expected = run.stdout.split(), pathlib.Path(file).read_text().split()
number = re.compile(r"[-+]?\d+\.\d+(e[-+]?\d+)?,?$")


def alike(a, b):
    if number.match(a) and number.match(b):
        x, y = float(a.rstrip(",")), float(b.rstrip(","))
        return abs(x - y) <= 0.1 * max(abs(x), abs(y)) + 1e-3
    return a == b


if run.returncode or len(got) != len(expected) or not all(map(alike, got, expected)):
    print(f"exit code {run.returncode}; expected\n{pathlib.Path(file).read_text()}got\n{run.stdout}{run.stderr}")
    sys.exit(1)
print(run.stdout, end="")
