"""A training run as an adapter that ships: 8-bit factors, a manifest, a model card.

    python scripts/train_student/ship.py --name research --scale 0.02 --bend -4 --runs FOLDER [FOLDER …]
        [--blend FOLDER] [--members FOLDER …] [--evidence FOLDER --evidence-runs FOLDER …]

The runs in the order in which each started from the one before. The last one ships, or a blend of those that it names,
and with it the adapter that the evidence reads with. The card is filled from what training wrote: sources with their
licences and counts, settings, figures.
"""

import argparse
import hashlib
import json
import tomllib
from pathlib import Path
from typing import Any

from groups import lines
from learning import SHARES, Data, held_out_figures
from safetensors.numpy import load_file, save
from score import restored

from whyrank.encode.adapters import EVIDENCE, MAIN, quantised
from whyrank.encode.weights import SHIPPED, read_manifest

TERMS = {
    "research": "research and other non-commercial use only: trained on MS MARCO and on collections free for research",
    "open": "CC BY-SA 4.0: trained on texts under CC BY-SA, CC BY and MIT only",
}
LOSSES = {
    "pairwise": "RankNet",
    "listwise": "listwise",
    "evidence": "evidence",
    "taught": "KL to the mean of {} (as in DeAR)",
}
CARD = """# The student `{name}`

A LoRA adapter and two heads over the embedded body (all-MiniLM-L6-v2, Apache-2.0), as large as one of rank {rank},
distilled by Reason-to-Rank: {losses};
{pairs:,} pairs, {tokens:,} tokens in {runs} of `scripts/train_student/train.py`{order}.
settings.jsonl and log.jsonl have every setting, seed and the course of training; docs/methods.md has the figures.
{evidence}
**Terms: {terms}.**
The texts themselves are not in it. NOTICE names the sources.

| source | licence | groups | pairs | removed |
|---|---|---|---|---|
{rows}

What was removed: queries near a judged test query, near a query that weights are fitted on, or near a held-out
teacher list. At the end of training, on 100 held-out teacher lists: {teacher_pairs:.1%} of the teacher's preferences
kept by the student alone, {with_known:.1%} together with the evidence; {pointed:.1%} of {sentences} sentences pointed
at as the teacher did.

Not for: languages other than English, documents as answers to keywords of other trades than the training's (it falls
back on the evidence there), decisions about people.
"""


EVIDENCE_CARD = """
A second adapter, evidence.safetensors, is for what the evidence compares (`train_interaction.py`, `blend.py`):
{share:g} of the mean change of {count} on the same sources and on lists that keep it from forgetting; {pairs:,} pairs.
"""


BLENDED = """; what ships is the mean of the changes that
{names} make (`blend.py`), which all start from the first of them"""
IN_TURN = ", each from where the one before had come"


def row(name: str, source: dict[str, object]) -> str:
    """A line of the table."""
    removed = sum(int(str(v)) for k, v in source.items() if k.startswith("removed"))
    drawn = "" if "," not in str(source["folder"]) else f" of {source['folder']}"
    return f"| {name}{drawn} | {source['licence']} | {source['groups']} | {source['pairs']} | {removed} |"


