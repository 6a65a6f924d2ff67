#!/usr/bin/env python3
"""Checks by the text of the includes that folders include only the folders below them, that light headers stay light, and that each included header of ours exists:
arrows.py SOURCE. gates/headers.py checks the same by what the compiler opens."""
import functools, pathlib, re, sys

# folder: the folders of include/equipoise that it may reach, besides itself; a folder stands for its rooms too. A header at the root of psqa/ reaches none of its
# wings, but psqa/psqa.hpp, which includes all of them.
CORE = ["core/base", "core/batch", "core/model", "core/policy"]
WINGS = ["psqa", "psqa/files", "psqa/gamma", "psqa/complexity", "psqa/dicom", "psqa/readers", "psqa/simulator", "psqa/cohort", "psqa/learning"]
ARROWS = {
    **{room: set(CORE[:i]) for i, room in enumerate(CORE)},
    "io": {"core/base"},
    "data": {"core", "io"},
    "encoders": {"core", "io"},
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
    "psqa/learning": {"core", "encoders", "fusion", "tasks", "contribution", "balancing", "weighting", "training", "data", "evaluation", "io", "psqa", "psqa/files", "psqa/gamma", "psqa/cohort"},
}
# Headers that may reach less than their folder: who reads or writes a cohort compiles neither the simulator nor the metrics.
NARROW = {r"psqa/cohort/(cohort|reader|writer|delivery_maps|machines)\.hpp": {"core/base", "io", "psqa", "psqa/files"}}
# Headers of tier 0 reach no LibTorch at all; those of tier 1 its tensor, but not what costs a user seconds.
TIER_0 = ["core/base/", "core/batch/(coalition|schema)", "core/policy/epoch_plan", "contribution/(shapley|value|imbalance|sampling)", "evaluation/(metrics|ssim|ms_ssim|hausdorff|bootstrap|group_means|paired_tests|detection|conformal|ridge|reachable|record_figures|ranking|search|study)",
          "data/(split|groups)", "io/", "report/", "psqa/(?!learning/|psqa)", "training/history"]
TIER_1 = ["core/batch/", "core/model/(concepts|decode|model_base)", "core/policy/", "balancing/(state|any_policy)", "fusion/masked"]
HEAVY = re.compile(r"/(ATen/ATen\.h|torch/(types|nn|optim|data)\b.*)$")
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


@functools.cache
def reached(include, name):
    """All that a header includes, directly or through others of ours."""
    found = {name}
    if (include / name).exists():
        for other in re.findall(r"#include <([^>]+)>", (include / name).read_text()):
            found |= reached(include, other)
    return found


def main():
    include = pathlib.Path(sys.argv[1]).resolve() / "include"
    root, wrong = include / "equipoise", []
    headers = sorted(root.rglob("*.hpp"))
    for header in headers:
        name, others = header.relative_to(root).as_posix(), reached(include, header.relative_to(include).as_posix())
        wrong += [f"{name} reaches {other}, which does not exist" for other in sorted(others) if other.startswith("equipoise/") and not (include / other).exists()]
        paths = [include / o if o.startswith("equipoise/") else pathlib.Path("/") / o for o in sorted(others)]
        wrong += [f"{name}: {line}" for line in broken_rules(name, paths, root)]
    print("\n".join(wrong) or f"{len(headers)} headers keep to their tiers and arrows")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
