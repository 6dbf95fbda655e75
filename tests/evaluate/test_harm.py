"""Where reranking hurt: who fell, who was put above, and what it adds up to."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whyrank.errors import BadInput
from whyrank.evaluate.harm import Moved, balance, find_harm
from whyrank.types import Comparison, Direct, Document, Explanations, Hit, Query, Ranking


def ranking(ids: str, query: str = "q", explanations: Explanations | None = None) -> Ranking:
    """One document a letter, best first."""
    hits = tuple(Hit(Document(d, f"text of {d}"), first_rank=i) for i, d in enumerate(ids, 1))
    return Ranking(Query(query, f"what is {query}?"), hits, explanations=explanations)


def test_counts_and_sums_of_help_and_harm() -> None:
    before = {"a": 0.5, "b": 0.5, "c": 0.5, "d": 0.5, "e": math.nan, "only before": 1.0}
    after = {"a": 0.75, "b": 0.25, "c": 0.5, "d": 0.375, "e": 1.0, "only after": 1.0}
    found = balance(before, after)
    assert (found.queries, found.helped, found.same, found.hurt) == (4, 1, 1, 2)
    assert (found.gained, found.lost) == (0.25, -0.375)
    assert (found.share_hurt, found.share_helped) == (0.5, 0.25)


def test_shares_of_nothing_are_undefined() -> None:
    assert math.isnan(balance({}, {}).share_hurt)
    assert math.isnan(balance({}, {}).share_helped)


def test_names_the_documents_that_fell_and_those_put_above() -> None:
    # A (3) falls behind the unjudged X and the grade-0 N; B (1) rises; C (2) stays below and did nothing.
    first, reranked = ranking("AMNBCX"), ranking("XNBACM")
    [harm] = find_harm(
        [first],
        [reranked],
        {"q": {"A": 3, "B": 1, "C": 2, "N": 0, "M": 0}},
        {"q": 0.9},
        {"q": 0.5},
        measure="nDCG@3",
        k=3,
    )
    assert harm.fallen == (Moved("A", 3, 1, 4),)
    assert harm.risen == (Moved("X", None, 6, 1), Moved("N", 0, 3, 2), Moved("B", 1, 4, 3))
    assert harm.delta == pytest.approx(-0.4)
    assert (harm.query, harm.first, harm.reranked, harm.k) == (first.query, first, reranked, 3)


def test_what_stood_above_before_is_not_to_blame() -> None:
    # N passed X, and stood above A all along; only M passed A.
    [harm] = find_harm([ranking("XNAM")], [ranking("NMXA")], {"q": {"A": 1}}, {"q": 1.0}, {"q": 0.5}, measure="m")
    assert [m.document_id for m in harm.risen] == ["M"]


def test_a_better_document_put_above_is_no_harm() -> None:
    qrels = {"q": {"A": 1, "B": 3}}
    [harm] = find_harm([ranking("ABN")], [ranking("BAN")], qrels, {"q": 1.0}, {"q": 0.9}, measure="m")
    assert harm.fallen == harm.risen == ()


def test_documents_below_the_cutoff_are_not_held_responsible() -> None:
    qrels = {"q": {"A": 1}}
    [harm] = find_harm([ranking("MAN")], [ranking("MNA")], qrels, {"q": 1.0}, {"q": 0.5}, measure="m", k=1)
    assert harm.fallen == harm.risen == ()


def test_a_relevant_document_that_left_the_list() -> None:
    [harm] = find_harm([ranking("AN")], [ranking("N")], {"q": {"A": 1}}, {"q": 1.0}, {"q": 0.0}, measure="m")
    assert harm.fallen == (Moved("A", 1, 1, None),)
    assert harm.risen == (Moved("N", None, 2, 1),)


def test_negative_grades_are_not_below_not_relevant() -> None:
    # Neither counts; that one of them is worse than nothing is no reason to blame the other.
    qrels = {"q": {"A": 0, "B": -1}}
    [harm] = find_harm([ranking("AB")], [ranking("BA")], qrels, {"q": 1.0}, {"q": 0.0}, measure="m")
    assert harm.fallen == harm.risen == ()


def test_gives_the_reasons_of_what_was_put_above() -> None:
    why, other = Direct("N", "because"), Comparison("N", "X", "above X")
    about_a = Comparison("N", "A", "above A")
    reasons = Explanations((why, Direct("A", "also")), (other, about_a))
    [harm] = find_harm(
        [ranking("ANX")], [ranking("NAX", explanations=reasons)], {"q": {"A": 1}}, {"q": 1.0}, {"q": 0.5}, measure="m"
    )
    [risen] = harm.risen
    assert risen.direct == why
    assert risen.comparison == about_a
    [fallen] = harm.fallen
    assert fallen.direct == Direct("A", "also")
    assert fallen.comparison is None


def test_the_largest_loss_comes_first_and_equal_ones_by_query() -> None:
    before = dict.fromkeys("abcd", 1.0)
    after = {"a": 0.9, "b": 0.5, "c": 0.9, "d": 1.0 - 1e-12}
    lists = [ranking("A", q) for q in "dcba"]
    assert [h.query.id for h in find_harm(lists, lists, {}, before, after, measure="m")] == ["b", "a", "c"]


def test_a_query_without_results_is_a_loss_too() -> None:
    [harm] = find_harm([ranking("A")], [], {"q": {"A": 1}}, {"q": 1.0}, {"q": 0.0}, measure="m")
    assert (harm.query.text, harm.reranked.hits) == ("what is q?", ())
    [harm] = find_harm([], [], {}, {"q": 1.0}, {"q": 0.0}, measure="m")
    assert harm.query == Query("q", "")


def test_refuses_a_cutoff_of_none_and_a_query_given_twice() -> None:
    with pytest.raises(BadInput, match="k is 0"):
        find_harm([], [], {}, {}, {}, measure="m", k=0)
    with pytest.raises(BadInput, match="the reranked rankings hold query 'q' twice"):
        find_harm([], [ranking("A"), ranking("B")], {}, {}, {}, measure="m")


@given(st.permutations("ABCDEF"), st.permutations("ABCDEF"), st.lists(st.integers(0, 3), min_size=6, max_size=6))
def test_every_fallen_document_was_overtaken_by_a_worse_one(old: list[str], new: list[str], grades: list[int]) -> None:
    graded = dict(zip("ABCDEF", map(float, grades), strict=True))
    first, reranked = ranking("".join(old)), ranking("".join(new))
    [harm] = find_harm([first], [reranked], {"q": graded}, {"q": 1.0}, {"q": 0.0}, measure="m", k=3)
    for victim in harm.fallen:
        assert victim.before is not None
        assert victim.after is not None
        assert victim.before < victim.after
        assert victim.before <= 3
        assert any(
            (m.before or 0) > victim.before
            and (m.after or 9) < victim.after
            and graded[m.document_id] < graded[victim.document_id]
            for m in harm.risen
        )
    assert bool(harm.fallen) == bool(harm.risen)
    assert all((m.after or 9) <= 3 and (m.before or 0) > (m.after or 9) for m in harm.risen)
