#!/usr/bin/env python3
"""Writes a page for each fusion and policy from its header, so that pages cannot drift from the code: `docs/make_pages.py`, or `--check` to compare."""
import pathlib, re, sys

root = pathlib.Path(__file__).resolve().parent.parent
# What a header cannot say: when to take it, what it costs, where it ends.
NOTES = {
    "fusion/attention": ("The flagship's fusion; a good first choice when modalities differ in reliability from record to record.", "One projection and one score a modality, shared by all coalitions.", "A softmax over one modality is constant: its score then learns nothing."),
    "fusion/concat": ("The usual baseline.", "One linear block a modality, shared by all coalitions.", "An absent modality counts as a feature of zero: the bias has to carry what is missing."),
    "fusion/sum": ("For MLA and for comparisons in which no modality should see another before the head.", "One projection a modality.", "No interaction between modalities."),
    "fusion/gated": ("When it depends on the record which modality to believe, channel by channel.", "M gates a modality: parameters grow with M squared.", "Softmax gates sum to one: features cannot all be strong."),
    "fusion/film": ("When one modality sets the context in which another is read.", "Three projections a modality.", "The symmetric form for more than two modalities is ours."),
    "fusion/late": ("When modalities should stand on their own, and as the baseline without interaction.", "Two layers a modality.", "The mean gives a weak modality as much say as a strong one."),
    "fusion/spatial_cascade": ("For every task that predicts a map.", "Laterals once a modality; the decoder once a coalition with a map, at one pixel for coalitions without.", "As many levels as the map encoder has skip maps."),
    "balancing/ogm": ("A light first try, mostly with plain SGD.", "Unimodal decodings without gradient; no extra backward.", "Adam all but undoes a constant factor on a gradient: take `application = update` there."),
    "balancing/opm": ("When the dominant modality should be missing now and then.", "Unimodal decodings without gradient.", "Random: two runs with different seeds differ more."),
    "balancing/mmpareto": ("When unimodal losses help the encoders but fight the joint loss.", "A second backward pass and unimodal decodings.", "The norms are read on the host: one wait a modality and step on a GPU."),
    "balancing/agm": ("When a modality's relative strength should follow its own history.", "All 2^M coalitions without gradient.", "At most 16 modalities. Adam all but undoes a constant factor on a gradient: take `application = update` there."),
    "balancing/mla": ("Alternating training, with fusion by certainty at inference.", "M passes a batch.", "Needs linear heads, and a fusion whose single-modality joint feature is that modality's projection. It changes the deployed function, so it has no window."),
    "balancing/recon_boost": ("Boosting over modalities.", "One pass an epoch phase; unimodal decodings.", "One epoch here is one pass over the data, not 2M as in the released code. No window."),
    "balancing/gradient_blending": ("When overfitting differs strongly between modalities.", "(M + 1) probe runs every `super_epoch`.", "A part of the training records is held out for the whole run."),
    "balancing/sample_valuation": ("When single records lean on one modality.", "One evaluation of all coalitions over the training records an epoch, and longer epochs.", "Copies make epochs longer: compare methods by steps, not by epochs."),
    "balancing/shapley_loss_factors": ("The flagship's balancing: when every modality should learn, without a second backward.", "Unimodal decodings with gradient, dense tasks on a quarter of the records; see the benchmark `bmmqa.step_vs_plain`.", "The paper's equations are not public: this is our reading."),
    "weighting/contribution_weighting": ("The flagship's task weights.", "Nothing beside `ShapleyLossFactors`, whose decodings it shares; else all coalitions without gradient.", "With one task every weight is one. The equations are our reading."),
    "weighting/uncertainty": ("Tasks whose losses differ in scale.", "One learned number a task.", "A task that cannot be learned is given up rather than helped."),
}


def page(key):
    text = (root / "include/equipoise" / f"{key}.hpp").read_text()
    block = re.search(r"/// \\file\n((?:///.*\n)+)", text).group(1)
    about = "\n".join(line[4:] if line.startswith("/// ") else line[3:] for line in block.splitlines())
    # Formulas are indented in the headers: here they stand in blocks of their own.
    about = re.sub(r"((?:^ {2,}\S.*\n?)+)", lambda f: "\n```\n" + f.group(1).rstrip("\n") + "\n```\n\n", about, flags=re.M)
    adapt = [a for a in re.findall(r"BOOST_HANA_ADAPT_STRUCT\(equipoise::(\w+),([^;]*)\);", text)]
    name, members = adapt[0][0], [m.strip() for m in adapt[0][1].split(",")]
    rows = []
    text = text[text.index(f"struct {name} {{") :]  # the members come first in it: no local of theirs is taken for one
    for m in members:
        found = re.search(r"^\s+([\w:<>]+)\s[^;(]*?\b" + m + r"\s*=\s*(\{[^}]*\}|[^;,{]+?)[,;].*$", text, re.M)
        kind, default = found.group(1).replace("std::", ""), re.sub(r"\s+", " ", found.group(2).strip()).replace("{ ", "{")
        line = text[found.start() : text.index("\n", found.end() - 1)].strip("\n")
        said = re.search(r"///<\s*(.*)$", text[found.start() :].split(";", 1)[1].split("\n")[0]) or re.search(r"///<\s*(.*)$", line)
        rows.append(f"| `{m}` | {kind} | `{default}` | {said.group(1) if said else ''} |")
    when, cost, limits = NOTES[key]
    folder = key.split("/")[0]
    return (f"# {name}\n\n{about.strip()}\n\n**When.** {when}\n\n**Cost.** {cost}\n\n**Limits.** {limits}\n\n| option | type | default | meaning |\n|---|---|---|---|\n" + "\n".join(rows)
            + f"\n\nHeader: `include/equipoise/{key}.hpp`. Tests: `tests/{'fusion/test_laws.cpp' if folder == 'fusion' else 'balancing/test_worked.cpp`, `tests/training/test_laws.cpp'}`.\n")


wrong = 0
for key in NOTES:
    target = root / "docs/components" / f"{key}.md"
    content = page(key)
    if "--check" in sys.argv:
        if not target.exists() or target.read_text() != content:
            print(f"{target.relative_to(root)} is not what its header says: run docs/make_pages.py")
            wrong += 1
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content)
for folder in ("fusion", "balancing", "weighting"):
    for header in (root / "include/equipoise" / folder).glob("*.hpp"):
        if "ADAPT_STRUCT" in header.read_text() and f"{folder}/{header.stem}" not in NOTES:
            print(f"{folder}/{header.name} has no page: give it a line in docs/make_pages.py")
            wrong += 1
print(f"{len(NOTES)} pages")
sys.exit(bool(wrong))
