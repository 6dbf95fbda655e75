"""Intervals of figures that are no mean over queries: queries are drawn with replacement, with all that hangs on them.

A figure is a function of how often each observation counts, so that all resamples are computed at once.

# Q queries, N observations, B resamples
"""

import math
from collections.abc import Sequence

import numpy as np

from whyrank.errors import BadInput
from whyrank.evaluate.comparison import Interval
from whyrank.evaluate.results import Values

RESAMPLES = 2_000


def resampled(queries_N: Sequence[str], *, seed: int = 0, resamples: int = RESAMPLES) -> Values:
    """How often each observation counts in each resample [B, N]: as often as its query is drawn (Efron, 1979).

    Observations of one query are not independent, so they are drawn together.

    Args:
        queries_N: the query of each observation; those that are here are the ones drawn from.
        seed: of the draws.
        resamples: of the bootstrap.

    Raises:
        BadInput: `resamples` is below 1.
    """
    if resamples < 1:
        raise BadInput(f"{resamples} resamples; give 1 or more")
    places = {query: place for place, query in enumerate(dict.fromkeys(queries_N))}
    if not places:
        return np.zeros((resamples, 0))
    drawn_BQ = np.random.default_rng(seed).multinomial(len(places), [1 / len(places)] * len(places), size=resamples)
    return drawn_BQ[:, [places[query] for query in queries_N]].astype(np.float64)


def percentiles(values_B: Values) -> Interval:
    """The 95 % interval of a figure's resamples; those for which it is undefined are left out."""
    defined = values_B[~np.isnan(values_B)]
    if not len(defined):
        return Interval(math.nan, math.nan)
    low, high = np.quantile(defined, [0.025, 0.975])
    return Interval(float(low), float(high))
