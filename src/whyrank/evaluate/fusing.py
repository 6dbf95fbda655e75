"""Fitting how two stages are fused: nDCG@10 over a grid, and the middle of its plateau."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import fmean
from typing import NamedTuple

from whyrank.errors import BadInput
from whyrank.evaluate.measures import parse_measures
from whyrank.evaluate.ranked_grades import ranked_grades, values
from whyrank.rankers.fusion import Fusion, order

NOISE = 0.002
"""Differences of the mean that are noise of the queries fitted on."""
WEIGHTS = tuple(step / 20 for step in range(21))
SHAPES = (
    Fusion(form="linear"),
    *(Fusion(form="reciprocal", constant=constant) for constant in (2.0, 5.0, 10.0, 20.0, 60.0)),
)


class Opinions(NamedTuple):
    """What both stages think of the candidates of one query, in the order of stage 1.

    Attributes:
        ids: of the documents.
        values: of stage 1, from 0 to 1.
        ranks: in stage 2, from 1.
        rest: ids of the documents below, which stage 2 did not read.
        grades: judgements of the query, none below 0.
    """

    ids: Sequence[str]
    values: Sequence[float]
    ranks: Sequence[float]
    rest: Sequence[str]
    grades: Mapping[str, int]


class Fitted(NamedTuple):
    """A fit, and what it is worth where it was fitted.

    Attributes:
        fusion: the middle of the plateau.
        value: its mean nDCG@10.
        best: of the grid.
        stage1, stage2: of each stage alone.
    """

    fusion: Fusion
    value: float
    best: float
    stage1: float
    stage2: float


def fit(by_set: Mapping[str, Sequence[Opinions]]) -> Fitted:
    """The fusion with the best mean nDCG@10 over sets of queries, each set counting the same.

    Of the shapes the one with the best weight; of its weights the mean of all within `NOISE` of the best, since
    differences that small are noise.

    Args:
        by_set: name → opinions about queries with a relevant document. Never those of a test set.

    Raises:
        BadInput: there are no queries.
    """
    if not by_set or not all(by_set.values()):
        raise BadInput("there are no queries to fit a fusion on; give judged ones that stage 2 was asked about")
    grid = {(shape, weight): _mean(by_set, replace(shape, weight=weight)) for shape in SHAPES for weight in WEIGHTS}
    best, best_value = max(grid.items(), key=lambda item: item[1])
    plateau = [w for (shape, w), value in grid.items() if shape == best[0] and value >= best_value - NOISE]
    count = sum(map(len, by_set.values()))
    about = f"{count} queries of {', '.join(by_set)}"
    fusion = replace(best[0], weight=round(fmean(plateau), 2), fitted_on=about)
    ends = [_mean(by_set, replace(best[0], weight=weight)) for weight in (0.0, 1.0)]
    return Fitted(fusion, _mean(by_set, fusion), best_value, *ends)


def _mean(by_set: Mapping[str, Sequence[Opinions]], fusion: Fusion) -> float:
    [measure] = parse_measures(["nDCG@10"])
    means = []
    for opinions in by_set.values():
        orders = [_order(one, fusion) for one in opinions]
        means.append(float(values(measure, ranked_grades(orders, [one.grades for one in opinions])).mean()))
    return fmean(means)


def _order(one: Opinions, fusion: Fusion) -> list[str]:
    places = order(fusion.fuse(one.values, one.ranks))
    return [*(one.ids[place] for place in places), *one.rest]
