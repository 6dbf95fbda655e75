"""From a text to the terms it is found by: Lucene's analysis, with offsets.

Terms are what BM25 counts and what the reasons compare ("which words of the query does this sentence meet").
English follows Lucene's EnglishAnalyzer: UAX #29 words, possessives stripped, lower case, 33 stop words, Porter.

Deviates: emoji are no terms; terms are brought to Unicode's composed form, so that an accent matches however it
was typed; Katakana, Hangul and Thai runs stay whole outside "zh", "ja" and "ko".
"""

import re
import sys
import threading
import unicodedata
from collections.abc import Callable, Iterator
from functools import cache
from typing import NamedTuple

import Stemmer

from whyrank.errors import unknown

ENGLISH_STOP_WORDS = frozenset(
    {
        *("a", "an", "and", "are", "as", "at", "be", "but", "by", "for", "if", "in", "into", "is", "it", "no", "not"),
        *("of", "on", "or", "such", "that", "the", "their", "then", "there", "these", "they", "this", "to", "was"),
        *("will", "with"),
    }
)
"""Lucene's `EnglishAnalyzer.ENGLISH_STOP_WORDS_SET`. Other languages have none: BM25's idf already mutes such words."""

SNOWBALL = {
    "ar": "arabic",
    "ca": "catalan",
    "da": "danish",
    "de": "german",
    "el": "greek",
    "en": "porter",
    "es": "spanish",
    "eu": "basque",
    "fi": "finnish",
    "fr": "french",
    "ga": "irish",
    "hi": "hindi",
    "hu": "hungarian",
    "hy": "armenian",
    "id": "indonesian",
    "it": "italian",
    "lt": "lithuanian",
    "ne": "nepali",
    "nl": "dutch",
    "no": "norwegian",
    "pt": "portuguese",
    "ro": "romanian",
    "ru": "russian",
    "sr": "serbian",
    "sv": "swedish",
    "ta": "tamil",
    "tr": "turkish",
}
"""Language code → Snowball algorithm; English has Porter's first, which is Lucene's."""

BIGRAMS = frozenset({"zh", "ja", "ko"})
LANGUAGES = (*sorted({*SNOWBALL, *BIGRAMS}), "none")
"""What `language` may be. "none": lower-case words, no stop words, no stemming."""

LONGEST_TERM = 255
"""Characters; longer words are cut into pieces, as in Lucene."""

_REMEMBERED = 200_000
_HAN_HIRAGANA = (
    r"\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3040-\u309f\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"
)
_KATAKANA_HANGUL = r"\u30a0-\u30ff\u31f0-\u31ff\uff66-\uff9f\uac00-\ud7af\u1100-\u11ff\u3130-\u318f"
_CJK = re.compile(f"[{_HAN_HIRAGANA}{_KATAKANA_HANGUL}]")
_MEANS_SOMETHING = re.compile(r"[^\W_]")
_BETWEEN_LETTERS = ":·․‧.'’＇．﹒﹕："
_BETWEEN_DIGITS = ".,;'’٫٬﹐﹔，；．＇"


class Token(NamedTuple):
    """A term and the code points [start, end) that it was made from."""

    start: int
    end: int
    term: str


def tokens(text: str, language: str = "en") -> list[Token]:
    """The terms of a text with their places, in order. Stop words are left out; bigrams overlap.

    Raises:
        UnknownName: `language` is none of `LANGUAGES`.
    """
    analysis = _analysis(language)
    found = ((start, end, analysis(text[start:end])) for start, end in _words(text, language))
    return [Token(start, end, term) for start, end, term in found if term]


def analyze(text: str, language: str = "en") -> list[str]:
    """The terms of a text, in order: those of `tokens`.

    Raises:
        UnknownName: `language` is none of `LANGUAGES`.
    """
    analysis = _analysis(language)
    if language in BIGRAMS:
        return [token.term for token in tokens(text, language)]
    terms = []
    for word in _word_pattern(_HAN_HIRAGANA).findall(text):  # twice as fast as with offsets
        if len(word) <= LONGEST_TERM:
            terms.append(analysis(word))
        else:
            terms += [analysis(word[start:end]) for start, end in _within_length(0, len(word))]
    return [term for term in terms if term]


def _words(text: str, language: str) -> Iterator[tuple[int, int]]:
    if language in BIGRAMS:
        yield from _bigrams(text)
        return
    for match in _word_pattern(_HAN_HIRAGANA).finditer(text):
        yield from _within_length(*match.span())


