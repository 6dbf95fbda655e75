"""Nothing that acts leaves `visible`, and nothing is silently dropped."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whyrank.report.visible import clipped, flat, is_unicode, visible

ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()), max_size=60)


@pytest.mark.parametrize(
    ("given_text", "shown"),
    [
        ("\x1b[31mred", "␛[31mred"),
        ("bell\x07 nul\x00 del\x7f", "bell␇ nul␀ del␡"),
        ("c1\x9b2J", "c1\\x9b2J"),
        ("lone \ud800", "lone \\ud800"),
        ("safe\u202egnp.exe", "safe\\u202egnp.exe"),
        ("tag\U000e0041", "tag\\U000e0041"),
        ("a\r\nb\rc\u2028d\x0ce", "a\nb\nc\nd\ne"),
        ("tab\tstays", "tab\tstays"),
        ("👨\u200d👩 می\u200cخواهم", "👨\u200d👩 می\u200cخواهم"),
    ],
)
def test_what_acts_is_drawn_and_the_rest_stays(given_text: str, shown: str) -> None:
    assert visible(given_text) == shown


def test_small_encodings_get_plain_signs_and_escapes() -> None:
    assert visible("“naïve” – 5 €\x1b", encoding="ascii") == '"na\\xefve" - 5 \\u20ac\\x1b'
    assert visible("naïve", encoding="latin-1") == "naïve"


@given(ANY_TEXT, st.sampled_from(["utf-8", "ascii", "latin-1", "cp1252"]))
def test_any_text_is_harmless_in_any_encoding(text: str, encoding: str) -> None:
    shown = visible(text, encoding=encoding)
    shown.encode(encoding)
    # cp1252 has no C1 controls of its own, latin-1 does: neither may let one through.
    assert not [c for c in shown if unicodedata.category(c) in {"Cc", "Cs"} and c not in "\t\n"]


@given(ANY_TEXT)
def test_flat_text_is_one_line_and_clipped_text_keeps_its_limit(text: str) -> None:
    assert "\n" not in flat(visible(text))
    assert len(clipped(text, 20)) <= 20


def test_clipped_ends_at_a_word_and_says_so() -> None:
    assert clipped("one two three four", 12) == "one two…"
    assert clipped("  one \n two ", 12) == "one two"
    assert clipped("x" * 50, 10) == "x" * 9 + "…"
    assert clipped("word " * 400_000, 10) == "word word…"


def test_unicode_encodings_are_known_by_all_their_names() -> None:
    assert [is_unicode(e) for e in ("UTF-8", "utf8", "utf-16-le", "ascii", "cp1252")] == [
        True,
        True,
        True,
        False,
        False,
    ]
