"""Scores and places as one order, with numbers worked by hand."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whyrank.errors import BadInput
from whyrank.rankers.fusion import Fusion, Summands, order, standardised


def test_linear_places_by_hand() -> None:
    fused = Fusion(weight=0.5, form="linear").fuse([0.9, 0.5, 0.1], [3.0, 1.0, 2.0])
    assert fused == [Summands(0.45, 0.0, 0.9, 3.0), Summands(0.25, 0.5, 0.5, 1.0), Summands(0.05, 0.25, 0.1, 2.0)]
    assert [one.total for one in fused] == [0.45, 0.75, pytest.approx(0.3)]
    assert order(fused) == [1, 0, 2]


def test_reciprocal_places_by_hand() -> None:
    fused = Fusion(weight=0.25, form="reciprocal", constant=2.0).fuse([1.0, 0.0], [2.0, 1.0])
    assert fused[0] == pytest.approx((0.75, 0.25 * 2 / 3, 1.0, 2.0))
    assert fused[1] == Summands(0.0, 0.25, 0.0, 1.0)


@pytest.mark.parametrize("form", ["linear", "reciprocal"])
def test_the_ends_of_the_weight_are_the_stages(form: Any) -> None:
    values, ranks = [0.8, 0.6, 0.4, 0.2], [4.0, 2.0, 1.0, 3.0]
    assert order(Fusion(0.0, form).fuse(values, ranks)) == [0, 1, 2, 3]
    assert order(Fusion(1.0, form).fuse(values, ranks)) == [2, 1, 3, 0]


def test_equal_totals_stand_as_in_stage_1() -> None:
    assert order(Fusion(0.5).fuse([0.5, 0.5, 0.5], [1.5, 1.5, 3.0])) == [0, 1, 2]


def test_a_single_document() -> None:
    assert Fusion(0.5).fuse([0.4], [1.0]) == [Summands(0.2, 0.5, 0.4, 1.0)]
    assert Fusion(0.5).fuse([], []) == []


def test_standard_scores() -> None:
    assert standardised([]) == []
    assert standardised([3.0, 3.0]) == [0.5, 0.5]
    high, low = standardised([2.0, 0.0])  # one standard deviation above and below the mean
    assert high == pytest.approx(1 / (1 + math.exp(-1)))
    assert high + low == pytest.approx(1.0)


@given(st.lists(st.floats(-1e9, 1e9), max_size=40))
def test_standard_scores_keep_the_order(scores: list[float]) -> None:
    found = standardised(scores)
    assert all(0.0 <= value <= 1.0 for value in found)
    pairs = [(a, b) for a in range(len(scores)) for b in range(len(scores)) if scores[a] < scores[b]]
    assert all(found[a] <= found[b] for a, b in pairs)


@given(
    st.floats(0, 1),
    st.sampled_from(["linear", "reciprocal"]),
    st.permutations(range(12)),
    st.lists(st.floats(0, 1), min_size=12, max_size=12),
)
def test_better_in_both_stages_is_never_below(weight: float, form: Any, places: list[int], values: list[float]) -> None:
    values = sorted(values, reverse=True)
    fused = order(Fusion(weight, form).fuse(values, [1.0 + place for place in places]))
    assert sorted(fused) == list(range(12))
    assert all(fused.index(a) < fused.index(b) for a in range(12) for b in range(a + 1, 12) if places[a] < places[b])


@pytest.mark.parametrize("weight", [-0.1, 1.1, math.nan, math.inf, "0.5", True, None])
def test_a_weight_that_is_none(weight: Any) -> None:
    with pytest.raises(BadInput, match=r"the weight of a fusion is .* give a number from 0 to 1"):
        Fusion(weight)


@pytest.mark.parametrize("constant", [0.0, -1.0, math.nan, "many"])
def test_a_constant_that_is_none(constant: Any) -> None:
    with pytest.raises(BadInput, match="the constant of a fusion"):
        Fusion(constant=constant)


def test_a_form_that_is_not_known() -> None:
    form: Any = "cubic"
    with pytest.raises(BadInput, match="'cubic'; known: reciprocal, linear"):
        Fusion(form=form)


def test_a_place_for_each_value() -> None:
    with pytest.raises(BadInput, match="2 values of stage 1 and 1 places"):
        Fusion().fuse([0.1, 0.2], [1.0])
