"""Relevance for eyes: in [0, 1], distinct, falling with the order, also in 32 bits."""

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from whyrank.serve.relevance import UNITS, relevances
from whyrank.types import Document, Hit


class Steep:
    """A calibration that knows only certainty."""

    def probability(self, score: float, first_score: float | None = None) -> float:
        return 1.0 if score > 0 else 0.0


def hits(scores: list[float | None], *, placed: bool = False) -> list[Hit]:
    return [Hit(Document(str(i), "text"), score, None, i + 1, 0, placed) for i, score in enumerate(scores)]


FINITE = st.floats(allow_nan=False, allow_infinity=False)


@given(st.lists(FINITE, max_size=60), st.integers(0, 20), st.sampled_from([object(), Steep()]))
def test_distinct_and_falling(scores: list[float], unread: int, ranker: Any) -> None:
    given_hits = hits([*sorted(scores, reverse=True), *[None] * unread])
    found = relevances(given_hits, ranker)
    assert all(0 <= number <= 1 for number in found)
    narrow = np.array(found, np.float32)
    assert (narrow[:-1] > narrow[1:]).all()


def test_worked_by_hand() -> None:
    assert relevances(hits([0.0, -1e9, None]), object()) == [0.5, 1 / UNITS, 0.0]
    assert relevances(hits([2.0, 1.0, -1.0]), Steep()) == [1.0, 1 - 1 / UNITS, 0.0]
    assert relevances(hits([None, None, None], placed=True), object()) == [0.75, 0.5, 0.25]
    assert relevances([], object()) == []
