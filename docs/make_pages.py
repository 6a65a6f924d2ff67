#!/usr/bin/env python3
"""Writes the pages that are made from the sources, or with `--check` says which of them differ:

- docs/components/<folder>/<name>.md of every component in the lists of include/equipoise/<folder>/all.hpp, from its header
- the rows of README.md's table of components, from the same lists
- docs/errors.md, from the table of core/base/error_ids.hpp
- the table of kinds in docs/files.md, from the readers of psqa/readers/all.hpp"""
import functools, os, pathlib, re, sys

root = pathlib.Path(__file__).resolve().parent.parent
include = root / "include/equipoise"
# A list that has pages: its folder, and the tests whose laws go through it.
LISTS = {
    "EveryEncoder": ("encoders", "tests/encoders/test_laws.cpp"),
    "EveryFusion": ("fusion", "tests/fusion/test_laws.cpp"),
    "EveryBalancing": ("balancing", "tests/training/test_laws.cpp"),
    "EveryWeighting": ("weighting", "tests/training/test_laws.cpp"),
}
NOTES = ("When", "Cost", "Limits")
wrong = []
ERRORS_HEAD = """# Errors

After reading this page you can look up any error message by its id, and catch errors by type.

```console
$ psqa gamma measured.dcm planned.dcm
psqa: [equipoise.file.401] measured.dcm: expected a readable file, got none
```

Every message begins with `[equipoise.<id>] where:` and says what was expected and what was found.

| exception | derives from | cause |
|---|---|---|
| `ValueError` | `std::invalid_argument` | an argument, option or combination is wrong |
| `ShapeError` | `ValueError` | a tensor, list or grid has the wrong shape |
| `NameError` | `ValueError` | a name does not exist |
| `FileError` | `std::runtime_error` | a file cannot be read, understood or written |
| `NumericError` | `std::runtime_error` | a computation gave NaN or infinity |

All of them also derive from `equipoise::Error`, whose `id()` gives the id.
"""


def types_of(name, folder):
    """The types of a list, in order, each with its header."""
    text = (include / folder / "all.hpp").read_text()
    listed = re.search(rf"using {name} =\s*std::tuple<([^;]*)>;", text).group(1)
    headers = [root / "include" / h for h in re.findall(r"#include <(equipoise/[^>]+)>", text)]
    return [(t.strip(), header_of(t.strip(), headers)) for t in listed.split(",")]


def header_of(type_name, headers):
    return next(h for h in headers if re.search(rf"^struct {type_name} {{", h.read_text(), re.M))


def strings_of(text):
    """The string arguments of a braced list, in which adjacent literals are one."""
    out = [""]
    for literal, comma in re.findall(r'"((?:[^"\\]|\\.)*)"|(,)', text):
        if comma:
            out.append("")
        else:
            out[-1] += literal.replace('\\"', '"').replace("\\\\", "\\")
    return out if out[-1] else out[:-1]


def file_comment(header):
    """The text of a header's \\file comment, and its notes: what stands after `When:`, `Cost:` and `Limits:` at its end."""
    lines = re.search(r"/// \\file\n((?:///.*\n)+)", header.read_text()).group(1).splitlines()
    about, notes, key = [], {}, None
    for line in (l.removeprefix("///").removeprefix(" ") for l in lines):
        found = re.match(rf"({'|'.join(NOTES)}): (.*)", line)
        if found:
            key = found.group(1)
            notes[key] = found.group(2)
        elif key:
            notes[key] += " " + line.strip()
        else:
            about.append(line)
    for missing in [n for n in NOTES if n not in notes]:
        wrong.append(f"{header.relative_to(root)}: its \\file comment does not end with a paragraph \"{missing}: …\"")
    # Formulas are indented in the headers: here they stand in blocks of their own.
    text = re.sub(r"((?:^ {2,}\S.*\n?)+)", lambda f: "\n```\n" + f.group(1).rstrip("\n") + "\n```\n\n", "\n".join(about) + "\n", flags=re.M)
    return text.strip(), notes


def options_of(name, header):
    """A row for each option."""
    text = header.read_text()
    adapted = re.search(rf"BOOST_HANA_ADAPT_STRUCT\(equipoise::{name}\s*(?:,([^;]*))?\);", text)
    members = [m.strip() for m in (adapted.group(1) or "").split(",") if m.strip()]
    text = text[text.index(f"struct {name} {{") :]  # the members come first in it: no local of theirs is taken for one
    rows = []
    for m in members:
        found = re.search(r"^\s+([\w:<>]+)\s[^;(]*?\b" + m + r"\s*=\s*(\{[^}]*\}|[^;,{]+?)[,;].*$", text, re.M)
        kind, default = found.group(1).replace("std::", ""), re.sub(r"\s+", " ", found.group(2).strip()).replace("{ ", "{")
        line = text[found.start() : text.index("\n", found.end() - 1)].strip("\n")
        said = re.search(r"///<\s*(.*)$", text[found.start() :].split(";", 1)[1].split("\n")[0]) or re.search(r"///<\s*(.*)$", line)
        meaning = said.group(1).replace("|", "\\|") if said else ""
        rows.append(f"| `{m}` | {kind} | `{default}` | {meaning} |")
    return rows


