#!/usr/bin/env python3
"""Compiles each header alone and checks, with the dependencies that the compiler lists, that folders include only the folders below them and that light headers stay light.

A header starts from the largest precompiled header whose every part it includes anyway, directly or through others. As includes stand at a header's top and those
others are compiled alone too, that hides nothing. Compilation ends where the header does, at an error of the gate's own: what the header's and LibTorch's inline functions
instantiate, seconds in each file, is compiled by gate.links and by the tests."""
import argparse, concurrent.futures, functools, pathlib, re, subprocess, sys

# Smallest first: a header takes the last one of which it includes every part.
PRECOMPILED = [
    ["equipoise/core/base/options.hpp"],
    ["equipoise/core/batch/batch.hpp"],
    ["torch/types.h", "equipoise/core/batch/batch.hpp"],
    ["torch/nn/module.h"],
]
# folder: the folders of include/equipoise that it may reach, besides itself; a folder stands for its rooms too. A header at the root of psqa/ reaches none of its
# wings, but psqa/psqa.hpp, which includes all of them.
CORE = ["core/base", "core/batch", "core/model", "core/policy"]
WINGS = ["psqa", "psqa/files", "psqa/gamma", "psqa/complexity", "psqa/dicom", "psqa/readers", "psqa/simulator", "psqa/cohort", "psqa/learning"]
ARROWS = {
    **{room: set(CORE[:i]) for i, room in enumerate(CORE)},
    "io": {"core/base"},
    "data": {"core", "io"},
    "encoders": {"core"},
    "fusion": {"core"},
    "tasks": {"core"},
    "contribution": {"core"},
    "balancing": {"core", "contribution"},
    "weighting": {"core", "contribution", "balancing"},
    "training": {"core", "contribution", "balancing", "weighting", "io", "data"},
    "evaluation": {"core", "contribution", "data", "io"},
    "report": {"core", "io", "evaluation"},
    "psqa": {"core/base", "io"},
    "psqa/files": {"core/base", "io", "psqa"},
    "psqa/gamma": {"core/base", "psqa"},
    "psqa/complexity": {"core/base", "psqa"},
    "psqa/dicom": {"core/base", "io", "psqa", "psqa/files"},
    "psqa/readers": {"core/base", "io", "psqa", "psqa/files", "psqa/dicom"},
    "psqa/simulator": {"core/base", "io", "psqa", "psqa/files", "psqa/gamma", "psqa/complexity", "psqa/dicom", "psqa/readers"},
    "psqa/cohort": {"core/base", "io", "evaluation", *WINGS[:-2]},
    "psqa/learning": {"core", "encoders", "fusion", "tasks", "contribution", "balancing", "weighting", "training", "data", "evaluation", "io", "psqa", "psqa/gamma", "psqa/cohort"},
}
# Headers that may reach less than their folder: who reads or writes a cohort compiles neither the simulator nor the metrics.
NARROW = {r"psqa/cohort/(cohort|reader|writer)\.hpp": {"core/base", "io", "psqa", "psqa/files"}}
# Headers of tier 0 reach no LibTorch at all; those of tier 1 its tensor, but not what costs a user seconds.
TIER_0 = ["core/base/", "core/batch/(coalition|schema)", "core/policy/epoch_plan", "contribution/(shapley|value|imbalance|sampling)", "evaluation/(metrics|ssim|bootstrap|group_means|paired_tests|detection|conformal|ridge)",
          "data/(split|groups)", "io/", "report/", "psqa/(?!learning/|psqa)", "training/history"]
TIER_1 = ["core/batch/", "core/model/(concepts|decode|model_base)", "core/policy/", "balancing/(state|any_policy)", "fusion/masked"]
THE_END = "the end of the header"
HEAVY = re.compile(r"/(ATen/ATen\.h|torch/csrc/api/include/torch/(types|nn|optim|data)\b.*)$")
TORCH = re.compile(r"/(ATen|c10|torch)/")


def room_of(name):
    """The folder of a header below include/equipoise; none for the version and the headers that include everything."""
    return None if name in ("equipoise.hpp", "version.hpp", "psqa/psqa.hpp") else name.rpartition("/")[0]


def may_reach(name, other):
    room = room_of(name)
    arrows = next((folders for header, folders in NARROW.items() if re.match(header, name)), ARROWS[room])
    return other == room or other in arrows or (other.startswith("core/") and "core" in arrows)


def broken_rules(name, dependencies, root):
    """What is wrong with the files that a header reaches."""
    room = room_of(name)
    if room is not None and room not in ARROWS:
        yield f"{room}/ is not in the table of folders and arrows"
        return
    for path in dependencies:
        if path.is_relative_to(root):
            other = path.relative_to(root).parent.as_posix()
            if room is not None and not may_reach(name, other):
                yield f"{room}/ may not reach {other}/ ({path.name})"
        elif any(re.match(t, name) for t in TIER_0) and TORCH.search(str(path)):
            yield f"is of tier 0 and reaches LibTorch ({path})"
            return
        elif any(re.match(t, name) for t in TIER_1) and HEAVY.search(str(path)):
            yield f"is of tier 1 and reaches {path}"
            return


class Gate:
    def __init__(self, args):
        self.include, self.work, self.compiler, self.flags = args.source / "include", args.work, args.compiler, args.flags
        self.work.mkdir(parents=True, exist_ok=True)
        self.bases = []  # what each precompiled header includes

    @functools.cache
    def reached(self, name):
        """All that a header includes, by the text of our own ones."""
        found = {name}
        if (self.include / name).exists():
            for other in re.findall(r"#include <([^>]+)>", (self.include / name).read_text()):
                found |= self.reached(other)
        return found

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
        found = [i for i, parts in enumerate(PRECOMPILED) if self.reached(f"equipoise/{name}") - {f"equipoise/{name}"} >= set(parts)]
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
