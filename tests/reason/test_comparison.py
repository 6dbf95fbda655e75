"""Comparisons, with numbers worked by hand."""

from dataclasses import replace
from math import fsum

import pytest

from whyrank.errors import BadInput
from whyrank.reason.comparison import compare, differ
from whyrank.types import Comparison, Counterfactual, Decomposition, Difference, Document, Query, Span, Term

QUERY = Query("q", "heat cold")
UPPER = Document("u", "Cold air holds heat. Rain falls.")
LOWER = Document("l", "Rain is cold. Snow is white.")
COLD, RAIN = Span(0, 20), Span(21, 32)
WET, SNOW = Span(0, 13), Span(14, 28)


def late(value: float, word: str, span: Span) -> Term:
    return Term("late interaction", value, word, span)


UPPER_TERMS = (
    late(0.25, "heat", COLD), late(0.125, "cold", COLD), late(0.25, "cold", RAIN),
    Term("whole document", 0.5), Term("first stage", 0.125), Term("constant", -0.2),
)  # fmt: skip
LOWER_TERMS = (
    late(0.125, "cold", WET), Term("whole document", 0.375), Term("first stage", 0.25), Term("constant", -0.2),
)  # fmt: skip


def apart(document: Document, *terms: Term) -> Decomposition:
    return Decomposition(document.id, fsum(t.value for t in terms), terms, ())


def compared(upper: tuple[Term, ...], lower: tuple[Term, ...], found: Counterfactual | None = None) -> Comparison:
    return compare(QUERY, UPPER, LOWER, apart(UPPER, *upper), apart(LOWER, *lower), found)


def test_differences_by_part_and_query_term_largest_first() -> None:
    assert differ(UPPER_TERMS, LOWER_TERMS) == (
        Difference("late interaction", 0.25, 0.0, "heat", COLD, None),
        Difference("late interaction", 0.375, 0.125, "cold", RAIN, WET),
        Difference("whole document", 0.5, 0.375),
        Difference("first stage", 0.125, 0.25),
        Difference("constant", -0.2, -0.2),
    )


def test_the_margin_is_the_sum_of_the_differences() -> None:
    given = compared(UPPER_TERMS, LOWER_TERMS)
    assert given.margin == pytest.approx(0.5, abs=1e-12)
    assert fsum(d.value for d in given.differences) == pytest.approx(0.5, abs=1e-12)
    assert (given.upper_id, given.lower_id, given.counterfactual) == ("u", "l", None)


def test_the_text_names_what_counts_and_what_speaks_against() -> None:
    assert compared(UPPER_TERMS, LOWER_TERMS).text == (
        "Leads by 0.50, mostly on the words of the query (0.50). It meets ‘heat’ better by 0.25 "
        "(“Cold air holds heat.”) and ‘cold’ by 0.25. The other never says ‘heat’, but is ahead on the first stage by "
        "0.12."
    )


def test_the_parts_of_a_word_are_one_gain() -> None:
    """heat: 0.25 + 0.25 - 0.125; cold: 0.5 - 0.25, though one of its parts alone speaks against it."""
    best = Term("best sentence", 0.25, "heat", COLD)
    upper = (late(0.25, "heat", COLD), best, late(0.5, "cold", COLD))
    lower = (late(0.125, "heat", WET), late(0.125, "cold", WET), Term("best sentence", 0.125, "cold", WET))
    assert compared(upper, lower).text == (
        "Leads by 0.62, all of it on the words of the query. It meets ‘heat’ better by 0.38 and ‘cold’ by 0.25: "
        "“Cold air holds heat.” against “Rain is cold.” The other never says ‘heat’."
    )


