"""Coefficients of agreement: published examples, by hand, scikit-learn, and intervals."""

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whyrank.errors import BadInput, UnknownName
from whyrank.evaluate.agreement import (
    ALONE,
    ONE_VALUE,
    Level,
    Weights,
    cohen_kappa,
    fleiss_kappa,
    krippendorff_alpha,
    share_alike,
)
from whyrank.evaluate.resampling import percentiles, resampled
from whyrank.evaluate.results import Values

NONE = math.nan

# Krippendorff, 2011, "Computing Krippendorff's Alpha-Reliability", section C: four observers, twelve units.
KRIPPENDORFF = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, NONE, NONE, NONE],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NONE, 3],
        [NONE, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NONE],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NONE],
    ]
).T

# Fleiss, 1971, table 1: six diagnoses of each of thirty patients, of five kinds.
FLEISS = np.array(
    """
    444444 222555 233335 555555 222444 113333 333355 113334 114444 555555 144444 124444 222333 144444 224445
    333335 111455 111112 224444 133555 555555 244444 224555 114444 144445 222224 111155 224444 133333 555555
    """.split()
)
DIAGNOSES = np.array([[float(kind) for kind in patient] for patient in FLEISS])


def ratings(*rows: str) -> Values:
    """A judge a row, as published; "." is a missing answer."""
    return np.array([[NONE if sign == "." else float(sign) for sign in row] for row in rows]).T


def from_table(*rows: tuple[int, ...]) -> Values:
    """Two judges' answers from how often each pair of them occurred."""
    return np.array([[a, b] for a, row in enumerate(rows) for b, n in enumerate(row) for _ in range(n)], dtype=float)


class TestPublished:
    def test_fleiss_1971(self) -> None:
        assert [int(np.sum(kind == DIAGNOSES)) for kind in range(1, 6)] == [26, 26, 30, 55, 43]
        found = fleiss_kappa(DIAGNOSES)
        assert round(found.value, 3) == 0.430
        assert round(found.value, 7) == 0.4302445  # as computed by R's irr
        assert found.items == 30

    @pytest.mark.parametrize(("level", "value"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)])
    def test_krippendorff_2011(self, level: Level, value: float) -> None:
        found = krippendorff_alpha(KRIPPENDORFF, level=level)
        assert round(found.value, 3) == value
        assert found.items == 11  # one unit has a single answer

    def test_krippendorff_of_three_coders(self) -> None:
        three = ratings(".....34121133.3", "1.213343.......", "..21344.21133.4")
        assert round(krippendorff_alpha(three).value, 3) == 0.691
        assert round(krippendorff_alpha(three, level="interval").value, 3) == 0.811

    def test_cohen_as_sas_prints_it(self) -> None:
        pairs = from_table((0, 4, 1), (0, 8, 0), (0, 1, 5))
        assert round(cohen_kappa(pairs).value, 4) == 0.4842
        assert round(cohen_kappa(pairs, weights="linear").value, 4) == 0.4701


class TestByHand:
    def test_cohen(self) -> None:
        pairs = from_table((20, 5), (10, 15))  # observed 0.7, by chance 0.5 · 0.6 + 0.5 · 0.4 = 0.5
        assert cohen_kappa(pairs).value == pytest.approx(0.4)
        assert share_alike(pairs) == 0.7

    def test_fleiss_with_unequal_numbers(self) -> None:
        # Pairs that agree: 1, 1/3. Shares of value 0: 1, 1/3, so 2/3 on average: by chance 4/9 + 1/9.
        unequal = np.array([[0, 0, NONE], [0, 1, 1], [1, NONE, NONE]])
        assert fleiss_kappa(unequal).value == pytest.approx((2 / 3 - 5 / 9) / (1 - 5 / 9))
        assert fleiss_kappa(unequal).items == 2
        assert share_alike(unequal) == 2 / 4

    def test_alpha_is_one_less_the_ratio_of_mean_distances(self) -> None:
        for level in ("nominal", "interval"):
            assert krippendorff_alpha(KRIPPENDORFF, level=level).value == pytest.approx(by_pairs(KRIPPENDORFF, level))

    def test_chance_is_nothing_and_turning_round_is_less(self) -> None:
        turned = np.array([[0.0, 1.0], [1.0, 0.0]])
        assert cohen_kappa(turned).value == -1.0
        assert fleiss_kappa(turned).value == -1.0
        assert krippendorff_alpha(turned).value == -0.5  # 1 − 1 · (4 − 1) / 2

    def test_ordinal_counts_what_lies_between(self) -> None:
        # Values 0, 1, 9 of six answers, two each: 0 and 1 are as far apart as 1 and 9, since the size says nothing.
        near, far = ratings("0190", "0191"), ratings("0199", "0191")
        assert krippendorff_alpha(near, level="ordinal").value == pytest.approx(
            krippendorff_alpha(ratings("0120", "0121"), level="ordinal").value
        )
        assert krippendorff_alpha(far, level="ordinal").value == pytest.approx(
            krippendorff_alpha(ratings("0122", "0121"), level="ordinal").value
        )
        assert krippendorff_alpha(far, level="interval").value < krippendorff_alpha(near, level="interval").value


@pytest.mark.parametrize("weights", ["none", "linear", "quadratic"])
def test_cohen_is_sklearns(weights: Weights) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(3)
    one = rng.integers(0, 4, 200)
    other = np.where(rng.random(200) < 0.6, one, rng.integers(0, 4, 200))
    expected = metrics.cohen_kappa_score(one, other, weights=None if weights == "none" else weights)
    assert cohen_kappa(np.stack([one, other], axis=1).astype(float), weights=weights).value == pytest.approx(expected)


