"""Two opinions of the same documents as one order: scores of stage 1, places of stage 2. Pure.

A score belongs to a query and a document, a place to a list. So nothing here makes a new score: what is fused decides
in which order documents stand, and can be shown as the two summands that it is made of.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, pstdev
from typing import Literal, NamedTuple, TypeAlias, get_args

from whyrank.errors import BadInput

Form: TypeAlias = Literal["reciprocal", "linear"]
FORMS: tuple[Form, ...] = get_args(Form)


class Summands(NamedTuple):
    """What a document's place follows from.

    Attributes:
        stage1: what its value in stage 1 gives.
        stage2: what its place in stage 2 gives.
        value: in stage 1, from 0 to 1.
        rank: in stage 2, from 1; the mean where it was shown in several orders.
    """

    stage1: float
    stage2: float
    value: float
    rank: float

    @property
    def total(self) -> float:
        """What documents are ordered by."""
        return self.stage1 + self.stage2


@dataclass(frozen=True, slots=True)
class Fusion:
    """(1 − weight) · value of stage 1 + weight · worth of the place in stage 2.

    The worth of place r among m is 1 at the top: (m − r) / (m − 1) where the form is linear, and
    constant / (constant + r − 1) where it is reciprocal (after Cormack et al., 2009, "Reciprocal Rank Fusion";
    deviates: the other summand is a score, not a place).

    Attributes:
        weight: of stage 2, from 0 (stage 1 alone decides) to 1 (stage 2 alone).
        form: how a place becomes a number.
        constant: of the reciprocal form: how slowly the worth falls, in places.
        fitted_on: the judged queries that the numbers were fitted on, in words.
    """

    weight: float = 0.5
    form: Form = "linear"
    constant: float = 10.0
    fitted_on: str = ""

    def __post_init__(self) -> None:
        _number("weight", self.weight, 0.0, 1.0)
        _number("constant", self.constant, 1e-3, 1e6)
        if self.form not in FORMS:
            raise BadInput(f"no form of fusion {self.form!r}; known: {', '.join(FORMS)}")

    def worth(self, rank: float, count: int) -> float:
        """What a place is worth, from 1 at the top down to 0 at the least; a mean of several places is a place."""
        if self.form == "linear":
            return (count - rank) / (count - 1) if count > 1 else 1.0
        return self.constant / (self.constant + rank - 1.0)

    def fuse(self, values: Sequence[float], ranks: Sequence[float]) -> list[Summands]:
        """The summands of each document.

        Args:
            values: of stage 1, from 0 to 1: calibrated probabilities, or `standardised` scores.
            ranks: places in stage 2, from 1; means of several orders may lie between.

        Raises:
            BadInput: another number of places than of values.
        """
        if len(values) != len(ranks):
            raise BadInput(f"{len(values)} values of stage 1 and {len(ranks)} places of stage 2; give one each")
        count = len(ranks)
        return [
            Summands((1.0 - self.weight) * value, self.weight * self.worth(rank, count), value, rank)
            for value, rank in zip(values, ranks, strict=True)
        ]


def order(summands: Sequence[Summands]) -> list[int]:
    """Positions, best first; equal ones as they stood in stage 1, which is the order of `summands`."""
    return sorted(range(len(summands)), key=lambda place: (-summands[place].total, place))


def standardised(scores: Sequence[float]) -> list[float]:
    """Scores of a ranker without calibration, from 0 to 1: the logistic of their standard scores within the list.

    They say how far a document stands out of this list, and nothing of how likely it is relevant. Where all are equal,
    each is 1/2.
    """
    if not scores:
        return []
    middle, spread = fmean(scores), pstdev(scores)
    if not spread:
        return [0.5] * len(scores)
    return [1.0 / (1.0 + math.exp(-max(-700.0, (score - middle) / spread))) for score in scores]


def _number(name: str, value: object, least: float, most: float) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise BadInput(f"the {name} of a fusion is {value!r}; give a number from {least:g} to {most:g}")
