"""What a record or an imported file holds of a teacher's answer, read without trust: what ranks, quotes, refuses."""

import json
from dataclasses import replace
from typing import Any, NamedTuple

from whyrank.formats.problems import Wrong
from whyrank.lm.base import Reply
from whyrank.rankers.parsing import Parsed, ranking
from whyrank.reason.quotes import find_quote, is_quote
from whyrank.reason.written_answers import read_answer
from whyrank.teach.records import USABLE, Reasons, TeacherRecord
from whyrank.types import Document, Status, Usage

UNKNOWN_COST = Usage(cost=None)
"""Of a record that somebody else paid for."""


def numbered(numbers: Any, count: int) -> Parsed:
    """Read a stored list of 1-based numbers, best first, as `whyrank.rankers.parsing.ranking` reads an answer.

    Whatever is no list of whole numbers ranks nothing.
    """
    is_list = isinstance(numbers, list) and all(type(number) is int for number in numbers)
    return ranking(" > ".join(f"[{number}]" for number in numbers) if is_list else "", count)


class Outcome(NamedTuple):
    """What a record keeps of an answer.

    Attributes:
        order: places, best first; none where the answer ranks nothing or broke off.
        status: what became of it.
    """

    order: tuple[int, ...]
    status: Status


def outcome(answer: Parsed, *, is_whole: bool = True) -> Outcome:
    """What a record keeps of an answer; one that is not whole in its other parts counts as repaired."""
    if answer.status not in USABLE:
        return Outcome((), answer.status)
    return Outcome(answer.order, answer.status if is_whole else "repaired")


def quoting(document: Document, *, direct: str = "", comparison: str = "", answer: str = "") -> Reasons:
    """Reasons whose span is where the answer sentence stands in the text, to the letter or by letters and digits.

    The span is exact if the text at it is `answer`; otherwise it was found after normalising. Where a reason is refused
    ("I'm sorry, but …"), there is none.
    """
    found = find_quote(replace(document, title=None), answer) if is_quote(answer) else None
    span = None if found is None else (found.start, found.end)
    return Reasons(unless_refused(direct), unless_refused(comparison), answer, span)


def unless_refused(reason: str) -> str:
    """A reason; "" in the place of one that declines to give any ("I'm sorry, but …")."""
    answer = read_answer(Reply(json.dumps({"reason": reason})), ("reason",), needed="reason")
    return "" if answer.status == "refused" else reason


def states_order(record: TeacherRecord) -> bool:
    """Whether the order of a record is the one that the teacher stated, with nothing mended or filled in.

    A record that was asked for reasons also counts as repaired for want of one: its answer is read once more.
    """
    if record.status != "repaired":
        return record.is_usable
    answer = ranking(record.answer, len(record.documents))
    return record.mode != "ranking" and (answer.status, answer.order) == ("ok", record.order)


def texts_in(record: Any, key: str, accepted: str) -> list[str]:
    """The texts of a list that is not empty.

    Raises:
        Wrong: it is absent, empty or not a list of texts.
    """
    texts = record.get(key) if isinstance(record, dict) else None
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
        raise Wrong(f"{key!r} is no list of texts", accepted)
    return texts


def text_in(record: Any, key: str, accepted: str) -> str:
    """One text.

    Raises:
        Wrong: it is absent or not a text.
    """
    text = record.get(key) if isinstance(record, dict) else None
    if not isinstance(text, str):
        raise Wrong(f"{key!r} is {'absent' if text is None else type(text).__name__}", accepted)
    return text
