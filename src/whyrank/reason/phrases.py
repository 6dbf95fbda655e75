"""How numbers, quotes and words are put into English. Pure; every phrase states only what it is given."""

from collections.abc import Iterable, Sequence
from decimal import Decimal

from whyrank.text.terms import analyze
from whyrank.types import Document, Span

QUOTE_LIMIT = 140
"""Characters of a sentence that a text shows; the whole sentence stands in the evidence."""

SIDE_LIMIT = 60
"""The same where sentences of two documents stand against each other."""

WORDS_SHOWN = 4

_PARTS = {
    "late interaction": "the words of the query",
    "best sentence": "the best sentence",
    "whole document": "the whole document",
    "first stage": "the first stage",
    "student's reading": "the student's reading",
    "constant": "the constant",
    "remainder": "what belongs to no single sentence",
}
_UNSAID = frozenset(
    {
        *("about", "am", "any", "been", "can", "could", "did", "do", "does", "from", "get", "gets", "had", "has"),
        *("have", "he", "how", "i", "its", "me", "much", "my", "our", "over", "should", "so", "some", "than", "too"),
        *("up", "us", "very", "we", "were", "what", "when", "where", "which", "who", "whom", "whose", "why", "would"),
        *("you", "your", "go", "goes", "make", "makes"),
    }
)
"""Words that say little about a query's subject, beside the stop words: a reason that names them reads badly."""


def number(value: float) -> str:
    """Two decimals, or two significant digits below 0.1: small contributions do not all read 0.00.

    >>> number(0.3149), number(-0.03149), number(0.05), number(0.0), number(3e-7)
    ('0.31', '-0.031', '0.05', '0.00', '0.0000003')
    """
    if value == 0 or abs(value) >= 0.0995:
        return f"{value + 0.0:.2f}"
    return format(Decimal(f"{value:.1e}").normalize(), "f")


def place(span: Span) -> tuple[bool, int, int]:
    """Sorts spans as they are read: the title before the text."""
    return span.field != "title", span.start, span.end


def clipped(quote: str, limit: int = QUOTE_LIMIT) -> str:
    """The quote, or its beginning up to a word's end within `limit` characters, and an ellipsis."""
    if len(quote) <= limit:
        return quote
    head = quote[:limit]
    return (head.rsplit(None, 1)[0] if any(c.isspace() for c in head.strip()) else head).rstrip() + " …"


def quoted(document: Document, span: Span, limit: int = QUOTE_LIMIT) -> str:
    """The words at `span` in typographic quotes, clipped, and named a title if they are one."""
    title = "the title " if span.field == "title" else ""
    return f"{title}“{clipped(document.quote(span), limit)}”"


def asked(word: str) -> str:
    """A word of the query, marked as one."""
    return f"‘{word}’"


def part_name(part: str) -> str:
    """A part of the score in English; parts we have no words for keep their own name."""
    return _PARTS.get(part, part)


def listing(items: Sequence[str], last: str = "and") -> str:
    """Items with commas and a last word between the last two.

    >>> listing(["heat", "cold", "air"])
    'heat, cold and air'
    """
    return f" {last} ".join([", ".join(items[:-1]), items[-1]] if len(items) > 1 else items)


def sentence(text: str) -> str:
    """With a capital and a full stop, unless it ends with a quote that has one.

    >>> sentence("most of all “Rain falls.”"), sentence("against “Rain”")
    ('Most of all “Rain falls.”', 'Against “Rain”.')
    """
    return text[:1].upper() + text[1:] + ("" if text.endswith((".”", "!”", "?”")) else ".")


def stems(text: str) -> frozenset[str]:
    """The words of a text in the form in which they are compared: stemmed, without stop words."""
    return frozenset(analyze(text))


def is_in(word: str, text: str) -> bool:
    """Whether every part of a query word stands in the text, up to case and ending."""
    wanted = stems(word)
    return bool(wanted) and wanted <= stems(text)


def is_worth_naming(word: str) -> bool:
    """Whether a word of the query is about its subject, as far as lists of words can tell."""
    return word.casefold() not in _UNSAID and bool(stems(word))


def worth_naming(words: Iterable[str]) -> tuple[str, ...]:
    """The words of the query that are about its subject, each once; all of them if none is.

    >>> worth_naming(["why", "sky", "the", "sky"]), worth_naming(["who", "are"])
    (('sky',), ('who', 'are'))
    """
    once = tuple(dict.fromkeys(words))
    return tuple(filter(is_worth_naming, once)) or once


def meeting(query_terms: Iterable[str], text: str, *, plural: bool = False) -> str:
    """Which words of the query a sentence has, and which it only comes close to; "" for none.

    The terms are those that gain something from the sentence, strongest first. Words that are in it
    "match"; the model found the others near its words, which is all that can be said of them. Stop words and
    question words are not named.

    >>> meeting(["heat", "cold"], "Heat is lost.")
    'matches ‘heat’ and is close to ‘cold’'
    """
    shown = [word for word in dict.fromkeys(query_terms) if is_worth_naming(word)][:WORDS_SHOWN]
    there = [word for word in shown if is_in(word, text)]
    near = [word for word in shown if word not in there]
    verbs = ("match", "are close to") if plural else ("matches", "is close to")
    groups = [(verb, list(map(asked, words))) for verb, words in zip(verbs, (there, near), strict=True)]
    return " and ".join(f"{verb} {listing(words)}" for verb, words in groups if words)
