"""Reliability, and the curves fitted for it."""

import math
from collections.abc import Callable
from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from whyrank.errors import BadInput
from whyrank.evaluate.calibration import (
    FITS,
    fit_isotonic,
    fit_temperature,
    labelled,
    probabilities,
    reliability,
)
from whyrank.rankers.calibration import Curve
from whyrank.types import Document, Hit, Query, Ranking

Fit = Callable[[list[float], list[float]], Curve]


def test_reliability_by_hand() -> None:
    found = reliability([0.1, 0.15, 0.6, 1.0], [0, 1, 1, 1], bins=2)
    low, high = found.bins
    assert low == (0.0, 0.5, 0.125, 0.5, 2)
    assert high == (0.5, 1.0, 0.8, 1.0, 2)
    assert found.ece == pytest.approx(0.5 * 0.375 + 0.5 * 0.2)
    assert found.brier == pytest.approx((0.01 + 0.7225 + 0.16 + 0.0) / 4)
    assert found.base_brier == pytest.approx(0.1875)
    assert found.pairs == 4


def test_an_empty_bin_is_shown_and_not_counted() -> None:
    found = reliability([0.05, 0.95], [0, 1], bins=10)
    assert [b.pairs for b in found.bins] == [1, *[0] * 8, 1]
    assert math.isnan(found.bins[4].predicted)
    assert found.ece == pytest.approx(0.05)


def test_bins_of_equal_mass_hold_equally_many() -> None:
    predicted = np.linspace(0.0, 0.01, 100)
    assert [b.pairs for b in reliability(predicted, np.zeros(100), bins=4, by="mass").bins] == [25, 25, 25, 25]
    tied = reliability([0.2] * 50 + [0.4] * 50, [0] * 100, bins=4, by="mass")
    assert sum(b.pairs for b in tied.bins) == 100


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60), st.integers(1, 12))
def test_every_pair_is_in_one_bin(pairs: list[tuple[float, bool]], bins: int) -> None:
    predicted, observed = [p for p, _ in pairs], [float(o) for _, o in pairs]
    ways: tuple[Literal["width", "mass"], ...] = ("width", "mass")
    for by in ways:
        found = reliability(predicted, observed, bins=bins, by=by)
        assert sum(b.pairs for b in found.bins) == len(pairs)
        assert 0 <= found.ece <= 1
        for each in found.bins:
            assert each.pairs == 0 or each.low <= each.predicted + 1e-12 <= each.high + 1e-9


@pytest.mark.parametrize(
    ("predicted", "observed", "bins"),
    [([], [], 5), ([0.5], [1, 0], 5), ([1.2], [1], 5), ([0.5], [-1], 5), ([math.nan], [1], 5), ([0.5], [1], 0)],
)
def test_what_is_no_probability_is_refused(predicted: list[float], observed: list[float], bins: int) -> None:
    with pytest.raises(BadInput):
        reliability(predicted, observed, bins=bins)


def drawn(temperature: float, shift: float, n: int = 20_000) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(7)
    scores = random.normal(100.0, 40.0, n)
    return scores, (random.random(n) < 1 / (1 + np.exp(-(scores - shift) / temperature))).astype(float)


def test_temperature_is_found_again() -> None:
    scores, outcomes = drawn(temperature=12.0, shift=130.0)
    curve = fit_temperature(scores, outcomes)
    assert curve.temperature == pytest.approx(12.0, rel=0.05)
    assert curve.shift == pytest.approx(130.0, rel=0.02)
    assert reliability(probabilities(curve, scores), outcomes).ece < 0.01


def test_isotonic_by_hand_and_against_the_truth() -> None:
    curve = fit_isotonic([1, 2, 3, 4], [0, 1, 0, 1])  # 2 and 3 stand the wrong way round: pooled to a half
    assert [curve.probability(s) for s in (1, 2, 2.5, 3, 4)] == [0, 0.5, 0.5, 0.5, 1]
    scores, outcomes = drawn(temperature=12.0, shift=130.0)
    assert reliability(probabilities(fit_isotonic(scores, outcomes), scores), outcomes).ece < 0.005


def test_a_fit_helps_on_pairs_it_has_not_seen() -> None:
    scores, outcomes = drawn(temperature=12.0, shift=130.0)
    for fit in FITS.values():
        curve = fit(scores[::2], outcomes[::2])
        unseen = reliability(probabilities(curve, scores[1::2]), outcomes[1::2])
        assert unseen.ece < 0.02
        assert unseen.brier < 0.5 * unseen.base_brier


@pytest.mark.parametrize("fit", FITS.values())
@pytest.mark.parametrize(("scores", "outcomes"), [([1, 2], [1, 1]), ([3, 3], [0, 1]), ([1], [1]), ([1, 2], [1])])
def test_one_sided_pairs_are_refused(fit: Fit, scores: list[float], outcomes: list[float]) -> None:
    with pytest.raises(BadInput, match="pairs of both kinds"):
        fit(scores, outcomes)


def test_a_ranker_that_ranks_backwards_is_refused() -> None:
    with pytest.raises(BadInput, match="would turn the order"):
        fit_temperature([1, 2, 3, 4], [1, 1, 0, 0.5])


def hits(*scores: float | None) -> tuple[Hit, ...]:
    return tuple(Hit(Document(f"d{i}", "text"), score=score) for i, score in enumerate(scores))


def test_labels() -> None:
    rankings = [
        Ranking(Query("q", "judged"), hits(3.0, 2.0, 1.0, None)),
        Ranking(Query("other", "not judged"), hits(9.0)),
    ]
    qrels = {"q": {"d0": 2, "d1": 1, "d3": 2}}
    found = labelled(rankings, qrels)
    assert found.scores_N.tolist() == [3, 2, 1]
    assert found.outcomes_N.tolist() == [1, 1, 0]
    assert labelled(rankings, qrels, relevant=2).outcomes_N.tolist() == [1, 0, 0]
    assert labelled(rankings, qrels, scale=2).outcomes_N.tolist() == [1, 0.5, 0]
    with pytest.raises(BadInput, match="no scored document"):
        labelled(rankings, {"x": {"d0": 1}})
    with pytest.raises(BadInput, match="highest grade"):
        labelled(rankings, qrels, scale=0)