def test_words_are_weighed_together_against_the_other_parts() -> None:
    """Three words of 0.25 each are more than the 0.5 of the whole document, and one alone is not."""
    words = (late(0.25, "heat", COLD), late(0.25, "air", COLD), late(0.25, "rain", RAIN))
    assert compared((*words, Term("whole document", 0.5)), ()).text.startswith(
        "Leads by 1.25, mostly on the words of the query (0.75) and the whole document (0.50). "
    )
    assert compared((words[0], Term("whole document", 0.5)), ()).text == (
        "Leads by 0.75, mostly on the whole document (0.50) and the words of the query (0.25). It meets ‘heat’ better "
        "by 0.25: “Cold air holds heat.” The other never says ‘heat’."
    )


def test_shares_of_the_margin_are_claimed_only_where_they_are_shares() -> None:
    half = tuple(Term(f"part {i}", 0.25) for i in range(4))
    assert compared(half, ()).text == "Leads by 1.00: ahead on part 0 by 0.25 and on part 1 by 0.25."
    assert compared((Term("part 0", 1.0),), ()).text == "Leads by 1.00, all of it on part 0."
    more = compared((Term("whole document", 1.0),), (Term("first stage", 0.75),)).text
    assert more == "Leads by 0.25: ahead on the whole document by 1.00. The other is ahead on the first stage by 0.75."


def test_small_differences_are_left_out() -> None:
    upper = (late(0.5, "heat", COLD), late(0.5, "cold", COLD), Term("first stage", 0.1), Term("whole document", 1.0))
    lower = (late(0.01, "cold", WET), Term("first stage", 0.11), Term("whole document", 0.9))
    assert compared(upper, lower).text == (
        "Leads by 1.08, mostly on the words of the query (0.99). It meets ‘heat’ better by 0.50 "
        "(“Cold air holds heat.”) and ‘cold’ by 0.49. The other never says ‘heat’."
    )
    wide = (late(0.19, "heat", COLD), Term("whole document", 1.0))
    assert "It meets" not in compared(wide, ()).text


def test_at_most_two_of_a_kind_are_named() -> None:
    parts = compared(tuple(Term(f"part {i}", 1.0 - i / 8) for i in range(4)), ()).text
    assert parts == "Leads by 3.25, mostly on part 0 (1.00) and part 1 (0.88)."
    words = compared(tuple(late(1.0, w, COLD) for w in ("sun", "sky", "sea")), ()).text
    assert words.endswith("It meets ‘sun’ better by 1.00 and ‘sky’ by 1.00: “Cold air holds heat.”")
    against = tuple(Term(f"part {i}", 1.0 - i / 8) for i in range(4))
    assert compared((late(9.0, "sun", COLD),), against).text.count("part") == 0
    assert compared((late(4.0, "sun", COLD),), against).text.endswith(
        "The other is ahead on part 0 by 1.00 and on part 1 by 0.88."
    )


def test_function_words_are_named_only_where_they_gain_most_or_nothing_else_is_there() -> None:
    def said(*words: tuple[str, float]) -> str:
        return compared(tuple(late(value, word, COLD) for word, value in words), ()).text

    assert "function words" not in said(("heat", 1.0), ("why", 0.5), ("the", 0.25))
    assert "It meets ‘air’ better by 0.50 and the function words by 0.75: “Cold" in said(
        ("air", 0.5), ("why", 0.5), ("the", 0.25)
    )
    assert "It meets ‘how’ better by 1.00 and ‘what’ by 1.00: “Cold" in said(("how", 1.0), ("what", 1.0))
    behind = compared((late(1.0, "sun", COLD),), (late(0.25, "the", WET), late(0.25, "why", WET))).text
    assert behind.endswith("The other meets the function words better by 0.50.")


