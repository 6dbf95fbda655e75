"""What is left of a document when only a rationale is kept, or when it is taken away: by deletion or by replacement."""

from collections.abc import Iterable
from dataclasses import replace

from whyrank.evaluate.reasons.rationales import Rationale, reading_order, words_of
from whyrank.types import Document, Field, Span

FILLER = "…"
"""Stands for a word that is not shown: a token for the body, no term for BM25, and it says nothing in any language."""

FIELDS: tuple[Field, ...] = ("title", "text")


def only(document: Document, spans: Rationale) -> Document:
    """The spans and nothing else, in reading order, each in its own field, with a space between them."""
    kept = {field: " ".join(document.quote(span) for span in merged(spans) if span.field == field) for field in FIELDS}
    return replace(document, text=kept["text"], title=kept["title"] or None)


def only_shown(document: Document, spans: Rationale) -> Document:
    """Every word outside the spans replaced by `FILLER`; punctuation and white space stay."""
    return hidden(document, complement(document, spans))


def hidden(document: Document, spans: Rationale) -> Document:
    """Every word of the spans replaced by `FILLER`; punctuation and white space stay."""
    kept = {}
    for field in FIELDS:
        text = document.field_text(field)
        pieces, reached = [], 0
        for span in merged(spans):
            if span.field == field:
                for start, end in words_of(document, span):
                    pieces += [text[reached:start], FILLER]
                    reached = end
        kept[field] = "".join([*pieces, text[reached:]])
    return replace(document, text=kept["text"], title=kept["title"] or None)


def complement(document: Document, spans: Rationale) -> Rationale:
    """What the spans do not cover, in reading order."""
    found = []
    for field in FIELDS:
        reached = 0
        for span in (*(s for s in merged(spans) if s.field == field), None):
            start = span.start if span else len(document.field_text(field))
            if start > reached:
                found.append(Span(reached, start, field))
            reached = span.end if span else reached
    return tuple(found)


def merged(spans: Iterable[Span]) -> Rationale:
    """The spans in reading order; those that overlap become one."""
    found: list[Span] = []
    for span in sorted(spans, key=reading_order):
        if found and found[-1].field == span.field and span.start < found[-1].end:
            found[-1] = replace(found[-1], end=max(found[-1].end, span.end))
        else:
            found.append(span)
    return tuple(found)
