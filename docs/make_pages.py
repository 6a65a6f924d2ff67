#!/usr/bin/env python3
"""Writes the pages that are made from the sources, or with `--check` names the pages that differ from them:

- docs/components/<folder>/<name>.md of every component in the lists of include/equipoise/<folder>/all.hpp, from its header
- the rows of README.md's table of components, from the same lists
- docs/errors.md, from the table of core/base/error_ids.hpp and the programs of tests/compile_fail
- the table of kinds in docs/files.md, from the readers of psqa/readers/all.hpp"""
import functools, os, pathlib, re, sys, textwrap

root = pathlib.Path(__file__).resolve().parent.parent
include = root / "include/equipoise"
# A list that has pages: its folder, the tests that go through the whole list, and folders with tests of single components.
LISTS = {
    "EveryEncoder": ("encoders", "tests/encoders/test_laws.cpp", ("encoders",)),
    "EveryFusion": ("fusion", "tests/fusion/test_laws.cpp", ("fusion",)),
    "EveryTask": ("tasks", "tests/tasks/test_laws.cpp", ("tasks",)),
    "EveryBalancing": ("balancing", "tests/training/test_laws.cpp", ("balancing",)),
    "EveryWeighting": ("weighting", "tests/training/test_laws.cpp", ("weighting", "balancing")),
}
# Components with pages that are not in their list: a program that uses one includes its header.
OWN_INCLUDE = {"EveryEncoder": ("pretrained", "scripted", "exported")}
NOTES = ("When", "Cost", "Limits")
EXAMPLES = "test_page_examples.cpp"  # in the tests of each folder: compiles and runs the examples of its pages
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
COMPILER_HEAD = """## Compiler errors

A program that cannot be meant does not compile, with a sentence that begins with `equipoise:`. Search
the compiler's output for this word: other errors may stand before and after it. Names of modalities
and tasks stand in the lines around it. The programs show a wrong line and the right one.

A wrong name among options in braces is found by the compiler itself. What GCC says depends on the
place of the braces:

| wrong name | error |
|---|---|
| after a type, `eq::Mlp{.in_feature = 3}` | `'equipoise::Mlp' has no non-static data member named 'in_feature'` |
| in a trainer, `eq::Trainer(model, {.lr = 0.1})` | `name 'lr' used in a GNU-style designated initializer`, and a sentence with the names of `TrainerOptions` |
| in another call, `eq::evaluate(*model, test, {.resample = 9})` | `no matching function for call to 'evaluate(…)'`, and a note `cannot convert … to type 'const equipoise::EvaluateOptions&'` |

Errors after these are consequences. [misspelt_option_of_encoder](../tests/compile_fail/misspelt_option_of_encoder.cpp)
and [misspelt_option](../tests/compile_fail/misspelt_option.cpp) have the first two.

| sentence after `equipoise:` | program |
|---|---|
"""


def types_of(name, folder):
    """The types of a list, in order, each with its header."""
    text = (include / folder / "all.hpp").read_text()
    listed = re.search(rf"using {name} =\s*std::tuple<([^;]*)>;", text).group(1)
    headers = [root / "include" / h for h in re.findall(r"#include <(equipoise/[^>]+)>", text)]
    names = [t.strip().partition("<")[0] for t in listed.split(",")]  # `Frozen` of `Frozen<Mlp>`
    own = [include / folder / f"{stem}.hpp" for stem in OWN_INCLUDE.get(name, ())]
    return [(n, header_of(n, headers)) for n in names] + [(re.search(r"^struct (\w+) \{", h.read_text(), re.M).group(1), h) for h in own]


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
    """The parts of a header's \\file comment: its first paragraph, the other paragraphs, its notes (the texts after `When:`,
    `Cost:` and `Limits:`), and the lines of its example, a block \\code … \\endcode."""
    lines = re.search(r"/// \\file\n((?:///.*\n)+)", header.read_text()).group(1).splitlines()
    text = "\n".join(l.removeprefix("///").removeprefix(" ") for l in lines) + "\n"
    found = re.search(r"\\code\n(.*?)\\endcode\n", text, re.S)
    if not found:
        wrong.append(f"{header.relative_to(root)}: its \\file comment has no example: a block \\code … \\endcode")
    example = found.group(1) if found else ""
    about, notes, key = [], {}, None
    for line in re.sub(r"\\code\n.*?\\endcode\n", "", text, flags=re.S).splitlines():
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
    # An indented paragraph of a header is a formula: here it becomes a block.
    text = re.sub(r"(?<=\n\n)((?: {2,}\S.*\n)+)", lambda f: "```\n" + textwrap.dedent(f.group(1)) + "```\n", "\n".join(about) + "\n")
    first, _, more = text.strip().partition("\n\n")
    return first, more.strip(), notes, example


@functools.cache
def enumerators():
    """The names of each enumeration's values, from the functions `names_of`."""
    found = {}
    for header in sorted(include.rglob("*.hpp")):
        for kind, names in re.findall(r"names_of\((\w+)\) \{\s*return \{([^}]*)\};", header.read_text()):
            found[kind] = re.findall(r'"(\w+)"', names)
    return found


