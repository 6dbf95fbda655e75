"""Our own format: one ranking a line, complete, versioned; read back it is the same ranking, float for float.

    {"whyrank": 1, "query": {"id", "text", "metadata"},
     "hits": [{"id", "title", "text", "metadata", "rank", "score", "first_score", "first_rank", "cut", "placed"}, …],
     "ranker", "status", "notes", "usage", "explanations": {"direct", "comparisons", "usage"} or null, "left_out"}

As input, what a person writes by hand is read too: {"query": "…", "documents": ["…" or {…}, …], "scores": […]}.

What JSON cannot hold does not survive: tuples and non-string keys in metadata, and a character outside the basic
plane that was given as two separate surrogates (it becomes the one character).
"""

import math
from collections.abc import Iterator
from typing import Any

from whyrank.errors import BadInput, BadRecord, DuplicateId
from whyrank.formats import json_values
from whyrank.formats.documents import document_from, identifier, query_from, table_row
from whyrank.formats.files import Source
from whyrank.formats.plain import plain, restore
from whyrank.formats.problems import Complain, Wrong, parsed
from whyrank.types import Document, Explanations, Hit, Query, Ranking, Status, Usage

VERSION = 1
DOCUMENT_KEYS = frozenset({"id", "title", "text", "metadata"})
HIT_KEYS = DOCUMENT_KEYS | {"rank", "score", "first_score", "first_rank", "cut", "placed"}
RECORD_KEYS = frozenset({"whyrank", "query", "hits", "ranker", "status", "notes", "usage", "explanations", "left_out"})


def scan_rankings(source: Source, complain: Complain) -> Iterator[tuple[int, Ranking]]:
    """Rankings in our own format, or as {"query", "documents", "scores"}, with their lines."""
    return parsed(source.name, json_values.values(source, complain), ranking_from, complain)


def to_json(ranking: Ranking) -> str:
    """One line of JSON that `from_json` reads back as the same ranking.

    Raises:
        BadInput: a score is not finite, or metadata is no JSON.
    """
    record = {
        "whyrank": VERSION,
        "query": _query_record(ranking.query),
        "hits": [_hit_record(hit, rank) for rank, hit in enumerate(ranking.hits, 1)],
        "ranker": ranking.ranker,
        "status": ranking.status,
        "notes": list(ranking.notes),
        "usage": plain(ranking.usage),
        "explanations": plain(ranking.explanations),
        "left_out": ranking.left_out,
    }
    try:
        return json_values.dumps(record)
    except BadInput as error:
        raise BadInput(f"ranking of query {ranking.query.id!r}: {error}") from error


def from_json(line: str) -> Ranking:
    """A ranking from one line of `to_json`, or from {"query", "documents", "scores"}.

    Raises:
        BadInput: it is neither.
    """
    try:
        return ranking_from(json_values.first_value(line), 1)
    except Wrong as wrong:
        raise BadInput(str(wrong)) from wrong


def ranking_from(record: Any, number: int) -> Ranking:
    """A ranking from a JSON object.

    Raises:
        Wrong: it is neither our own format nor {"query", "documents"}.
    """
    if isinstance(record, dict) and "whyrank" in record:
        return _stored(record)
    if isinstance(record, dict) and {"query", "documents"} <= record.keys():
        return _given(record, number)
    keys = json_values.keys_of(record) if isinstance(record, dict) else type(record).__name__
    raise Wrong(
        f"no ranking; the keys are {keys}",
        "give {'whyrank': 1, …} as whyrank writes it, or {'query': …, 'documents': […], 'scores': […] (optional)}",
    )


def listed(query: Query, documents: list[Document], scores: list[float | None] | None) -> Ranking:
    """`Ranking.of` for readers: its errors become the record's.

    Raises:
        Wrong: an id is given twice, or the number of scores is wrong.
    """
    try:
        return Ranking.of(query, documents, scores)
    except BadInput as error:
        what, _, fix = str(error).rpartition("; ")
        kind = DuplicateId if isinstance(error, DuplicateId) else BadRecord
        raise Wrong(f"query {query.id!r}: {what}", fix, kind) from None


