import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whyrank.text import split_sentences
from whyrank.text.sentences import LONGEST


def sentences(text: str) -> list[str]:
    return [text[start:end] for start, end in split_sentences(text)]


def check_cover(text: str) -> None:
    """The promise of `split_sentences`: order, trim, and every character that is not white space exactly once."""
    before = 0
    for start, end in split_sentences(text):
        assert before <= start < end <= len(text)
        assert text[before:start].strip() == ""
        assert text[start:end] == text[start:end].strip()
        before = end
    assert text[before:].strip() == ""


# "⏐" marks where a sentence ends and the next begins; the white space around it is the text's own.
TABLE = {
    "english": "The sky is blue. ⏐Why? ⏐Light scatters! ⏐That is all",
    "titles": "Mr. Smith met Dr. J. K. Rowling in St. Louis. ⏐They talked.",
    "latin": "Use fruit, e.g. apples, i.e. sweet ones, etc. as in Smith et al. (2019). ⏐It works.",
    "countries": "The U.S. Army came. ⏐She lives in the U.S. ⏐The end came at 5 p.m. ⏐He has a Ph.D. ⏐He knew.",
    "numbered": "See Fig. 2 and No. 5 of vol. 3. ⏐No. ⏐That is wrong. ⏐It was on Jan. 5 in the morning.",
    "decimals": "Version v1.2.3 costs $3.14. ⏐It was 1999. ⏐Ten of 1.000 stayed.",
    "addresses": "See http://a.b/c.html?x=1. ⏐Mail me@b.com. ⏐Open file.txt. ⏐Done.",
    "ellipsis": "He left... and came back… ⏐Then he . . . slept. ⏐Really...! ⏐Yes.",
    "enumeration": "1. First mix the flour. ⏐Then rest.\n⏐2. Bake it.\n⏐a) Eat it.",
    "quotes": 'He asked "Why?" and left. ⏐"Stop!" she cried. ⏐“I will.” ⏐Then (at last.) ⏐He did.',
    "references": "It is known.[1] ⏐It was shown.[2][3] ⏐We agree.",
    "company": "He runs Apple Inc. Chief of it is he. ⏐She left Foo Ltd. ⏐The rest stayed.",
    "lower case": "the flow is studied .  ⏐it agrees with mr. jones . ⏐the wing is thin. ⏐it bends",
    "tokenised": "The flow is studied .  ⏐it agrees .",
    "lines in lower case": "It ended here.\n⏐then it went on.",
    "title": "A Short Title\n⏐The text below it is a good deal longer than the title is.",
    "indented code": "if f(x):\n⏐    go on\n⏐    and on",
    "initialism": "Vitamin C. ⏐The next one is D.",
    "camel": "Sales fell. ⏐iPhones cost more.",
    "german": "Der 2. Weltkrieg endete am 8. Mai 1945. ⏐Das war z. B. in Berlin bzw. Bonn so. ⏐Dr. Meier kam.",
    "spanish": "¿Qué hora es? ⏐¡Son las tres! ⏐La Sra. López vive en EE. UU. desde 1999. ⏐El tren llega.",
    "russian": "А. С. Пушкин родился в 1799 г. в Москве. ⏐Он был поэтом, т.е. писал. ⏐Да!",
    "french": "Quoi ? ⏐M. Dupont est parti. ⏐« Oui ! » ⏐Elle reste.",
    "chinese": "今天天气很好。⏐我们去公园吧！⏐“好的。”⏐他说。⏐是吗？⏐是的!⏐好",
    "japanese": "「そうだ。」と彼は言った。⏐次の文です。⏐３．１４は数です。⏐本当？⏐はい｡",
    "arabic": "هل هذا صحيح؟ ⏐نعم. ⏐هذا صحيح۔ ⏐انتهى",
    "hindi": "यह पहला वाक्य है। ⏐यह दूसरा है॥ ⏐क्या?",
    "armenian": "Այո։ ⏐Ոչ։",
    "code": "def f(x):\n⏐    y = 1. if x else 2.\n⏐    return y\n\n⏐import os\n⏐import sys\n⏐print(f(2))",
    "fence": "```\n⏐some words\n⏐more. Words\n⏐```\n⏐some words\nmore. ⏐Words",
    "json": '{\n⏐  "a": "x. Y",\n⏐  "b": [1]\n⏐}',
    "table": "| a | b |\n⏐|---|---|\n⏐| 1. x | y. Z |",
    "tabs": "name\tvalue\n⏐one. two\tthree",
    "markdown": "# A title\n⏐the text\n⏐- one thing\n⏐- another that\n  goes on\n⏐* third",
    "heading": "Introduction\n⏐This is text.",
    "words": "Apples\n⏐Pears\n⏐Plums",
    "paragraphs": "no stop here\n\n⏐and none there\r\n\r\n⏐nor here\n \n⏐end",
    "wrapped": "This paragraph was wrapped by hand at sixty characters by\n"
    "Someone who wrote it. ⏐It also has\na third line.\n⏐The rest.",
    "wrapped at abbreviation": "The paragraph was wrapped by hand after the word Dr.\nSmith, who wrote it.",
    "wrapped chinese": "这是一个很长的句子它在这里被换行了因为它太长\n了所以继续。⏐完",
    "windows lines": "one line that\r\ngoes on. ⏐And two.",
    "logs": "2024-01-01 10:00:00 started the whole machine again\n⏐2024-01-01 10:00:01 Stopped",
    "orphans": "Yes ! ! ! ⏐No.",
}


