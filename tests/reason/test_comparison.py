"""Comparisons, with numbers worked by hand."""

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
        "It leads by 0.50: on the words of the query 0.62 against 0.12. Of the words of the query, ‘heat’ brings 0.25 "
        "(“Cold air holds heat.”) against nothing and ‘cold’ 0.38 (“Rain falls.”) against 0.12 (“Rain is cold.”). "
        "The other never says ‘heat’. The other is ahead on the first stage by 0.12."
    )


def test_words_are_weighed_together_against_the_other_parts() -> None:
    """Three words of 0.25 each are more than the 0.5 of the whole document, and one alone is not."""
    words = (late(0.25, "heat", COLD), late(0.25, "air", COLD), late(0.25, "rain", RAIN))
    text = compared((*words, Term("whole document", 0.5)), ()).text
    assert text.startswith(
        "It leads by 1.25: on the words of the query 0.75 against nothing, on the whole document 0.50 "
    )
    assert compared((words[0], Term("whole document", 0.5)), ()).text.startswith(
        "It leads by 0.75: on the whole document 0.50 against nothing, on ‘heat’ 0.25 (“Cold air holds heat.”) against "
    )


def test_a_sentence_is_quoted_once_and_small_differences_are_left_out() -> None:
    upper = (late(0.5, "heat", COLD), late(0.5, "cold", COLD), Term("first stage", 0.1), Term("whole document", 1.0))
    lower = (late(0.01, "cold", WET), Term("first stage", 0.11), Term("whole document", 0.9))
    assert compared(upper, lower).text == (
        "It leads by 1.08: on the words of the query 1.00 against 0.01. Of the words of the query, ‘heat’ brings 0.50 "
        "(“Cold air holds heat.”) against nothing and ‘cold’ 0.50 against 0.01 (“Rain is cold.”). "
        "The other never says ‘heat’."
    )


def test_at_most_three_parts_and_two_words_are_named() -> None:
    text = compared(tuple(Term(f"part {i}", 1.0 - i / 8) for i in range(4)), ()).text
    assert text == (
        "It leads by 3.25: on part 0 1.00 against nothing, on part 1 0.88 against nothing, "
        "on part 2 0.75 against nothing."
    )
    words = compared(tuple(late(1.0, w, COLD) for w in ("how", "sun", "sky", "sea")), ()).text
    assert words.endswith("‘sun’ brings 1.00 (“Cold air holds heat.”) against nothing and ‘sky’ 1.00 against nothing.")
    only = compared((late(1.0, "how", COLD), late(1.0, "what", COLD)), ()).text
    assert "‘how’ brings" in only


def test_words_that_speak_against_are_not_named_as_gains() -> None:
    upper = (late(0.5, "heat", COLD), late(0.5, "air", COLD))
    assert compared(upper, (late(0.75, "snow", SNOW),)).text.startswith(
        "It leads by 0.25: on the words of the query 1.00 against 0.75. Of the words of the query, ‘heat’ brings 0.50 "
        "(“Cold air holds heat.”) against nothing and ‘air’ 0.50 against nothing. The other never says"
    )


def test_a_word_the_other_says_or_the_upper_does_not_is_not_called_missing() -> None:
    assert "never says" not in compared((late(0.5, "cold", COLD),), ()).text
    assert "never says" not in compared((late(0.5, "sun", COLD),), ()).text


def test_ties_say_how_they_are_broken() -> None:
    same = "Both score the same, and ties keep the order in which the documents were given"
    assert compared((), ()).text == f"{same}; no part of the score tells them apart."
    given = compared((Term("first stage", 0.5),), (Term("whole document", 0.5),))
    assert given.text == (
        f"{same}. It is ahead on the first stage 0.50 against nothing. "
        "The other is ahead on the whole document by 0.50."
    )
    assert given.margin == 0.0


def test_counterfactuals_in_words() -> None:
    def said(found: Counterfactual, first: float = 0.0) -> str:
        upper = (late(0.5, "cold", COLD), Term("first stage", first))
        return compared(upper, (), found).text.removeprefix(compared(upper, ()).text).strip()

    one = Counterfactual("flips", (COLD,), ("Cold air holds heat.",), -0.25, minimal=True, rescored=2)
    assert said(one) == "Without “Cold air holds heat.” it would score -0.25 and fall behind the other."
    assert said(one, 0.5) == (
        "Without “Cold air holds heat.”, its first-stage score kept, it would score -0.25 and fall behind the other."
    )
    two = Counterfactual("flips", (COLD, RAIN), ("", ""), 0.0, minimal=True)
    quotes = "“Cold air holds heat.” and “Rain falls.”"
    assert said(two) == f"Without these 2 sentences it would score 0.00 and fall behind the other: {quotes}."
    greedy = Counterfactual("flips", (COLD, RAIN), ("", ""), 0.0, minimal=False)
    assert "these 2 sentences (fewer may do) it" in said(greedy)
    assert said(Counterfactual("impossible")) == "No removal of its sentences would put it behind the other."
    assert said(Counterfactual("unknown", rescored=7)) == (
        "Whether removing sentences would put it behind the other was not found out (7 tries)."
    )


def test_a_long_removal_quotes_three_and_counts_the_rest() -> None:
    document = Document("u", "A. B. C. D. E.")
    spans = tuple(Span(3 * i, 3 * i + 2) for i in range(5))
    found = Counterfactual("flips", spans, ("",) * 5, 0.0)
    text = compare(QUERY, document, LOWER, apart(document), apart(LOWER), found).text
    assert text.endswith(": “A.”, “B.”, “C.” and 2 more.")


def test_wrong_pairs_are_refused() -> None:
    with pytest.raises(BadInput, match="decomposition is of document 'u', the document is 'l'"):
        compare(QUERY, UPPER, LOWER, apart(UPPER), apart(UPPER))
    with pytest.raises(BadInput, match=r"'u' scores 0\.0, less than 'l' with 1\.0; give the higher document first"):
        compared((), (Term("first stage", 1.0),))
