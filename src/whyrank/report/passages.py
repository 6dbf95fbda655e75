"""Which stretches of a document a reader sees, and which of them carry evidence. Pure; offsets are code points."""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from whyrank.types import Document, Evidence, Field

UNWEIGHED = 0.5
"""How strongly evidence is marked whose contribution is not known."""


class Mark(NamedTuple):
    """Evidence at [start, end) of a field.

    Attributes:
        strength: 0 to 1, the size of its contribution beside the largest of the same document.
        number: the 1-based place of the evidence in the reason.
        is_against: it lowers the score.
    """

    start: int
    end: int
    strength: float
    number: int
    is_against: bool = False


class Piece(NamedTuple):
    """A stretch [start, end) that is marked alike; `ends` are the numbers of the evidence that is complete with it."""

    start: int
    end: int
    mark: Mark | None
    ends: tuple[int, ...] = ()


def is_found(document: Document, evidence: Evidence) -> bool:
    """Whether the evidence names a stretch that the document has."""
    span = evidence.span
    return span is not None and 0 <= span.start < span.end <= len(document.field_text(span.field))


def marks_in(document: Document, evidence: Sequence[Evidence], field: Field = "text") -> list[Mark]:
    """The evidence that can be marked in a field; spans that do not lie inside it are left out."""
    largest = max((abs(e.contribution) for e in evidence if e.contribution is not None), default=0.0)
    found = []
    for number, item in enumerate(evidence, 1):
        span, value = item.span, item.contribution
        if span is None or span.field != field or not is_found(document, item):
            continue
        strength = UNWEIGHED if value is None or not largest else abs(value) / largest
        found.append(Mark(span.start, span.end, strength, number, is_against=(value or 0.0) < 0))
    return found


def pieces(marks: Sequence[Mark], start: int, end: int) -> list[Piece]:
    """[start, end) cut where marks begin and end; where marks overlap, the strongest shows.

    >>> [(p.start, p.end, p.mark is not None) for p in pieces([Mark(3, 5, 1.0, 1)], 0, 9)]
    [(0, 3, False), (3, 5, True), (5, 9, False)]
    """
    inside = [m for m in marks if m.start < end and m.end > start]
    cuts = sorted({start, end, *(max(m.start, start) for m in inside), *(min(m.end, end) for m in inside)})
    result = []
    for left, right in pairwise(cuts):
        here = [m for m in inside if m.start <= left and right <= m.end]
        strongest = max(here, key=lambda m: (m.strength, -m.number), default=None)
        result.append(Piece(left, right, strongest, tuple(sorted(m.number for m in here if m.end == right))))
    return result


def windows(text: str, marks: Sequence[Mark], *, reach: int, gap: int) -> list[tuple[int, int]]:
    """Stretches around the marks, `reach` characters to either side, joined where fewer than `gap` would be left out.

    Without marks: the beginning of the text.
    """
    wanted = sorted((max(m.start - reach, 0), min(m.end + reach, len(text))) for m in marks)
    joined: list[tuple[int, int]] = []
    for start, end in wanted or [(0, min(4 * reach, len(text)))]:
        if joined and start - joined[-1][1] < gap:
            joined[-1] = joined[-1][0], max(joined[-1][1], end)
        else:
            joined.append((start, end))
    if joined and joined[0][0] < gap:
        joined[0] = 0, joined[0][1]
    if joined and len(text) - joined[-1][1] < gap:
        joined[-1] = joined[-1][0], len(text)
    return [(_word_start(text, start), _word_end(text, end)) for start, end in joined]


def window(text: str, mark: Mark | None, width: int) -> tuple[int, int]:
    """One stretch of at most about `width` characters around a mark; the beginning of the text without one.

    A quarter of what is left beside the evidence comes before it, since reading on explains more than reading back.
    """
    if len(text) <= width:
        return 0, len(text)
    start, end = (mark.start, mark.end) if mark else (0, 0)
    spare = max(width - (end - start), 0)
    start = max(min(start - spare // 4, len(text) - width), 0)
    if start < _WORD_REACH:
        start = 0
    return _word_start(text, start), _word_end(text, min(start + width, len(text)))


_WORD_REACH = 24
"""How far a cut moves to meet a word's edge; longer words are cut."""


def _word_start(text: str, at: int) -> int:
    while_inside = range(at, min(at + _WORD_REACH, len(text)))
    return next((i for i in while_inside if i == 0 or text[i - 1].isspace()), at)


def _word_end(text: str, at: int) -> int:
    while_inside = range(at, max(at - _WORD_REACH, 0), -1)
    return next((i for i in while_inside if i == len(text) or text[i].isspace()), at)
