"""What the tests of all integrations share: the same documents, some of them twice, and rankers without scores."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import whyrank
from whyrank.types import Progress, Ranking

QUERY = "why is the sky blue?"
TEXTS = [
    "The sea is blue because water absorbs red light. Bread is baked in ovens.",
    "Bread goes stale when starch crystallises.",
    "Molecules of the air scatter blue light more than red light. That is why the sky is blue. Clouds are white.",
    "Bread goes stale when starch crystallises.",
    "",
]
ORDER = [2, 0, 1, 3, 4]
"""Places of the texts in the order in which `evidence` puts them."""


class Backwards:
    """A ranker that gives places and no scores: it turns a list round."""

    name = "backwards"

    def rerank_many(
        self, rankings: Sequence[Ranking], *, depth: int | None = None, progress: Progress | None = None
    ) -> list[Ranking]:
        return [
            replace(ranking, hits=tuple(replace(hit, placed=True) for hit in ranking.hits[::-1]), ranker=self.name)
            for ranking in rankings
        ]


def ours(reasons: int = 0) -> Ranking:
    """What the library itself says."""
    return whyrank.rerank(QUERY, TEXTS, ranker="evidence", explain=reasons)


def falls(scores: Sequence[float | None]) -> bool:
    """Whether each score is below the one before it."""
    known = [score for score in scores if score is not None]
    return len(known) == len(scores) and all(lower < upper for upper, lower in pairwise(known))