def options_of(name, header):
    """A row for each option."""
    text = header.read_text()
    adapted = re.search(rf"EQUIPOISE_REFLECT\(equipoise::{name}\s*(?:,([^;]*))?\);", text)
    text = text[text.index(f"struct {name} {{") :]  # the members come first in it: no local of theirs is taken for one
    # A spec around another one reflects the options of that one; its own members are those with a meaning.
    told = adapted.group(1) or "" if adapted else ",".join(re.findall(r"(\w+) = [^;]*;\s*///<", text))
    members = [m.strip() for m in told.split(",") if m.strip()]
    rows = []
    for m in members:
        found = re.search(r"^\s+([\w:<>*]+)\s[^;(]*?\b" + m + r"(?:\s*=\s*(?!=)|(?=\{))(\{[^}]*\}|[^;,{]+?)[,;].*$", text, re.M)
        kind, default = found.group(1).replace("std::", ""), re.sub(r"\s+", " ", found.group(2).strip()).replace("{ ", "{")
        line = text[found.start() : text.index("\n", found.end() - 1)].strip("\n")
        said = re.search(r"///<\s*(.*)$", text[found.start() :].split(";", 1)[1].split("\n")[0]) or re.search(r"///<\s*(.*)$", line)
        meaning = said.group(1).replace("|", "\\|") if said else ""
        if kind in enumerators():
            meaning += ("; " if meaning else "") + "one of " + ", ".join(f"`{n}`" for n in enumerators()[kind])
        rows.append(f"| `{m}` | {kind} | `{default}` | {meaning} |")
    if re.search(r"^  std::vector<Metric> metrics\b", text, re.M):  # no option of a checkpoint: a function has no text
        rows.append("| `metrics` | vector<Metric> | `{}` | figures to report beside the loss ([metrics](../../metrics.md)) |")
    return rows


@functools.cache
def test_sources(folder):
    return sorted((root / "tests" / folder).glob("test_*.cpp"))


def tests_of(name, folder, stem, laws, tested_in):
    """Its own test file, or those of the folders that name it; and that of the laws."""
    own = root / "tests" / folder / f"test_{stem}.cpp"
    named = [t for f in tested_in for t in test_sources(f) if t.name != EXAMPLES and re.search(rf"\b{name}\b", t.read_text())]
    return list(dict.fromkeys([t.relative_to(root).as_posix() for t in ([own] if own.exists() else named)] + laws))


def example_part(code):
    """An example with the lines that it needs before it."""
    given = [f"`{n}`" for n in ("train", "validation", "test") if re.search(rf"(?<!auto )\b{n}\b", code) and f"auto {n} =" not in code]
    names = " and `using namespace eq::literals;`" if '"_n' in code else ""
    text = f"**Example.** The file includes `<equipoise/equipoise.hpp>` and has `namespace eq = equipoise;`{names}."
    if given:
        batches = f"{', '.join(given[:-1])} and {given[-1]} are batches" if len(given) > 1 else f"{given[0]} is a batch"
        text += f" {batches} of records ([data](../../data.md))."
    return wrapped(text) + f"\n\n```cpp\n{code}```"


def wrapped(text):
    """The text in lines of at most 100 characters; code is not broken."""
    kept = re.sub(r"`[^`]*`", lambda code: code.group(0).replace(" ", "\0"), text)
    return textwrap.fill(kept, 100, break_long_words=False, break_on_hyphens=False).replace("\0", " ")


def component_page(name, header, folder, laws, tested_in, target):
    first, more, notes, example = file_comment(header)
    rows = options_of(name, header)
    table = "| option | type | default | meaning |\n|---|---|---|---|\n" + "\n".join(rows) if rows else "It has no options."

    def link(path):
        return f"[{path}]({os.path.relpath(root / path, target.parent)})"

    note = {k: wrapped(f"**{k}.** {text}") for k, text in notes.items()}
    # What it is, when to use it and how come before the theory.
    parts = [f"# {name}", first, note.get("When"), example_part(example), more, note.get("Cost"), note.get("Limits"), table]
    sources = [f"- Header: {link(header.relative_to(root).as_posix())}", f"- Example: {link(f'tests/{folder}/{EXAMPLES}')}"]
    sources += [f"- Test: {link(t)}" for t in tests_of(name, folder, header.stem, laws, tested_in)]
    return "\n\n".join(part for part in parts if part) + "\n\n" + "\n".join(sources) + "\n"


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
    return out + "\n" + compiler_errors()


def compiler_errors():
    """A row for each sentence of the programs that must not compile, with these programs."""
    programs = {}
    for program in sorted((root / "tests/compile_fail").glob("*.cpp")):
        sentence = program.read_text().splitlines()[0].removeprefix("// error: ")
        if sentence.startswith("equipoise: "):
            programs.setdefault(sentence, []).append(f"[{program.stem}](../tests/compile_fail/{program.name})")
    rows = "".join(f"| {s.removeprefix('equipoise: ')} | {', '.join(p)} |\n".replace("<", "\\<") for s, p in sorted(programs.items()))
    return COMPILER_HEAD + rows


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
        "tasks": pages("EveryTask") + ", [a task of yours](docs/tasks.md)",
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
for list_name, (folder, laws, tested_in) in LISTS.items():
    for name, header in types_of(list_name, folder):
        target = root / "docs/components" / folder / f"{header.stem}.md"
        listed = header.stem not in OWN_INCLUDE.get(list_name, ())
        pages[target] = component_page(name, header, folder, [laws] if listed else [], tested_in, target)
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
