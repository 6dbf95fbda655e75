"""Recorded windows: an order, and in free text why.

One JSON object a line:

    query       the text
    documents   the passages as they were shown
    order       0-based places, best first; where it is absent, the text is read for a ranking
    reason      what the teacher wrote; it names passages as [1], [2] …

The layout of the shared collection "teacher-windows-gpt35-gpt4", which was made of the files of
JoyDajunSpaceCraft/Distillation-Is-All-You-Need. The whole text is kept as the answer. A line of it that begins with one
passage's label, and is no ranking, is that passage's comparing reason; a passage that has several keeps them all.
"""

import re
from collections.abc import Iterator
from typing import Any

from whyrank.formats import json_values
from whyrank.formats.files import Source
from whyrank.formats.problems import Complain, parsed
from whyrank.rankers.parsing import ranking
from whyrank.teach.answers import UNKNOWN_COST, numbered, outcome, text_in, texts_in
from whyrank.teach.records import Reasons, TeacherRecord
from whyrank.types import Document, Query

_ACCEPTED = "give {'query': text, 'documents': [texts], 'order': [0-based places, best first], 'reason': text}"
_ABOUT = re.compile(
    r"(?:(?:[-*•]|\d{1,3}[.)])[ \t]{1,8})?(?P<said>\*{0,3}(?:(?:Passage|Document)[ \t]{0,4})?\[(?P<number>\d{1,3})\]"
    r"(?!\*{0,3}[ \t]{0,8}(?:>|,|and\b|&)).*\w.*)",
    re.IGNORECASE,
)


def scan(source: Source, complain: Complain) -> Iterator[tuple[int, TeacherRecord]]:
    """Records of windows, with their lines."""
    return parsed(source.name, json_values.values(source, complain), _record, complain)


def _record(value: Any, number: int) -> TeacherRecord:
    texts = texts_in(value, "documents", _ACCEPTED)
    query = Query(str(number), text_in(value, "query", _ACCEPTED))
    written = value.get("reason")
    text = written if isinstance(written, str) else ""
    answer = numbered(_from_one(value["order"]), len(texts)) if "order" in value else ranking(text, len(texts))
    order, status = outcome(answer)
    return TeacherRecord(
        "",
        query,
        tuple(Document(str(place), shown) for place, shown in enumerate(texts, 1)),
        order,
        reasons=_reasons(text, len(texts)),
        answer=text,
        status=status,
        usage=UNKNOWN_COST,
    )


def _from_one(order: Any) -> Any:
    """Places as numbers; what is no list of places stays what it is."""
    is_list = isinstance(order, list) and all(type(place) is int for place in order)
    return [place + 1 for place in order] if is_list else order


def _reasons(text: str, count: int) -> tuple[Reasons, ...]:
    said: list[list[str]] = [[] for _ in range(count)]
    for line in text.splitlines():
        found = _ABOUT.match(line.strip())
        if found and 1 <= int(found["number"]) <= count:
            said[int(found["number"]) - 1].append(found["said"])
    return tuple(Reasons(comparison=" ".join(lines)) for lines in said) if any(said) else ()
