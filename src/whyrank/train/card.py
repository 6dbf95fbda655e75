"""The model card: what a student learnt from, how, and how well it does on what it has not seen."""

import datetime
import platform
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from whyrank.config import resolved
from whyrank.rankers.student_folder import Manifest
from whyrank.train.examples import Prepared
from whyrank.train.settings import TrainSettings

PAPER = "https://arxiv.org/abs/2410.05168"
PACKAGES = ("whyrank", "torch", "transformers", "peft")
_UNKNOWN = "not stated"
Rows = Sequence[Mapping[str, Any]]


class Run(NamedTuple):
    """What a card tells of a training.

    Attributes:
        data: what was learnt from.
        dev: what was measured on; None if nothing was.
        rows: of the log.
        processes: that learnt together.
    """

    data: Prepared
    dev: Prepared | None
    rows: Rows
    processes: int


def last_figures(rows: Rows) -> dict[str, float]:
    """The last of each figure of a log."""
    found: dict[str, float] = {}
    for row in rows:
        found |= {name: value for name, value in row.items() if name != "step"}
    return found


def facts(settings: TrainSettings, run: Run) -> dict[str, Any]:
    """What `reranker.json` says of the training."""
    return {
        "date": _today(),
        "lists": len(run.data.examples),
        "data_sha256": run.data.digest,
        "seed": settings.seed,
        "steps": run.rows[-1]["step"] if run.rows else 0,
        "figures": last_figures(run.rows),
    }


def render(settings: TrainSettings, student: Manifest, run: Run) -> str:
    """The card as Markdown, with the metadata that the hub reads."""
    own = settings.card
    name = own.name or Path(settings.output).resolve().name
    metadata = {
        "base_model": settings.model.base,
        "library_name": "whyrank",
        "pipeline_tag": "text-ranking",
        "language": list(own.language),
        "tags": ["reranker", "reasons", "lora"],
        **({"license": own.license} if own.license else {}),
    }
    learnt = {"none": "no reasons", "both": "direct and comparison reasons"}
    reasons = learnt.get(student.reasons, f"{student.reasons} reasons")
    about = (
        f"A reranker on {settings.model.base} (LoRA and a rank head). It learnt a teacher's order of documents, and "
        f"{reasons}, as in [Reason-to-Rank]({PAPER}). Its scores never depend on reasons."
    )
    base = [("model", student.base), ("revision", student.base_revision), ("fingerprint", student.base_fingerprint)]
    sections = {
        "Data": [_table("lists learnt from", _of(run.data)), *_measured_on(run.dev)],
        "Licences": [_table("of", _licences(settings))],
        "Figures": [_figures(run)],
        "Base model": [_table("of the base", base)],
        "Made with": [_table("what", _versions(run))],
        "Settings": [f"```yaml\n{resolved(settings)}```\n"],
    }
    parts = [f"---\n{yaml.safe_dump(metadata, sort_keys=False)}---", f"# {name}\n", about]
    for title, told in sections.items():
        parts += [f"\n## {title}\n", *told]
    return "\n".join(parts)


def _measured_on(dev: Prepared | None) -> list[str]:
    return [] if dev is None else [_table("lists measured on", _of(dev))]


def _of(data: Prepared) -> list[tuple[str, object]]:
    told = [reason.kind for one in data.examples for reason in one.told]
    return [
        ("lists", f"{len(data.examples):,} of {data.records:,} records"),
        ("documents", f"{sum(len(one.documents) for one in data.examples):,}"),
        ("direct reasons", f"{told.count('direct'):,}"),
        ("comparison reasons", f"{told.count('comparison'):,}"),
        *((f"left out: records {reason}", f"{count:,}") for reason, count in data.skipped.items()),
        *((f"left out: {what}", f"{count:,}") for what, count in data.left_out.items()),
        ("teachers", ", ".join(data.teachers) or _UNKNOWN),
        ("sha256 of what was learnt", data.digest),
    ]


def _licences(settings: TrainSettings) -> list[tuple[str, object]]:
    own = settings.card
    return [
        ("this adapter", own.license or _UNKNOWN),
        ("the base model", own.base_license or _UNKNOWN),
        ("queries, documents and the teacher's answers", own.data_license or _UNKNOWN),
    ]


def _figures(run: Run) -> str:
    """First and last of each figure; of the training's own, the means over the first and last tenth of its steps."""
    lines = ["| figure | at first | at last |", "|---|---|---|"]
    for name in dict.fromkeys(name for row in run.rows for name in row if name.startswith(("train/", "dev/"))):
        values = [row[name] for row in run.rows if row.get(name) is not None]
        if not values or name in ("train/lr", "train/seconds"):
            continue
        ends = max(1, len(values) // 10) if name.startswith("train/") else 1
        first, last = (sum(some) / ends for some in (values[:ends], values[-ends:]))
        lines.append(f"| {name} | {first:.4f} | {last:.4f} |")
    notes = ["Training figures are means over the first and the last tenth of the steps."]
    if run.dev is not None:
        graded = "judgements" if run.dev.is_judged else "the teacher's order, the last document of which counts 0"
        notes.append(f"nDCG@10 is by {graded}, on the lists that were given, not on a whole collection.")
    return "\n".join([*lines, "", " ".join(notes)])


def _versions(run: Run) -> list[tuple[str, object]]:
    return [
        ("date", _today()),
        ("processes", run.processes),
        *((name, version(name)) for name in PACKAGES),
        ("Python", platform.python_version()),
    ]


def _table(title: str, rows: Iterable[tuple[str, object]]) -> str:
    lines = [f"| {_cell(key)} | {_cell(value)} |" for key, value in rows]
    return "\n".join([f"| {title} | |", "|---|---|", *lines, ""])


def _cell(value: object) -> str:
    return " ".join(str(value).split()).replace("|", r"\|")


def _today() -> str:
    return datetime.datetime.now(datetime.UTC).date().isoformat()
