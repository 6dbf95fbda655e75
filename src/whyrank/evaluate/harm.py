"""Where reranking hurt: queries that lost against the first stage, documents that did it, reasons given. Pure."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from whyrank.errors import BadInput
from whyrank.evaluate.comparison import EQUAL
from whyrank.types import Comparison, Direct, Qrels, Query, Ranking

CUTOFF = 10


@dataclass(frozen=True, slots=True)
class Moved:
    """A document that took part in a loss.

    Attributes:
        document_id: which.
        grade: its judgement; None where it was not judged.
        before, after: its 1-based places in the first stage and after reranking; None where it is not in the list.
        direct: the reason that was given for it, if there is one.
        comparison: why it was put above another, if that was said; about one that it pushed down if it can be.
    """

    document_id: str
    grade: float | None
    before: int | None
    after: int | None
    direct: Direct | None = None
    comparison: Comparison | None = None


@dataclass(frozen=True, slots=True)
class Harm:
    """A query that reranking made worse.

    Attributes:
        query: the query; without text where no ranking of it was given.
        measure: of `before` and `after`.
        before, after: the measure's value for the first stage and after reranking.
        fallen: relevant documents of the first `k` that lost places to a document with a lower grade, best grade first.
        risen: the documents that won places so and now stand within the first `k`, in their new order.
        first, reranked: both lists, for showing them side by side.
        grades: the judgements of the query.
        k: how deep both lists were compared.
    """

    query: Query
    measure: str
    before: float
    after: float
    fallen: tuple[Moved, ...]
    risen: tuple[Moved, ...]
    first: Ranking
    reranked: Ranking
    grades: Mapping[str, float]
    k: int = CUTOFF

    @property
    def delta(self) -> float:
        """After minus before: below zero."""
        return self.after - self.before


class Balance(NamedTuple):
    """What reranking did to all queries together.

    Attributes:
        queries: those with both values.
        helped, same, hurt: how many got better, stayed (within 1e-9) and got worse.
        gained, lost: the sums of the changes of those helped (≥ 0) and of those hurt (≤ 0).
    """

    queries: int
    helped: int
    same: int
    hurt: int
    gained: float
    lost: float

    @property
    def share_hurt(self) -> float:
        """Share of `queries`; NaN without queries."""
        return self.hurt / self.queries if self.queries else math.nan

    @property
    def share_helped(self) -> float:
        """Share of `queries`; NaN without queries."""
        return self.helped / self.queries if self.queries else math.nan


class SystemHarm(NamedTuple):
    """One reranker against its first stage.

    Attributes:
        system, first_stage: names.
        measure: of the balance and of the losses.
        balance: all queries together.
        harms: the queries that it made worse, the largest loss first.
    """

    system: str
    first_stage: str
    measure: str
    balance: Balance
    harms: tuple[Harm, ...]


def balance(before: Mapping[str, float], after: Mapping[str, float]) -> Balance:
    """Counts and sums over the queries that have both values.

    Args:
        before: query id → value for the first stage. NaN is undefined and left out.
        after: the same after reranking.
    """
    deltas = [after[q] - before[q] for q in _both(before, after)]
    gains, losses = [d for d in deltas if d > EQUAL], [d for d in deltas if d < -EQUAL]
    return Balance(
        queries=len(deltas),
        helped=len(gains),
        same=len(deltas) - len(gains) - len(losses),
        hurt=len(losses),
        gained=math.fsum(gains),
        lost=math.fsum(losses),
    )


def find_harm(
    first: Iterable[Ranking],
    reranked: Iterable[Ranking],
    qrels: Qrels,
    before: Mapping[str, float],
    after: Mapping[str, float],
    *,
    measure: str,
    k: int = CUTOFF,
) -> tuple[Harm, ...]:
    """The queries that reranking made worse, the largest loss first.

    Args:
        first: the first stage's rankings.
        reranked: the same queries reranked, with explanations where there are any.
        qrels: the judgements.
        before: query id → value for the first stage.
        after: the same after reranking.
        measure: the name of that measure.
        k: documents are held responsible within the first `k` places.

    Raises:
        BadInput: `k` is below 1, or a query is given twice.
    """
    if k < 1:
        raise BadInput(f"k is {k}; give the number of places to compare, 1 or more")
    old, new = _by_query(first, "first"), _by_query(reranked, "reranked")
    hurt = [q for q in _both(before, after) if after[q] - before[q] < -EQUAL]
    found = []
    for q in sorted(hurt, key=lambda q: (after[q] - before[q], q)):
        nothing = Ranking(Query(q, ""), ())
        was, now, grades = old.get(q, nothing), new.get(q, nothing), qrels.get(q, {})
        fallen, risen = _responsible(was, now, grades, k)
        asked = now.query if q in new else was.query
        found.append(Harm(asked, measure, before[q], after[q], fallen, risen, was, now, grades, k))
    return tuple(found)


def _both(before: Mapping[str, float], after: Mapping[str, float]) -> list[str]:
    return [q for q in before if q in after and not math.isnan(before[q]) and not math.isnan(after[q])]


def _by_query(rankings: Iterable[Ranking], name: str) -> dict[str, Ranking]:
    found: dict[str, Ranking] = {}
    for ranking in rankings:
        if ranking.query.id in found:
            raise BadInput(f"the {name} rankings hold query {ranking.query.id!r} twice; give each query once")
        found[ranking.query.id] = ranking
    return found


def _responsible(
    was: Ranking, now: Ranking, grades: Mapping[str, float], k: int
) -> tuple[tuple[Moved, ...], tuple[Moved, ...]]:
    """Relevant documents of the first `k` that lower-graded ones in the new first `k` overtook; and the latter.

    What was not judged counts as not relevant, as it does in the measures.
    """
    old, new = _places(was), _places(now)
    pushed: dict[str, list[str]] = {}
    up = [d for d in now.ids[:k] if new[d] < old.get(d, math.inf)]
    down = [d for d in was.ids[:k] if grades.get(d, 0.0) > 0 and old[d] < new.get(d, math.inf)]
    for intruder in up:
        for victim in down:
            is_lower = grades.get(intruder, 0.0) < grades[victim]
            was_below = old.get(intruder, math.inf) > old[victim]
            if is_lower and was_below and new[intruder] < new.get(victim, math.inf):
                pushed.setdefault(intruder, []).append(victim)
    victims = {v for under in pushed.values() for v in under}
    direct = {d.document_id: d for d in now.explanations.direct} if now.explanations else {}
    compared = now.explanations.comparisons if now.explanations else ()

    def moved(document: str, under: Sequence[str] = ()) -> Moved:
        own = [c for c in compared if c.upper_id == document]
        return Moved(
            document,
            grades.get(document),
            old.get(document),
            new.get(document),
            direct.get(document),
            next((c for c in own if c.lower_id in under), own[0] if own else None),
        )

    fallen = sorted(victims, key=lambda d: (-grades[d], old[d]))
    return tuple(moved(d) for d in fallen), tuple(moved(d, under) for d, under in pushed.items())


def _places(ranking: Ranking) -> dict[str, int]:
    return {document: place for place, document in enumerate(ranking.ids, 1)}