def table_lines(rankings: Iterator[Ranking]) -> Iterator[str]:
    """A table for a spreadsheet, one hit a row; for reading by people, not for reading back."""
    yield table_row(["query_id", "query", "rank", "id", "score", "first_rank", "first_score", "title", "text"])
    for ranking in rankings:
        for rank, hit in enumerate(ranking, 1):
            doc, first = hit.document, [hit.first_rank, hit.first_score]
            row = [ranking.query.id, ranking.query.text, rank, doc.id, hit.score, *first, doc.title, doc.text]
            yield table_row(row)


def _query_record(query: Query) -> dict[str, Any]:
    return {"id": query.id, "text": query.text, "metadata": dict(query.metadata)}


def _hit_record(hit: Hit, rank: int) -> dict[str, Any]:
    for score in (hit.score, hit.first_score):
        if score is not None and not math.isfinite(score):
            raise BadInput(f"document {hit.document.id!r}: its score is {score}; scores are finite numbers or None")
    return {
        "id": hit.document.id,
        "title": hit.document.title,
        "text": hit.document.text,
        "metadata": dict(hit.document.metadata),
        "rank": rank,
        "score": None if hit.score is None else float(hit.score),
        "first_score": None if hit.first_score is None else float(hit.first_score),
        "first_rank": hit.first_rank,
        "cut": hit.cut,
        "placed": hit.placed,
    }


def _stored(record: dict[str, Any]) -> Ranking:
    if record["whyrank"] != VERSION:
        raise Wrong(
            f"version {record['whyrank']!r} of the rankings format",
            f"this whyrank reads {VERSION}; install a newer one",
        )
    _refuse_unknown(record, RECORD_KEYS, "the ranking")
    hits = record.get("hits")
    if not isinstance(hits, list):
        raise Wrong(f"'hits' is {type(hits).__name__}", "give a list")
    ranking = Ranking(
        query=restore(Query, record.get("query"), "query"),
        hits=tuple(_hit(hit, f"hits[{i}]") for i, hit in enumerate(hits)),
        ranker=restore(str, record.get("ranker", ""), "ranker"),
        status=restore(Status, record.get("status", "ok"), "status"),  # type: ignore[arg-type]
        notes=restore(tuple[str, ...], record.get("notes", []), "notes"),
        usage=restore(Usage, record.get("usage", {}), "usage"),
        left_out=restore(int, record.get("left_out", 0), "left_out"),
        explanations=restore(Explanations | None, record.get("explanations"), "explanations"),  # type: ignore[arg-type]
    )
    listed(ranking.query, list(ranking.documents), None)
    return ranking


def _refuse_unknown(record: dict[str, Any], known: frozenset[str], where: str) -> None:
    """A misspelt key would otherwise turn what it holds into what is absent."""
    strange = sorted(set(record) - known)
    if strange:
        raise Wrong(f"{where} has the unknown key {strange[0]!r}", f"its keys are {', '.join(sorted(known))}")


def _hit(record: Any, where: str) -> Hit:
    document = record
    if isinstance(record, dict):
        _refuse_unknown(record, HIT_KEYS, where)
        document = {key: value for key, value in record.items() if key in DOCUMENT_KEYS}
    return Hit(
        document=restore(Document, document, where),
        score=restore(float | None, record.get("score"), f"{where}.score"),  # type: ignore[arg-type]
        first_score=restore(float | None, record.get("first_score"), f"{where}.first_score"),  # type: ignore[arg-type]
        first_rank=restore(int, record.get("first_rank", 0), f"{where}.first_rank"),
        cut=restore(int, record.get("cut", 0), f"{where}.cut"),
        placed=restore(bool, record.get("placed", False), f"{where}.placed"),
    )


def _given(record: dict[str, Any], number: int) -> Ranking:
    query = record["query"]
    if isinstance(query, dict):
        asked = query_from(query, number)
    elif isinstance(query, str):
        name = next((identifier(record[key], key) for key in ("qid", "query_id") if key in record), str(number))
        asked = Query(id=name, text=query)
    else:
        raise Wrong(f"'query' is {type(query).__name__}", "give a text or {'id': …, 'text': …}")
    documents, scores = record["documents"], record.get("scores")
    if not isinstance(documents, list) or not isinstance(scores, list | None):
        raise Wrong("'documents' or 'scores' is no list", "give lists of the same length")
    numbers = None if scores is None else [json_values.finite(score, "scores") for score in scores]
    return listed(asked, [document_from(document, i) for i, document in enumerate(documents, 1)], numbers)
