"""Small lessons: teacher records of a few words, and the settings of trainings that take a second."""

import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tiny

from whyrank.config import checked
from whyrank.teach.records import Reasons, TeacherRecord, write_records
from whyrank.train.settings import TrainSettings
from whyrank.types import Document, Query

WORDS = ("moon", "tide", "sea", "sun", "light", "water", "apple", "tart", "bake", "oven")


def record(number: int, *, documents: int = 3, has_reasons: bool = True, **more: Any) -> TeacherRecord:
    """A list that begins with what answers, shuffled; its reasons name the document's first word."""
    lots = random.Random(number)
    asked = lots.choice(WORDS)
    others = [word for word in WORDS if word != asked]
    texts = [
        f"{asked} and {lots.choice(others)}",
        *(" and ".join(lots.sample(others, 2)) for _ in range(documents - 1)),
    ]
    order = list(range(documents))
    lots.shuffle(order)
    shown = [texts[order.index(place)] for place in range(documents)]
    said = tuple(Reasons(f"it is about {text.split()[0]}", f"more of {text.split()[0]}") for text in shown)
    given: dict[str, Any] = {
        "key": f"key {number}",
        "query": Query(f"q{number}", f"what is {asked}"),
        "documents": tuple(Document(f"d{place}", text) for place, text in enumerate(shown)),
        "order": tuple(order),
        "reasons": said if has_reasons else (),
        "model": "made-up",
        "mode": "both" if has_reasons else "ranking",
    }
    return TeacherRecord(**{**given, **more})


def records(count: int, **more: Any) -> list[TeacherRecord]:
    """Lists of two to four documents."""
    return [record(number, documents=2 + number % 3, **more) for number in range(count)]


def written(folder: Path, train: Sequence[TeacherRecord], dev: Sequence[TeacherRecord] = ()) -> str:
    """A folder of data; gives its name."""
    folder.mkdir(parents=True, exist_ok=True)
    write_records(folder / "train.jsonl", train)
    if dev:
        write_records(folder / "dev.jsonl", dev)
    return str(folder)


def log(output: Path) -> list[dict[str, Any]]:
    """The rows of a training's log."""
    return [json.loads(line) for line in (output / "log.jsonl").read_text(encoding="utf-8").splitlines()]


def base(folder: Path) -> str:
    """A tiny model in a folder."""
    return tiny.qwen3(folder)


def settings(model: str, data: str, output: Path, values: Mapping[str, Any] | None = None) -> TrainSettings:
    """Settings of a short training; `values` by dotted names."""
    given: dict[str, Any] = {
        "model": {"base": model, "dtype": "float32", "max_tokens": 96, "query_tokens": 16, "reason_tokens": 16},
        "data": {"path": data},
        "optimizer": {"lr": 0.01},
        "output": str(output),
    }
    for name, value in (values or {}).items():
        *outer, last = name.split(".")
        inner = given
        for part in outer:
            inner = inner.setdefault(part, {})
        inner[last] = value
    return checked(TrainSettings, given)
