"""Can a judge of pairs be trusted? Order swaps, preference for the first place, and circles among its verdicts.

    # N documents of a query

A judgement is what was asked and answered: two documents in the order in which they were shown, and the winner.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from math import comb, nan
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from whyrank._extras import require
from whyrank.errors import BadInput
from whyrank.evaluate.results import Evaluation, Proportion

CIRCLES = ("documents", "circular triads", "ζ")
"""The measures of `consistency`."""


class Judgement(NamedTuple):
    """One answer of a judge.

    Attributes:
        query: id of the query.
        first, second: ids of the documents, in the order in which they were shown.
        winner: the id of the better one; None for a tie.
    """

    query: str
    first: str
    second: str
    winner: str | None


class PositionBias(NamedTuple):
    """How much the place decides.

    Attributes:
        first: preferences for the document shown first, of all preferences; a half means no bias.
        p: two-sided sign test (exact binomial) of "no bias" over pairs; 1.0 where no pair leans.
        leaning: pairs that lean to one place, which is what the test counts: those to the first, of both.
    """

    first: Proportion
    p: float
    leaning: Proportion


def order_swap_consistency(judgements: Iterable[Judgement]) -> Proportion:
    """The share of pairs, among those judged in both orders, that are judged the same in both.

    A tie is a judgement like others: it must be a tie in both. Where a pair was judged several times in an order, all
    of its judgements must name the same winner.

    Raises:
        BadInput: a winner that was not shown, or a document against itself.
    """
    pairs = [both for both in _by_pair(judgements).values() if _is_swapped(both)]
    same = sum(len({j.winner for j in both}) == 1 for both in pairs)
    return Proportion(
        "order-swap consistency", same, len(pairs), "pairs judged in both orders that are judged the same"
    )


def position_bias(judgements: Iterable[Judgement], *, swapped_only: bool = True) -> PositionBias:
    """How often the document shown first is preferred, and whether that can be chance.

    The two judgements of a pair are not independent (a steady judge prefers each place once), so the test counts
    pairs: one leans to the first place if it was preferred there more often than in the second. Ties prefer nothing.

    Args:
        judgements: the table.
        swapped_only: only pairs that were judged in both orders. Otherwise the better documents may have been shown
            first, and the share says nothing about the judge.

    Raises:
        BadInput: a winner that was not shown, or a document against itself.
        MissingExtra: scipy is not installed.
    """
    pairs = [own for own in _by_pair(judgements).values() if _is_swapped(own) or not swapped_only]
    preferences = [[j.winner == j.first for j in own if j.winner is not None] for own in pairs]
    firsts, all_of_them = sum(map(sum, preferences)), sum(map(len, preferences))
    leans = [2 * sum(own) - len(own) for own in preferences]
    to_first, leaning = sum(lean > 0 for lean in leans), sum(lean != 0 for lean in leans)
    stats = require("scipy.stats", extra="evaluate", purpose="The binomial test of position bias")
    return PositionBias(
        Proportion("preferences for the first", firsts, all_of_them, "judgements that prefer the document shown first"),
        float(stats.binomtest(to_first, leaning, 0.5).pvalue) if leaning else 1.0,
        Proportion("pairs that lean to the first", to_first, leaning, "pairs that prefer one place more often"),
    )


def circular_triads(wins_NN: npt.NDArray[np.float64]) -> float:
    """The number d of circles a > b > c > a among all verdicts on N documents.

    d = N(N−1)(2N−1)/12 − ½ Σ aᵢ² − T/4, with aᵢ the wins of document i (Kendall and Babington Smith, 1940, for T = 0).

    Args:
        wins_NN: [i, j] is 1 where i beats j, ½ where they tie, 0 where j beats i; the diagonal is 0.

    Ties: T pairs are tied and give half a win to each; d is then the mean over all ways to break them, which the
    last term makes exact. Deviates: the paper has no ties; the usual half wins alone overstate d.

    Raises:
        BadInput: the matrix is not of this form.
    """
    n = len(wins_NN)
    both = wins_NN + wins_NN.T
    is_whole = wins_NN.shape == (n, n) and bool(np.isin(wins_NN, (0.0, 0.5, 1.0)).all())
    if not is_whole or not np.array_equal(both, 1.0 - np.eye(n)):
        raise BadInput("wins are 1, ½ or 0, those of a pair sum to 1, and a document does not meet itself")
    ties = float(np.count_nonzero(wins_NN == 0.5)) / 2
    out_degrees_N = wins_NN.sum(axis=1)
    return n * (n - 1) * (2 * n - 1) / 12 - float(out_degrees_N @ out_degrees_N) / 2 - ties / 4


def coefficient_of_consistency(triads: float, n: int) -> float:
    """ζ: 1 for a perfect order, 0 for as many circles as there can be among `n` documents; NaN below three.

    ζ = 1 − 24d / (n³ − n) for odd n, 1 − 24d / (n³ − 4n) for even n. Kendall and Babington Smith, 1940.
    """
    if n < 3:
        return nan
    return 1 - 24 * triads / (n**3 - (n if n % 2 else 4 * n))


def consistency(judgements: Iterable[Judgement], *, name: str = "") -> Evaluation:
    """Circular triads and ζ for each query (`CIRCLES`).

    All judgements of a pair make one verdict: the winner of more of them, or a tie. A query one of whose pairs was
    never judged has no ζ, and one with fewer than three documents has none either: both are NaN.

    Raises:
        BadInput: a winner that was not shown, or a document against itself.
    """
    by_query: dict[str, list[Sequence[Judgement]]] = defaultdict(list)
    for own in _by_pair(judgements).values():
        by_query[own[0].query].append(own)
    rows = [_circles(pairs) for pairs in by_query.values()]
    return Evaluation(name, CIRCLES, tuple(by_query), np.array(rows, dtype=np.float64).reshape(len(rows), len(CIRCLES)))


def _circles(pairs: Sequence[Sequence[Judgement]]) -> tuple[float, float, float]:
    places = {d: i for i, d in enumerate(sorted({d for own in pairs for d in own[0][1:3]}))}
    n = len(places)
    if len(pairs) != comb(n, 2):
        return n, nan, nan
    wins_NN = np.zeros((n, n))
    for own in pairs:
        one, other = places[own[0].first], places[own[0].second]
        for_one = sum((j.winner == own[0].first) - (j.winner == own[0].second) for j in own)
        wins_NN[one, other] = (np.sign(for_one) + 1) / 2
        wins_NN[other, one] = 1 - wins_NN[one, other]
    triads = circular_triads(wins_NN)
    return n, triads, coefficient_of_consistency(triads, n)


def _by_pair(judgements: Iterable[Judgement]) -> Mapping[tuple[str, frozenset[str]], list[Judgement]]:
    pairs: dict[tuple[str, frozenset[str]], list[Judgement]] = defaultdict(list)
    for number, judgement in enumerate(judgements, 1):
        query, first, second, winner = judgement
        if first == second:
            raise BadInput(f"judgement {number}: query {query!r} shows document {first!r} twice; give two documents")
        if winner not in (first, second, None):
            raise BadInput(
                f"judgement {number}: query {query!r}, the winner is {winner!r}; give {first!r}, {second!r}, or None "
                "for a tie"
            )
        pairs[query, frozenset((first, second))].append(judgement)
    return pairs


def _is_swapped(judgements: Sequence[Judgement]) -> bool:
    return len({j.first for j in judgements}) == 2
