"""A small collection to try things on: everyday questions, their answers and documents that only share the words.

Written for whyrank. It shows what reranking and reasons look like; it is far too small to measure anything.
"""

import json
from importlib.resources import files
from typing import Any, NamedTuple

from whyrank.types import Document, Qrels, Query


class Demo(NamedTuple):
    """The demo collection.

    Attributes:
        queries: six questions.
        documents: what can be found, about forty short texts.
        qrels: 2 answers the question, 1 helps, 0 shares its words and does not answer it.
    """

    queries: tuple[Query, ...]
    documents: tuple[Document, ...]
    qrels: Qrels


def load_demo() -> Demo:
    """The demo collection, read from the package itself."""
    return Demo(
        queries=tuple(Query(id=record["_id"], text=record["text"]) for record in _records("queries.jsonl")),
        documents=tuple(
            Document(id=record["id"], text=record["text"], title=record.get("title"))
            for record in _records("corpus.jsonl")
        ),
        qrels=_grades("qrels.trec"),
    )


def _lines(name: str) -> list[str]:
    return files(__name__).joinpath(name).read_text(encoding="utf-8").splitlines()


def _records(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in _lines(name)]


def _grades(name: str) -> dict[str, dict[str, float]]:
    grades: dict[str, dict[str, float]] = {}
    for line in _lines(name):
        query_id, _, document_id, grade = line.split()
        grades.setdefault(query_id, {})[document_id] = float(grade)
    return grades
