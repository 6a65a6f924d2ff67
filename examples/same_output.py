#!/usr/bin/env python3
"""Runs a program and compares what it prints with a file, word by word; numbers may differ by a tenth, since processors round differently: same_output.py PROGRAM FILE"""
import pathlib, re, subprocess, sys

program, file = sys.argv[1:]
run = subprocess.run([program], capture_output=True, text=True)
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