def main() -> None:
    """Write the folder."""
    parser = argparse.ArgumentParser(description="Make a training run an adapter.")
    parser.add_argument("--data-folder", type=Path, nargs="+", default=[Path("build/student")], help="of all the runs")
    parser.add_argument("--runs", type=Path, nargs="+", required=True)
    parser.add_argument("--blend", type=Path, help="what `blend.py` made of some of them, if not the last one ships")
    parser.add_argument("--members", type=Path, nargs="*", default=[], help="runs that the last one learnt from")
    parser.add_argument("--name", required=True, choices=tuple(TERMS))
    parser.add_argument("--evidence", type=Path, help="what `blend.py` made, if the evidence reads with an adapter too")
    parser.add_argument("--evidence-runs", type=Path, nargs="*", default=[], help="and of which runs")
    parser.add_argument(
        "--weights", type=Path, help="of the evidence then, as evidence.toml has those of the plain body"
    )
    parser.add_argument("--scale", type=float, required=True, help="what a logit above the bend is worth")
    parser.add_argument("--bend", type=float, required=True, help="the logit below which the student adds little")
    parser.add_argument("--rank", type=int, default=32, help="of each matrix of an adapter, on the average")
    parser.add_argument("--out", type=Path, default=Path("src/whyrank/encode/students"))
    given = parser.parse_args()
    if len({bool(given.evidence), bool(given.evidence_runs), bool(given.weights)}) > 1:
        parser.error("--evidence, --evidence-runs and --weights go together")
    settings = [json.loads((run / "settings.json").read_text()) for run in given.runs]
    logs = [list(lines(run / "log.jsonl")) for run in given.runs]
    sources = {n: s for f in given.data_folder for n, s in json.loads((f / "groups.json").read_text()).items()}
    read = [*settings, *(json.loads((run / "settings.json").read_text()) for run in given.evidence_runs)]
    learnt = [n for n in sources if any(SHARES[one["data"]].get(n) for one in read)]
    fitted: dict[str, Any] = {"scale": given.scale, "bend": given.bend}
    if given.weights:
        fitted["evidence"] = tomllib.loads(given.weights.read_text(encoding="utf-8"))
    student = given.blend or given.runs[-1]
    figures, order = logs[-1][-1], IN_TURN
    if given.blend:
        figures = held_out_figures(Data(given.data_folder[0] / "groups.npz"), restored(given.blend))
        blended = json.loads((given.blend / "settings.json").read_text())["runs"]
        order = BLENDED.format(names=", ".join(f"`{run}`" for run in blended))
    content = {MAIN: save(quantised(load_file(student / MAIN), given.rank))}
    if given.evidence:
        content[EVIDENCE] = save(quantised(load_file(given.evidence / MAIN), given.rank))
    manifest = {
        "format": 1,
        "name": given.name,
        "body": read_manifest(SHIPPED)["files"]["weights.safetensors"]["sha256"][:12],
        "terms": TERMS[given.name],
        "fitted": fitted,
        "files": {n: {"bytes": len(c), "sha256": hashlib.sha256(c).hexdigest()} for n, c in content.items()},
    }
    losses = " + ".join(f"{settings[-1][name]} {what}" for name, what in LOSSES.items() if settings[-1].get(name))
    taught_by = " and ".join(f"`{run.name}`" for run in given.members)
    weights = {
        "losses": losses.format(taught_by),
        "rank": min(given.rank, settings[-1]["rank"]),
        "order": order,
    }
    totals = {name: sum(rows[-1][name] for rows in logs) for name in ("pairs", "tokens")}
    many = "one run" if len(logs) == 1 else f"{len(logs)} runs"
    second = ""
    if given.evidence:
        runs = [list(lines(run / "log.jsonl"))[-1] for run in given.evidence_runs]
        share = json.loads((given.evidence / "settings.json").read_text())["share"]
        count = "one run" if len(runs) == 1 else f"{len(runs)} runs"
        second = EVIDENCE_CARD.format(share=share, count=count, pairs=sum(run["pairs"] for run in runs))
    about = {**figures, **weights, **totals, "runs": many, "name": given.name, "terms": TERMS[given.name]}
    about["evidence"] = second
    card = CARD.format(**about, rows="\n".join(row(name, sources[name]) for name in learnt))
    every = list(dict.fromkeys([*given.members, *given.runs, *given.evidence_runs]))
    course = [{"run": run.name, **one} for run in every for one in lines(run / "log.jsonl")]
    how = [{"run": run.name, **json.loads((run / "settings.json").read_text())} for run in every]
    folder = given.out / given.name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / EVIDENCE).unlink(missing_ok=True)
    for file, stored in content.items():
        (folder / file).write_bytes(stored)
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")
    (folder / "settings.jsonl").write_text("".join(json.dumps(one) + "\n" for one in how))
    (folder / "log.jsonl").write_text("".join(json.dumps(one) + "\n" for one in course))
    (folder / "README.md").write_text(card)
    print(f"{folder}: {sum(map(len, content.values())):,} bytes, {fitted}")


if __name__ == "__main__":
    main()
