#!/usr/bin/env python3
"""Compiles each header alone. Headers that reach torch/nn get a precompiled torch/nn/module.h, which each of them includes anyway (directly or through
the module headers it names), so that the gate costs seconds a header and still finds whatever else is missing."""
import argparse, concurrent.futures, functools, pathlib, re, subprocess, sys

MODULE = re.compile(r"torch/(nn|optim|serialize)")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--source", type=pathlib.Path, required=True)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--compiler", required=True)
    parser.add_argument("flags", nargs="+")
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    base = args.work / "module.hpp"
    base.write_text("#include <torch/nn/module.h>\n")
    flags = [f for f in args.flags if f != "-fsyntax-only"]
    subprocess.run([args.compiler, *flags, "-x", "c++-header", str(base), "-o", f"{base}.gch"], check=True)
    root = args.source / "include"

    @functools.cache
    def reaches_module(header):
        names = re.findall(r"#include <([^>]+)>", header.read_text())
        return any(MODULE.match(n) or (n.startswith("equipoise/") and reaches_module(root / n)) for n in names)

    def alone(header):
        extra = ["-include", str(base)] if reaches_module(header) else []
        out = subprocess.run([args.compiler, *args.flags, *extra, "-Wall", "-Wextra", "-Werror", "-include", str(header), "-x", "c++", "/dev/null"], capture_output=True, text=True)
        return header, out

    wrong = 0
    headers = sorted((root / "equipoise").rglob("*.hpp"))
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for header, out in pool.map(alone, headers):
            if out.returncode:
                wrong += 1
                print(f"{header.relative_to(root)} does not compile alone:\n{out.stderr[:2000]}")
    print(f"{len(headers) - wrong} of {len(headers)} headers compile alone")
    return bool(wrong)


sys.exit(main())
