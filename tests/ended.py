"""What a command left behind, and where the demo's documents are."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import whyrank.datasets.demo

CORPUS = Path(whyrank.datasets.demo.__file__).with_name("corpus.jsonl")


class Ended(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def rankings(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def ids(self) -> list[str]:
        [ranking] = self.rankings
        return [hit["id"] for hit in ranking["hits"]]


Run = Callable[..., Ended]
Lines = Callable[[str, Iterable[Any]], str]
