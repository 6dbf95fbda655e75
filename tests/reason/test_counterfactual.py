"""Counterfactuals of documents: what is removed, what is scored, and what is said about it."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations, pairwise

import pytest
from bag_scorer import BagScorer, ChaosScorer, ranked, sentences_of
from hypothesis import given, settings
from hypothesis import strategies as st

from whyrank.errors import BadInput
from whyrank.reason.counterfactual import Pair, counterfactuals
from whyrank.types import Counterfactual, Document, Ranking, Span

SCORER = BagScorer({"heat": 0.5, "cold": 0.25}, first=0.25)


def pairs_of(ranking: Ranking, scorer: BagScorer) -> list[Pair]:
    hits = ranking.hits
    apart = scorer.decompose(ranking.query, ranking.documents, [h.first_score for h in hits])
    return [Pair(*both, d) for both, d in zip(pairwise(hits), apart, strict=False)]


def found(ranking: Ranking, scorer: BagScorer, budget: int = 300) -> list[Counterfactual]:
    return counterfactuals(ranking.query, pairs_of(ranking, scorer), scorer, budget)


def test_the_sentence_that_must_go() -> None:
    """0.75 against 0.25 + 0.25 * 0.4 = 0.35: without "heat" 0.25 are left, without "cold" 0.50."""
    ranking = ranked(SCORER, "heat cold", ["It is heat. It is cold.", "Cold."], [0.0, 0.4])
    assert found(ranking, SCORER) == [
        Counterfactual("flips", (Span(0, 11),), ("It is heat.",), 0.25, minimal=True, rescored=2)
    ]


def test_a_tie_flips_only_where_the_original_rank_says_so() -> None:
    """Without "heat" it scores 0.25 as the other does: the first in the original list stands above."""
    first = ranked(SCORER, "heat cold", ["It is heat. It is cold.", "Cold."])
    second = ranked(SCORER, "heat cold", ["Cold.", "It is heat. It is cold."])
    both_gone = Counterfactual(
        "flips", (Span(0, 11), Span(12, 23)), ("It is heat.", "It is cold."), 0.0, minimal=True, rescored=3
    )
    assert found(first, SCORER) == [both_gone]
    assert found(second, SCORER) == [
        Counterfactual("flips", (Span(0, 11),), ("It is heat.",), 0.25, minimal=True, rescored=2)
    ]


def test_the_bound_rules_out_what_no_removal_can_do() -> None:
    scorer = replace(SCORER, batches=[])
    ranking = ranked(scorer, "heat", ["Heat.", "Snow."], [4.0, 1.0])
    scorer.batches.clear()
    assert found(ranking, scorer) == [Counterfactual("impossible", rescored=0)]
    assert scorer.batches == []
    unbounded = replace(scorer, bounded=False)
    assert found(ranking, unbounded) == [Counterfactual("impossible", rescored=1)]


def test_a_bound_that_is_met_exactly_leaves_the_search_open_to_the_tie_law() -> None:
    class Exact(BagScorer):
        def floor(self, first_score: float | None) -> float:
            return 0.0

    scorer = Exact({"heat": 0.5})
    above, below = ranked(scorer, "heat", ["Heat.", "Snow."]), ranked(scorer, "heat", ["Snow.", "Heat."])
    assert found(above, scorer) == [Counterfactual("impossible", rescored=0)]
    assert found(below, scorer)[0].status == "flips"


def test_removing_every_sentence_is_allowed() -> None:
    ranking = ranked(SCORER, "heat", [Document("a", "Heat. Heat.", title="Heat"), Document("b", "Snow.")], [0.0, 0.1])
    [given] = found(ranking, SCORER)
    assert given.removed == (Span(0, 4, "title"), Span(0, 5), Span(6, 11))
    assert given.quotes == ("Heat", "Heat.", "Heat.")
    assert given.score == 0.0


def test_an_empty_document_has_nothing_to_remove() -> None:
    ranking = ranked(replace(SCORER, bounded=False), "heat", ["", ""])
    assert found(ranking, replace(SCORER, bounded=False)) == [Counterfactual("impossible", rescored=0)]


def test_the_first_score_is_kept() -> None:
    ranking = ranked(SCORER, "heat", ["Heat.", "Snow."], [1.0, 2.0])
    assert found(ranking, SCORER) == [
        Counterfactual("flips", (Span(0, 5),), ("Heat.",), 0.25, minimal=True, rescored=1)
    ]


def test_searches_run_in_step() -> None:
    scorer = replace(SCORER, bounded=False, batches=[])
    ranking = ranked(scorer, "heat cold", ["Heat. Cold. Cold.", "Heat. It is cold.", "Heat. Snow.", "Cold."])
    scorer.batches.clear()
    alone = [counterfactuals(ranking.query, [pair], scorer)[0] for pair in pairs_of(ranking, scorer)]
    rounds_alone = len(scorer.batches)
    scorer.batches.clear()
    assert found(ranking, scorer) == alone
    assert len(scorer.batches) < rounds_alone
    assert sum(scorer.batches) == sum(c.rescored for c in alone)


def test_no_pairs_no_work() -> None:
    assert counterfactuals(ranked(SCORER, "heat", []).query, [], SCORER) == []


def test_wrong_pairs_are_refused() -> None:
    ranking = ranked(SCORER, "heat", ["Heat.", "Snow."])
    [pair] = pairs_of(ranking, SCORER)
    with pytest.raises(BadInput, match=r"document '2' .* does not stand above '1'"):
        counterfactuals(ranking.query, [pair._replace(upper=pair.lower, lower=pair.upper)], SCORER)
    with pytest.raises(BadInput, match="'1' and '2' do not both have a score"):
        counterfactuals(ranking.query, [pair._replace(lower=replace(pair.lower, score=None))], SCORER)
    with pytest.raises(BadInput, match="budget is -1"):
        counterfactuals(ranking.query, [pair], SCORER, budget=-1)


WORDS = st.lists(st.sampled_from(["heat", "cold", "snow", "air"]), min_size=1, max_size=3).map(" ".join)
TEXTS = st.lists(WORDS.map(lambda s: s + "."), max_size=5).map(" ".join)
WEIGHTS = st.sampled_from([-0.5, -0.25, 0.0, 0.25, 0.5, 1.0])
BAGS = st.builds(
    BagScorer,
    st.fixed_dictionaries({"heat": WEIGHTS, "cold": WEIGHTS, "air": WEIGHTS}),
    best=st.sampled_from([0.0, 0.125]),
    whole=st.sampled_from([0.0, 0.7]),
    first=st.sampled_from([0.0, 0.1]),
    constant=WEIGHTS,
    bounded=st.booleans(),
)
CHAOS = st.builds(ChaosScorer, salt=st.integers(0, 999))


def brute(ranking: Ranking, scorer: BagScorer, upper: int) -> tuple[tuple[Span, ...], float] | None:
    above, below = ranking.hits[upper], ranking.hits[upper + 1]
    assert below.score is not None
    spans = sentences_of(above.document)
    for size in range(1, len(spans) + 1):
        sets = list(combinations(spans, size))
        cut = [above.document.without(removed) for removed in sets]
        scores = scorer.score(ranking.query, cut, [above.first_score] * len(cut))
        flipping = [
            (score, place, removed)
            for place, (score, removed) in enumerate(zip(scores, sets, strict=True))
            if above.standing(score) > below.standing(below.score)
        ]
        if flipping:
            score, _, removed = min(flipping)
            return removed, score
    return None


@settings(max_examples=150, deadline=None)
@given(
    st.one_of(BAGS, CHAOS), st.lists(TEXTS, min_size=2, max_size=4), st.lists(st.floats(-1, 1), min_size=4, max_size=4)
)
def test_up_to_eight_sentences_the_answer_is_the_brute_forces(
    scorer: BagScorer, texts: Sequence[str], first: Sequence[float]
) -> None:
    ranking = ranked(scorer, "heat cold air", texts, first[: len(texts)])
    for place, given_one in enumerate(found(ranking, scorer)):
        expected = brute(ranking, scorer, place)
        if expected is None:
            assert given_one.status == "impossible"
        else:
            assert (given_one.removed, given_one.score) == expected
            assert (given_one.status, given_one.minimal) == ("flips", True)
            assert given_one.quotes == tuple(ranking[place].document.quote(s) for s in given_one.removed)


def test_a_long_document_is_read_again_fewer_times() -> None:
    """At 600,000 characters a pair, a document of 250,000 is scored twice; "unknown" says so."""
    filler = "Snow. " * 41_665
    ranking = ranked(SCORER, "heat cold", [f"{filler}It is heat. It is cold.", "Cold."], [0.0, 0.9])
    [answer] = found(ranking, SCORER)
    assert answer.rescored <= 2
    short = ranked(SCORER, "heat cold", ["Snow. It is heat. It is cold.", "Cold."], [0.0, 0.9])
    assert found(short, SCORER)[0].rescored > 2