@pytest.mark.parametrize("name", TABLE)
def test_table(name: str) -> None:
    pieces = TABLE[name].split("⏐")
    text = "".join(pieces)
    assert sentences(text) == [piece.strip() for piece in pieces]
    check_cover(text)


@pytest.mark.parametrize("text", ["", " ", "\n\n", "\u3000\u2028\x1c"])
def test_white_space_has_no_sentence(text: str) -> None:
    assert split_sentences(text) == []


NASTY = st.one_of(
    st.text(),
    st.text(st.characters()),  # lone surrogates included
    st.text(st.sampled_from("aA1 .!?…。」\"'()[]|\t\n\r\x00\x1c\x85\u2028\u200f\u202e\u200b\ud800\udfff-*#;,={}:`")),
    st.lists(
        st.sampled_from(["Mr.", "U.S.", "1.", "x.", "…", "I.", "\n", "\n\n", " ", "```", "| a |", "The", "so", "。"])
    )
    .map(" ".join)
    .map(lambda text: text * 3),
)


@given(NASTY)
def test_every_character_belongs_to_one_sentence(text: str) -> None:
    check_cover(text)


@given(st.text(min_size=1).map(lambda text: text * (1 + 1300 // len(text))))
def test_long_texts_are_covered_by_readable_pieces(text: str) -> None:
    check_cover(text)
    assert all(end - start <= LONGEST for start, end in split_sentences(text))


def test_long_sentence_prefers_a_semicolon_to_a_space() -> None:
    text = "word " * 60 + "end; " + "word " * 60
    first, second = sentences(text)
    assert first.endswith("end;")
    assert second == ("word " * 60).strip()


def test_long_sentence_falls_back_to_white_space() -> None:
    assert {len(piece) for piece in sentences("abcd " * 300)} <= {399, 299, 304}
    assert all(set(piece.split()) == {"abcd"} for piece in sentences("abcd " * 300))


def test_a_cut_keeps_marks_with_their_letter() -> None:
    text = "x" * 399 + "e\u0301" + "y" * 100  # the accent is character 401
    assert sentences(text) == ["x" * 399, "e\u0301" + "y" * 100]


def test_a_long_row_is_cut_at_its_stops() -> None:
    row = "id\t" + "A sentence stands here. " * 30
    assert sentences(row)[1] == "A sentence stands here."


@pytest.mark.parametrize(
    "unit",
    [".", "! ", "a. ", ". (", '."', "((", " ", "\n", "|\n", "f(", "a;", "x", "[1]", ".[1", ". .", "Some words of it\n",
     "A line of words that is quite long enough to wrap\n", "e\u0301", "a\u200d", "# ", "- \n", "1.", '"a', "a="],
)  # fmt: skip
def test_linear_time(unit: str) -> None:
    text = unit * (400_000 // len(unit))
    started = time.perf_counter()
    split_sentences(text)
    # Linear takes about 0.1 to 0.6 s on a busy core; anything quadratic takes minutes.
    assert time.perf_counter() - started < 6
