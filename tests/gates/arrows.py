#!/usr/bin/env python3
"""Checks with the compiler's dependency lists (-M) that folders include only the folders below them, and that light headers stay light."""
import argparse, concurrent.futures, pathlib, re, subprocess, sys

# folder: the folders of include/equipoise that it may reach, besides itself
ARROWS = {
    "core": set(),
    "io": {"core"},
    "data": {"core"},
    "encoders": {"core"},
    "fusion": {"core"},
    "tasks": {"core"},
    "contribution": {"core"},
    "balancing": {"core", "contribution"},
    "weighting": {"core", "contribution", "balancing"},
    "training": {"core", "contribution", "balancing", "weighting", "io", "data"},
    "evaluation": {"core", "contribution", "data", "io"},
    "report": {"core", "io", "evaluation"},
}
# Headers of tier 0 reach no LibTorch at all; those of tier 1 its tensor, but not what costs a user seconds.
TIER_0 = ["core/(name|record|coalition|errors|options|random|schema|plan|utf8)", "contribution/(shapley|value|imbalance|sampling)", "evaluation/(metrics|ssim|bootstrap|ranks|strata)",
          "data/split", "io/", "report/", "psqa/(?!bmmqa|learn|evaluate|psqa)", "training/history"]
TIER_1 = ["core/(feature|presence|batch|arrange|host|concepts|decode|model_base|step|gradients|policy)", "balancing/(state|any_policy)", "fusion/masked"]
HEAVY = re.compile(r"/(ATen/ATen\.h|torch/csrc/api/include/torch/(types|nn|optim|data)\b.*)$")
TORCH = re.compile(r"/(ATen|c10|torch)/")


def dependencies(header, args):
    command = [args.compiler, *args.flags, "-M", "-x", "c++", str(header)]
    out = subprocess.run([c for c in command if c != "-fsyntax-only"], capture_output=True, text=True)
    if out.returncode:
        return header, None, out.stderr
    return header, out.stdout.replace("\\\n", " ").split(":", 1)[1].split(), ""


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--source", type=pathlib.Path, required=True)
    parser.add_argument("--compiler", required=True)
    parser.add_argument("flags", nargs="+")
    args = parser.parse_args()
    root = args.source / "include" / "equipoise"
    headers = sorted(root.rglob("*.hpp"))
    wrong = []
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for header, found, error in pool.map(lambda h: dependencies(h, args), headers):
            name = header.relative_to(root).as_posix()
            if found is None:
                wrong.append(f"{name}: does not preprocess alone\n{error}")
                continue
            folder = name.split("/")[0] if "/" in name else None
            for path in found:
                path = str(pathlib.Path(path).resolve())
                if folder in ARROWS and path.startswith(str(root) + "/"):
                    other = path[len(str(root)) + 1:].split("/")[0]
                    if other != folder and other not in ARROWS[folder]:
                        wrong.append(f"{name}: {folder}/ may not reach {other}/ ({pathlib.Path(path).name})")
                elif any(re.match(t, name) for t in TIER_0) and TORCH.search(path):
                    wrong.append(f"{name}: is of tier 0 and reaches LibTorch ({path})")
                    break
                elif any(re.match(t, name) for t in TIER_1) and HEAVY.search(path):
                    wrong.append(f"{name}: is of tier 1 and reaches {path}")
                    break
    print("\n".join(wrong) if wrong else f"{len(headers)} headers keep to their tiers and arrows")
    return bool(wrong)


sys.exit(main())
