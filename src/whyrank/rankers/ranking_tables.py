"""Rankings as tables: rows between bars, with a column that names documents.

    | Rank | Passage | Why |        by the rank column, if there is one
    |------|---------|-----|
    | 1    | [2]     | …   |        else by a column of scores, else in the order of the rows

Rows that only go through the passages, from the first on, rank nothing.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from whyrank.rankers.ranking_forms import WORD, Labels, Place, Stated, item

_RANK_HEAD = re.compile(r"rank|position|place|order|#|no\.?|nr\.?|排名|rang", re.IGNORECASE)
_NAME_HEAD = re.compile(rf"{WORD}(?:\s{{0,3}}(?:id|number|no\.?|#))?", re.IGNORECASE)
_SCORE_HEAD = re.compile(r"(?:relevance|score|rating|grade|relevance score)(?:\s{0,3}\([^()]{0,20}\))?", re.IGNORECASE)
_RULE = re.compile(r"[\s|:+-]{3,}")
_NUMBER = re.compile(r"[0-9]{1,4}(?:\.[0-9]{1,6})?")


def tables(place: Place, labels: Labels) -> list[Stated]:
    """Rankings in tables, in order."""
    if place.text.count("|") < 4:
        return []
    return [stated for rows, start, end in _tables(place.text) if (stated := _ranked(rows, labels, start, end))]


def _tables(text: str) -> Iterator[tuple[list[list[str]], int, int]]:
    """Neighbouring lines with bars: their cells, and where they stand."""
    rows: list[list[str]] = []
    start = begin = 0
    for line in [*text.splitlines(keepends=True), ""]:
        if line.count("|") > 1:
            begin = begin if rows else start
            if not _RULE.fullmatch(line.strip()):
                rows.append([cell.strip(" *_`\t") for cell in line.strip().strip("|").split("|")])
        elif rows:
            yield rows, begin, start
            rows = []
        start += len(line)


def _ranked(rows: Sequence[Sequence[str]], labels: Labels, start: int, end: int) -> Stated | None:
    head, body = rows[0], rows[1:]
    named = _column(head, body, _NAME_HEAD)
    if named is None:
        named = _bracketed(body)
    if named is None or len(body) < 2:
        return None
    names = [_name(row[named], labels) if named < len(row) else None for row in body]
    known = tuple(name for name in names if name is not None)
    if len(known) < len(names):
        return None
    for pattern, sign in ((_RANK_HEAD, 1), (_SCORE_HEAD, -1)):
        column = _column(head, body, pattern, besides=named)
        values = _numbers(body, column) if column is not None else None
        if values is not None and (sign == -1 or len(set(values)) == len(values)):
            places = sorted(range(len(known)), key=lambda i: sign * values[i])
            return Stated(tuple(known[i] for i in places), start, end, note="read from a table")
    goes_through = all(b - a == 1 for a, b in pairwise(known))
    return None if goes_through else Stated(known, start, end, note="read from a table")


def _name(cell: str, labels: Labels) -> int | None:
    name = item(cell, labels)
    return item(re.split(r"[:–—]|\s-\s", cell, maxsplit=1)[0], labels) if name is None else name


def _column(
    head: Sequence[str], body: Sequence[Sequence[str]], pattern: re.Pattern[str], *, besides: int | None = None
) -> int | None:
    return next((i for i, cell in enumerate(head) if i != besides and pattern.fullmatch(cell) and body), None)


def _bracketed(body: Sequence[Sequence[str]]) -> int | None:
    """The first column that holds nothing but identifiers in brackets."""
    width = min((len(row) for row in body), default=0)
    return next((i for i in range(width) if all(re.fullmatch(r"\[\w{1,4}\]", row[i]) for row in body)), None)


def _numbers(body: Sequence[Sequence[str]], column: int) -> list[float] | None:
    matches = [_NUMBER.match(row[column]) if column < len(row) else None for row in body]
    values = [float(match[0]) for match in matches if match]
    return values if len(values) == len(matches) else None
