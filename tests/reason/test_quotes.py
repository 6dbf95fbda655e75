"""Quotes: the exact span of the document, found to the letter or by letters and digits, or none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whyrank.reason.quotes import find_quote, is_quote, normalised
from whyrank.types import Document, Span

ICE = Document(
    "ice", "Ice floats: it is\nless “dense” than water — by 9 %. Cold\xa0water sinks.", title="Why ice floats"
)


def found(quote: str, document: Document = ICE) -> str | None:
    span = find_quote(document, quote)
    return None if span is None else document.quote(span)


@pytest.mark.parametrize(
    ("quote", "words"),
    [
        ("less “dense” than water", "less “dense” than water"),  # to the letter
        ("  Cold\xa0water sinks.\n", "Cold\xa0water sinks."),  # but for white space around it
        ("it is less “dense”", "it is\nless “dense”"),  # a line break
        ("Cold water sinks.", "Cold\xa0water sinks."),  # another space
        ('less "dense" than water', "less “dense” than water"),  # quotation marks
        ("than water -- by 9 %.", "than water — by 9 %."),  # dashes
        ("COLD WATER SINKS", "Cold\xa0water sinks."),  # case; the full stop belongs to the sentence
        ("“Cold water sinks.”", "Cold\xa0water sinks."),  # quotation marks around it
        ("...less dense than water...", "less “dense” than water"),  # ellipses around it
        ("Ice floats…", "Ice floats"),
        ("Why ice floats", "Why ice floats"),  # the title
        ("why ICE floats.", "Why ice floats"),
    ],
)
def test_a_quote_is_found_and_shown_in_the_documents_own_words(quote: str, words: str) -> None:
    assert found(quote) == words


@pytest.mark.parametrize(
    "quote",
    [
        "Ice sinks.",
        "Ice floats, it is less dense than water by 10 %.",  # another number
        "Ice floats … water sinks.",  # what lies between was left out
        "Why ice floats Ice floats",  # runs over from the title into the text
        "",
        " \n",
        "“…”",
        ICE.full_text * 2,
    ],
)
def test_what_the_document_does_not_say_is_not_found(quote: str) -> None:
    assert find_quote(ICE, quote) is None


def test_the_text_comes_before_the_title_and_the_letter_before_the_rest() -> None:
    document = Document("d", "RAIN. Rain.", title="Rain")
    assert find_quote(document, "Rain") == Span(6, 10)
    assert find_quote(document, "rain") == Span(0, 5)
    assert find_quote(Document("d", "Snow.", title="Rain"), "Rain") == Span(0, 4, "title")


def test_whole_words_come_first() -> None:
    document = Document("d", "The artist starts art.")
    assert find_quote(document, "art") == Span(18, 21)
    assert find_quote(document, "ART") == Span(18, 22)
    assert find_quote(document, "arti") == Span(4, 8)


@pytest.mark.parametrize(
    ("text", "quote", "words"),
    [
        ("Der STRASSE entlang.", "der straße", "Der STRASSE"),
        ("The ﬁre went out.", "The fire went out.", "The ﬁre went out."),
        ("A cafe\u0301 in Lima.", "a café in Lima", "A cafe\u0301 in Lima."),
        ("Na cafe\u0301 frio", "na CAFE", "Na cafe\u0301"),  # a mark is not torn from its letter
        ("Photo\xadsyn\xadthesis works.", "photosynthesis", "Photo\xadsyn\xadthesis"),
        ("Zero\u200bwidth.", "zero width", "Zero\u200bwidth."),  # as `neutral` shows it to a model
        ("Kept as ‹¦x¦› is.", "kept as <|x|> is", "Kept as ‹¦x¦› is."),
        ("空は青い。海も青い。", "空は青い", "空は青い"),
        ("कि नहीं", "का नहीं", None),  # marks are not dropped: they make another word
        ("It fell to −5 °C at 9\n%, and cost $3.", "it fell to −5 °C at 9 %", "It fell to −5 °C at 9\n%"),
        ("It fell to −5 °C at night.", "−5 °c AT night", "−5 °C at night."),  # signs belong to their numbers
        ("It fell to −5 °C at night.", "5 °c AT night", "5 °C at night."),
        ("It was (3 $) then.", "( 3 $ ) THEN", "(3 $) then."),
        ("Half: ½ litre.", "half 1 2 LITRE", "Half: ½ litre."),
    ],
)
def test_other_writings_of_the_same_letters(text: str, quote: str, words: str | None) -> None:
    assert found(quote, Document("d", text)) == words


@pytest.mark.parametrize("text", ["", " ", "None", "n/a", "N/A.", "Not applicable", "null", "(none)", '""'])
def test_what_says_that_nothing_is_quoted(text: str) -> None:
    assert not is_quote(text)


def test_a_sentence_quotes_something() -> None:
    assert is_quote("None of them came.")


TEXT = st.text(st.sampled_from("aBc .,“\n-é1"), max_size=40)


@given(TEXT, TEXT, TEXT)
def test_every_span_is_a_stretch_of_the_document(title: str, text: str, quote: str) -> None:
    document = Document("d", text, title=title or None)
    span = find_quote(document, quote)
    if span is not None:
        assert normalised(quote) in normalised(document.quote(span))
    if normalised(quote):
        fields = (document.text, document.title or "")
        assert (span is not None) == any(normalised(quote) in normalised(field) for field in fields)


@given(TEXT, st.integers(0, 40), st.integers(1, 40))
def test_every_stretch_is_found(text: str, start: int, length: int) -> None:
    quote = text[start : start + length]
    span = find_quote(Document("d", text), quote)
    assert (span is None) == (not quote.strip())
    if span is not None:
        assert text[span.start : span.end] == quote.strip()


def test_long_repetitions_take_no_more_than_their_length() -> None:
    """A quadratic search would need 10 ** 11 steps here, and run into the time limit of the suite."""
    document = Document("d", "a" * 500_000 + " b")
    assert find_quote(document, "a" * 250_000 + "!") is not None
    assert find_quote(document, "A" * 200_001 + "c") is None
