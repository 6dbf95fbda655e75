"""Do judges agree more often than by chance? Cohen's κ, Fleiss' κ, Krippendorff's α, with intervals over queries. Pure.

Each is 1 − observed / expected disagreement; they differ in which pairs of answers are counted, in what chance is
taken to be, and in how far apart two answers are.

# I items, J judges, C different values, B resamples
"""

import math
from collections.abc import Callable
from typing import Literal, NamedTuple, TypeAlias, get_args

import numpy as np

from whyrank.errors import BadInput, unknown
from whyrank.evaluate.resampling import percentiles
from whyrank.evaluate.results import Values

Weights: TypeAlias = Literal["none", "linear", "quadratic"]
"""How far apart two answers are for Cohen's κ: as far as any other two, their difference, its square."""
Level: TypeAlias = Literal["nominal", "ordinal", "interval"]
"""What the values are for Krippendorff's α: names, places in an order, or numbers."""

ALONE = "no item was answered by two judges"
ONE_VALUE = "all answers are the same, so chance alone would agree as often"


class Agreement(NamedTuple):
    """A coefficient of agreement.

    Attributes:
        value: 1 where all agree, 0 where they agree as often as by chance; NaN where it is undefined.
        low, high: bootstrap 95 % interval; NaN without draws.
        items: those that count: two judges or more answered.
        reason: why it is undefined, in words; "" where it is not.
    """

    value: float
    low: float
    high: float
    items: int
    reason: str = ""


def cohen_kappa(ratings_IJ: Values, *, weights: Weights = "none", draws_BI: Values | None = None) -> Agreement:
    """Cohen's κ of two judges (1960), weighted or not (1968); items that only one of them answered are left out.

    Args:
        ratings_IJ: an item a row, two columns; NaN where there is no answer.
        weights: how far apart two answers are, by their values.
        draws_BI: how often each item counts in each resample (`resampling.resampled`); None for no interval.

    Raises:
        BadInput: there are not two judges, or an answer is infinite.
        UnknownName: there are no such weights.
    """
    if ratings_IJ.ndim != 2 or ratings_IJ.shape[1] != 2:
        raise BadInput(f"ratings of shape {ratings_IJ.shape} are not of two judges; give [items, 2]")
    if weights not in get_args(Weights):
        raise unknown("weighting of κ", weights, get_args(Weights))
    counts_IJC, values_C = _one_hot(ratings_IJ)
    tables_ICC = counts_IJC[:, 0, :, None] * counts_IJC[:, 1, None, :]
    apart_CC = np.abs(np.subtract.outer(values_C, values_C))
    fixed = {"none": (apart_CC > 0).astype(np.float64), "linear": apart_CC, "quadratic": apart_CC**2}[weights]
    return _agreement(tables_ICC, lambda _: fixed, draws_BI)


def fleiss_kappa(ratings_IJ: Values, *, draws_BI: Values | None = None) -> Agreement:
    """Fleiss' κ (1971) of answers by any judges, not the same for each item; values are names.

    Deviates: items need not have the same number of answers. Each counts once, with the share of its pairs that agree
    and of its answers that have each value; where the numbers are equal this is Fleiss' own. Items with fewer than two
    answers are left out.

    Args:
        ratings_IJ: an item a row, a judge a column; NaN where there is no answer.
        draws_BI: how often each item counts in each resample; None for no interval.

    Raises:
        BadInput: the ratings are no table, or an answer is infinite.
    """
    counts_IC, _ = _counts(ratings_IJ)
    answers_I = counts_IC.sum(axis=1)
    tables_ICC = _coincidences(counts_IC) / np.maximum(answers_I, 1)[:, None, None]
    return _agreement(tables_ICC, _unequal, draws_BI)


