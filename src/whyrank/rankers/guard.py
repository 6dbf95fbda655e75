"""What keeps stage 2 from doing harm: it is asked where stage 1 is unsure, and believed where it agrees with itself.

A model that ranks noise is right about nothing twice. So its answer must be a ranking, and the answer to the same
documents in another order must be much the same ranking; how much by chance alone is known, whatever the model.
"""

import math
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import accumulate, combinations
from statistics import fmean
from typing import Literal, TypeAlias, get_args

from whyrank.errors import BadInput
from whyrank.rankers.verdict import SEVERITY
from whyrank.types import Status

TOP = 10
"""Places that count: nDCG is measured down to here."""

ROUNDING = 1e-9
"""What a share of queries may lack of a whole one: 0.29 · 100 is a little less than 29 in floats."""

Accepts: TypeAlias = Literal["ok", "repaired", "any"]
Second: TypeAlias = Literal["shuffled", "reversed", "off"]
Outcome: TypeAlias = Literal["kept", "short", "unscored", "sure", "budget", "unavailable", "unusable", "disagrees"]
TOLD: Mapping[Outcome, str] = {
    "kept": "kept",
    "short": "not asked (fewer than two candidates)",
    "unscored": "not asked (stage 1 gave no scores)",
    "sure": "not asked (stage 1 is sure)",
    "budget": "not asked (beyond the budget)",
    "unavailable": "dropped (no answer)",
    "unusable": "dropped (no usable answer)",
    "disagrees": "dropped (disagrees with itself)",
}
"""What may become of stage 2, in words."""


@dataclass(frozen=True, slots=True)
class Guard:
    """When stage 2 is asked, and when its answer is kept.

    Attributes:
        least_stake: it is asked where it could win at least this much of nDCG@10 by stage 1's own probabilities
            (`stake`); 0 asks always, as does a stage 1 without calibration, which is never sure.
        share: it is asked for at most this share of the queries of a call, those with most at stake; None for all.
        calls, tokens: it is asked while its requests, as rehearsed, and their tokens stay within this; None for any
            number. What is asked again after an untidy answer comes on top.
        accepts: "ok", an answer that is exactly a ranking; "repaired", also one that had to be mended; "any", whatever
            came, also nothing.
        second: the order in which the candidates are shown for the second time: "shuffled", by the seed and the
            query; "reversed"; or "off", they are shown once.
        agreement: the least `agreement` of the two answers.
        seed: of the shuffles.
    """

    least_stake: float = 0.02
    share: float | None = None
    calls: int | None = None
    tokens: int | None = None
    accepts: Accepts = "repaired"
    second: Second = "shuffled"
    agreement: float = 0.5
    seed: int = 0

    def __post_init__(self) -> None:
        _within("least_stake", self.least_stake, 0.0, 1.0)
        _within("agreement", self.agreement, -1.0, 1.0)
        if self.share is not None:
            _within("share", self.share, 0.0, 1.0)
        for name in ("calls", "tokens"):
            value = getattr(self, name)
            if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 0):
                raise BadInput(f"the guard's {name} is {value!r}; give a whole number from 0, or none for any number")
        for name, value, known in (
            ("accepts", self.accepts, get_args(Accepts)),
            ("second", self.second, get_args(Second)),
        ):
            if value not in known:
                raise BadInput(f"the guard's {name} is {value!r}; known: {', '.join(known)}")

    @classmethod
    def off(cls) -> "Guard":
        """No guard: always asked, once, and whatever comes is taken."""
        return cls(least_stake=0.0, accepts="any", second="off")

    def takes(self, status: Status) -> bool:
        """Whether an answer of this status may be kept."""
        return self.accepts == "any" or SEVERITY[status] <= SEVERITY[self.accepts]

    def other_order(self, count: int, key: str) -> list[int]:
        """Positions in the order of the second asking; the same for the same key, whatever else is asked."""
        places = list(range(count))
        if self.second == "reversed":
            return places[::-1]
        draws = random.Random(sha256(f"{self.seed}\0{key}".encode(errors="replace")).digest())  # noqa: S311 - no secret
        draws.shuffle(places)
        return places


