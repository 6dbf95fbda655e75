"""A thin reader of recorded Reason-to-Rank lists, so that a teacher's reasons are measured as they were written.

One JSON object a line: ``query``, ``qid``, ``unsorted_docs`` (texts, as they were given), ``re_rank_id`` (numbers,
best first) and ``reason.ranked_passages``: ``identifier``, ``direct_reason``, ``listwise_reason`` and
``direct_answer_sentence``.
Nothing is repaired: what is to be trained on goes through an importer of its own.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from whyrank.evaluate.reasons.statements import Reason, Told
from whyrank.formats import json_values
from whyrank.formats.documents import identifier
from whyrank.formats.files import opening
from whyrank.formats.problems import Wrong, fail, parsed
from whyrank.types import Direct, Document, Evidence, Explanations, Query, Ranking, Span, Status

_ACCEPTED = (
    "give {'query', 'qid', 'unsorted_docs': [texts], 're_rank_id': [numbers, best first], 'reason': "
    "{'ranked_passages': [{'identifier', 'direct_reason', 'listwise_reason', 'direct_answer_sentence'}]}}"
)


def read_dual_reasons(path: str | Path) -> list[Told]:
    """The lists of a file, with what the teacher said.

    A document's id is its number in the list as it was given, which is how the texts name it. Each ranking carries
    the direct reasons as its explanations, the answer sentence as their evidence; the texts told are the direct
    reasons and, beside all other documents, the comparing ones.

    Raises:
        BadRecord: a line is no such list, named by path and line.
        MissingFile: there is no such file.
    """
    with opening(path) as source:
        return [one for _, one in parsed(source.name, json_values.values(source, fail), _told, fail)]


def _told(record: Any, number: int) -> Told:
    try:
        texts, order, said = record["unsorted_docs"], record["re_rank_id"], record["reason"]["ranked_passages"]
        query = Query(identifier(record.get("qid", number), "qid"), _text(record, "query"))
        documents = [Document(str(place), text) for place, text in enumerate(texts, 1)]
        if sorted(order) != list(range(1, len(documents) + 1)):
            raise Wrong(f"'re_rank_id' is {order}, no permutation of the {len(documents)} documents", _ACCEPTED)
        given = Ranking.of(query, documents)
        direct = tuple(_direct(documents[passage["identifier"] - 1], passage) for passage in said)
        reasons = [reason for passage in said for reason in _reasons(passage, given.ids)]
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        raise Wrong(f"no recorded list with both reasons ({type(error).__name__}: {error})", _ACCEPTED) from error
    ranking = replace(given, hits=tuple(given.hits[place - 1] for place in order), explanations=Explanations(direct))
    return Told(ranking, tuple(reasons))


def _direct(document: Document, passage: Mapping[str, Any]) -> Direct:
    quote = _text(passage, "direct_answer_sentence")
    start = document.text.find(quote) if quote else -1
    span = Span(start, start + len(quote)) if start >= 0 else None
    status: Status = "repaired" if span is None else "ok"
    evidence = (Evidence(quote, span),)
    return Direct(document.id, _text(passage, "direct_reason"), evidence, source="recorded teacher", status=status)


def _reasons(passage: Mapping[str, Any], ids: tuple[str, ...]) -> Iterator[Reason]:
    about = str(passage["identifier"])
    yield Reason(_text(passage, "direct_reason"), about)
    yield Reason(_text(passage, "listwise_reason"), about, tuple(name for name in ids if name != about))


def _text(record: Mapping[str, Any], key: str) -> str:
    value = record[key]
    if not isinstance(value, str):
        raise TypeError(f"{key!r} is {type(value).__name__}, not a string")
    return value
