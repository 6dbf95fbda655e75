"""Do two teachers, or two prompts, order the same list alike? A list is known by its query and its documents. Pure."""

import math
from bisect import bisect_right, insort
from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from itertools import combinations
from typing import NamedTuple, TypeAlias

from whyrank.evaluate.reasons.grounding import normalised
from whyrank.teach.records import TeacherRecord

Teacher: TypeAlias = tuple[str, str]
"""Model and prompt."""
Shown: TypeAlias = tuple[str, str]
"""Title and text of a document."""


class SameList(NamedTuple):
    """What makes two records lists of the same: ids, and the order in which it was shown, are no part of it.

    Attributes:
        query: its letters and digits in lower case.
        documents: the contents.
    """

    query: str
    documents: frozenset[Shown]


class Agreement(NamedTuple):
    """Two orders of the same list.

    Attributes:
        first, second: the records.
        tau: Kendall's τ, from -1 to 1.
        is_same_first: whether the same document stands first.
    """

    first: TeacherRecord
    second: TeacherRecord
    tau: float
    is_same_first: bool


def teacher(record: TeacherRecord) -> Teacher:
    """Who was asked, and how."""
    return record.model, record.prompt


def same_list(record: TeacherRecord) -> SameList:
    """By what the same list is known."""
    return SameList(normalised(record.query.text), frozenset(_contents(record)))


def by_list(records: Iterable[TeacherRecord]) -> dict[SameList, list[TeacherRecord]]:
    """The usable records of each list."""
    lists: defaultdict[SameList, list[TeacherRecord]] = defaultdict(list)
    for record in records:
        if record.is_usable:
            lists[same_list(record)].append(record)
    return dict(lists)


def agreements(records: Iterable[TeacherRecord]) -> list[Agreement]:
    """Every two usable orders of the same list by different teachers; those of one document agree on nothing."""
    return [
        compare(first, second)
        for same in by_list(records).values()
        for first, second in combinations(same, 2)
        if teacher(first) != teacher(second) and len(first.documents) > 1
    ]


def compare(first: TeacherRecord, second: TeacherRecord) -> Agreement:
    """Two usable orders of the same list, side by side; τ is NaN where all documents are alike."""
    one, other = _ordered(first), _ordered(second)
    return Agreement(first, second, kendall_tau(one, other), one[0] == other[0])


def kendall_tau(first: Sequence[Hashable], second: Sequence[Hashable]) -> float:
    """Kendall's τ of two orders of the same distinct things; NaN of fewer than two.

    Kendall, 1938: concordant less discordant pairs, of all pairs.

    >>> kendall_tau("abcd", "abdc"), kendall_tau("abc", "cba")
    (0.6666666666666667, -1.0)
    """
    place = {item: at for at, item in enumerate(second)}
    passed: list[int] = []
    discordant = 0
    for item in first:
        discordant += len(passed) - bisect_right(passed, place[item])
        insort(passed, place[item])
    pairs = len(passed) * (len(passed) - 1) // 2
    return 1 - 2 * discordant / pairs if pairs else math.nan


def _ordered(record: TeacherRecord) -> list[Shown]:
    """Best first; of documents with the same content, the best counts."""
    contents = _contents(record)
    return list(dict.fromkeys(contents[place] for place in record.order))


def _contents(record: TeacherRecord) -> list[Shown]:
    return [(document.title or "", document.text) for document in record.documents]
