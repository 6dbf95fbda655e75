"""From candidates to the lists that a teacher is shown: windows, hard negatives, other orders. Pure."""

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from whyrank.errors import BadInput
from whyrank.teach.settings import ListSettings
from whyrank.types import Hit, Ranking


@dataclass(frozen=True, slots=True)
class Lists:
    """What is shown, and what is not.

    Attributes:
        shown: a query and the documents of one list each, in the order in which they are shown.
        without_text: candidates whose text is empty; none of them is shown.
        without_query: queries whose text is empty; they have no list.
        too_short: queries with fewer than two candidates to show, which nobody can rank.
    """

    shown: tuple[Ranking, ...]
    without_text: int = 0
    without_query: int = 0
    too_short: int = 0


def lists(rankings: Iterable[Ranking], settings: ListSettings) -> Lists:
    """The lists of some candidates. The same candidates and settings give the same lists, whatever stands beside them.

    Raises:
        BadInput: a stride above the window, so that documents between two lists would never be shown.
    """
    size, stride = settings.window, settings.stride or settings.window
    if stride > size:
        raise BadInput(f"stride {stride} is wider than the window of {size}: documents between would never be shown")
    shown: list[Ranking] = []
    without_text = without_query = too_short = 0
    for ranking in rankings:
        if not ranking.query.text.strip():
            without_query += 1
            continue
        hits = tuple(hit for hit in ranking if hit.document.full_text.strip())
        without_text += len(ranking) - len(hits)
        own = [replace(ranking, hits=order) for order in _orders(ranking.query.id, hits, settings)]
        too_short += not own
        shown += own
    return Lists(tuple(shown), without_text, without_query, too_short)


def windows(count: int, size: int, stride: int) -> list[range]:
    """Places of each list among `count` candidates. The last list is as long as the others and may overlap them.

    >>> windows(12, 5, 5)
    [range(0, 5), range(5, 10), range(7, 12)]
    >>> windows(3, 5, 5)
    [range(0, 3)]
    """
    starts = list(range(0, max(count - size, 0) + 1, stride))
    if starts[-1] + size < count:
        starts.append(count - size)
    return [range(start, min(start + size, count)) for start in starts]


def _orders(query_id: str, hits: tuple[Hit, ...], settings: ListSettings) -> Iterator[tuple[Hit, ...]]:
    """Every list of a query in every order in which it is shown."""
    first, below = hits[: settings.depth], hits[settings.depth :]
    for window in windows(len(first), settings.window, settings.stride or settings.window):
        lots = random.Random(f"{settings.seed}/{query_id}/{window.start}")  # noqa: S311 - no secret
        drawn = sorted(lots.sample(range(len(below)), min(settings.negatives, len(below))))
        shown = (*(first[place] for place in window), *(below[place] for place in drawn))
        if len(shown) > 1:
            yield from _shuffled(shown, settings.shuffles, lots)


def _shuffled(shown: tuple[Hit, ...], count: int, lots: random.Random) -> Iterator[tuple[Hit, ...]]:
    """The list as it is and up to `count` other orders, no two the same."""
    given = tuple(range(len(shown)))
    orders = {given: None}
    for _ in range(4 * count):
        if len(orders) <= count:
            orders.setdefault(tuple(lots.sample(given, len(given))))
    for order in orders:
        yield tuple(shown[place] for place in order)
