"""Direct reasons, with numbers worked by hand."""

from dataclasses import replace

import pytest

from whyrank.errors import BadInput
from whyrank.reason.direct import carried, direct_reason, elsewhere
from whyrank.types import Decomposition, Direct, Document, Query, Span, Term

QUERY = Query("q", "heat cold outside")
TEXT = "Cold air still holds heat. Rain falls. It is dark outside."
COLD, RAIN, DARK = Span(0, 26), Span(27, 38), Span(39, 58)
DOCUMENT = Document("d", TEXT)


def late(value: float, word: str, span: Span) -> Term:
    return Term("late interaction", value, word, span)


def reason(*terms: Term, document: Document = DOCUMENT, max_evidence: int = 3) -> Direct:
    score = sum(t.value for t in terms)
    apart = Decomposition(document.id, score, terms, (COLD, RAIN, DARK) if document is DOCUMENT else ())
    return direct_reason(QUERY, document, apart, max_evidence=max_evidence)


def test_a_part_that_adds_next_to_nothing_is_a_term_and_no_reason() -> None:
    given = reason(late(0.2, "heat", COLD), Term("whole document", 0.35), Term("student's reading", 0.0001))
    assert given.text.endswith("The whole document adds 0.35.")
    assert Term("student's reading", 0.0001) in given.terms
    told = reason(late(0.2, "heat", COLD), Term("whole document", 0.35), Term("student's reading", 0.001))
    assert told.text.endswith("The whole document adds 0.35, the student's reading 0.001.")


def test_one_sentence_carries_most() -> None:
    given = reason(
        late(0.125, "heat", COLD),
        late(0.25, "cold", COLD),
        late(0.0625, "sky", COLD),
        late(0.125, "outside", DARK),
        Term("best sentence", 0.25, span=COLD),
        Term("whole document", 0.35),
        Term("first stage", 0.12),
        Term("constant", -0.2),
    )
    assert given.text == (
        "“Cold air still holds heat.” carries most of the sentence evidence (0.69 of 0.81) and matches ‘cold’ and "
        "‘heat’ and is close to ‘sky’. The whole document adds 0.35, the first stage 0.12."
    )
    assert [(e.quote, e.span, e.contribution, e.query_terms) for e in given.evidence] == [
        ("Cold air still holds heat.", COLD, 0.6875, ("cold", "heat", "sky")),
        ("It is dark outside.", DARK, 0.125, ("outside",)),
    ]
    assert given.document_id == "d"
    assert given.score == pytest.approx(1.0825, abs=1e-12)
    assert len(given.terms) == 8


def test_one_sentence_carries_nearly_all() -> None:
    text = reason(late(0.9, "cold", COLD), late(0.1, "outside", DARK)).text
    assert (
        text
        == "“Cold air still holds heat.” carries nearly all of the sentence evidence (0.90 of 1.00) and matches ‘cold’."
    )


def test_one_sentence_of_several_carries_all() -> None:
    text = reason(late(0.4, "cold", RAIN), Term("first stage", -0.1)).text
    assert text == (
        "“Rain falls.” alone carries the sentence evidence (0.40) and is close to ‘cold’. "
        "The first stage takes away 0.10."
    )


def test_the_only_sentence_is_said_to_be_the_only_one() -> None:
    text = reason(late(0.4, "cold", Span(0, 9)), document=Document("d", "Cold air.")).text
    assert text == "Its only sentence, “Cold air.”, adds 0.40 and matches ‘cold’."


def test_two_sentences_carry_all_between_them() -> None:
    text = reason(late(0.25, "cold", COLD), late(0.25, "outside", DARK)).text
    assert text == (
        "“Cold air still holds heat.” (0.25) and “It is dark outside.” (0.25) together carry all of the sentence "
        "evidence (0.50) and match ‘cold’ and ‘outside’."
    )


def test_two_of_three_sentences_carry_most() -> None:
    text = reason(late(0.4, "cold", COLD), late(0.35, "outside", DARK), late(0.25, "heat", RAIN)).text
    assert text.startswith("“Cold air still holds heat.” (0.40) and “It is dark outside.” (0.35) together carry most")
    assert "(0.75 of 1.00)" in text


def test_evidence_that_is_spread_evenly() -> None:
    document = Document("d", "Heat. Heat. Heat. Heat.")
    spans = [Span(6 * i, 6 * i + 5) for i in range(4)]
    given = reason(*[late(0.25, "heat", s) for s in spans], document=document, max_evidence=2)
    assert given.text == (
        "The sentence evidence (1.00) is spread over 4 sentences; the strongest is “Heat.” (0.25), "
        "which matches ‘heat’."
    )
    assert [e.span for e in given.evidence] == spans[:2]


