"""What would have to be missing from the upper document for the lower one to pass it.

Answers are verified, not estimated: a document without the sentences is scored again by the ranker itself.
Its first-stage score is kept as it was given, for no first stage is at hand to score it again.
"""

from collections.abc import Sequence
from typing import NamedTuple

from whyrank.errors import BadInput
from whyrank.reason.phrases import place
from whyrank.reason.removal import Answer, Removal, Search, smallest_removal
from whyrank.types import Counterfactual, Decomposition, Hit, Query, Scorer

BUDGET = 300
"""Re-scorings a pair may cost: enough for every set of eight sentences."""


class Pair(NamedTuple):
    """Two hits of one ranking, and the upper one's score taken apart."""

    upper: Hit
    lower: Hit
    decomposition: Decomposition


def counterfactuals(query: Query, pairs: Sequence[Pair], scorer: Scorer, budget: int = BUDGET) -> list[Counterfactual]:
    """The smallest removals of sentences that flip each pair, searched in step so that scoring is batched.

    Args:
        query: the query.
        pairs: hits with scores, the upper standing above the lower by (-score, original rank, id).
        scorer: the ranker that gave the scores.
        budget: how many versions of its document each pair may cost; a search that runs out is "unknown".

    Raises:
        BadInput: a pair without scores or in the wrong order, or a budget below zero.
    """
    if budget < 0:
        raise BadInput(f"budget is {budget}; give the number of versions to score, 0 or more")
    searches = [_search(query, pair, scorer, budget) for pair in pairs]
    answers = _drive(query, pairs, searches, scorer)
    return [_told(pair, answer) for pair, answer in zip(pairs, answers, strict=True)]


def _search(query: Query, pair: Pair, scorer: Scorer, budget: int) -> Search:
    upper, lower = pair.upper, pair.lower
    if upper.score is None or lower.score is None:
        raise BadInput(
            f"query {query.id!r}: {upper.document.id!r} and {lower.document.id!r} do not both have a score; "
            "only documents that the ranker read can be compared"
        )
    to_pass = lower.standing(lower.score)

    def flips(score: float) -> bool:
        return upper.standing(score) > to_pass

    if flips(upper.score):
        raise BadInput(
            f"query {query.id!r}: document {upper.document.id!r} ({upper.score}) does not stand above "
            f"{lower.document.id!r} ({lower.score}) by score, then original rank, then id; give the higher first"
        )
    carried = pair.decomposition.by_sentence()
    weights = [carried[span] for span in pair.decomposition.sentences]
    if not flips(scorer.floor(upper.first_score)):
        return _settled(Answer("impossible"))
    return smallest_removal(weights, flips, budget)


def _settled(answer: Answer) -> Search:
    yield from ()
    return answer


def _drive(query: Query, pairs: Sequence[Pair], searches: Sequence[Search], scorer: Scorer) -> list[Answer]:
    """Run all searches in lockstep: one round of every open search is one batch."""
    answers: dict[int, Answer] = {}
    replies: dict[int, list[float] | None] = dict.fromkeys(range(len(pairs)))
    while replies:
        asked: dict[int, list[Removal]] = {}
        for number, reply in replies.items():
            try:
                asked[number] = next(searches[number]) if reply is None else searches[number].send(reply)
            except StopIteration as end:
                answers[number] = end.value
        flat = [(number, removed) for number, removals in asked.items() for removed in removals]
        scores = iter(_rescore(query, [(pairs[number], removed) for number, removed in flat], scorer))
        replies = {number: [next(scores) for _ in removals] for number, removals in asked.items()}
    return [answers[number] for number in range(len(pairs))]


def _rescore(query: Query, versions: Sequence[tuple[Pair, Removal]], scorer: Scorer) -> list[float]:
    if not versions:
        return []
    documents = [
        pair.upper.document.without(pair.decomposition.sentences[i] for i in removed) for pair, removed in versions
    ]
    return scorer.score(query, documents, [pair.upper.first_score for pair, _ in versions])


def _told(pair: Pair, answer: Answer) -> Counterfactual:
    spans = sorted((pair.decomposition.sentences[i] for i in answer.removed), key=place)
    return Counterfactual(
        status=answer.status,
        removed=tuple(spans),
        quotes=tuple(pair.upper.document.quote(span) for span in spans),
        score=answer.score,
        minimal=answer.minimal,
        rescored=answer.rescored,
    )
