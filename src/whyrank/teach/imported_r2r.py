"""Recorded lists of Reason-to-Rank: an order, and for each passage two reasons and the sentence that answers.

Ji et al., arXiv 2410.05168; the files of JoyDajunSpaceCraft/Reason-to-Rank. One JSON object a line:

    query, qid             what was asked
    unsorted_docs          the passages as they were shown
    re_rank_id             the order: 1-based numbers of passages, best first
    sorted_docids          their ids in that order
    reason                 {"ranked_passages": [{"identifier", "direct_reason", "listwise_reason",
                            "direct_answer_sentence"}]}
    scores                 one a passage as shown: judged grades as texts, or first-stage scores as numbers

A list that cannot be read is a problem of the file; an answer that cannot be read is a record with its status. The
client that wrote these files stores ``[0, 0, 0, 0, 0]`` where it could not read an answer: such a record has the order
of its reasons, if they name one, or none.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from whyrank.formats import json_values
from whyrank.formats.documents import identifier
from whyrank.formats.files import Source
from whyrank.formats.problems import Complain, Wrong, parsed
from whyrank.rankers.parsing import Parsed
from whyrank.teach.answers import UNKNOWN_COST, numbered, outcome, quoting, text_in, texts_in
from whyrank.teach.records import USABLE, Reasons, TeacherRecord
from whyrank.types import Document, Query

_ACCEPTED = (
    "give {'query', 'qid', 'unsorted_docs': [texts], 're_rank_id': [numbers, best first], 'reason': "
    "{'ranked_passages': [{'identifier', 'direct_reason', 'listwise_reason', 'direct_answer_sentence'}]}}"
)


def scan(source: Source, complain: Complain) -> Iterator[tuple[int, TeacherRecord]]:
    """Records of lists with both reasons, with their lines."""
    return parsed(source.name, json_values.values(source, complain), _record, complain)


def _record(value: Any, number: int) -> TeacherRecord:
    texts = texts_in(value, "unsorted_docs", _ACCEPTED)
    query = Query(identifier(value.get("qid", number), "qid"), text_in(value, "query", _ACCEPTED))
    said = _passages(value.get("reason"))
    answer = _order(value.get("re_rank_id"), said, len(texts))
    labels, first_scores = _scores(value.get("scores"), len(texts))
    ids = _ids(value.get("sorted_docids"), answer, len(texts))
    documents = [
        Document(name, text, metadata={} if score is None else {"first_score": score})
        for name, text, score in zip(ids, texts, first_scores, strict=True)
    ]
    reasons, is_whole = _reasons(said, documents)
    order, status = outcome(answer, is_whole=is_whole)
    return TeacherRecord(
        "",
        query,
        tuple(documents),
        order,
        reasons=reasons,
        answer=json.dumps(value.get("reason"), ensure_ascii=False),
        mode="both",
        status=status,
        usage=UNKNOWN_COST,
        labels=dict(zip(ids, labels, strict=True)) if labels else {},
    )


def _passages(reason: Any) -> list[Mapping[str, Any]]:
    """What is said about each passage; nothing where the answer has another form."""
    passages = reason.get("ranked_passages") if isinstance(reason, dict) else None
    return [one for one in passages if isinstance(one, dict)] if isinstance(passages, list) else []


def _order(stored: Any, said: Sequence[Mapping[str, Any]], count: int) -> Parsed:
    """The order as it was stored, or else as the reasons stand."""
    answer = numbered(stored, count)
    if answer.status in USABLE:
        return answer
    by_reasons = numbered([one.get("identifier") for one in said], count)
    if by_reasons.status not in USABLE:
        return answer
    return Parsed(by_reasons.order, "repaired", ("ordered as the reasons stand",), by_reasons.named)


def _ids(by_rank: Any, answer: Parsed, count: int) -> list[str]:
    """The documents' ids as shown; their numbers where the ids are not one for each, or the order is not known."""
    is_whole = isinstance(by_rank, list) and len({*map(str, by_rank)}) == len(by_rank) == count
    if not is_whole or answer.status != "ok":
        return [str(number) for number in range(1, count + 1)]
    ids = [""] * count
    for name, place in zip(by_rank, answer.order, strict=True):
        ids[place] = identifier(name, "sorted_docids")
    return ids


def _scores(scores: Any, count: int) -> tuple[list[float], list[float | None]]:
    """Judged grades, or none; and first-stage scores."""
    none: list[float | None] = [None] * count
    if scores is None:
        return [], none
    if not isinstance(scores, list) or len(scores) != count:
        raise Wrong(f"'scores' is no list of {count} values", "give one score a passage, or leave them out")
    values = [json_values.finite(score, "scores") for score in scores]
    if any(isinstance(score, str) for score in scores):
        return [value or 0.0 for value in values], none
    return [], values


def _reasons(said: Sequence[Mapping[str, Any]], documents: Sequence[Document]) -> tuple[tuple[Reasons, ...], bool]:
    """One a document, and whether there was exactly one for each, all in texts."""
    told: dict[int, Reasons] = {}
    is_whole = len(said) == len(documents)
    for passage in said:
        number = passage.get("identifier")
        place = number - 1 if type(number) is int else -1
        direct, comparison, sentence = (passage.get(key) for key in _KEYS)
        is_known = 0 <= place < len(documents) and place not in told
        is_whole &= is_known and all(isinstance(text, str) for text in (direct, comparison, sentence))
        if is_known:
            told[place] = quoting(
                documents[place], direct=_text(direct), comparison=_text(comparison), answer=_text(sentence)
            )
    if not told:
        return (), False
    return tuple(told.get(place, Reasons()) for place in range(len(documents))), is_whole


_KEYS = ("direct_reason", "listwise_reason", "direct_answer_sentence")


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
