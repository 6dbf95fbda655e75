"""τ-b and ρ are scipy's, and their intervals are those of the pairs that were drawn."""

import math

import numpy as np
import pytest

from whyrank.errors import BadInput
from whyrank.evaluate.correlation import rank_correlation
from whyrank.evaluate.reasons.rank_from_rationale import kendall_tau
from whyrank.evaluate.resampling import resampled

stats = pytest.importorskip("scipy.stats")


def tied(pairs: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    left = rng.normal(size=pairs).round(1)
    return left, (left + rng.normal(size=pairs)).round(0)


@pytest.mark.parametrize("pairs", [5, 60])
def test_is_scipys(pairs: int) -> None:
    left, right = tied(pairs)
    found = rank_correlation(left, right)
    assert found.tau.value == pytest.approx(stats.kendalltau(left, right).statistic, abs=1e-12)
    assert found.rho.value == pytest.approx(stats.spearmanr(left, right).statistic, abs=1e-12)
    assert found.tau.value == pytest.approx(kendall_tau(left.tolist(), right.tolist()))
    assert math.isnan(found.tau.low)


def test_by_hand() -> None:
    found = rank_correlation(np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, 2.0, 4.0, 3.0]))
    assert found.tau.value == pytest.approx(4 / 6)  # five pairs in the same order, one in the other
    assert found.rho.value == pytest.approx(1 - 6 * 2 / (4 * 15))  # Spearman's formula without ties


def test_intervals_are_of_the_pairs_drawn() -> None:
    left, right = tied(40)
    draws = resampled([f"q{n // 4}" for n in range(40)], seed=3, resamples=30)
    found = rank_correlation(left, right, draws_BN=draws)
    taus, rhos = [], []
    for counts in draws.astype(int):
        one, other = np.repeat(left, counts), np.repeat(right, counts)
        taus.append(stats.kendalltau(one, other).statistic)
        rhos.append(stats.spearmanr(one, other).statistic)
    assert (found.tau.low, found.tau.high) == pytest.approx(tuple(np.quantile(taus, [0.025, 0.975])))
    assert (found.rho.low, found.rho.high) == pytest.approx(tuple(np.quantile(rhos, [0.025, 0.975])))


def test_undefined_where_one_side_is_all_the_same() -> None:
    found = rank_correlation(np.ones(3), np.arange(3.0), draws_BN=resampled(["a", "b", "c"], resamples=5))
    assert all(math.isnan(value) for coefficient in found for value in coefficient)
    assert math.isnan(rank_correlation(np.empty(0), np.empty(0)).tau.value)


def test_bad_input() -> None:
    with pytest.raises(BadInput, match=r"values of shapes \(2,\) and \(3,\)"):
        rank_correlation(np.zeros(2), np.zeros(3))
    with pytest.raises(BadInput, match="a value is no finite number"):
        rank_correlation(np.zeros(2), np.array([0.0, math.nan]))