def test_words_and_parts_that_speak_against_are_told_apart() -> None:
    upper = (late(0.5, "heat", COLD), late(0.5, "air", COLD))
    assert compared(upper, (late(0.75, "snow", SNOW),)).text == (
        "Leads by 0.25, all of it on the words of the query. It meets ‘heat’ better by 0.50 and ‘air’ by 0.50: “Cold "
        "air holds heat.” The other never says ‘heat’ or ‘air’, but meets ‘snow’ better by 0.75."
    )
    both = (late(0.25, "snow", SNOW), Term("first stage", 0.375))
    assert compared(upper, both).text.endswith(
        ", but meets ‘snow’ better by 0.25 and is ahead on the first stage by 0.38."
    )
    fewer = compared((Term("whole document", 1.0),), (late(0.25, "snow", SNOW), late(0.25, "rain", WET))).text
    assert fewer.endswith("The other is ahead on all words of the query together by 0.50.")


def test_texts_stay_short_whatever_the_documents_say() -> None:
    long = "word " * 500
    upper, lower = Document("u", long), Document("l", long)
    terms = (late(0.5, "word", Span(0, 2500)), late(0.25, "other", Span(0, 2500)), Term("first stage", 0.25))
    against = (late(0.25, "word", Span(0, 2500)), Term("whole document", 0.25))
    text = compare(QUERY, upper, lower, apart(upper, *terms), apart(lower, *against)).text
    assert text.count("“") == 2
    assert len(text) <= 320


def test_a_word_the_other_says_or_the_upper_does_not_is_not_called_missing() -> None:
    assert "never says" not in compared((late(0.5, "cold", COLD),), ()).text
    assert "never says" not in compared((late(0.5, "sun", COLD),), ()).text
    assert "never says" in compared((late(0.5, "heat", COLD),), ()).text


def test_ties_say_how_they_are_broken() -> None:
    same = "Both score the same, and ties keep the order in which the documents were given"
    assert compared((), ()).text == f"{same}; no part of the score tells them apart."
    given = compared((Term("first stage", 0.5),), (Term("whole document", 0.5),))
    assert given.text == (
        f"{same}. It is ahead on the first stage by 0.50. The other is ahead on the whole document by 0.50."
    )
    assert given.margin == 0.0
    half = Term("whole document", 0.5)
    rounding = compared((late(0.3, "heat", COLD), half), (late(0.1, "heat", WET), late(0.2, "heat", WET), half))
    assert rounding.text == f"{same}; no part of the score tells them apart."


def test_counterfactuals_in_words() -> None:
    def said(found: Counterfactual, first: float = 0.0) -> str:
        upper = (late(0.5, "cold", COLD), Term("first stage", first))
        given = compared(upper, (), found)
        assert given.text == compared(upper, ()).text  # it is said beside the comparison, not in it
        assert given.counterfactual is not None
        assert replace(given.counterfactual, text="") == found
        return given.counterfactual.text

    one = Counterfactual("flips", (COLD,), ("Cold air holds heat.",), -0.25, minimal=True, rescored=2)
    assert said(one) == "Without “Cold air holds heat.” it would score -0.25 and fall behind the other."
    assert said(one, 0.5) == (
        "Without “Cold air holds heat.” it would score -0.25 (its first-stage score kept) and fall behind the other."
    )
    two = Counterfactual("flips", (COLD, RAIN), ("", ""), 0.0, minimal=True)
    assert said(two) == ("Without 2 of its sentences (no fewer will do) it would score 0.00 and fall behind the other.")
    greedy = Counterfactual("flips", (COLD, RAIN), ("", ""), 0.0, minimal=False)
    assert said(greedy).startswith("Without 2 of its sentences (fewer may do) it would")
    assert said(Counterfactual("impossible")) == "No removal of its sentences would put it behind the other."
    assert said(Counterfactual("unknown", rescored=7)) == (
        "Whether removing sentences would put it behind the other was not found out (7 tries)."
    )


def test_wrong_pairs_are_refused() -> None:
    with pytest.raises(BadInput, match="decomposition is of document 'u', the document is 'l'"):
        compare(QUERY, UPPER, LOWER, apart(UPPER), apart(UPPER))
    with pytest.raises(BadInput, match=r"'u' scores 0\.0, less than 'l' with 1\.0; give the higher document first"):
        compared((), (Term("first stage", 1.0),))
