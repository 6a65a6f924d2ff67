#!/usr/bin/env python3
"""Compiles each header alone and checks, with the dependencies that the compiler lists, that folders include only the folders below them and that light headers stay light.

A header starts from the largest precompiled header whose every part it includes anyway, directly or through others. As includes stand at a header's top and those
others are compiled alone too, that hides nothing. Compilation ends where the header does, at an error of the gate's own: what the header's and LibTorch's inline functions
instantiate, seconds in each file, is compiled by gate.links and by the tests."""
import argparse, concurrent.futures, pathlib, re, subprocess, sys

from arrows import broken_rules, reached

# Smallest first: a header takes the last one of which it includes every part.
PRECOMPILED = [
    ["equipoise/core/base/options.hpp"],
    ["equipoise/core/batch/batch.hpp"],
    ["torch/types.h", "equipoise/core/batch/batch.hpp"],
    ["torch/nn/module.h"],
]
THE_END = "the end of the header"


class Gate:
    def __init__(self, args):
        self.include, self.work, self.compiler, self.flags = args.source / "include", args.work, args.compiler, args.flags
        self.work.mkdir(parents=True, exist_ok=True)
        self.bases = []  # what each precompiled header includes

    def precompile(self, number):
        """The files that it includes."""
        base = self.work / f"base_{number}.hpp"
        base.write_text("".join(f"#include <{part}>\n" for part in PRECOMPILED[number]))
        flags, listed = [f for f in self.flags if f != "-fsyntax-only"], base.with_suffix(".d")
        subprocess.run([self.compiler, *flags, "-MD", "-MF", str(listed), "-x", "c++-header", str(base), "-o", f"{base}.gch"], check=True)
        return listed.read_text().replace("\\\n", " ").split(":", 1)[1].split()

    def check(self, header):
        """A line for each thing that is wrong with a header."""
        name = header.relative_to(self.include / "equipoise").as_posix()
        found = [i for i, parts in enumerate(PRECOMPILED) if reached(self.include, f"equipoise/{name}") - {f"equipoise/{name}"} >= set(parts)]
        base = ["-include", str(self.work / f"base_{found[-1]}.hpp")] if found else []
        out = subprocess.run([self.compiler, *self.flags, *base, "-H", "-Wall", "-Wextra", "-Werror", "-Wfatal-errors", "-x", "c++", "-"], capture_output=True, text=True,
                             input=f'#include <equipoise/{name}>\nstatic_assert(false, "{THE_END}");\n')
        opened = re.findall(r"^\.+ (.*)$", out.stderr, re.M)
        if THE_END not in out.stderr:
            return [f"{name} does not compile alone:\n" + re.sub(r"^[.!x]+ .*\n", "", out.stderr, flags=re.M)[:2000]]
        paths = {pathlib.Path(p).resolve() for p in opened + (self.bases[found[-1]] if found else [])}
        return [f"{name}: {line}" for line in broken_rules(name, paths, self.include / "equipoise")]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--source", type=lambda p: pathlib.Path(p).resolve(), required=True)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--compiler", required=True)
    parser.add_argument("--parts", default="psqa;report", help="the parts whose libraries are there")
    parser.add_argument("flags", nargs="+")
    args = parser.parse_args()
    gate, left_out = Gate(args), {"psqa", "report"} - set(args.parts.split(";"))
    headers = sorted(h for h in (gate.include / "equipoise").rglob("*.hpp") if not left_out & set(h.relative_to(gate.include).parts))
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        gate.bases.extend(pool.map(gate.precompile, range(len(PRECOMPILED))))
        wrong = [line for lines in pool.map(gate.check, headers) for line in lines]
    print("\n".join(wrong) if wrong else f"{len(headers)} headers compile alone and keep to their tiers and arrows")
    return bool(wrong)


sys.exit(main())
