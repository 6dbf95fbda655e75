"""The model card: what a student learnt from, how, and how well it does on what it has not seen."""

import datetime
import platform
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from whyrank.config import resolved
from whyrank.rankers.student_opening import Trained
from whyrank.train.examples import Prepared, known
from whyrank.train.settings import ReasonsTaught, Targets, TrainSettings
from whyrank.train.student_settings import CLASSIFIER

PAPER = "https://arxiv.org/abs/2410.05168"
DISTILLATION = "https://arxiv.org/abs/2508.16998"
_TARGETS: Mapping[Targets, str] = {
    "order": "a teacher's order of documents",
    "scores": "a teacher's scores",
    "labels": "which documents were judged relevant",
}
_REASONS: Mapping[ReasonsTaught, str] = {
    "none": "no reasons",
    "direct": "direct reasons",
    "comparison": "comparison reasons",
    "both": "direct and comparison reasons",
}
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


def render(settings: TrainSettings, student: Trained, run: Run) -> str:
    """The card as Markdown, with the metadata that the hub reads. A base in a folder is called as the folder is."""
    model = settings.model.model_copy(update={"base": _called(settings.model.base)})
    settings = settings.model_copy(update={"model": model})
    own = settings.card
    name = own.name or Path(settings.output).resolve().name
    metadata = {
        "base_model": settings.model.base,
        "library_name": "whyrank",
        "pipeline_tag": "text-ranking",
        "language": list(own.language),
        "tags": _tags(settings),
        **({"license": own.license} if own.license else {}),
    }
    base = [
        ("model", _called(student.base)),
        ("revision", student.base_revision),
        ("fingerprint", student.base_fingerprint),
    ]
    sections = {
        "Data": [_table("lists learnt from", _of(run.data)), *_measured_on(run)],
        "Licences": [_table("of", _licences(settings))],
        "Figures": [_figures(run)],
        "Base model": [_table("of the base", base)],
        "Made with": [_table("what", _versions(run))],
        "Settings": [f"```yaml\n{resolved(settings)}```\n"],
    }
    parts = [f"---\n{yaml.safe_dump(metadata, sort_keys=False)}---", f"# {name}\n", _about(settings)]
    for title, told in sections.items():
        parts += [f"\n## {title}\n", *told]
    return "\n".join(parts)


def _called(base: str) -> str:
    """The id of a model; of a folder its name, for where it lies is nobody's business."""
    path = Path(base).expanduser()
    return path.resolve().name if path.is_dir() else base


def _tags(settings: TrainSettings) -> list[str]:
    if settings.learns == "permutations":
        return ["reranker", "listwise", "lora"]
    kind = "cross-encoder" if settings.model.kind == CLASSIFIER else "reasons"
    return ["reranker", kind, *(["lora"] if settings.lora.r else [])]


def _about(settings: TrainSettings) -> str:
    if settings.learns == "permutations":
        thought = "alone" if settings.data.thoughts == "none" else "after a thought about its documents"
        return (
            f"A listwise reranker on {settings.model.base} (LoRA). It learnt to write a teacher's ranking of a list, "
            f"{thought}, as in [DeAR, stage 2]({DISTILLATION}). `whyrank.load` opens it with the prompt that it was "
            "trained with."
        )
    if settings.model.kind == CLASSIFIER:
        taught = "an adapter, which is merged, and its head" if settings.lora.r else "all its weights"
        distilled = f", as in {_paper(settings)}" if settings.loss.weights.distillation else ""
        return (
            f"A reranker: {settings.model.base} as a sequence classifier with one logit, of which {taught} learnt "
            f"{_order(settings)}{distilled}. `whyrank.load` opens it with the format of its pairs (reranker.json); "
            "where they are the tokenizer's own, so does `CrossEncoder` of sentence-transformers."
        )
    return (
        f"A reranker on {settings.model.base} (LoRA and a rank head). It learnt {_order(settings)}, and "
        f"{_REASONS[settings.taught]}, as in {_paper(settings)}. Its scores never depend on reasons."
    )


def _order(settings: TrainSettings) -> str:
    """From what it learnt to score."""
    weights = settings.loss.weights
    main = [_TARGETS[settings.data.targets]] if weights.pairwise or weights.listwise else []
    distilled = ["a teacher's scores by distillation"] if weights.distillation else []
    return ", ".join([*main, *distilled]) or "no order"


def _paper(settings: TrainSettings) -> str:
    if settings.loss.weights.distillation:
        return f"[DeAR, stage 1]({DISTILLATION})"
    return f"[Reason-to-Rank]({PAPER})"


def _measured_on(run: Run) -> list[str]:
    if run.dev is None:
        return []
    shared = known(run.dev, run.data)
    also = [("lists whose query is also learnt from", f"{shared:,}")] if shared else []
    return [_table("lists measured on", [*_of(run.dev), *also])]


def _of(data: Prepared) -> list[tuple[str, object]]:
    told = [reason.kind for one in data.examples for reason in one.told]
    return [
        ("lists", f"{len(data.examples):,} of {data.records:,} records"),
        ("documents", f"{sum(len(one.documents) for one in data.examples):,}"),
        ("direct reasons", f"{told.count('direct'):,}"),
        ("comparison reasons", f"{told.count('comparison'):,}"),
        *_distilled(data),
        *((f"left out: records {reason}", f"{count:,}") for reason, count in data.skipped.items()),
        *((f"left out: {what}", f"{count:,}") for what, count in data.left_out.items()),
        ("teachers", ", ".join(data.teachers) or _UNKNOWN),
        ("sha256 of what was learnt", data.digest),
    ]


def _distilled(data: Prepared) -> list[tuple[str, object]]:
    """How many lists have a teacher's scores to distil; nothing where none are asked for."""
    scored = sum(one.is_scored for one in data.examples)
    return [("lists with a teacher's scores to distil", f"{scored:,}")] if scored else []


def _licences(settings: TrainSettings) -> list[tuple[str, object]]:
    own = settings.card
    return [
        ("this model" if settings.model.kind == CLASSIFIER else "this adapter", own.license or _UNKNOWN),
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
