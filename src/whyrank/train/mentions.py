"""Passages that a teacher's reason names by their numbers, in the words of a prompt that numbers none. Pure.

A teacher sees a list and writes "more relevant than passages 3 and 4". A student reads one document, or two, and never
a number: a reason with numbers would teach it to name passages that nobody is shown. Half of the recorded comparisons
of Reason-to-Rank name a passage that is neither of the two compared. Deviates from its public code, which learns them
as they are.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from whyrank.text.sentences import split_sentences

_NUMBER = r"\d{1,3}(?!\.?\d)"
_ONE = rf"\[?{_NUMBER}\]?(?:\s{{0,2}}(?:-|–|to|through)\s{{0,2}}\[?{_NUMBER}\]?)?"
_MORE = rf"(?:\s{{0,2}}(?:,\s{{0,2}}(?:and|or)?|and|or|&)\s{{0,2}}{_ONE}\b)*"
_MENTION = re.compile(
    rf"(?:\bthe\s)?\b(?:passages?|documents?|texts?)\s{{1,2}}#?{_ONE}{_MORE}"
    r"|\[\d{1,3}\](?:\s{0,2}(?:,\s{0,2}(?:and|or)?|and|or|&)\s{0,2}\[\d{1,3}\])*",
    re.IGNORECASE,
)
_RANGE = re.compile(r"(\d+)\]?(?:\s*(?:-|–|to|through)\s*\[?(\d+))?", re.IGNORECASE)
OWN, OTHER, BOTH = "this document", "the other document", "both documents"


class _Mention(NamedTuple):
    """Where a text names passages, and which, by their numbers."""

    start: int
    end: int
    numbers: frozenset[int]


def mentioned(text: str, count: int) -> frozenset[int]:
    """The passages that a text names, by their numbers from 1 to `count`.

    >>> sorted(mentioned("Better than passages 2, 3 and [5], as passage 7 of 1999 says.", 5))
    [2, 3, 5]
    """
    return frozenset(number for one in _mentions(text, count) for number in one.numbers)


def addressed(text: str, count: int, own: int, other: int | None = None) -> str:
    """A reason about one document, or about one and another, that names these two in words and no others.

    A sentence that names only others, or any of them beside one that stays, is left out. Where the other is one of
    several that are named together, it is the one that is meant.

    >>> addressed("It is dated. It is less detailed than passage 1, but more than passages 3 and 4.", 4, 2, 3)
    'It is dated.'
    >>> addressed("Passage 2 is more direct than passages 3 and 4.", 4, 2, 3)
    'This document is more direct than the other document.'

    Args:
        text: as the teacher wrote it.
        count: documents that the teacher was shown.
        own: number of the document that the reason is about.
        other: number of the document that it is compared with, if it is.

    Returns:
        "" where nothing is left.
    """
    sentences = (text[start:end] for start, end in split_sentences(text))
    return " ".join(kept for kept in (_sentence(one, count, own, other) for one in sentences) if kept).strip()


def _sentence(text: str, count: int, own: int, other: int | None) -> str:
    written, reached = "", 0
    for start, end, numbers in _mentions(text, count):
        if not numbers & {own, other}:
            return ""
        words = OWN if other not in numbers else BOTH if own in numbers else OTHER
        written += text[reached:start] + (words.capitalize() if text[start].isupper() or not start else words)
        reached = end
    return written + text[reached:]


def _mentions(text: str, count: int) -> Iterator[_Mention]:
    for match in _MENTION.finditer(text):
        numbers = frozenset(number for one in _RANGE.finditer(match[0]) for number in _numbers(one))
        if all(1 <= number <= count for number in numbers):
            yield _Mention(match.start(), match.end(), numbers)


def _numbers(found: re.Match[str]) -> range:
    first = int(found[1])
    return range(first, int(found[2] or first) + 1)
