"""Do two ways of measuring the same things order them alike? Kendall's τ-b and Spearman's ρ, over queries. Pure.

# N observations, B resamples
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from whyrank.errors import BadInput
from whyrank.evaluate.resampling import percentiles
from whyrank.evaluate.results import Values


class Correlation(NamedTuple):
    """A rank correlation, from −1 to 1; NaN where one side gives all the same value.

    Attributes:
        value: the coefficient.
        low, high: bootstrap 95 % interval; NaN without draws. Resamples for which it is undefined are left out.
    """

    value: float
    low: float
    high: float


class RankCorrelation(NamedTuple):
    """Two coefficients of the same pairs.

    Attributes:
        tau: Kendall's τ-b (1945): pairs in the same order less pairs in the other, corrected for ties.
        rho: Spearman's ρ (1904): Pearson's correlation of the ranks, equal values sharing theirs.
    """

    tau: Correlation
    rho: Correlation


def rank_correlation(left_N: Values, right_N: Values, *, draws_BN: Values | None = None) -> RankCorrelation:
    """τ-b and ρ, each with an interval.

    Args:
        left_N: finite numbers.
        right_N: as many, of the same things in the same order.
        draws_BN: how often each pair counts in each resample (`resampling.resampled`); None for no interval.

    Raises:
        BadInput: the sides are not of one length, or hold a number that is not finite.
    """
    if left_N.shape != right_N.shape or left_N.ndim != 1:
        raise BadInput(f"values of shapes {left_N.shape} and {right_N.shape}; give one each of the same things")
    if not (np.isfinite(left_N).all() and np.isfinite(right_N).all()):
        raise BadInput("a value is no finite number; leave out what is undefined, on both sides")
    left_NN, right_NN = (np.sign(np.subtract.outer(side, side)) for side in (left_N, right_N))
    return RankCorrelation(_figure(_taus, left_NN, right_NN, draws_BN), _figure(_rhos, left_NN, right_NN, draws_BN))


def _figure(
    coefficients: Callable[[Values, Values, Values], Values], left_NN: Values, right_NN: Values, draws_BN: Values | None
) -> Correlation:
    """A coefficient of all pairs, each once, and of those that were drawn."""
    [value] = coefficients(left_NN, right_NN, np.ones((1, len(left_NN))))
    low, high = (math.nan, math.nan)
    if draws_BN is not None:
        low, high = percentiles(coefficients(left_NN, right_NN, draws_BN))
    return Correlation(float(value), low, high)


def _taus(left_NN: Values, right_NN: Values, weights_BN: Values) -> Values:
    def pairs(signs_NN: Values) -> Values:
        return np.asarray(((weights_BN @ signs_NN) * weights_BN).sum(axis=1))

    return _ratio(pairs(left_NN * right_NN), pairs(np.abs(left_NN)), pairs(np.abs(right_NN)))


def _rhos(left_NN: Values, right_NN: Values, weights_BN: Values) -> Values:
    # Minus twice a rank, up to a constant, is how many are above less how many are below; the mean of these is 0.
    left_BN, right_BN = weights_BN @ left_NN, weights_BN @ right_NN

    def sums(products_BN: Values) -> Values:
        return np.asarray((weights_BN * products_BN).sum(axis=1))

    return _ratio(sums(left_BN * right_BN), sums(left_BN**2), sums(right_BN**2))


def _ratio(both_B: Values, left_B: Values, right_B: Values) -> Values:
    norms_B = np.sqrt(left_B * right_B)
    return np.where(norms_B > 0, both_B / np.where(norms_B > 0, norms_B, 1.0), math.nan)
