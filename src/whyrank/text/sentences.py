"""Cutting a text into sentences that can be quoted: exact offsets, total cover, linear time."""

import re
import unicodedata
from collections.abc import Iterator

from whyrank.text.abbreviations import (
    FIRST_WORDS,
    GERMAN_BEFORE_ORDINAL,
    GERMAN_MONTHS,
    JOINING,
    NUMBERED,
    OFTEN_INSIDE,
    TITLES,
)
from whyrank.text.layout import Block, blocks

LONGEST = 400
"""Characters: a sentence longer than this is cut at a softer boundary, so that a quote stays readable."""

_WIDE_STOPS = "。！？｡．"
_CLOSERS = r"[\"'”’»›)\]}」』】〉》）］｝〕*_`]|\[\d{1,4}\]|[ \xa0\u202f]»(?!\S)"
_OPENERS = r"\"'“”‘’„«»‹›(\[{¿¡*_`~「『（—–-"
# Possessive throughout: a run of stops is read once, whatever follows it.
_STOP = re.compile(
    rf"(?P<mark>\.(?:[ \xa0]\.)++|[.!?…‽⁇⁈⁉؟۔।॥։።፧။។៕܀{_WIDE_STOPS}]++)(?P<closed>(?:{_CLOSERS})*+)",
)
_NEXT = re.compile(rf"(?P<gap>\s*+)[{_OPENERS}]*+(?P<word>[^\W_][\w'’]{{0,15}})?")
_WORD_BEFORE = re.compile(r"\w[\w.'’]*$")
_DOTTED = re.compile(r"[^\W\d_]{1,2}(?:\.[^\W\d_])+")
_LABEL = re.compile(r"\d{1,3}(?:\.\d{1,3})*|[^\W\d_]|[ivxIVX]+")
_NUMBER_OR_LABEL = re.compile(r"\d|[A-Z](?:\W|$)|[IVX]+$")
_GERMAN_ORDINAL = re.compile(rf"\b(?:{'|'.join(GERMAN_BEFORE_ORDINAL)})\s\d{{1,2}}$", re.IGNORECASE)
_IDEOGRAPH = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_HIRAGANA = re.compile(r"[\u3040-\u309f]")
_ALPHANUMERIC = re.compile(r"[^\W_]")
_SOFT_MARK = re.compile(r"[;；](?!\S)|[,:،、，；：](?:(?<![,:])|(?!\S))|\s[-–—](?=\s)")


def split_sentences(text: str) -> list[tuple[int, int]]:
    """Cut a text into sentences.

    Returns:
        Half-open offsets in code points, in order. No two overlap, none is empty or starts or ends in white space,
        and every character that is not white space lies in exactly one. An empty text has none.

    The rule, in short: paragraphs, list items, table rows and code lines separate (`whyrank.text.layout`); inside
    prose a stop, its closing quotes and white space separate, unless the word before is an abbreviation, an initial
    or a list label, or the next word starts in lower case in a text that has capitals. Full-width stops need no
    white space. What is still longer than `LONGEST` is cut at the last softer mark, else white space, else anywhere
    but inside a grapheme. A mistake costs a quote that is too short or too long, never one that is not in the text.
    """
    return [piece for block in blocks(text) for span in _sentences(text, block) for piece in _readable(text, *span)]


def _sentences(text: str, block: Block) -> Iterator[tuple[int, int]]:
    if block.whole:
        yield block.start, block.end
        return
    start = block.start
    pending: tuple[int, int] | None = None
    for cut in _boundaries(text, block):
        piece = _trimmed(text, start, cut)
        start = cut
        if pending and not (_has_word(text, piece) and _has_word(text, pending)):
            pending = pending[0], piece[1]  # stray punctuation is no sentence
            continue
        if pending:
            yield pending
        pending = piece
    if pending:
        yield pending


def _boundaries(text: str, block: Block) -> Iterator[int]:
    """Where sentences end, the end of the block included."""
    content = text[block.start : block.end]
    has_case = content != content.lower()
    sentence = block.start
    for stop in _STOP.finditer(text, block.start, block.end):
        if stop.end() < block.end and _ends_sentence(text, stop, block.end, sentence, has_case):
            yield stop.end()
            sentence = stop.end()
    yield block.end


def _ends_sentence(text: str, stop: re.Match[str], end: int, sentence: int, has_case: bool) -> bool:
    mark, after = stop["mark"], text[stop.end()]
    if mark[-1] in _WIDE_STOPS:
        quoted_clause = stop["closed"] and _HIRAGANA.match(after)  # 「…。」と言った goes on
        return not quoted_clause and not (mark == "．" and after.isdigit())
    if not after.isspace():
        return mark[-1] in "!?" and _IDEOGRAPH.match(after) is not None
    following = _NEXT.match(text, stop.end(), end)
    assert following is not None
    word = following["word"] or ""
    goes_on = has_case and word[:1].islower() and not word[1:2].isupper() and "\n" not in following["gap"]
    if mark != ".":
        return not goes_on
    if text[stop.start() - 1 : stop.start()].isspace():
        return True  # tokenised text sets its stops apart
    if goes_on:
        return False
    before = text[max(sentence, stop.start() - 32) : stop.start()]
    at_start = stop.start() - sentence <= 16
    return not _is_abbreviation(before, word, at_start)


def _is_abbreviation(before: str, following: str, at_start: bool) -> bool:
    """Whether the last word of `before` keeps its full stop to itself.

    Args:
        before: what stands before the stop in its sentence, at most 32 characters.
        following: the next word, "" where a symbol follows.
        at_start: `before` is everything that the sentence has so far.
    """
    match = _WORD_BEFORE.search(before)
    if match is None:
        return False
    word, following_key = match[0], following.lower()
    key = word.lower()
    if at_start and before.strip(" \t\r\n([\"'") == word and _LABEL.fullmatch(word):
        return True
    if key in TITLES or key in JOINING:
        return True
    if key in NUMBERED:
        return _NUMBER_OR_LABEL.match(following) is not None
    if word.isdigit():
        return len(word) <= 2 and (following_key in GERMAN_MONTHS or _GERMAN_ORDINAL.search(before) is not None)
    if key in OFTEN_INSIDE or (len(word) == 1 and word.isalpha()) or _DOTTED.fullmatch(word):
        return following_key not in FIRST_WORDS
    return False


def _readable(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Pieces of at most `LONGEST` characters, trimmed."""
    while end - start > LONGEST:
        cut = _soft_cut(text, start)
        yield _trimmed(text, start, cut)
        start = cut
        while text[start].isspace():
            start += 1
    yield start, end


def _soft_cut(text: str, start: int) -> int:
    window = text[start : start + LONGEST]
    marks = [match.end() for match in _SOFT_MARK.finditer(window, LONGEST // 2)]
    if marks:
        return start + marks[-1]
    for place in range(LONGEST - 1, LONGEST // 4, -1):
        if window[place].isspace():
            return start + place
    cut = LONGEST
    while cut > LONGEST // 2 and _joins_grapheme(text, start + cut):
        cut -= 1
    return start + cut


def _joins_grapheme(text: str, place: int) -> bool:
    """Whether a cut before `place` would part a mark from its letter or an emoji from its joiner."""
    return unicodedata.category(text[place])[0] == "M" or "\u200d" in text[place - 1 : place + 1]


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    content = text[start:end]
    left = len(content) - len(content.lstrip())
    return start + left, start + max(left, len(content.rstrip()))


def _has_word(text: str, span: tuple[int, int]) -> bool:
    return _ALPHANUMERIC.search(text, *span) is not None
