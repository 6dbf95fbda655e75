from itertools import combinations, permutations
from math import comb, isnan, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from whyrank.errors import BadInput, MissingExtra
from whyrank.evaluate.reasons.pairwise import (
    Judgement,
    circular_triads,
    coefficient_of_consistency,
    consistency,
    order_swap_consistency,
    position_bias,
)


def both(one: str, other: str, there: str | None, back: str | None, query: str = "q") -> list[Judgement]:
    """A pair in both orders, with its two winners."""
    return [Judgement(query, one, other, there), Judgement(query, other, one, back)]


def test_order_swap_consistency_counts_pairs_judged_in_both_orders() -> None:
    table = [
        *both("a", "b", "a", "a"),  # steady
        *both("a", "c", "a", "c"),  # always the first
        *both("b", "c", None, None),  # steady: a tie
        *both("b", "d", "b", None),  # not the same
        Judgement("q", "c", "d", "c"),  # one order only
        *both("a", "b", "b", "b", query="r"),  # another query's pair is another pair
    ]
    found = order_swap_consistency(table)
    assert (found.count, found.of) == (3, 5)


def test_repeated_judgements_must_all_agree() -> None:
    table = [*both("a", "b", "a", "a"), Judgement("q", "a", "b", "b")]
    assert order_swap_consistency(table).share == 0.0


def test_position_bias_by_hand() -> None:
    # 6 pairs always prefer the first, 1 always the second, 2 are steady, 1 is a tie once and then the second.
    table = [j for n in range(6) for j in both("a", f"b{n}", "a", f"b{n}")]
    table += both("c", "d", "d", "c")
    table += both("e", "f", "e", "e") + both("g", "h", "h", "h")
    table += both("i", "j", None, "i")
    found = position_bias(table)
    assert (found.first.count, found.first.of) == (12 + 2, 12 + 2 + 4 + 1)
    assert (found.leaning.count, found.leaning.of) == (6, 8)
    assert found.p == pytest.approx(2 * sum(comb(8, k) for k in (6, 7, 8)) / 2**8)


def test_a_steady_judge_has_no_bias_however_often_it_is_asked() -> None:
    found = position_bias([j for n in range(500) for j in both("a", f"b{n}", "a", "a")])
    assert found.first.share == 0.5
    assert found.p == 1.0
    assert found.leaning.of == 0


def test_pairs_in_one_order_count_only_where_asked() -> None:
    table = [Judgement("q", "a", f"b{n}", "a") for n in range(5)]
    assert position_bias(table).first.of == 0
    assert position_bias(table).p == 1.0
    found = position_bias(table, swapped_only=False)
    assert found.first.share == 1.0
    assert found.p == pytest.approx(2 / 2**5)


def test_scipy_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "scipy.stats", None)
    with pytest.raises(MissingExtra, match=r"whyrank\[evaluate\]"):
        position_bias([])


def circles(wins_NN: np.ndarray) -> int:
    """Every three documents, each looked at."""
    return sum(
        any(wins_NN[a, b] == wins_NN[b, c] == wins_NN[c, a] == 1 for a, b, c in permutations(three))
        for three in combinations(range(len(wins_NN)), 3)
    )


def tournament(n: int, outcomes: list[float]) -> np.ndarray:
    wins_NN = np.zeros((n, n))
    for (i, j), outcome in zip(combinations(range(n), 2), outcomes, strict=True):
        wins_NN[i, j], wins_NN[j, i] = outcome, 1 - outcome
    return wins_NN


@given(
    st.integers(0, 7).flatmap(
        lambda n: st.tuples(
            st.just(n), st.lists(st.sampled_from([0.0, 1.0]), min_size=n * (n - 1) // 2, max_size=n * (n - 1) // 2)
        )
    )
)
def test_circular_triads_agree_with_looking_at_each(case: tuple[int, list[float]]) -> None:
    n, outcomes = case
    wins_NN = tournament(n, outcomes)
    assert circular_triads(wins_NN) == circles(wins_NN)
    if n >= 3:
        assert 0.0 <= coefficient_of_consistency(circles(wins_NN), n) <= 1.0


@given(st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=6, max_size=6))
def test_with_ties_it_is_the_mean_over_all_ways_to_break_them(outcomes: list[float]) -> None:
    ways = [[]]  # type: list[list[float]]
    for outcome in outcomes:
        ways = [[*way, side] for way in ways for side in ((0.0, 1.0) if outcome == 0.5 else (outcome,))]
    expected = np.mean([circles(tournament(4, way)) for way in ways])
    assert circular_triads(tournament(4, outcomes)) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("n", "most"), [(3, 1), (4, 2), (5, 5), (6, 8), (7, 14), (8, 20)])  # (n³−n)/24, (n³−4n)/24
def test_zeta_is_0_at_the_most_circles_and_1_at_none(n: int, most: int) -> None:
    assert coefficient_of_consistency(most, n) == 0.0
    assert coefficient_of_consistency(0, n) == 1.0


def test_zeta_needs_three() -> None:
    assert isnan(coefficient_of_consistency(0, 2))


def test_consistency_by_query() -> None:
    circle = [Judgement("circle", *pair) for pair in (("a", "b", "a"), ("b", "c", "b"), ("c", "a", "c"))]
    order = [Judgement("order", *pair) for pair in (("a", "b", "a"), ("b", "c", "b"), ("c", "a", "a"))]
    missing = [Judgement("missing", "a", "b", "a"), Judgement("missing", "b", "c", "b")]
    two = [Judgement("two", "a", "b", "a")]
    found = consistency([*circle, *order, *missing, *two], name="judge")
    assert found.queries == ("circle", "order", "missing", "two")
    expected = [[3, 1, 0], [3, 0, 1], [3, nan, nan], [2, 0, nan]]
    np.testing.assert_array_equal(found.values_QM, expected)
    assert found.mean("ζ") == 0.5


def test_judgements_of_a_pair_make_one_verdict() -> None:
    # a > b by two of three, b > c, and c against a is undecided: a tie, which is a circle in one of two ways.
    table = [*both("a", "b", "a", "b"), Judgement("q", "a", "b", "a"), Judgement("q", "b", "c", "b")]
    table += both("a", "c", "a", "c")
    np.testing.assert_array_equal(consistency(table).values_QM, [[3, 0.5, 0.5]])


def test_nothing_to_judge() -> None:
    assert consistency([]).values_QM.shape == (0, 3)
    assert order_swap_consistency([]).of == 0


@pytest.mark.parametrize(
    ("judgement", "says"),
    [
        (Judgement("q", "a", "b", "c"), "judgement 2: query 'q', the winner is 'c'"),
        (Judgement("q", "a", "a", "a"), "judgement 2: query 'q' shows document 'a' twice"),
    ],
)
def test_strange_judgements_are_named(judgement: Judgement, says: str) -> None:
    for measure in (order_swap_consistency, position_bias, consistency):
        with pytest.raises(BadInput, match=says):
            measure([Judgement("q", "a", "b", "a"), judgement])


@pytest.mark.parametrize("wins", [[[0, 1], [1, 0]], [[0, 0.7], [0.3, 0]], [[1]], [[0, 1]]])
def test_what_is_no_tournament_is_refused(wins: list[list[float]]) -> None:
    with pytest.raises(BadInput, match="wins are 1, ½ or 0"):
        circular_triads(np.array(wins, dtype=float))
