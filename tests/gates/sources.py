#!/usr/bin/env python3
"""Checks that no tracked file names a machine's absolute path or a registry's host, that tests/ mirrors include/equipoise/, that `detail` is
not named outside of it, and that every error id of core/base/error_ids.hpp is used. (An id that is used and not in
that table does not compile; docs/make_pages.py makes docs/errors.md from it.)"""
import pathlib, re, subprocess, sys

root = pathlib.Path(sys.argv[1])
files = subprocess.run(["git", "-C", str(root), "ls-files"], capture_output=True, text=True).stdout.split()
if not files:
    files = [str(p.relative_to(root)) for p in root.rglob("*") if p.is_file() and "build" not in p.parts and ".deps" not in p.parts]
path = re.compile(r"(^|[^A-Za-z0-9_.])/(home|root|work|Users)/")
host = re.compile(r"(pypi|pythonhosted|deb\.debian|artifactory|download\.pytorch)\.\w+")
detail = re.compile(r"(?<!at::)\bdetail::")
wrong, used = [], set()
for name in files:
    folder = name.removeprefix("tests/").rpartition("/")[0]
    is_test = name.startswith("tests/") and re.search(r"/test_\w+\.cpp$", name)
    if is_test and folder != "program" and not (root / "include/equipoise" / folder).is_dir() and (root / name).exists():
        wrong.append(f"{name}: include/equipoise/{folder} is no folder (tests of the program psqa lie in tests/program)")
for name in files:
    if name == "tests/gates/sources.py" or not (root / name).exists():
        continue
    try:
        text = (root / name).read_text()
    except UnicodeDecodeError:
        continue
    for number, line in enumerate(text.splitlines(), 1):
        if path.search(line):
            wrong.append(f"{name}:{number}: an absolute path of some machine: {line.strip()[:100]}")
        if not name.startswith("include/") and name.endswith(("pp", ".h")) and detail.search(line):
            wrong.append(f"{name}:{number}: names `detail`, which is the library's own: {line.strip()[:100]}")
        if host.search(line):
            wrong.append(f"{name}:{number}: a package registry's host: {line.strip()[:100]}")
    if name.startswith(("include/", "examples/")):
        used |= set(re.findall(r'message\(\s*"([a-z]+\.\d+)"', text))
table = re.findall(r'ErrorKind\{"([a-z]+\.\d+)"', (root / "include/equipoise/core/base/error_ids.hpp").read_text())
wrong += [f"core/base/error_ids.hpp: {i} has two lines" for i in sorted({i for i in table if table.count(i) > 1})]
wrong += [f"core/base/error_ids.hpp: {i} is used nowhere" for i in sorted(set(table) - used)]
print("\n".join(wrong) or f"{len(files)} files, {len(used)} error ids: nothing amiss")
sys.exit(bool(wrong))
