"""Numbers as readers see them."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whyrank.report import figures
from whyrank.report.figures import Move, Scale
from whyrank.types import (
    Comparison,
    Counterfactual,
    Difference,
    Direct,
    Document,
    Explanations,
    Hit,
    Span,
    Term,
    Usage,
)

NAN = float("nan")


@pytest.mark.parametrize(
    ("value", "plain", "with_sign"),
    [
        (0.81237, "0.812", "+0.812"),
        (-12.3456, "−12.35", "−12.35"),
        (123.44, "123.4", "+123.4"),
        (0.0, "0.000", "0.000"),
        (-0.0001, "0.000", "0.000"),
        (0.0001, "0.000", "0.000"),
        (2.5e6, "2.50e+06", "+2.50e+06"),
        (None, "–", "–"),
        (NAN, "nan", "nan"),
    ],
)
def test_numbers_are_short_and_zero_has_no_sign(value: float | None, plain: str, with_sign: str) -> None:
    assert (figures.number(value), figures.signed(value)) == (plain, with_sign)


@pytest.mark.parametrize(
    ("rank", "first_rank", "move"),
    [(1, 4, Move("up", 3)), (5, 4, Move("down", 1)), (2, 2, Move("same")), (2, 0, Move("new"))],
)
def test_moves_are_counted_from_the_first_place(rank: int, first_rank: int, move: Move) -> None:
    assert figures.movement(rank, Hit(Document("d", ""), first_rank=first_rank)) == move


def test_a_scale_holds_zero_and_ignores_what_is_no_number() -> None:
    line = figures.scale([2.0, None, -2.0, NAN, 6.0])
    assert line == Scale(-2.0, 6.0)
    assert (line.zero, line.share(6.0), line.share(-2.0)) == (0.25, 0.75, 0.25)
    assert (line.share(None), line.share(NAN), line.share(99.0)) == (0.0, 0.0, 1.0)
    assert figures.scale([0.8, 0.9]) == Scale(0.0, 0.9)
    assert figures.scale([]).share(1.0) == 0.0


def test_bars_need_something_above_zero() -> None:
    lines = [figures.scale(values) for values in ([0.5], [0.5, -0.5], [-0.2, -0.5], [0.0], [])]
    assert [line.has_positive for line in lines] == [True, True, False, False, False]
    assert [line.has_both for line in lines] == [False, True, False, False, False]


def test_parts_are_summed_in_the_order_of_the_terms() -> None:
    terms = [Term("b", 0.25), Term("a", 1.0), Term("b", -0.5)]
    assert list(figures.by_part(terms).items()) == [("b", -0.25), ("a", 1.0)]


def test_the_largest_differences_are_shown_and_the_rest_is_summed() -> None:
    given = [Difference(f"p{v}", v, 0.0) for v in (0.1, -0.5, 0.0, 0.3, 0.2, -0.05)]
    shown = figures.largest(given, 2)
    assert [s.value for s in shown.largest] == [-0.5, 0.3]
    assert shown.others == 3
    assert shown.others_sum == pytest.approx(0.25)
    assert len(figures.largest(given, 4).largest) == 5  # one left over is no shorter to sum than to show


def test_the_parts_of_a_word_are_one_row_and_so_are_the_function_words() -> None:
    given = [
        Difference("late", 0.5, 0.25, "heat"), Difference("late", 0.25, 0.125, "why"),
        Difference("late", 0.0, 1.0, "x"),
        Difference("best", 0.125, 0.0, "heat"), Difference("best", 0.0, 0.0625, "the"), Difference("best", 0.5, 0.0),
    ]  # fmt: skip
    shown = figures.largest(given, 6)
    assert [(s.kind, s.name, s.upper, s.lower) for s in shown.largest] == [
        ("word", "x", 0.0, 1.0),
        ("part", "best", 0.5, 0.0),
        ("word", "heat", 0.625, 0.25),
        ("words", "function words", 0.25, 0.1875),
    ]


WORDS = st.sampled_from([None, "heat", "cold", "sun", "why", "the", "sky", "sea", "air"])
SOME = st.lists(
    st.builds(Difference, st.sampled_from("abc"), st.floats(-9, 9), st.floats(-9, 9), WORDS),
    max_size=24,
    unique_by=lambda d: (d.part, d.query_term),
)


@given(SOME)
def test_rows_and_the_rest_add_up_to_the_margin(differences: list[Difference]) -> None:
    shown = figures.largest(differences, 6)
    assert len(shown.largest) <= 7
    rows = math.fsum(s.value for s in shown.largest)
    assert rows + shown.others_sum == pytest.approx(math.fsum(d.value for d in differences), abs=1e-9)


def test_the_margin_is_left_to_a_text_that_says_it() -> None:
    said = Comparison("u", "l", "Leads by 0.091, all of it on the first stage.", 0.0912)
    assert figures.unsaid_margin(said) is None
    assert figures.unsaid_margin(replace(said, text="It says more, by 0.091.")) == 0.0912
    assert figures.unsaid_margin(replace(said, margin=None)) is None


def test_removed_sentences_are_shown_unless_the_text_quotes_the_only_one() -> None:
    one = Counterfactual("flips", (Span(0, 4),), ("One.",), text="Without “One.” it would fall behind.")
    assert figures.struck(one) == ()
    assert figures.struck(replace(one, text="")) == ("One.",)
    assert figures.struck(replace(one, text="Without “On …” it would fall behind.")) == ("One.",)
    two = replace(one, quotes=("One.", "Two."))
    assert figures.struck(two) == ("One.", "Two.")


def test_what_would_turn_a_comparison_is_said_in_one_sentence() -> None:
    one, two = (Span(0, 5),), (Span(0, 5), Span(6, 9))
    assert (
        figures.turning(Counterfactual("flips", one, ("…",), 0.4, minimal=True), 0.5)
        == "Without this sentence it would score 0.400 and fall below {name} (0.500)."
    )
    assert (
        figures.turning(Counterfactual("flips", two, ("…", "…"), None, minimal=False), None)
        == "Without these 2 sentences it would fall below {name}. A smaller removal may do."
    )
    assert figures.turning(Counterfactual("flips", two, minimal=True), None).endswith("No smaller removal does.")
    assert "it still stands above {name}" in figures.turning(Counterfactual("impossible"), 0.5)
    assert figures.turning(Counterfactual("unknown", rescored=64), 0.5) == (
        "Not known: the search ended after 64 re-scored versions."
    )


def test_usage_says_what_was_used_and_nothing_else() -> None:
    assert figures.usage(Usage()) == ()
    assert figures.usage(Usage(calls=43, documents=43)) == ("43 documents read",)
    assert figures.usage(Usage(calls=43, prompt_tokens=9, cached_tokens=3)) == ("9 tokens read (3 reused)",)
    assert figures.usage(Usage(calls=2, generated_tokens=1)) == ("2 calls", "1 generated token")
    assert figures.usage(Usage(calls=2, cost=None)) == ("2 calls", "cost unknown")
    assert figures.usage(Usage(calls=1, documents=1200, prompt_tokens=3, seconds=0.0124, cost=0.5)) == (
        "1,200 documents read",
        "1 call",
        "3 tokens read",
        "0.012 s",
        "$0.5000",
    )
    spent = Usage(9, 0, 6300, 1800, 720, 500, 0.0, 0.00002, repaired=1, unusable=2)
    assert figures.usage(spent) == (
        "9 calls",
        "6,300 tokens read (1,800 reused)",
        "720 generated tokens (500 reasoning)",
        "1 answer repaired",
        "2 answers unusable",
        "less than $0.0001",
    )


def test_answers_from_the_cache_are_no_calls() -> None:
    cached = Usage(calls=4, prompt_tokens=1456, cached_tokens=1456)
    assert figures.usage(cached) == ("4 answers from the cache, nothing asked",)
    assert figures.usage(replace(cached, documents=4, calls=1, unusable=1, seconds=0.006)) == (
        "4 documents read",
        "1 answer from the cache, nothing asked",
        "1 answer unusable",
        "0.006 s",
    )
    assert figures.usage(replace(cached, prompt_tokens=1457)) == ("1,457 tokens read (1,456 reused)",)
    assert figures.usage(replace(cached, generated_tokens=1))[:2] == ("4 calls", "1,456 tokens read (1,456 reused)")
    assert figures.usage(replace(cached, cost=None))[0] == "4 calls"


def test_a_hit_has_a_score_a_dash_or_words() -> None:
    document = Document("d", "")
    hits = [Hit(document, 0.5), Hit(document, placed=True), Hit(document, 0.25, placed=True), Hit(document)]
    assert list(map(figures.standing, hits)) == ["0.500", "–", "0.250", "not read"]


def test_ours_come_before_those_that_a_model_wrote() -> None:
    theirs, ours = Direct("d", "b", source="fake"), Direct("d", "a", score=1.0)
    compared = Comparison("d", "e", "b", source="fake"), Comparison("d", "e", "a", margin=1.0)
    found = figures.reasons(Explanations((theirs, ours), compared))
    assert found == ({"d": [ours, theirs]}, {"d": [compared[1], compared[0]]})


def test_who_wrote_a_reason_and_what_the_writer_thinks() -> None:
    reason = Comparison("d", "e", "b", source="fake")
    assert figures.byline(Direct("d", "a", score=1.0)) == ""
    assert figures.byline(reason) == "written by fake"
    assert figures.byline(Direct("d", "No reason", source="fake", status="error")) == "asked of fake"
    told = [figures.agreement(replace(reason, agrees=agrees), "#1", "#2") for agrees in (None, True, False)]
    assert told == ["", "asked both ways, the writer prefers #1", "the writer prefers #2 at least once"]


def test_a_writer_is_named_once_if_all_is_from_it() -> None:
    theirs, ours = Direct("d", "b", source="fake"), Direct("d", "a", score=1.0)
    compared = Comparison("d", "e", "b", source="fake")
    assert figures.only_writer(None) == figures.only_writer(Explanations((ours,))) == ""
    assert figures.only_writer(Explanations((theirs,), (compared,))) == "fake"
    assert figures.only_writer(Explanations((theirs, ours))) == ""
    assert figures.only_writer(Explanations((theirs,), (replace(compared, source="other"),))) == ""


def test_letters_are_told_where_the_words_use_them() -> None:
    reason = Comparison("d", "e", "Document B is about Bread.", source="fake")
    assert figures.letters(reason, "#1", "#2") == "A is #1, B is #2"
    assert figures.letters(replace(reason, text="The first is about Bread."), "#1", "#2") == ""
    assert figures.letters(replace(reason, status="error"), "#1", "#2") == ""
