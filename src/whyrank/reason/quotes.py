"""Finding a quote in its document: the exact span, or none. Pure, in time linear in the document.

A language model seldom invents a sentence and often copies one untidily: with other quotation marks, without a line
break, in another case. So where the words do not stand in the document to the letter, letters and digits decide. What
is then shown is the document's own words at the span that was found, never the model's.
"""

import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from itertools import takewhile

from whyrank.types import Document, Field, Span

NOTHING_QUOTED = frozenset({"", "n a", "none", "null", "not applicable", "no quote"})
"""What says that there is nothing to quote, after `normalised`."""

_FIELDS: tuple[Field, ...] = ("text", "title")
_ABSENT = frozenset("\xad\u200c\u200d\u200e\u200f")
_REACH = 20
_CLOSING = frozenset(".!?…\"'”’»)")


def find_quote(document: Document, quote: str) -> Span | None:
    r"""Where the words of `quote` stand in the text or the title of `document`; None if they stand in neither.

    To the letter first, white space at the ends aside; then by letters and digits alone (`normalised`). Of several
    places the first one counts that begins and ends with whole words, or, if none does, the first.

    >>> find_quote(Document("d", "Ice floats: it is\nless “dense”."), 'it is less "dense"')
    Span(start=12, end=31, field='text')
    """
    words = quote.strip()
    if not words:
        return None
    for field in _FIELDS:
        start = _first(document.field_text(field), words)
        if start is not None:
            return Span(start, start + len(words), field)
    wanted = normalised(words)
    if not wanted:
        return None
    spans = (_loosely(document.field_text(field), words, wanted, field) for field in _FIELDS)
    return next((span for span in spans if span is not None), None)


def is_quote(text: str) -> bool:
    """Whether `text` quotes anything: models write "None" or "N/A" where they were asked for nothing.

    >>> is_quote("Ice floats."), is_quote("N/A"), is_quote(" ")
    (True, False, False)
    """
    return normalised(text[:100]) not in NOTHING_QUOTED


def normalised(text: str) -> str:
    """Letters and digits without case and compatibility forms, and one space for what stands between them.

    Marks belong to their letters; soft hyphens, joiners and marks of direction count as absent.

    >>> normalised(" The sky--it’s ｂlue! ")
    'the sky it s blue'
    """
    return "".join(unit for unit, _ in _units(text)).strip()


def _loosely(text: str, words: str, wanted: str, field: Field) -> Span | None:
    units, places = [], []
    for unit, place in _units(text):
        units.append(unit)
        places.append(place)
    at = _first("".join(units), wanted)
    if at is None:
        return None
    start, end = places[at], places[at + len(wanted) - 1] + 1
    while end < len(text) and unicodedata.combining(text[end]):
        end += 1
    start -= _signs(text[max(0, start - _REACH) : start][::-1], words)
    end += _signs(text[end : end + _REACH], words[::-1])
    while end < len(text) and text[end] in _CLOSING:
        end += 1
    return Span(start, end, field)


def _signs(beside: str, words: str) -> int:
    """How far the signs before the first letter of `words` ("$", "−" …) stand in the document too, spaces aside."""
    reached = at = 0
    for sign in reversed(list(takewhile(lambda character: not character.isalnum(), words[:_REACH]))):
        at += len(beside[at:]) - len(beside[at:].lstrip())
        if not sign.isspace():
            if beside[at : at + 1] != sign:
                break
            at += 1
            reached = at
    return reached


def _units(text: str) -> Iterator[tuple[str, int]]:
    """The characters of the normalised text, each with the place in `text` that it comes from."""
    is_after_space = True
    for place, character in enumerate(text):
        for unit in _normal(character):
            if unit != " " or not is_after_space:
                yield unit, place
            is_after_space = unit == " "


@lru_cache(maxsize=4096)
def _normal(character: str) -> str:
    if character in _ABSENT:
        return ""
    parts = unicodedata.normalize("NFKD", character).casefold()
    return "".join(part if part.isalnum() or unicodedata.category(part)[0] == "M" else " " for part in parts)


def _first(text: str, words: str) -> int | None:
    """The first place with a word's edge at both ends, or else the first. Places that overlap are not all looked at."""
    at = first = text.find(words)
    while at >= 0:
        end = at + len(words)
        if _is_edge(text, at) and _is_edge(text, end):
            return at
        at = text.find(words, end)
    return first if first >= 0 else None


def _is_edge(text: str, at: int) -> bool:
    return at in (0, len(text)) or not (text[at - 1].isalnum() and text[at].isalnum())
