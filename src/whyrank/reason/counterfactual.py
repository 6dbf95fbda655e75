"""What would have to be missing from the upper document for the lower one to pass it.

Answers are verified, not estimated: a document without the sentences is scored again by the ranker itself.
Its first-stage score is kept as it was given, for no first stage is at hand to score it again.
"""

from collections.abc import Sequence
from typing import NamedTuple

from whyrank.errors import BadInput
from whyrank.reason.phrases import number, place, quoted, sentence
from whyrank.reason.removal import Answer, Removal, Search, smallest_removal
from whyrank.types import Counterfactual, Decomposition, Document, Hit, Query, Scorer

BUDGET = 300
"""Re-scorings a pair may cost: enough for every set of eight sentences."""

REREAD_CHARS = 600_000
"""Characters that the re-scorings of a pair may read, however few they are: ten to thirty seconds' worth."""


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
        budget: how many versions of its document each pair may cost, fewer where these would read more than
            `REREAD_CHARS`; a search that runs out is "unknown".

    Raises:
        BadInput: a pair without scores or in the wrong order, or a budget below zero.
    """
    if budget < 0:
        raise BadInput(f"budget is {budget}; give the number of versions to score, 0 or more")
    searches = [_search(query, pair, scorer, budget) for pair in pairs]
    answers = _drive(query, pairs, searches, scorer)
    return [_told(pair, answer) for pair, answer in zip(pairs, answers, strict=True)]


def wording(upper: Document, found: Counterfactual, *, is_first_score_kept: bool) -> str:
    """A counterfactual in English: a pure function of what is saved with it, so that it can be checked.

    One sentence is quoted; several are counted, and stand in `found.quotes`.
    """
    if found.status == "impossible":
        return "No removal of its sentences would put it behind the other."
    if found.status == "unknown":
        return sentence(
            f"whether removing sentences would put it behind the other was not found out ({found.rescored} tries)"
        )
    count = len(found.removed)
    fewer = "(no fewer will do)" if found.minimal else "(fewer may do)"
    these = quoted(upper, found.removed[0]) if count == 1 else f"{count} of its sentences {fewer}"
    kept = " (its first-stage score kept)" if is_first_score_kept else ""
    score = "" if found.score is None else f" score {number(found.score)}{kept} and"
    return sentence(f"without {these} it would{score} fall behind the other")


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
    read = len(upper.document.full_text) - upper.cut
    return smallest_removal(weights, flips, min(budget, REREAD_CHARS // max(read, 1)))


def _settled(answer: Answer) -> Search:
    yield from ()
    return answer


def _drive(query: Query, pairs: Sequence[Pair], searches: Sequence[Search], scorer: Scorer) -> list[Answer]:
    """Run all searches in lockstep: one round of every open search is one batch."""
    answers: dict[int, Answer] = {}
    replies: dict[int, list[float] | None] = dict.fromkeys(range(len(pairs)))
    while replies:
        asked: dict[int, list[Removal]] = {}
        for index, reply in replies.items():
            try:
                asked[index] = next(searches[index]) if reply is None else searches[index].send(reply)
            except StopIteration as end:
                answers[index] = end.value
        flat = [(index, removed) for index, removals in asked.items() for removed in removals]
        scores = iter(_rescore(query, [(pairs[index], removed) for index, removed in flat], scorer))
        replies = {index: [next(scores) for _ in removals] for index, removals in asked.items()}
    return [answers[index] for index in range(len(pairs))]


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