def krippendorff_alpha(ratings_IJ: Values, *, level: Level = "nominal", draws_BI: Values | None = None) -> Agreement:
    """Krippendorff's α (2011, computed by coincidences): any judges, any answers missing.

    Args:
        ratings_IJ: an item a row, a judge a column; NaN where there is no answer. Items with fewer than two answers
            are left out.
        level: what the values are.
        draws_BI: how often each item counts in each resample; None for no interval.

    Raises:
        BadInput: the ratings are no table, or an answer is infinite.
        UnknownName: there is no such level.
    """
    if level not in get_args(Level):
        raise unknown("level of measurement", level, get_args(Level))
    counts_IC, values_C = _counts(ratings_IJ)

    def distances(tables_BCC: Values) -> Values:
        if level == "nominal":
            return _unequal(tables_BCC)
        counts_BC = tables_BCC.sum(axis=2)
        # Ordinal: all values between two, with half of each of the two themselves, lie between their middles.
        places_BC = np.cumsum(counts_BC, axis=1) - counts_BC / 2 if level == "ordinal" else values_C[None, :]
        return (places_BC[:, :, None] - places_BC[:, None, :]) ** 2

    return _agreement(_coincidences(counts_IC), distances, draws_BI, drawn_without_return=True)


def share_alike(ratings_IJ: Values) -> float:
    """Of the pairs of answers to an item by two judges, the share that are the same; NaN where there is no pair."""
    counts_IC, _ = _counts(ratings_IJ)
    answers_I = counts_IC.sum(axis=1)
    pairs = float((answers_I * (answers_I - 1)).sum())
    return float((counts_IC * (counts_IC - 1)).sum()) / pairs if pairs else math.nan


def _one_hot(ratings_IJ: Values) -> tuple[Values, Values]:
    """Which value each judge gave each item [I, J, C], and the values in ascending order."""
    if ratings_IJ.ndim != 2:
        raise BadInput(f"ratings of shape {ratings_IJ.shape} are no table; give [items, judges]")
    if np.isinf(ratings_IJ).any():
        raise BadInput("an answer is infinite; give finite numbers, and NaN where there is no answer")
    values_C = np.unique(ratings_IJ[~np.isnan(ratings_IJ)])
    return (ratings_IJ[:, :, None] == values_C).astype(np.float64), values_C


def _counts(ratings_IJ: Values) -> tuple[Values, Values]:
    """How many judges gave each item each value [I, C], and the values."""
    given_IJC, values_C = _one_hot(ratings_IJ)
    return given_IJC.sum(axis=1), values_C


def _coincidences(counts_IC: Values) -> Values:
    """The ordered pairs of answers to each item, each by 1 / (answers − 1), so that an answer counts once."""
    pairs_ICC = counts_IC[:, :, None] * counts_IC[:, None, :]
    places = np.arange(counts_IC.shape[1])
    pairs_ICC[:, places, places] -= counts_IC
    return np.asarray(pairs_ICC / np.maximum(counts_IC.sum(axis=1) - 1, 1)[:, None, None])


def _unequal(tables_BCC: Values) -> Values:
    """Every two values are as far apart as any other two."""
    return 1.0 - np.eye(tables_BCC.shape[1])[None]


def _agreement(
    tables_ICC: Values,
    distances: Callable[[Values], Values],
    draws_BI: Values | None,
    *,
    drawn_without_return: bool = False,
) -> Agreement:
    """From what each item adds to the table of pairs of answers to the coefficient and its interval."""
    items = int((tables_ICC.sum(axis=(1, 2)) > 0).sum())
    if not items:
        return Agreement(math.nan, math.nan, math.nan, 0, ALONE)

    def coefficients(weights_BI: Values) -> Values:
        tables_BCC = np.tensordot(weights_BI, tables_ICC, axes=1)
        left_BC, right_BC = tables_BCC.sum(axis=2), tables_BCC.sum(axis=1)
        others_B = tables_BCC.sum(axis=(1, 2)) - (1 if drawn_without_return else 0)
        far_BCC = distances(tables_BCC)
        observed_B = (far_BCC * tables_BCC).sum(axis=(1, 2)) * others_B
        expected_B = (far_BCC * left_BC[:, :, None] * right_BC[:, None, :]).sum(axis=(1, 2))
        return np.where(expected_B > 0, 1 - observed_B / np.where(expected_B > 0, expected_B, 1.0), math.nan)

    value = float(coefficients(np.ones((1, len(tables_ICC))))[0])
    if math.isnan(value):
        return Agreement(math.nan, math.nan, math.nan, items, ONE_VALUE)
    low, high = (math.nan, math.nan) if draws_BI is None else percentiles(coefficients(draws_BI))
    return Agreement(value, low, high, items)
