"""Which positions must go: the search for the smallest set whose removal flips a pair.

Pure: a search is a flow over positions. It yields a round, a list of sets to remove; it is sent the score
without each; it returns its answer. It never sees a document, a scorer or a batch, so that many searches
can run in step.
"""

from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from math import comb, fsum, inf
from typing import Literal, NamedTuple, TypeAlias

Removal: TypeAlias = tuple[int, ...]
"""Positions to remove, ascending."""

EXHAUSTIVE = 8
"""Up to this many positions every set is tried: 2^8 - 1 = 255 at most."""

PAIRED = 12
"""Of more positions, the pairs of at most this many are tried."""

PAIRS_A_ROUND = 16
"""Pairs scored at once, the most promising first: the search often ends with the first round."""


class Answer(NamedTuple):
    """What a search found out; the fields are those of `whyrank.types.Counterfactual`, over positions."""

    status: Literal["flips", "impossible", "unknown"]
    removed: Removal = ()
    score: float | None = None
    minimal: bool = False
    rescored: int = 0


Search: TypeAlias = Generator[list[Removal], list[float], Answer]
_Asked: TypeAlias = Generator[list[Removal], list[float], list[Removal]]


@dataclass
class _Ledger:
    """Every set scored so far: what is in it is never paid for twice, and tells what was established."""

    n: int
    flips: Callable[[float], bool]
    budget: int
    scores: dict[Removal, float] = field(default_factory=dict)

    @property
    def left(self) -> int:
        return self.budget - len(self.scores)

    def ask(self, sets: Iterable[Removal]) -> _Asked:
        """Score the sets as far as the budget goes; the ones that flip."""
        asked = list(dict.fromkeys(sets))
        new = [s for s in asked if s not in self.scores][: self.left]
        if new:
            answers = yield new
            self.scores.update(zip(new, answers, strict=True))
        return [s for s in asked if s in self.scores and self.flips(self.scores[s])]

    def is_exhausted(self, size: int) -> bool:
        """Whether every set of this size was scored."""
        return sum(len(s) == size for s in self.scores) == comb(self.n, size)

    def best(self, sets: Iterable[Removal]) -> Removal:
        """The set with the lowest score; ties in document order."""
        return min(sets, key=lambda s: (self.scores[s], s))

    def found(self, sets: Iterable[Removal]) -> Answer:
        best = self.best(sets)
        minimal = all(self.is_exhausted(size) for size in range(1, len(best)))
        return Answer("flips", best, self.scores[best], minimal, len(self.scores))

    def without_answer(self, status: Literal["impossible", "unknown"]) -> Answer:
        return Answer(status, rescored=len(self.scores))


def smallest_removal(weights: Sequence[float], flips: Callable[[float], bool], budget: int) -> Search:
    """The smallest set of positions whose removal makes `flips` true of the score.

    Up to `EXHAUSTIVE` positions, all sets by increasing size; beyond, single positions, pairs of those that
    matter most, then a greedy set from which needless members are dropped.

    Args:
        weights: what each position contributes; decides what is tried first.
        flips: whether a score would flip the pair. The score with nothing removed must not.
        budget: how many sets may be scored.
    """
    ledger = _Ledger(len(weights), flips, budget)
    return (yield from (_exhaust if len(weights) <= EXHAUSTIVE else _narrow)(ledger, weights))


def _exhaust(ledger: _Ledger, weights: Sequence[float]) -> Search:
    for size in range(1, ledger.n + 1):
        sets = sorted(
            combinations(range(ledger.n), size), key=lambda removed: (-fsum(weights[i] for i in removed), removed)
        )
        flipping = yield from ledger.ask(sets)
        if flipping:
            return ledger.found(flipping)
        if not ledger.is_exhausted(size):
            return ledger.without_answer("unknown")
    return ledger.without_answer("impossible")


def _narrow(ledger: _Ledger, weights: Sequence[float]) -> Search:
    order = sorted(range(ledger.n), key=lambda i: (-weights[i], i))
    affordable = order if ledger.n <= ledger.left else order[: 2 * ledger.left // 3]
    flipping = yield from ledger.ask((i,) for i in affordable)
    if flipping:
        return ledger.found(flipping)
    alone = [ledger.scores.get((i,), inf) for i in range(ledger.n)]
    by_effect = sorted(order, key=lambda i: (alone[i], -weights[i], i))
    pairs = combinations(sorted(by_effect[: _pairable(ledger.left)]), 2)
    promising = sorted(pairs, key=lambda pair: (alone[pair[0]] + alone[pair[1]], pair))
    for start in range(0, len(promising), PAIRS_A_ROUND):
        flipping = yield from ledger.ask(promising[start : start + PAIRS_A_ROUND])
        if flipping:
            return ledger.found(flipping)
    flipping = yield from _grow(ledger, by_effect)
    if not flipping:
        flipping = yield from ledger.ask([tuple(range(ledger.n))])
    if not flipping:
        return ledger.without_answer("unknown")
    pruned = yield from _prune(ledger, ledger.best(flipping), by_effect)
    return ledger.found([pruned])


def _pairable(left: int) -> int:
    """How many positions to pair with each other so that a third of what is left pays for it."""
    return max(k for k in range(PAIRED + 1) if comb(k, 2) <= left // 3)


def _grow(ledger: _Ledger, by_effect: Sequence[int]) -> _Asked:
    """Add the position that lowers the score most, again and again; keep enough in hand to fall back and prune."""
    reserve = 1 + min(ledger.n, ledger.budget // 5)
    current = ledger.best(ledger.scores) if ledger.scores else ()
    while len(current) < ledger.n:
        rest = [i for i in by_effect if i not in current]
        grown = [tuple(sorted((*current, i))) for i in rest[: max(0, ledger.left - reserve)]]
        if not grown:
            return []
        flipping = yield from ledger.ask(grown)
        if flipping:
            return flipping
        current = ledger.best(grown)
    return []


def _prune(
    ledger: _Ledger, removed: Removal, by_effect: Sequence[int]
) -> Generator[list[Removal], list[float], Removal]:
    """Put back, from the least effect upwards, every member without which the rest still flips."""
    for position in reversed(by_effect):
        fewer = tuple(i for i in removed if i != position)
        if position in removed and fewer and (yield from ledger.ask([fewer])):
            removed = fewer
    return removed
