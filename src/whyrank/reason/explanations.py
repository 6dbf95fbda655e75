"""Reasons beside a finished ranking: score first, explain after. The order is read, never made, here."""

from collections.abc import Sequence
from itertools import pairwise
from time import perf_counter

from whyrank.errors import BadInput, OtherRanker, unknown
from whyrank.reason.comparison import compare
from whyrank.reason.counterfactual import BUDGET, Pair
from whyrank.reason.counterfactual import counterfactuals as find_counterfactuals
from whyrank.reason.direct import direct_reason
from whyrank.types import Comparison, Counterfactual, Decomposition, Explanations, Hit, Ranking, Scorer, Usage


def explain(
    ranking: Ranking, scorer: Scorer, *, top: int = 3, counterfactuals: bool = True, budget: int = BUDGET
) -> Explanations:
    """Why the best `top` documents answer the query, and why each stands above the next.

    Args:
        ranking: a finished ranking. Hits without a score were not read and are not explained.
        scorer: the ranker that made it.
        top: how many documents get a direct reason and a comparison with the next scored one, if there is one.
        counterfactuals: whether to search for what would turn each comparison.
        budget: how many versions of a document each search may score.

    Returns:
        The reasons in rank order. `usage` counts the seconds, and each scored version of a document.

    Raises:
        OtherRanker: the scorer does not give these hits the scores they have, bit for bit.
        BadInput: `top` or `budget` is below zero, or the hits are not in order of their scores.
    """
    if top < 0:
        raise BadInput(f"top is {top}; give the number of documents to explain, 0 or more")
    started = perf_counter()
    shown = [hit for hit in ranking.hits if hit.score is not None][: top + 1 if top else 0]
    taken_apart = decomposed(ranking, scorer, shown)
    comparisons = _compared(ranking, scorer, shown, taken_apart, budget if counterfactuals else None)
    direct = [direct_reason(ranking.query, h.document, d) for h, d in zip(shown, taken_apart, strict=True)]
    rescored = sum(c.counterfactual.rescored for c in comparisons if c.counterfactual is not None)
    return Explanations(
        direct=tuple(direct[:top]),
        comparisons=tuple(comparisons),
        usage=Usage(documents=len(shown) + rescored, seconds=perf_counter() - started),
    )


def explain_pair(
    ranking: Ranking,
    scorer: Scorer,
    upper_id: str,
    lower_id: str,
    *,
    counterfactuals: bool = True,
    budget: int = BUDGET,
) -> Comparison:
    """Why one document of a ranking stands above another, which need not be the next.

    Raises:
        UnknownName: a document that is not in the ranking.
        OtherRanker: the scorer does not give these hits the scores they have, bit for bit.
        BadInput: a document without a score, or the first does not stand above the second.
    """
    by_id = {hit.document.id: hit for hit in ranking.hits}
    for identifier in (upper_id, lower_id):
        if identifier not in by_id:
            raise unknown("document", identifier, by_id)
    if ranking.ids.index(upper_id) >= ranking.ids.index(lower_id):
        raise BadInput(
            f"query {ranking.query.id!r}: document {upper_id!r} does not stand above {lower_id!r}; "
            "give the higher first"
        )
    pair = [by_id[upper_id], by_id[lower_id]]
    [comparison] = _compared(
        ranking, scorer, pair, decomposed(ranking, scorer, pair), budget if counterfactuals else None
    )
    return comparison


def joined(ranking: Ranking, *parts: Explanations) -> Explanations:
    """Reasons of several makers for one ranking, in its order: those of one document in the order of `parts`."""
    places = {name: place for place, name in enumerate(ranking.ids)}
    direct = [reason for part in parts for reason in part.direct]
    comparisons = [reason for part in parts for reason in part.comparisons]
    return Explanations(
        direct=tuple(sorted(direct, key=lambda d: places.get(d.document_id, len(places)))),
        comparisons=tuple(sorted(comparisons, key=lambda c: places.get(c.upper_id, len(places)))),
        usage=sum((part.usage for part in parts), Usage()),
    )


def decomposed(ranking: Ranking, scorer: Scorer, hits: Sequence[Hit]) -> list[Decomposition]:
    """The scores of `hits` taken apart, in one batch.

    Raises:
        OtherRanker: the scorer does not give these hits the scores they have, bit for bit.
        BadInput: a hit without a score.
    """
    if not hits:
        return []
    documents, first_scores = [hit.document for hit in hits], [hit.first_score for hit in hits]
    taken_apart = scorer.decompose(ranking.query, documents, first_scores)
    for hit, decomposition in zip(hits, taken_apart, strict=True):
        if hit.score is None:
            raise BadInput(
                f"query {ranking.query.id!r}: document {hit.document.id!r} has no score; "
                "the ranker did not read it, and there is nothing to explain"
            )
        if decomposition.score.hex() != float(hit.score).hex():
            raise OtherRanker(
                f"query {ranking.query.id!r}: document {hit.document.id!r} has the score {hit.score!r}, but "
                f"{scorer.name!r} gives it {decomposition.score!r}; the ranking was made by "
                f"{ranking.ranker or 'an unnamed ranker'!r} or another version: explain it with the ranker that made it"
            )
    return taken_apart


def _compared(
    ranking: Ranking, scorer: Scorer, hits: Sequence[Hit], taken_apart: Sequence[Decomposition], budget: int | None
) -> list[Comparison]:
    pairs = [Pair(*hits, d) for hits, d in zip(pairwise(hits), taken_apart, strict=False)]
    found: Sequence[Counterfactual | None] = [None] * len(pairs)
    if budget is not None:
        found = find_counterfactuals(ranking.query, pairs, scorer, budget)
    return [
        compare(ranking.query, pair.upper.document, pair.lower.document, *both, counterfactual)
        for pair, both, counterfactual in zip(pairs, pairwise(taken_apart), found, strict=True)
    ]
