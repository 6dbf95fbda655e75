"""What is left of a document: only the rationale, or everything else; deleted or replaced."""

from hypothesis import given
from hypothesis import strategies as st

from whyrank.evaluate.reasons.rationales import sentences_of, words_of
from whyrank.evaluate.reasons.versions import FILLER, complement, hidden, merged, only, only_shown
from whyrank.types import Document, Span

DOCUMENT = Document("d", "Red, not blue.  Green is it. End.", "The title")
TITLE, RED, GREEN, END = Span(0, 9, "title"), Span(0, 14), Span(16, 28), Span(29, 33)

texts = st.text(st.sampled_from("ab. ,\n巴é-"), max_size=30)
spans = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)).map(sorted), max_size=5)


def test_only_the_rationale_in_reading_order() -> None:
    assert only(DOCUMENT, (GREEN, RED)) == Document("d", "Red, not blue. Green is it.", None)
    assert only(DOCUMENT, (END, TITLE)) == Document("d", "End.", "The title")
    assert only(DOCUMENT, ()) == Document("d", "", None)


def test_words_are_replaced_and_the_rest_stays() -> None:
    assert hidden(DOCUMENT, (RED,)) == Document("d", "…, … ….  Green is it. End.", "The title")
    assert only_shown(DOCUMENT, (RED,)) == Document("d", "Red, not blue.  … … …. ….", "… …")
    assert hidden(DOCUMENT, (TITLE, END)).title == "… …"
    assert only_shown(DOCUMENT, sentences_of(DOCUMENT)) == DOCUMENT


def test_overlapping_quotes_are_shown_once() -> None:
    assert merged((Span(5, 9), Span(0, 6), Span(0, 2, "title"))) == (Span(0, 2, "title"), Span(0, 9))
    assert merged((Span(3, 5), Span(0, 9))) == (Span(0, 9),)
    assert only(DOCUMENT, (Span(0, 8), Span(5, 14), RED)).text == "Red, not blue."
    assert hidden(DOCUMENT, (Span(0, 8), Span(5, 14))).text == "…, … ….  Green is it. End."


@given(texts, texts, spans, spans)
def test_a_rationale_and_the_rest_make_the_document(
    text: str, title: str, in_text: list[list[int]], in_title: list[list[int]]
) -> None:
    document = Document("d", text, title or None)
    given = [Span(min(a, len(text)), min(b, len(text))) for a, b in in_text]
    given += [Span(min(a, len(title)), min(b, len(title)), "title") for a, b in in_title]
    rest = complement(document, tuple(given))
    assert all(span.start < span.end for span in rest)
    covered = [(s.field, i) for s in (*merged(given), *rest) for i in range(s.start, s.end)]
    assert sorted(covered) == sorted(
        [("text", i) for i in range(len(text))] + [("title", i) for i in range(len(title))]
    )
    kept, without = document.without(given), only(document, rest)
    assert (kept.text.split(), kept.title) == (without.text.split(), without.title) or given


@given(texts)
def test_replacement_keeps_the_number_of_words(text: str) -> None:
    document = Document("d", text)
    whole = Span(0, len(text))
    replaced = hidden(document, (whole,))
    assert replaced.text.count(FILLER) == len(words_of(document, whole))
    assert not words_of(replaced, Span(0, len(replaced.text)))
