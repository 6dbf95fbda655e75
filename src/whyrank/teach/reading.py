"""From a teacher's answer to what it says of each document: a total function, for model output is hostile data.

The order is read by `whyrank.rankers.parsing` and by nothing else; here only the reasons are, from the objects of the
same answer that name a document. Of a broken answer, as much is taken as is whole.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from whyrank.lm.base import Reply
from whyrank.rankers.parsing import final_answer
from whyrank.reason.written_answers import LONGEST, read_answer
from whyrank.teach.answers import quoting
from whyrank.teach.records import Reasons
from whyrank.types import Document

NAMES = ("identifier", "id", "passage_id", "document_id", "passage", "index")
"""Where an object says which document it is about."""
TEXTS = ("direct_reason", "reason", "listwise_reason", "direct_answer_sentence")
"""What the prompts ask for; "reason" is the direct one where no comparison is asked for."""
TRIES = 64
"""Objects that may turn out to be broken before the rest of an answer is given up."""
DEEPEST = 4
_LABEL = re.compile(r"\W{0,3}(?:passage|document)?\W{0,3}([0-9]{1,4}|[A-Za-z])\W{0,3}", re.IGNORECASE)
_STATED = re.compile(rf'"(?:{"|".join(NAMES)})"\s{{0,4}}:\s{{0,4}}("[^"]{{0,40}}"|[0-9]{{1,4}})', re.IGNORECASE)
_BRACE = re.compile(r"\{")
_TAG = re.compile(r"</?\w{1,20}>")


class Said(NamedTuple):
    """What an answer says of one document.

    Attributes:
        label: the document's, as the answer writes it.
        direct: why it stands where it stands.
        comparison: how it compares with the others.
        answer: the sentence that answers.
    """

    label: str
    direct: str
    comparison: str
    answer: str


def reasons(text: str, labels: Sequence[str], documents: Sequence[Document]) -> tuple[Reasons, ...]:
    """What an answer says of each document, with the spans of its quotes; empty where it says nothing of any.

    Args:
        text: the answer, whatever it is.
        labels: what the documents were called.
        documents: as they were shown: quotes can come from nowhere else.
    """
    found = said(text)
    places = _places([one.label for one in found], labels)
    by_place = {place: one for place, one in zip(places, found, strict=True) if place is not None}
    if not by_place:
        return ()
    nothing = Said("", "", "", "")
    told = [by_place.get(place, nothing) for place in range(len(documents))]
    return tuple(
        quoting(document, direct=one.direct, comparison=one.comparison, answer=one.answer)
        for document, one in zip(documents, told, strict=True)
    )


def said(text: str) -> list[Said]:
    """The objects of an answer that name a document and say something of it, in order.

    >>> said('{"ranked_passages": [{"identifier": 2, "direct_reason": "It names the year."}]}')
    [Said(label='2', direct='It names the year.', comparison='', answer='')]
    """
    beginning = text[:LONGEST]
    # Within the strings of an object nothing ends a thought or a turn, whatever a document made the teacher quote.
    answer = beginning if beginning.lstrip()[:1] in ("{", "[") else final_answer(beginning)
    return [] if answer is None else [one for one in map(_said, _objects(answer)) if one is not None]


def thought(reply: Reply) -> str:
    """What a teacher wrote before its answer."""
    if reply.reasoning:
        return reply.reasoning.strip()
    answer = final_answer(reply.text)
    if answer is None:
        return _TAG.sub("", reply.text).strip()
    before, found, _ = reply.text.partition(answer.strip()) if answer.strip() else ("", "", "")
    return _TAG.sub("", before).strip() if found else ""


def _places(stated: Sequence[str], labels: Sequence[str]) -> list[int | None]:
    """The document that each label means; all together may be numbered from 0."""
    known = {label.lower(): place for place, label in enumerate(labels)}
    from_zero = {str(place): place for place in range(len(labels))}
    if len(labels) > 1 and sorted(stated) == sorted(from_zero):
        known = from_zero
    return [known.get(label.lower()) for label in stated]


def _objects(text: str) -> Iterator[str]:
    """The objects that name a document, each as a text of its own; of a broken one, all up to the next object."""
    decoder = json.JSONDecoder(strict=False)
    starts = [match.start() for match in _BRACE.finditer(text)]
    reached = broken = 0
    for start, following in pairwise([*starts, len(text)]):
        if start < reached or broken > TRIES:
            continue
        try:
            value, reached = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            broken += 1
            if _STATED.search(text[start:following]):
                yield text[start:following]
            continue
        yield from map(json.dumps, _about_documents(value))


def _about_documents(value: Any, depth: int = 0) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, dict) and any(name in value for name in NAMES):
        yield value
    elif isinstance(value, dict | list) and depth < DEEPEST:
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _about_documents(inner, depth + 1)


def _said(written: str) -> Said | None:
    stated = _STATED.search(written)
    label = _LABEL.fullmatch(stated[1].strip('"')) if stated else None
    if label is None:
        return None
    for needed in TEXTS:
        answer = read_answer(Reply(written), TEXTS, needed=needed)
        if answer.is_usable:
            direct, plain, comparison, sentence = (answer.parts[name].strip() for name in TEXTS)
            return Said(label[1], direct or plain, comparison, sentence)
    return None
