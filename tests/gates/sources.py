#!/usr/bin/env python3
"""Checks that no tracked file names a machine's absolute path or a registry's host, and that every error id in the sources has its line in docs/errors.md."""
import pathlib, re, subprocess, sys

root = pathlib.Path(sys.argv[1])
files = subprocess.run(["git", "-C", str(root), "ls-files"], capture_output=True, text=True).stdout.split()
if not files:
    files = [str(p.relative_to(root)) for p in root.rglob("*") if p.is_file() and "build" not in p.parts and ".deps" not in p.parts]
path = re.compile(r"(^|[^A-Za-z0-9_.])/(home|root|work|Users)/")
host = re.compile(r"(pypi|pythonhosted|deb\.debian|artifactory|download\.pytorch)\.\w+")
wrong, used = [], set()
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
        if host.search(line):
            wrong.append(f"{name}:{number}: a package registry's host: {line.strip()[:100]}")
    if name.startswith(("include/", "examples/")):
        used |= set(re.findall(r'message\(\s*"([a-z]+\.\d+)"', text))
entries = re.findall(r"^\| `([a-z]+\.\d+)`", (root / "docs/errors.md").read_text(), re.M)
listed = set(entries)
wrong += [f"docs/errors.md: {i} has two entries" for i in sorted({i for i in entries if entries.count(i) > 1})]
wrong += [f"docs/errors.md: no entry for {i}" for i in sorted(used - listed)] + [f"docs/errors.md: {i} is used nowhere" for i in sorted(listed - used)]
print("\n".join(wrong) or f"{len(files)} files, {len(used)} error ids: nothing amiss")
sys.exit(bool(wrong))
