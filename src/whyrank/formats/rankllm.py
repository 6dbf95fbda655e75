"""RankLLM's requests (and results), as JSON array or JSON Lines, in the present form and in the old one with "hits".

    {"query": {"text", "qid"}, "candidates": [{"docid", "score", "doc": {"text" (or "contents" …), "title"}}]}
    {"query": "…", "hits": [{"content", "qid", "docid", "rank", "score"}]}

Source of the layout: castorini/rank_llm, src/rank_llm/data.py; the text keys and their order are those of its prompts.
The order of the list is kept, whatever the scores say: results of RankLLM carry the order in the list.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from whyrank.formats import json_values
from whyrank.formats.documents import TEXT_KEYS, document_from, identifier, query_from
from whyrank.formats.files import Source
from whyrank.formats.problems import Complain, Wrong, parsed
from whyrank.formats.rankings import listed
from whyrank.formats.trec import decreasing
from whyrank.types import Document, Query, Ranking

_ACCEPTED = "give {'query': {'text': …, 'qid': …}, 'candidates': [{'docid': …, 'score': …, 'doc': {'text': …}}]}"


def scan_requests(source: Source, complain: Complain) -> Iterator[tuple[int, Ranking]]:
    """RankLLM requests as rankings, with their lines."""
    return parsed(source.name, json_values.values(source, complain), request_from, complain)


def request_from(record: Any, number: int) -> Ranking:
    """A ranking from one request; its scores become first-stage scores.

    Raises:
        Wrong: it is no request.
    """
    if not isinstance(record, dict):
        raise Wrong(f"a request is {type(record).__name__}", _ACCEPTED)
    candidates = record.get("candidates", record.get("hits"))
    if not isinstance(candidates, list) or "query" not in record:
        raise Wrong(f"no RankLLM request; the keys are {json_values.keys_of(record)}", _ACCEPTED)
    pairs = [_candidate(item, place) for place, item in enumerate(candidates, 1)]
    return listed(_query(record, candidates, number), [doc for doc, _ in pairs], [score for _, score in pairs])


def request_records(rankings: Iterable[Ranking]) -> Iterator[dict[str, Any]]:
    """Requests that RankLLM reads; scores decrease strictly, as in a TREC run."""
    for ranking in rankings:
        candidates = [
            {"docid": hit.document.id, "score": score, "doc": _doc(hit.document)}
            for hit, score in zip(ranking, decreasing(ranking), strict=True)
        ]
        yield {"query": {"text": ranking.query.text, "qid": ranking.query.id}, "candidates": candidates}


def _query(record: dict[str, Any], candidates: list[Any], number: int) -> Query:
    query = record["query"]
    if isinstance(query, dict):
        return query_from(query, number)
    if not isinstance(query, str):
        raise Wrong(f"'query' is {type(query).__name__}", _ACCEPTED)
    # The old form names the query in its hits.
    qid = record.get("qid", candidates[0].get("qid", number) if candidates else number)
    return Query(id=identifier(qid, "qid"), text=query)


def _candidate(item: Any, place: int) -> tuple[Document, float | None]:
    if not isinstance(item, dict) or "docid" not in item:
        keys = json_values.keys_of(item) if isinstance(item, dict) else type(item).__name__
        raise Wrong(f"candidate {place} has no 'docid'; the keys are {keys}", _ACCEPTED)
    doc = item.get("doc")
    if isinstance(doc, str):
        doc = {"text": doc}
    if doc is None:
        doc = {key: value for key, value in item.items() if key not in {"docid", "qid", "rank", "score"}}
    if not isinstance(doc, dict):
        raise Wrong(f"'doc' of candidate {place} is {type(doc).__name__}", _ACCEPTED)
    inner = {key: value for key, value in doc.items() if key not in {"docid", "_id", "id"}}
    return document_from({"id": item["docid"], **inner}, place), json_values.finite(item.get("score"), "score")


def _doc(document: Document) -> dict[str, Any]:
    kept = {key: value for key, value in document.metadata.items() if key not in {*TEXT_KEYS, "title"}}
    return (
        {"title": document.title, "text": document.text, **kept} if document.title else {"text": document.text, **kept}
    )
