"""Do probabilities mean what they say? Reliability, ECE, Brier; and fitting the curves that make them.

# N pairs of a query and a document
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from whyrank._extras import require
from whyrank.errors import BadInput
from whyrank.evaluate.results import Values
from whyrank.rankers.calibration import Curve, Isotonic, Temperature
from whyrank.types import Qrels, Ranking

BINS = 10


class ReliabilityBin(NamedTuple):
    """Pairs whose probability lies in [low, high), or up to and with 1 in the last.

    Attributes:
        low, high: the edges.
        predicted: mean probability; NaN where the bin is empty.
        observed: mean outcome.
        pairs: how many are in it.
    """

    low: float
    high: float
    predicted: float
    observed: float
    pairs: int


class Reliability(NamedTuple):
    """How far probabilities can be believed.

    Attributes:
        bins: the reliability diagram.
        ece: expected calibration error: mean of |predicted − observed| over bins, weighted by their pairs.
        brier: mean squared difference of probability and outcome.
        base_brier: the Brier score of always saying the mean outcome: what knowing nothing costs.
        pairs: N.
    """

    bins: tuple[ReliabilityBin, ...]
    ece: float
    brier: float
    base_brier: float
    pairs: int


class Labelled(NamedTuple):
    """Scores and outcomes of N pairs."""

    scores_N: Values
    outcomes_N: Values


def labelled(
    rankings: Sequence[Ranking], qrels: Qrels, *, relevant: float = 1.0, scale: float | None = None
) -> Labelled:
    """The scored documents of judged queries, with what they turned out to be.

    Args:
        rankings: hits without a score are left out; so are queries without judgements.
        qrels: a document without a grade counts as not relevant.
        relevant: outcomes are 1 from this grade on, else 0.
        scale: if given, outcomes are grades as a share of it, between 0 and 1, instead: graded labels.

    Raises:
        BadInput: no scored document belongs to a judged query, or `scale` is not above 0.
    """
    if scale is not None and not scale > 0:
        raise BadInput(f"scale is {scale}; give the highest grade, above 0")
    scores, outcomes = [], []
    for ranking in rankings:
        judged = qrels.get(ranking.query.id)
        if judged is None:
            continue
        for hit in ranking:
            if hit.score is None:
                continue
            grade = judged.get(hit.document.id, 0.0)
            scores.append(hit.score)
            outcomes.append(float(grade >= relevant) if scale is None else min(max(grade / scale, 0.0), 1.0))
    if not scores:
        raise BadInput("no scored document belongs to a judged query; give rankings and judgements of the same queries")
    return Labelled(np.array(scores), np.array(outcomes))


def reliability(
    probabilities_N: npt.ArrayLike,
    outcomes_N: npt.ArrayLike,
    *,
    bins: int = BINS,
    by: Literal["width", "mass"] = "width",
) -> Reliability:
    """The reliability diagram and its sums (Naeini et al., 2015; Brier, 1950).

    Args:
        probabilities_N: between 0 and 1.
        outcomes_N: 0 or 1, or shares in between.
        bins: how many.
        by: "width": equally wide; "mass": equally many pairs, which rare events need. Equal probabilities share a bin.

    Raises:
        BadInput: no pairs, lengths that differ, values outside [0, 1], or no bins.
    """
    predicted, observed = np.asarray(probabilities_N, float), np.asarray(outcomes_N, float)
    if predicted.shape != observed.shape or predicted.ndim != 1 or not len(predicted) or bins < 1:
        raise BadInput(
            f"{predicted.shape} probabilities, {observed.shape} outcomes and {bins} bins; "
            "give one outcome for each probability, at least one of each, and 1 bin or more"
        )
    for name, values in (("probabilities", predicted), ("outcomes", observed)):
        if not bool(((values >= 0) & (values <= 1)).all()):
            raise BadInput(f"{name} lie outside [0, 1]; calibrate scores first")
    edges = _edges(predicted, bins, by)
    place = np.clip(np.searchsorted(edges, predicted, side="right") - 1, 0, len(edges) - 2)
    counts = np.bincount(place, minlength=len(edges) - 1)
    sums = (np.bincount(place, weights=values, minlength=len(edges) - 1) for values in (predicted, observed))
    with np.errstate(invalid="ignore"):
        mean_predicted, mean_observed = (total / counts for total in sums)
    gaps = np.abs(mean_predicted - mean_observed)[counts > 0]
    rows = zip(*(a.tolist() for a in (edges[:-1], edges[1:], mean_predicted, mean_observed, counts)), strict=True)
    return Reliability(
        bins=tuple(ReliabilityBin(*row) for row in rows),
        ece=float((gaps * counts[counts > 0]).sum() / len(predicted)),
        brier=float(((predicted - observed) ** 2).mean()),
        base_brier=float(((observed - observed.mean()) ** 2).mean()),
        pairs=len(predicted),
    )


def _edges(predicted: Values, bins: int, by: str) -> Values:
    if by == "width":
        return np.linspace(0.0, 1.0, bins + 1)
    inner = np.unique(np.quantile(predicted, np.arange(1, bins) / bins))
    return np.concatenate([[0.0], inner[(inner > 0) & (inner < 1)], [1.0]])


def fit_temperature(scores_N: npt.ArrayLike, outcomes_N: npt.ArrayLike) -> Temperature:
    """The temperature and shift under which the outcomes are most likely.

    Raises:
        BadInput: all outcomes are the same, or all scores: no curve can be fitted; or scores speak against relevance.
    """
    optimize = require("scipy.optimize", extra="evaluate", purpose="fitting a calibration")
    scores, outcomes = _fittable(scores_N, outcomes_N)
    middle, spread = float(scores.mean()), float(scores.std())
    x = (scores - middle) / spread

    def loss(point: Values) -> tuple[float, Values]:
        z = point[0] * x + point[1]
        residual = np.exp(-np.logaddexp(0.0, -z)) - outcomes
        nll = np.logaddexp(0.0, z) - outcomes * z
        return float(nll.mean()), np.array([(residual * x).mean(), residual.mean()])

    slope, offset = optimize.minimize(loss, np.array([1.0, 0.0]), jac=True, method="BFGS").x
    if not slope > 0:
        raise BadInput("higher scores are not more often relevant in these pairs; a calibration would turn the order")
    return Temperature(temperature=spread / float(slope), shift=middle - float(offset) * spread / float(slope))


def fit_isotonic(scores_N: npt.ArrayLike, outcomes_N: npt.ArrayLike) -> Isotonic:
    """The best curve that never falls (pool adjacent violators); a point at each end of its level stretches.

    Raises:
        BadInput: all outcomes are the same, or all scores.
    """
    optimize = require("scipy.optimize", extra="evaluate", purpose="fitting a calibration")
    scores, outcomes = _fittable(scores_N, outcomes_N)
    distinct, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    means = np.bincount(place, weights=outcomes) / counts
    fitted = np.clip(optimize.isotonic_regression(means, weights=counts).x, 0.0, 1.0)
    changes = np.flatnonzero(np.diff(fitted)) + 1
    ends = np.unique(np.concatenate([[0], changes - 1, changes, [len(fitted) - 1]]))
    return Isotonic(tuple(map(float, distinct[ends])), tuple(map(float, fitted[ends])))


FITS: Mapping[str, Callable[[npt.ArrayLike, npt.ArrayLike], Curve]] = {
    "temperature": fit_temperature,
    "isotonic": fit_isotonic,
}
"""Ways to fit a curve, by name."""


def probabilities(curve: Curve, scores_N: npt.ArrayLike) -> Values:
    """The curve at N scores."""
    return np.array([curve.probability(float(score)) for score in np.asarray(scores_N, float)])


def _fittable(scores_N: npt.ArrayLike, outcomes_N: npt.ArrayLike) -> Labelled:
    scores, outcomes = np.asarray(scores_N, float), np.asarray(outcomes_N, float)
    if scores.shape != outcomes.shape or len(scores) < 2 or np.ptp(scores) == 0 or np.ptp(outcomes) == 0:
        raise BadInput(
            f"{len(scores)} scores and {len(outcomes)} outcomes, or all of them equal; a calibration needs pairs of "
            "both kinds, relevant and not, with different scores"
        )
    return Labelled(scores, outcomes)