@given(st.lists(st.lists(st.sampled_from([NONE, 0.0, 1.0, 2.0]), min_size=3, max_size=3), min_size=1, max_size=12))
@settings(max_examples=60, deadline=None)
def test_any_answers(rows: list[list[float]]) -> None:
    """Undefined with a reason, or a number up to 1 that is 1 exactly where no two judges differ."""
    table = np.array(rows)
    differ = any(len(set(row[~np.isnan(row)])) > 1 for row in table)
    found = [fleiss_kappa(table), *(krippendorff_alpha(table, level=level) for level in ("nominal", "ordinal"))]
    for one in [*found, cohen_kappa(table[:, :2], weights="linear")]:
        assert math.isnan(one.value) == (one.reason in (ALONE, ONE_VALUE))
        assert math.isnan(one.value) or one.value <= 1.0
    for one in found:
        assert math.isnan(one.value) or (one.value < 1.0) == differ


class TestUndefined:
    def test_one_value_only(self) -> None:
        same = np.ones((5, 2))
        for found in (cohen_kappa(same), fleiss_kappa(same), krippendorff_alpha(same, level="ordinal")):
            assert math.isnan(found.value)
            assert (found.items, found.reason) == (5, ONE_VALUE)
        assert share_alike(same) == 1.0

    @pytest.mark.parametrize("table", [np.empty((0, 2)), np.array([[1.0, NONE], [NONE, 2.0]]), np.full((3, 2), NONE)])
    def test_nobody_shares_an_item(self, table: Values) -> None:
        for found in (cohen_kappa(table), fleiss_kappa(table), krippendorff_alpha(table)):
            assert math.isnan(found.value)
            assert (found.items, found.reason) == (0, ALONE)
        assert math.isnan(share_alike(table))


class TestIntervals:
    def test_queries_are_drawn_whole(self) -> None:
        draws = resampled(["a", "b", "a", "c"], seed=1, resamples=50)
        assert draws.shape == (50, 4)
        assert np.array_equal(draws[:, 0], draws[:, 2])
        assert (draws[:, [0, 1, 3]].sum(axis=1) == 3).all()
        assert np.array_equal(draws, resampled(["a", "b", "a", "c"], seed=1, resamples=50))

    def test_an_interval_is_of_tables_that_were_drawn(self) -> None:
        queries = [f"q{n // 3}" for n in range(30)]
        draws = resampled(queries, seed=2, resamples=40)
        found = krippendorff_alpha(DIAGNOSES, draws_BI=draws)
        again = [krippendorff_alpha(np.repeat(DIAGNOSES, counts.astype(int), axis=0)).value for counts in draws]
        assert (found.low, found.high) == pytest.approx(tuple(np.quantile(again, [0.025, 0.975])))
        assert found.low < found.value < found.high

    def test_of_all_coefficients(self) -> None:
        draws = resampled([str(n) for n in range(30)], resamples=200)
        for found in (
            fleiss_kappa(DIAGNOSES, draws_BI=draws),
            cohen_kappa(DIAGNOSES[:, [0, 5]], weights="quadratic", draws_BI=draws),
            krippendorff_alpha(DIAGNOSES, level="ordinal", draws_BI=draws),
        ):
            assert found.low < found.value < found.high

    def test_what_is_undefined_is_left_out(self) -> None:
        assert percentiles(np.array([NONE, 1.0, 1.0])) == (1.0, 1.0)
        assert all(map(math.isnan, percentiles(np.array([NONE]))))
        # One query alone agrees on one value: its resamples say nothing, and the others are as before.
        table = np.array([[0.0, 0.0], [1.0, 0.0]])
        found = krippendorff_alpha(table, draws_BI=np.array([[2.0, 0.0], [1.0, 1.0]]))
        assert (found.low, found.high) == (found.value, found.value)

    def test_nothing_to_draw(self) -> None:
        assert resampled([], resamples=3).shape == (3, 0)
        with pytest.raises(BadInput, match="0 resamples; give 1 or more"):
            resampled(["q"], resamples=0)


def test_bad_input() -> None:
    with pytest.raises(BadInput, match=r"ratings of shape \(2, 3\) are not of two judges"):
        cohen_kappa(np.zeros((2, 3)))
    with pytest.raises(BadInput, match=r"ratings of shape \(3,\) are no table"):
        fleiss_kappa(np.zeros(3))
    with pytest.raises(BadInput, match="an answer is infinite"):
        krippendorff_alpha(np.array([[1.0, math.inf]]))
    with pytest.raises(UnknownName, match="no level of measurement called 'ordinary'; did you mean ordinal"):
        krippendorff_alpha(np.zeros((2, 2)), level="ordinary")  # type: ignore[arg-type]
    with pytest.raises(UnknownName, match="no weighting of κ called 'lineal'; did you mean linear"):
        cohen_kappa(np.zeros((2, 2)), weights="lineal")  # type: ignore[arg-type]


def by_pairs(table: Values, level: str) -> float:
    """Krippendorff's α from its definition: pairs within units against pairs of all answers, no tables."""

    def distance(a: float, b: float) -> float:
        return float(a != b) if level == "nominal" else (a - b) ** 2

    units = [row[~np.isnan(row)].tolist() for row in table]
    units = [unit for unit in units if len(unit) > 1]
    pooled = [value for unit in units for value in unit]
    within = sum(2 * sum(distance(*pair) for pair in combinations(unit, 2)) / (len(unit) - 1) for unit in units)
    among = 2 * sum(distance(*pair) for pair in combinations(pooled, 2)) / (len(pooled) - 1)
    return 1 - within / among
