"""Agreement with marked sentences, with numbers worked by hand."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whyrank.errors import BadInput
from whyrank.evaluate.reasons.plausibility import found_loosely, plausibility
from whyrank.evaluate.reasons.rationales import Rationale, lead, sentences_of
from whyrank.types import Document, Query, Ranking, Span

# 2, 3 and 4 words
DOCUMENT = Document("d", "One two. Three four five. Six seven eight nine.")
FIRST, SECOND, THIRD = sentences_of(DOCUMENT)
RANKING = Ranking.of(Query("q", "?"), [DOCUMENT, Document("e", "Only one.")])


def measured(rationale: Rationale, *marks: Span) -> dict[str, float]:
    [found] = plausibility([RANKING], {"m": [{"d": rationale}]}, [{"d": marks}]).evaluations
    return {name: found.mean(name) for name in found.measures}


@pytest.mark.parametrize(
    ("rationale", "marks", "expected"),
    [
        ((SECOND, FIRST, THIRD), (SECOND,), (1.0, 1.0, 1.0, 1.0)),
        ((FIRST, THIRD, SECOND), (SECOND,), (0.0, 1 / 3, 0.0, 0.0)),
        ((SECOND, FIRST, THIRD), (SECOND, THIRD), (1.0, 1.0, 2 * 3 / (3 + 7), 3 / 7)),
        ((FIRST,), (SECOND,), (0.0, 0.0, 0.0, 0.0)),
        ((THIRD, SECOND), (Span(9, 19),), (0.0, 1 / 2, 0.0, 0.0)),  # two of three words: the second is marked
        ((THIRD, SECOND), (Span(26, 29),), (1.0, 1.0, 1.0, 1.0)),  # one of four: no half, the one with most
        ((FIRST, SECOND), (Span(4, 19),), (1.0, 1.0, 2 * 2 / (2 + 5), 2 / 5)),  # one of two and three of three: both
        ((Span(20, 29),), (THIRD,), (1.0, 1.0, 2 * 1 / (2 + 4), 1 / 5)),  # a quote across sentences, half of it marked
    ],
)
def test_by_hand(rationale: Rationale, marks: tuple[Span, ...], expected: tuple[float, ...]) -> None:
    assert tuple(measured(rationale, *marks).values()) == pytest.approx(expected)


def test_a_document_of_one_sentence_says_nothing() -> None:
    methods = {"lead": [lead(RANKING)]}
    found = plausibility([RANKING], methods, [{"e": (Span(0, 4),)}])
    assert math.isnan(found.evaluations[0].mean("hit@1"))
    both = plausibility([RANKING], methods, [{"d": (FIRST,), "e": (Span(0, 4),)}])
    assert (both.measured_on[0].count, both.measured_on[0].of) == (1, 2)
    assert both.evaluations[0].mean("hit@1") == 1.0


def test_a_query_is_the_mean_of_its_documents_where_all_methods_speak() -> None:
    other = Document("f", "Ten eleven. Twelve.")
    ranking = Ranking.of(RANKING.query, [DOCUMENT, other])
    marks = {"d": (FIRST,), "f": (Span(12, 19),)}
    assert plausibility([ranking], {"lead": [lead(ranking)]}, [marks]).evaluations[0].mean("hit@1") == 0.5
    one = plausibility([ranking], {"lead": [lead(ranking)], "m": [{"f": (Span(12, 19),)}]}, [marks])
    assert [e.mean("hit@1") for e in one.evaluations] == [0.0, 1.0]
    with pytest.raises(BadInput, match="'marked' has rationales for 0 queries"):
        plausibility([ranking], {"lead": [lead(ranking)]}, [])


def test_a_mark_is_found_whatever_its_case_and_spaces() -> None:
    text = "He said: „Venite ad me!“ — İstanbul."
    span = found_loosely('said : " venite ad ME ', text)
    assert span is not None
    assert text[span.start : span.end] == "said: „Venite ad me"
    assert found_loosely("venite me", text) is None
    assert found_loosely(" .,", text) is None
    assert found_loosely("İSTANBUL", text) == Span(27, 35)


@given(st.text(), st.integers(0, 20), st.integers(0, 20))
def test_what_stands_there_is_found(text: str, start: int, length: int) -> None:
    quote = text[start : start + length]
    span = found_loosely(quote.upper() if quote.upper().lower() == quote.lower() else quote, text)
    if any(c.isalnum() for c in quote.lower()):
        assert span is not None
        found = "".join(c for c in text[span.start : span.end].lower() if c.isalnum())
        assert "".join(c for c in quote.lower() if c.isalnum()) in found