def _bigrams(text: str) -> Iterator[tuple[int, int]]:
    """CJK runs in overlapping pairs (one character alone stays), other words whole: Lucene's CJKAnalyzer."""
    before: tuple[int, int] | None = None
    paired = False
    for match in _word_pattern(_HAN_HIRAGANA + _KATAKANA_HANGUL).finditer(text):
        start, end = match.span()
        is_cjk = _CJK.match(text, start) is not None
        adjacent = is_cjk and before is not None and before[1] == start
        if before and adjacent:
            yield before[0], end
        elif before and not paired:
            yield before
        if not is_cjk:
            yield from _within_length(start, end)
        before, paired = ((start, end), adjacent) if is_cjk else (None, False)
    if before and not paired:
        yield before


def _within_length(start: int, end: int) -> Iterator[tuple[int, int]]:
    while end - start > LONGEST_TERM:
        yield start, start + LONGEST_TERM
        start += LONGEST_TERM
    yield start, end


@cache
def _word_pattern(single: str) -> re.Pattern[str]:
    """UAX #29 words, with each character of the class `single` a word of its own."""
    marks = _marks()
    # Runs of letters first and marks only where a run ends: an alternation at each character takes twice the time.
    run = rf"[^\W{single}]++(?:[{marks}]++[^\W{single}]*+)*+"
    # One of the middle marks joins letters, another digits; between a letter and a digit neither does.
    between_letters = rf"(?<=[^\W\d_])[{_BETWEEN_LETTERS}](?=[^\W\d_])"
    between_digits = rf"(?<=\d)[{_BETWEEN_DIGITS}](?=\d)"
    joint = rf"(?=[{_BETWEEN_LETTERS}{_BETWEEN_DIGITS}])(?:{between_letters}|{between_digits})"
    return re.compile(rf"[{single}][{marks}]*+|{run}(?:{joint}{run})*+")


@cache
def _marks() -> str:
    """A character class of combining marks and joiners; `re` has no name for them and takes them for no letters."""
    ranges: list[list[int]] = []
    for point in (*range(0x300, 0x20000), *range(0xE0100, 0xE01F0)):
        if unicodedata.category(chr(point))[0] == "M":
            if ranges and ranges[-1][1] == point - 1:
                ranges[-1][1] = point
            else:
                ranges.append([point, point])
    return "\u00ad\u200c\u200d" + "".join(f"{chr(first)}-{chr(last)}" for first, last in ranges)


class _Thread(threading.local):
    """PyStemmer's objects may not be shared by threads, so every thread has its own analyses."""

    def __init__(self) -> None:
        self.analyses: dict[str, Callable[[str], str]] = {}


_THREAD = _Thread()


def _analysis(language: str) -> Callable[[str], str]:
    analysis = _THREAD.analyses.get(language)
    if analysis is None:
        if language not in LANGUAGES:
            raise unknown("language", language, LANGUAGES)
        analysis = _THREAD.analyses[language] = _remembering(_normaliser(language))
    return analysis


def _remembering(normalise: Callable[[str], str]) -> Callable[[str], str]:
    """A bounded memory of words: most of a text are words seen before."""
    known: dict[str, str] = {}

    def remembered(word: str) -> str:
        term = known.get(word)
        if term is None:
            if len(known) >= _REMEMBERED:
                known.clear()
            term = known[word] = sys.intern(normalise(word)) if _MEANS_SOMETHING.search(word) else ""
        return term

    return remembered


def _normaliser(language: str) -> Callable[[str], str]:
    """Word → term, "" for a stop word."""
    if language == "none":
        return lambda word: unicodedata.normalize("NFC", word).lower()
    if language in BIGRAMS:  # full-width Latin and half-width Katakana are the same words
        return lambda word: unicodedata.normalize("NFKC", word).lower()
    stem: Callable[[str], str] = Stemmer.Stemmer(SNOWBALL[language], 0).stemWord
    if language != "en":
        return lambda word: stem(unicodedata.normalize("NFC", word).lower())

    def english(word: str) -> str:
        if word[-1] in "sS" and word[-2:-1] in ("'", "’", "＇"):
            word = word[:-2]
        word = unicodedata.normalize("NFC", word).lower()
        return "" if word in ENGLISH_STOP_WORDS else stem(word)

    return english
