"""Numbers, quotes and words in English."""

import doctest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whyrank.reason import phrases
from whyrank.reason.phrases import clipped, is_in, listing, meeting, number, place, quoted, sentence
from whyrank.types import Document, Span


def test_the_examples_in_the_docstrings_hold() -> None:
    assert doctest.testmod(phrases).failed == 0
    assert doctest.testmod(phrases).attempted >= 3


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (12.345, "12.35"), (-0.5, "-0.50"), (0.0995, "0.10"), (0.0994, "0.099"), (0.0996, "0.10"),
        (-0.0, "0.00"), (0.02, "0.02"), (0.00123, "0.0012"), (1234567.0, "1234567.00"),
    ],
)  # fmt: skip
def test_numbers_have_two_decimals_or_two_digits(value: float, written: str) -> None:
    assert number(value) == written


@given(st.floats(-1e6, 1e6, allow_subnormal=False))
def test_a_number_is_the_value_to_two_digits_or_two_decimals(value: float) -> None:
    assert abs(float(number(value)) - value) <= max(0.005 + 1e-9, 0.05 * abs(value)) or abs(value) < 1e-300
    assert "e" not in number(value)


def test_a_long_quote_is_cut_after_a_word() -> None:
    assert clipped("heat moves", 10) == "heat moves"
    assert clipped("heat moves outside", 12) == "heat moves …"
    assert clipped("x" * 20, 5) == "xxxxx …"


@given(st.text(), st.integers(1, 30))
def test_a_clipped_quote_is_the_beginning_of_the_quote(text: str, limit: int) -> None:
    short = clipped(text, limit)
    assert short == text or (short.endswith(" …") and text.startswith(short[:-2]) and len(short) <= limit + 2)


def test_titles_are_called_titles() -> None:
    document = Document("d", "Cold air.", title="Heat pumps")
    assert quoted(document, Span(0, 4, "title")) == "the title “Heat”"
    assert quoted(document, Span(0, 9)) == "“Cold air.”"
    assert sorted([Span(0, 9), Span(5, 6, "title"), Span(0, 4, "title")], key=place)[-1] == Span(0, 9)


def test_lists_and_sentences() -> None:
    assert listing([]) == ""
    assert listing(["a"]) == "a"
    assert listing(["a", "b"]) == "a and b"
    assert sentence("the sky is blue") == "The sky is blue."
    assert sentence("it says “What?”") == "It says “What?”"
    assert sentence("it says “what”") == "It says “what”."


def test_words_match_only_where_they_stand() -> None:
    assert is_in("Heat", "The HEAT pump.")
    assert is_in("pumps", "It pumped water.")
    assert is_in("heat-pump", "A pump for heat.")
    assert not is_in("heat", "The wheat field.")
    assert not is_in("?", "What?")
    assert meeting([], "Heat.") == ""
    assert meeting(["How", "does", "the"], "How does the pump work?") == ""
    assert meeting(["heat", "cold"], "Hot and cold.") == "matches ‘cold’ and is close to ‘heat’"
    assert meeting(["heat", "cold"], "Heat and cold.", plural=True) == "match ‘heat’ and ‘cold’"
    assert meeting(["a1", "b1", "c1", "d1", "e1"], "") == "is close to ‘a1’, ‘b1’, ‘c1’ and ‘d1’"
