"""Relevance for eyes and for clients that sort by it: in [0, 1], all distinct, falling with the order. Pure."""

import math
from collections.abc import Sequence

from whyrank.errors import WhyrankError
from whyrank.types import Calibrated, Hit

UNITS = 10_000_000
"""Steps between 0 and 1. Neighbours differ by one at least, and stay distinct where a client keeps 32 bits."""


def relevances(hits: Sequence[Hit], ranker: object) -> list[float]:
    """A number for each hit of a finished ranking.

    It is the probability of being relevant where the ranker is calibrated, else the logistic of the score; of a
    ranker that gives places and no scores it is the place. What would stand at or above the one before it stands one
    step below it: the order is the ranker's, the number only shows it.

    Args:
        hits: best first, at most `UNITS`.
        ranker: what made the order.
    """
    count = len(hits)
    numbers: list[float] = []
    above = UNITS + 1
    for place, hit in enumerate(hits):
        least = count - 1 - place
        wanted = round(UNITS * _relevance(hit, ranker, place, count))
        above = max(least, min(wanted, above - 1, UNITS - place))
        numbers.append(above / UNITS)
    return numbers


def _relevance(hit: Hit, ranker: object, place: int, count: int) -> float:
    if hit.placed:
        return (count - place) / (count + 1)
    if hit.score is None:
        return 0.0
    if isinstance(ranker, Calibrated):
        try:
            return min(1.0, max(0.0, ranker.probability(hit.score, hit.first_score)))
        except WhyrankError:  # a ranker that could be calibrated, and was not
            return _logistic(hit.score)
    return _logistic(hit.score)


def _logistic(score: float) -> float:
    return 1 / (1 + math.exp(-score)) if score >= 0 else math.exp(score) / (1 + math.exp(score))