@functools.cache
def test_sources(folder):
    return sorted((root / "tests" / folder).glob("test_*.cpp"))


def tests_of(name, folder, stem, laws):
    """Its own test file, or those of its folder that name it; and that of the laws."""
    own = root / "tests" / folder / f"test_{stem}.cpp"
    found = [own] if own.exists() else [t for f in (folder, "balancing") for t in test_sources(f) if re.search(rf"\b{name}\b", t.read_text())]
    return list(dict.fromkeys([t.relative_to(root).as_posix() for t in found] + [laws]))


def component_page(name, header, folder, laws, target):
    about, notes = file_comment(header)
    rows = options_of(name, header)
    table = "| option | type | default | meaning |\n|---|---|---|---|\n" + "\n".join(rows) if rows else "It has no options."

    def link(path):
        return f"[{path}]({os.path.relpath(root / path, target.parent)})"

    parts = [f"# {name}", about, *(f"**{k}.** {notes[k]}" for k in NOTES if k in notes), table]
    tests = "".join(f"- Test: {link(t)}\n" for t in tests_of(name, folder, header.stem, laws))
    return "\n\n".join(parts) + f"\n\n- Header: {link(header.relative_to(root).as_posix())}\n{tests}"


def errors_page():
    text = (include / "core/base/error_ids.hpp").read_text()
    rows = [strings_of(row) for row in re.findall(r'ErrorKind\{((?:\s*"(?:[^"\\]|\\.)*"\s*,?)+)\}', text)]
    families = (("shape", "Shapes of tensors, lists and grids: `ShapeError`"), ("value", "Values and options: `ValueError`"),
                ("name", "Names: `NameError`"), ("file", "Files: `FileError`"), ("numeric", "Computations: `NumericError`"))
    out = ERRORS_HEAD
    for family, heading in families:
        out += f"\n## {heading}\n\n| id | meaning |\n|---|---|\n"
        out += "".join(f"| `{i}` | {meaning} |\n" for i, meaning in rows if i.startswith(family + "."))
    listed = sum(i.split(".")[0] in dict(families) for i, _ in rows)
    if listed != len(rows):
        wrong.append("docs/make_pages.py: an error id of a family without a heading")
    return out


def file_rows():
    """A row for each kind of file that a reader describes."""
    out = []
    for name, header in types_of("EveryReader", "psqa/readers"):
        text = header.read_text()
        found = re.findall(r'FileDescription\{((?:\s*"(?:[^"\\]|\\.)*"\s*,?)+)\}', text[text.index(f"struct {name} {{") :].split("\n};")[0])
        if not found:
            wrong.append(f"{header.relative_to(root)}: {name} has no FileDescription")
        out += [strings_of(row) for row in found]
    return out


def files_page():
    text = (root / "docs/files.md").read_text()
    table = "| kind | read as | remarks |\n|---|---|---|\n" + "".join("| " + " | ".join(row) + " |\n" for row in file_rows())
    return re.sub(r"(<!-- readers[^\n]*-->\n).*?(<!-- /readers -->)", lambda m: m.group(1) + "\n" + table + "\n" + m.group(2), text, flags=re.S)


def readme():
    text = (root / "README.md").read_text()

    def pages(list_name):
        folder = LISTS[list_name][0]
        return ", ".join(f"[`{name}`](docs/components/{folder}/{header.stem}.md)" for name, header in types_of(list_name, folder))

    rows = {
        "encoders": pages("EveryEncoder") + ", any module of yours",
        "fusions": pages("EveryFusion"),
        "tasks": ", ".join(f"`{name}`" for name, _ in types_of("EveryTask", "tasks")),
        "policies": pages("EveryBalancing"),
        "task weightings": pages("EveryWeighting"),
        "[file readers](docs/files.md)": ", ".join(row[0] for row in file_rows()),
    }
    for label, components in rows.items():
        text, count = re.subn(rf"^\| {re.escape(label)} \|.*\|$", lambda _: f"| {label} | {components} |", text, flags=re.M)
        if count != 1:
            wrong.append(f'README.md: expected one row "{label}" in the table of components, found {count}')
    return text


pages = {}
for list_name, (folder, laws) in LISTS.items():
    for name, header in types_of(list_name, folder):
        target = root / "docs/components" / folder / f"{header.stem}.md"
        pages[target] = component_page(name, header, folder, laws, target)
for stale in sorted(set((root / "docs/components").rglob("*.md")) - set(pages)):
    wrong.append(f"{stale.relative_to(root)} is of no component in a list: delete it")
pages |= {root / "docs/errors.md": errors_page(), root / "docs/files.md": files_page(), root / "README.md": readme()}

for target, content in pages.items():
    if "--check" not in sys.argv:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content)
    elif not target.exists() or target.read_text() != content:
        wrong.append(f"{target.relative_to(root)} is not what the sources say: run docs/make_pages.py")
print("\n".join(wrong) if wrong else f"{len(pages)} pages")
sys.exit(bool(wrong))
