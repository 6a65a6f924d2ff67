#!/usr/bin/env python3
"""Checks that every relative link of the Markdown pages leads to a file, that every block of C++ in the README and in the pages
of docs/ and its folders stands in a program that is compiled, and that docs/policies.md has every figure that a policy
of the library writes into the history."""
import pathlib, re, sys

root = pathlib.Path(sys.argv[1])
pages = [root / "README.md", *sorted((root / "docs").rglob("*.md"))]
wrong, links = [], 0
for page in pages:
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.S)  # a lambda looks like a link
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        links += 1
        if not (page.parent / target).exists():
            wrong.append(f"{page.relative_to(root)}: a dead link to {target}")


def squeezed(text):
    return re.sub(r"\s+", "", re.sub(r"//.*", "", text))


sources = [squeezed(p.read_text()) for folder in ("examples", "tests") for p in (root / folder).rglob("*pp")]
for page in pages:
    for block in re.findall(r"```cpp\n(.*?)```", page.read_text(), re.S):
        if any(squeezed(block[block.index("\n\n") :] if block.startswith("#include") else block) in s for s in sources):
            continue
        wrong.append(f"{page.relative_to(root)}: a block of C++ that no compiled program has: " + block.strip().splitlines()[0])
figures = (root / "docs/policies.md").read_text().partition("## Figures in the history")[2]
for header in (root / "include/equipoise").rglob("*.hpp"):
    for name in re.findall(r'(?:step|epoch)\.log\("([^"]+)"', header.read_text()):
        if f"| `{name}" not in figures and f", `{name}" not in figures:
            wrong.append(f"docs/policies.md: no figure {name} of {header.relative_to(root)}")
print("\n".join(wrong) or f"{len(pages)} pages, {links} links: nothing amiss")
sys.exit(bool(wrong))
