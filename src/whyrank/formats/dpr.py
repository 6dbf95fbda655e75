"""DPR's results of retrieval, which many readers of passages take: questions with their answers and passages.

    [{"question": "…", "answers": ["…"], "ctxs": [{"id": "…", "title": "…", "text": "…", "score": "…"}]}]

Source of the layout: facebookresearch/DPR, dense_retriever.py. Answers become the query's metadata, what else a passage
carries ("has_answer") the document's. The order of the list is kept. A question without an id is given its number.
"""

from collections.abc import Iterator
from typing import Any

from whyrank.formats import json_values
from whyrank.formats.answers import answers_from
from whyrank.formats.documents import QUERY_ID_KEYS, document_from, identifier
from whyrank.formats.files import Source
from whyrank.formats.problems import Complain, Wrong, parsed
from whyrank.formats.rankings import listed
from whyrank.types import Document, Query, Ranking

_ACCEPTED = "give {'question': '…', 'answers': ['…'], 'ctxs': [{'id': …, 'title': …, 'text': …, 'score': …}]}"


def scan_results(source: Source, complain: Complain) -> Iterator[tuple[int, Ranking]]:
    """DPR's results as rankings, with their lines."""
    return parsed(source.name, json_values.values(source, complain), result_from, complain)


def result_from(record: Any, number: int) -> Ranking:
    """A ranking from one question; its scores become first-stage scores.

    Raises:
        Wrong: it is no result of DPR.
    """
    if not isinstance(record, dict):
        raise Wrong(f"a result is {type(record).__name__}", _ACCEPTED)
    question, passages = record.get("question"), record.get("ctxs")
    if not isinstance(question, str) or not isinstance(passages, list):
        raise Wrong(f"no result of DPR; the keys are {json_values.keys_of(record)}", _ACCEPTED)
    key = next((key for key in QUERY_ID_KEYS if key in record), None)
    name = identifier(record[key], key) if key else str(number)
    answers = {"answers": list(answers_from(record, number)[1])} if "answers" in record else {}
    pairs = [_passage(passage, place) for place, passage in enumerate(passages, 1)]
    query = Query(id=name, text=question, metadata=answers)
    return listed(query, [document for document, _ in pairs], [score for _, score in pairs])


def _passage(passage: Any, place: int) -> tuple[Document, float | None]:
    if not isinstance(passage, dict):
        raise Wrong(f"passage {place} is {type(passage).__name__}", _ACCEPTED)
    rest = {key: value for key, value in passage.items() if key != "score"}
    return document_from(rest, place), json_values.finite(passage.get("score"), "score")
