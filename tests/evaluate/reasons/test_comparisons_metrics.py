"""A score that counts words, so that every flip, sum and sign can be worked out by hand."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import isnan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whyrank.errors import BadInput, UnknownName
from whyrank.evaluate.reasons.comparisons import (
    CounterfactualChecks,
    check_counterfactuals,
    check_differences,
    comparisons_in_order,
)
from whyrank.types import (
    Comparison,
    Counterfactual,
    Decomposition,
    Difference,
    Document,
    Explanations,
    Query,
    Ranking,
    Span,
    Term,
)


@dataclass
class CountingScorer:
    """One point for each word of a sentence that the query has, and the first-stage score on top."""

    name: str = "counting"
    scored: int = 0

    def score(self, query: Query, documents: Sequence[Document], first_scores: Sequence[float | None]) -> list[float]:
        self.scored += len(documents)
        return [d.score for d in self.decompose(query, documents, first_scores)]

    def decompose(
        self, query: Query, documents: Sequence[Document], first_scores: Sequence[float | None]
    ) -> list[Decomposition]:
        return [self._one(query, d, f) for d, f in zip(documents, first_scores, strict=True)]

    def floor(self, first_score: float | None) -> float:
        return first_score or 0.0

    def _one(self, query: Query, document: Document, first: float | None) -> Decomposition:
        spans = tuple(Span(m.start(), m.end()) for m in re.finditer(r"[^. ][^.]*\.", document.text))
        words = query.text.split()
        terms = [
            Term("words", float(document.quote(span).rstrip(".").split().count(word)), word, span)
            for span in spans
            for word in words
        ]
        terms.append(Term("first stage", first or 0.0))
        return Decomposition(document.id, sum(t.value for t in terms), tuple(terms), spans)


SCORER = CountingScorer()
UPPER = "sky sky. blue. red. sky blue. green."  # scores 2 + 1 + 0 + 2 + 0 = 5
FIVE = tuple(Span(m.start(), m.end()) for m in re.finditer(r"[^. ][^.]*\.", UPPER))


def ranking(lower: str = "sky blue sky.", **explained: object) -> Ranking:
    """UPPER (score 5) above `lower` (3 by default) for the query "sky blue"."""
    given = Ranking.of(Query("q", "sky blue"), [Document("u", UPPER), Document("l", lower)])
    scores = SCORER.score(given.query, given.documents, [None, None])
    hits = [replace(h, score=s) for h, s in zip(given.hits, scores, strict=True)]
    comparison = replace(Comparison("u", "l", "Because."), **explained)  # type: ignore[arg-type]
    return replace(given, hits=tuple(hits), explanations=Explanations(comparisons=(comparison,)))


def claimed(*places: int, lower: str = "sky blue sky.", minimal: bool = False, status: str = "flips") -> Ranking:
    found = Counterfactual(status, tuple(FIVE[p] for p in places), minimal=minimal)  # type: ignore[arg-type]
    return ranking(lower, counterfactual=found)


def checked(*claims: Ranking, budget: int = 4_095) -> CounterfactualChecks:
    return check_counterfactuals(claims, SCORER, budget=budget)


def test_a_flip_is_scored_again() -> None:
    # Without sentence 0 the upper keeps 3, the lower has 3: a tie, and the upper was given first. It stays above.
    assert checked(claimed(0)).flips.share == 0.0
    assert checked(claimed(0, 1)).flips.share == 1.0  # 2 against 3
    assert checked(claimed(0), claimed(0, 1)).flips.of == 2


def test_a_tie_flips_where_the_law_puts_the_other_first() -> None:
    given = claimed(0)
    upper, lower = given.hits
    swapped = replace(given, hits=(replace(upper, first_rank=2), replace(lower, first_rank=1)))
    assert checked(swapped).flips.share == 1.0


def test_sentences_that_were_not_needed_lower_precision_and_size() -> None:
    # {0, 1} flips (2 < 3). Of {0, 1, 2}, sentence 2 ("red.") is not needed: 2 of 3 are; the smallest has 2.
    found = checked(claimed(0, 1, 2, minimal=True))
    assert (found.necessary.count, found.necessary.of) == (2, 3)
    assert (found.smallest.count, found.smallest.of) == (0, 1)
    assert (found.said_smallest.count, found.said_smallest.of) == (0, 1)
    assert (found.needed.count, found.needed.of) == (2, 3)


def test_each_claim_is_held_against_its_own_smallest_set() -> None:
    # Against 4 points: {0} leaves 3. {1, 3} leaves 2; {3} alone leaves 3, so 1 is not needed; {1} alone leaves a tie.
    found = checked(claimed(1, 3, lower="sky sky sky blue."), claimed(0, lower="sky sky sky blue."))
    assert (found.necessary.count, found.necessary.of) == (2, 3)
    assert (found.smallest.count, found.smallest.of) == (1, 2)
    assert (found.needed.count, found.needed.of) == (2, 3)
    assert found.said_smallest.of == 0
    assert isnan(found.said_smallest.share)


def test_impossible_is_tried_with_every_set() -> None:
    assert checked(claimed(status="impossible")).impossible.share == 0.0  # {0, 1} does it
    assert checked(claimed(status="impossible", lower="nothing.")).impossible.share == 1.0  # 0 ties with 0, and stays
    assert checked(claimed(status="impossible")).flips.of == 0


def test_what_would_cost_too_much_is_reported_and_not_counted() -> None:
    found = checked(claimed(status="impossible"), claimed(0, 1), claimed(0, 1, 3), budget=5)
    assert found.impossible.of == 0  # 31 sets
    assert (found.smallest.count, found.smallest.of) == (1, 1)  # two sentences: 5 single ones to try
    assert found.unsearched == 2
    assert found.flips.share == 1.0


def test_unknown_is_an_answer_not_given() -> None:
    found = checked(claimed(status="unknown"), claimed(0, 1))
    assert (found.answered.count, found.answered.of) == (1, 2)
    assert found.flips.of == 1


@pytest.mark.parametrize("removed", [(), (Span(0, 999),), (Span(3, 3),), (Span(0, 2, "title"),)])
def test_a_flip_without_real_sentences_is_none(removed: tuple[Span, ...]) -> None:
    found = checked(ranking(counterfactual=Counterfactual("flips", removed)))
    assert found.flips.share == 0.0


def test_a_removal_of_other_stretches_is_tried_but_not_compared_in_size() -> None:
    found = checked(ranking(lower="sky sky sky blue.", counterfactual=Counterfactual("flips", (Span(0, 7),))))
    assert found.flips.share == 1.0
    assert found.smallest.of == 0
    assert found.unsearched == 1


def test_a_pair_that_the_scorer_orders_otherwise_is_not_counted() -> None:
    found = checked(claimed(0, lower="sky sky sky sky sky sky."))
    assert found.other_order == 1
    assert found.flips.of == 0


def test_first_stage_scores_stay_in_the_score() -> None:
    given = claimed(0, 1)
    upper, lower = given.hits
    kept = replace(given, hits=(replace(upper, first_score=2.0), lower))  # 2 + 2 against 3: it stays above
    assert checked(kept).flips.share == 0.0


@given(st.sets(st.integers(0, 4), min_size=1), st.integers(0, 5))
def test_flips_and_sizes_agree_with_plain_counting(places: set[int], bar: int) -> None:
    points = [2, 1, 0, 2, 0]
    found = checked(claimed(*places, lower=" ".join(["sky"] * bar) + "."))

    def flips(removed: set[int]) -> bool:
        return 5 - sum(points[p] for p in removed) < bar

    assert found.flips.share == flips(places)
    if flips(places):
        assert found.necessary.count == sum(not flips(places - {p}) for p in places)
        smallest = next(k for k in range(1, 6) if 5 - sum(sorted(points, reverse=True)[:k]) < bar)
        assert found.needed.count == smallest


def differences() -> tuple[Difference, ...]:
    # upper: sky 2 + 1 = 3, blue 1 + 1 = 2; lower "sky blue sky.": sky 2, blue 1; no first stage.
    return (
        Difference("words", 3.0, 2.0, "sky"),
        Difference("words", 2.0, 1.0, "blue"),
        Difference("first stage", 0.0, 0.0),
    )


def test_true_differences_hold() -> None:
    found = check_differences([ranking(margin=2.0, differences=differences(), text="Leads by 2.00.")], SCORER)
    assert [p.share for p in found] == [1.0] * 5
    assert [p.of for p in found] == [3, 3, 2, 1, 1]


def test_a_turned_sign_a_wrong_value_a_wrong_margin_and_a_wrong_lead_are_found() -> None:
    first, second, rest = differences()
    turned = replace(first, upper=2.0, lower=3.0)
    inexact = replace(second, upper=2.5)
    found = check_differences(
        [ranking(margin=2.1, differences=(turned, inexact, rest), text="Leads by 2.01, mostly on blue.")], SCORER
    )
    assert (found.signs.count, found.signs.of) == (2, 3)
    assert (found.values.count, found.values.of) == (1, 3)
    assert found.margins.share == 0.0
    assert found.leads.share == 0.0


def test_nothing_is_a_sign_of_its_own() -> None:
    made_up = Difference("charm", 0.5, 0.1)
    found = check_differences([ranking(differences=(*differences()[:1], made_up))], SCORER)
    assert (found.signs.count, found.signs.of) == (1, 2)
    assert (found.complete.count, found.complete.of) == (1, 2)  # "blue" is not stated


def test_what_is_smaller_than_rounding_has_no_sign() -> None:
    found = check_differences([ranking(differences=(Difference("first stage", 1e-12, 0.0),))], SCORER)
    assert found.signs.share == found.values.share == 1.0
    found = check_differences([ranking(differences=(Difference("first stage", 1e-6, 0.0),))], SCORER)
    assert found.signs.share == found.values.share == 0.0


@pytest.mark.parametrize(("text", "share"), [("Leads by 2.", 1.0), ("A leads by 1.95.", 0.0), ("leads by -2.0", 0.0)])
def test_leads_are_read_as_they_are_rounded(text: str, share: float) -> None:
    assert check_differences([ranking(text=text)], SCORER).leads.share == share


def test_a_stated_tie_is_a_lead_of_nothing() -> None:
    text = "Both score the same, and ties keep the order in which the documents were given."
    assert check_differences([ranking(text=text)], SCORER).leads.share == 0.0
    assert check_differences([ranking(UPPER, text=text)], SCORER).leads.share == 1.0


def test_reasons_without_numbers_give_nothing_to_count() -> None:
    found = check_differences([ranking(), replace(ranking(), explanations=None)], SCORER)
    assert [p.of for p in found] == [0] * 5


def test_a_comparison_against_the_order_is_found() -> None:
    turned = replace(ranking(), explanations=Explanations(comparisons=(Comparison("l", "u", ""),)))
    assert comparisons_in_order([ranking(), turned]).share == 0.5


def test_a_document_that_is_not_there_is_named() -> None:
    strange = replace(ranking(), explanations=Explanations(comparisons=(Comparison("u", "x", ""),)))
    for check in (check_counterfactuals, check_differences):
        with pytest.raises(UnknownName, match="query 'q' called 'x'"):
            check([strange], SCORER)


def test_a_budget_below_zero_is_refused() -> None:
    with pytest.raises(BadInput, match="budget is -1"):
        check_counterfactuals([], SCORER, budget=-1)
