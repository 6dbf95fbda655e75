import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whyrank.errors import UnknownName
from whyrank.text import LANGUAGES, Token, analyze, tokens
from whyrank.text.terms import ENGLISH_STOP_WORDS, LONGEST_TERM, _analysis

ENGLISH = {
    "The quick foxes jumped": ["quick", "fox", "jump"],
    "Is it on, or was it not?": [],
    "the dog's and the dogs' and O’Neil’s": ["dog", "dog", "o’neil"],
    "can't U.S.A. e.g. a:b": ["can't", "u.s.a", "e.g", "a:b"],
    "3.14 1,000 v1.2.3 12.5mm x.5 a,b": ["3.14", "1,000", "v1.2.3", "12.5mm", "x", "5", "b"],
    "foo_bar _x_ __ - !": ["foo_bar", "_x_"],
    "TNF-α and β2": ["tnf", "α", "β2"],
    "relational conditional generalizations oscillators": ["relat", "condit", "gener", "oscil"],  # Porter, 1980
    "generously sky dying news": ["gener", "sky", "dy", "new"],  # Porter's second stemmer says otherwise
    "日本語 テスト 한국어": ["日", "本", "語", "テスト", "한국어"],
    "हिन्दी में": ["हिन्दी", "में"],
    "caf\u00e9 cafe\u0301": ["caf\u00e9", "caf\u00e9"],
    "\ud800 \x00 \u200f": [],
}


@pytest.mark.parametrize("text", ENGLISH)
def test_english(text: str) -> None:
    assert analyze(text) == ENGLISH[text]


def test_stop_words_are_lucenes() -> None:
    assert len(ENGLISH_STOP_WORDS) == 33


def test_tokens_point_at_the_words_they_were_made_from() -> None:
    assert tokens("The Foxes' den’s") == [Token(4, 9, "fox"), Token(11, 16, "den")]


@pytest.mark.parametrize(
    ("language", "text", "terms"),
    [
        ("zh", "我们去公园。他 go", ["我们", "们去", "去公", "公园", "他", "go"]),
        ("ja", "日本語テスト ＡＢＣ ﾃｽﾄ", ["日本", "本語", "語テ", "テス", "スト", "abc", "テス", "スト"]),
        ("ko", "안녕하세요", ["안녕", "녕하", "하세", "세요"]),
        ("zh", "人 ABC 人人", ["人", "abc", "人人"]),
        ("zh", "a人b", ["a", "人", "b"]),
        ("de", "Die Häuser standen", ["die", "haus", "stand"]),
        ("ru", "книги", ["книг"]),
        ("none", "The Foxes JUMPED", ["the", "foxes", "jumped"]),
    ],
)
def test_other_languages(language: str, text: str, terms: list[str]) -> None:
    assert analyze(text, language) == terms
    assert [token.term for token in tokens(text, language)] == terms


def test_bigrams_overlap() -> None:
    assert tokens("去公园", "zh") == [Token(0, 2, "去公"), Token(1, 3, "公园")]


@pytest.mark.parametrize("function", [analyze, tokens])
def test_unknown_language(function: object) -> None:
    with pytest.raises(UnknownName, match="no language called 'eng'; did you mean en"):
        function("x", "eng")  # type: ignore[operator]


def test_long_words_are_cut() -> None:
    assert analyze("x" * 600) == ["x" * LONGEST_TERM, "x" * LONGEST_TERM, "x" * (600 - 2 * LONGEST_TERM)]


@pytest.mark.parametrize("language", LANGUAGES)
@given(text=st.text(st.characters()) | st.text(st.sampled_from("aé's’.,1_日本テ한 \u0301\u200d\ud800The")))
def test_tokens_and_terms_agree(language: str, text: str) -> None:
    found = tokens(text, language)
    assert [token.term for token in found] == analyze(text, language)
    assert all(0 <= token.start < token.end <= len(text) and token.term for token in found)
    assert [token.start for token in found] == sorted(token.start for token in found)


@pytest.mark.parametrize("unit", ["'s", "a.", "_", "1.", "日", "\u0301", "x", "a' ", "_\u0301", "1,a"])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_linear_time(unit: str, language: str) -> None:
    text = unit * (200_000 // len(unit))
    started = time.perf_counter()
    analyze(text, language)
    # Linear takes about 0.1 s on a busy core; anything quadratic takes minutes.
    assert time.perf_counter() - started < 5


def test_threads_do_not_share_a_stemmer() -> None:
    with ThreadPoolExecutor(1) as pool:
        elsewhere = pool.submit(_analysis, "en").result()
    assert elsewhere is not _analysis("en")
    assert _analysis("en") is _analysis("en")
    assert elsewhere("foxes") == "fox"