@dataclass(frozen=True, slots=True)
class Decision:
    """What became of stage 2 for a query.

    Attributes:
        outcome: a key of `TOLD`.
        stake: what it could have won, by stage 1; None where stage 1 has no probabilities.
        tau: how far its two answers agree; None where it was not asked twice.
        status: the worse of its answers'; "ok" where it was not asked.
    """

    outcome: Outcome
    stake: float | None = None
    tau: float | None = None
    status: Status = "ok"

    def __str__(self) -> str:
        told = {"at stake": self.stake, "tau": self.tau}
        figures = [f"{name} {value:.2f}" for name, value in told.items() if value is not None]
        figures += [f"answer {self.status}"] if self.status != "ok" else []
        return f"stage 2 {TOLD[self.outcome]}" + (f": {', '.join(figures)}" if figures else "")


def stake(probabilities: Sequence[float], *, top: int = TOP) -> float:
    """The share of nDCG@top that a perfect order of these documents could win, by probabilities of relevance.

    1 − E[DCG] / E[DCG of the best order], documents being relevant independently of each other; from 0 to 1. Nothing
    is at stake where documents are surely relevant down to a place and surely not below it, or relevant nowhere.

    Args:
        probabilities: in the order of stage 1.
        top: the cutoff.
    """
    discounts = [1.0 / math.log2(place + 2) for place in range(min(top, len(probabilities)))]
    gained = math.fsum(d * p for d, p in zip(discounts, probabilities, strict=False))
    ideals = [0.0, *accumulate(discounts)]
    chances = _relevant(probabilities)
    best = math.fsum(chance * ideals[min(number, len(discounts))] for number, chance in enumerate(chances))
    return max(0.0, 1.0 - gained / best) if best > 0 else 0.0


def agreement(one: Sequence[int], other: Sequence[int], *, top: int = TOP) -> float:
    """Kendall's tau of two orders over the pairs with a document among the first `top` of either; 1 without pairs.

    Other pairs decide nothing that is measured, and a sliding window does not sort them: a perfect judge, shown the
    same documents in two orders, agrees with itself to 1 on these pairs. Two random orders have 0 in the mean.

    Args:
        one: positions, best first.
        other: the same positions in another order.
        top: how many places count.

    Raises:
        BadInput: the two do not hold the same positions.
    """
    if sorted(one) != sorted(other):
        raise BadInput("two orders agree or disagree about the same documents; these hold different ones")
    places, others = ({position: place for place, position in enumerate(order)} for order in (one, other))
    signs = [
        1 if others[upper] < others[lower] else -1
        for upper, lower in combinations(one, 2)
        if places[upper] < top or min(others[upper], others[lower]) < top
    ]
    return fmean(signs) if signs else 1.0


def within_budget(
    guard: Guard, stakes: Sequence[float | None], prices: Sequence[tuple[int, int]], queries: int
) -> list[bool]:
    """Which of the unsure queries are asked about: those with most at stake, while the budget lasts.

    Args:
        guard: with its budget.
        stakes: one a query; an unknown one comes first.
        prices: calls and tokens of each.
        queries: of which the guard allows a share, the sure ones included.
    """
    first = sorted(range(len(stakes)), key=lambda i: (-math.inf if stakes[i] is None else -(stakes[i] or 0.0), i))
    most = len(first) if guard.share is None else math.floor(guard.share * queries + ROUNDING)
    taken = [False] * len(stakes)
    calls = tokens = 0
    for place in first[:most]:
        calls, tokens = calls + prices[place][0], tokens + prices[place][1]
        if (guard.calls is not None and calls > guard.calls) or (guard.tokens is not None and tokens > guard.tokens):
            break
        taken[place] = True
    return taken


def summary(decisions: Sequence[Decision]) -> str:
    """What became of stage 2 over many queries, counted."""
    counts = Counter(decision.outcome for decision in decisions)
    taus = [decision.tau for decision in decisions if decision.outcome == "disagrees" and decision.tau is not None]
    mean = f", mean tau {fmean(taus):.2f}" if taus else ""
    others = [
        f"{counts[outcome]:,} {told}{mean if outcome == 'disagrees' else ''}"
        for outcome, told in TOLD.items()
        if counts[outcome] and outcome != "kept"
    ]
    rest = f": {', '.join(others)}" if others else ""
    return f"stage 2 kept for {counts['kept']:,} of {len(decisions):,} queries{rest}"


def _relevant(probabilities: Sequence[float]) -> list[float]:
    """How likely 0, 1, 2, … of independent documents are relevant."""
    chances = [1.0]
    for p in probabilities:
        chances = [a * (1.0 - p) + b * p for a, b in zip([*chances, 0.0], [0.0, *chances], strict=True)]
    return chances


def _within(name: str, value: object, least: float, most: float) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise BadInput(f"the guard's {name} is {value!r}; give a number from {least:g} to {most:g}")