def test_sentences_that_take_away_are_mentioned_only_when_they_matter() -> None:
    assert reason(late(0.5, "cold", COLD), late(-0.2, "heat", RAIN)).text.endswith("; other sentences take 0.20 away.")
    assert "away" not in reason(late(0.5, "cold", COLD), late(-0.02, "heat", RAIN)).text


def test_nothing_speaks_for_it() -> None:
    given = reason(late(-0.1, "cold", COLD), late(-0.3, "heat", RAIN), Term("first stage", 0.2))
    assert given.text == (
        "No sentence of it speaks for it; its sentences take 0.40 away, most of all “Rain falls.” "
        "The first stage adds 0.20."
    )
    assert given.evidence == ()
    assert reason(late(-0.1, "cold", COLD)).text.endswith("its sentences take 0.10 away: “Cold air still holds heat.”")


def test_no_sentence_carries_anything() -> None:
    assert reason(Term("first stage", 0.2)).text == (
        "No sentence of it carries any of the score. The first stage adds 0.20."
    )
    nothing = reason(late(0.0, "cold", COLD))
    assert (nothing.text, nothing.evidence) == ("No sentence of it carries any of the score.", ())
    assert reason(Term("constant", -1.0), document=Document("d", " ")).text == "The document is empty."


def test_what_adds_and_what_takes_away_is_kept_apart() -> None:
    terms = [Term("whole document", 0.5), Term("first stage", -0.25), Term("remainder", 0.125), Term("style", -0.5)]
    assert reason(*terms).text.endswith(
        "The whole document adds 0.50, what belongs to no single sentence 0.12; "
        "the first stage takes away 0.25, style 0.50."
    )


def test_the_whole_document_is_never_spread_over_sentences() -> None:
    terms = (late(0.5, "cold", COLD), Term("whole document", 9.0), Term("whole document", 1.0))
    assert [c.contribution for c in carried(terms)] == [0.5]
    assert elsewhere(terms) == {"whole document": 10.0}


def test_a_word_met_twice_counts_as_one_and_a_loss_does_not_count() -> None:
    [only] = carried(
        [late(0.1, "cold", COLD), late(0.3, "heat", COLD), late(0.25, "cold", COLD), late(-0.1, "x", COLD)]
    )
    assert only.query_terms == ("cold", "heat")


def test_evidence_names_the_words_worth_naming_and_all_where_none_is() -> None:
    given = reason(late(0.5, "the", COLD), late(0.25, "cold", COLD), late(0.25, "why", DARK), late(0.125, "is", DARK))
    assert [e.query_terms for e in given.evidence] == [("cold",), ("why", "is")]
    assert {t.query_term for t in given.terms} == {"the", "cold", "why", "is"}


def test_a_sentence_that_says_it_again_is_evidence_one_that_says_nothing_is_not() -> None:
    def shown(matches: tuple[float, ...], *terms: Term) -> list[tuple[Span | None, float | None]]:
        apart = Decomposition("d", 0.5, terms, (COLD, RAIN, DARK), matches)
        return [(e.span, e.contribution) for e in direct_reason(QUERY, DOCUMENT, apart).evidence]

    carrying = late(0.5, "cold", RAIN)
    assert shown((0.5, 0.6, 0.2), carrying) == [(RAIN, 0.5), (COLD, 0.0)]
    assert shown((0.44, 0.6, 0.2), carrying) == [(RAIN, 0.5)]  # 0.45 would be three quarters
    assert shown((), carrying) == [(RAIN, 0.5)]
    assert shown((0.9, 0.2, 0.3), carrying, late(0.1, "dark", DARK)) == [(RAIN, 0.5), (COLD, 0.0), (DARK, 0.1)]
    assert shown((0.9, 0.2, 0.8), late(-0.1, "dark", RAIN)) == []  # nothing adds
    assert shown((0.9, 0.8, 0.9), carrying, late(-0.1, "dark", DARK)) == [(RAIN, 0.5), (COLD, 0.0)]


def test_a_foreign_decomposition_is_refused() -> None:
    apart = Decomposition("other", 0.0, (), ())
    with pytest.raises(BadInput, match="query 'q': the decomposition is of document 'other', the document is 'd'"):
        direct_reason(QUERY, DOCUMENT, apart)
    outside = replace(apart, document_id="d", terms=(late(1.0, "cold", Span(50, 99)),))
    with pytest.raises(BadInput, match="50:99 lies outside"):
        direct_reason(QUERY, DOCUMENT, outside)
