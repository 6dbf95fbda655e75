"""Whether an English text says what the numbers beside it say. Pure."""

import re
from collections.abc import Iterable, Sequence
from math import fsum, isfinite
from typing import NamedTuple

from whyrank.reason.direct import carried, elsewhere
from whyrank.reason.phrases import QUOTE_LIMIT, SIDE_LIMIT, clipped
from whyrank.reason.sums import by_part, by_source, by_subject
from whyrank.types import Comparison, Direct, Document, Query, Span

_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_DECIMAL = re.compile(r"-?\d+\.\d+")
_QUOTE = re.compile(r"“([^”]*)”")


class Verdict(NamedTuple):
    """What is wrong with a text, and whether it is in this version's own wording, which checks every word of it."""

    problems: tuple[str, ...]
    is_own_wording: bool


def judge(
    text: str, expected: str, values: Iterable[float], quotable: Sequence[tuple[Document, Span]], query: Query
) -> Verdict:
    """Compare a saved text with what the saved numbers say.

    A text of another version or writer is held to less: each number with a decimal point must be one of
    `values` at its own rounding, and each quote must stand in one of the documents.

    Args:
        text: the saved text.
        expected: what this version writes from the saved numbers.
        values: every number that the text may state.
        quotable: the sentences that the numbers speak about.
        query: the query, whose words may hold numbers.
    """
    if text == expected:
        return Verdict((), is_own_wording=True)
    if _NUMBER.sub("#", text) == _NUMBER.sub("#", expected):
        pairs = zip(_NUMBER.findall(text), _NUMBER.findall(expected), strict=True)
        problems = [f"says {said} where the numbers give {given}" for said, given in pairs if said != given]
        return Verdict(tuple(problems), is_own_wording=True)
    own_words = _without_quotes(text, quotable)
    sources = [document.field_text(span.field) for document, span in quotable]
    problems = [f"quotes “{q}”, which is in neither text" for q in _QUOTE.findall(own_words) if not _stands(q, sources)]
    allowed = [*values, *map(float, _NUMBER.findall(query.text))]
    problems += [
        f"says {said}, which none of the numbers gives"
        for said in _DECIMAL.findall(_QUOTE.sub("", own_words))
        if not _is_rounded(said, allowed)
    ]
    return Verdict(tuple(problems), is_own_wording=False)


def direct_values(direct: Direct) -> list[float]:
    """Every number that a direct reason may state."""
    sums = [c.contribution for c in carried(direct.terms)]
    adding = fsum(s for s in sums if s > 0)
    pairs = [a + b for i, a in enumerate(sums) for b in sums[:i]]
    own = [direct.score] if direct.score is not None else []
    parts = elsewhere(direct.terms).values()
    return [*own, *(t.value for t in direct.terms), *sums, *pairs, adding, fsum(sums), fsum(sums) - adding, *parts]


def comparison_values(comparison: Comparison) -> list[float]:
    """Every number that a comparison may state."""
    found = comparison.counterfactual
    given = comparison.differences
    values = [v for d in given for v in (d.upper, d.lower, d.value)]
    sums = [*by_subject(given), *by_source(given), *by_part(given)]
    values += [v for s in sums for v in (s.upper, s.lower, s.value)]
    values += [comparison.margin] if comparison.margin is not None else []
    return values + ([found.score] if found is not None and found.score is not None else [])


def _without_quotes(text: str, quotable: Sequence[tuple[Document, Span]]) -> str:
    """The text less the sentences it may quote; they go first because they may hold quotation marks themselves."""
    whole = {document.quote(span) for document, span in quotable}
    forms = {f"“{clipped(quote, limit)}”" for quote in whole for limit in (QUOTE_LIMIT, SIDE_LIMIT)}
    for form in sorted(forms, key=lambda f: (-len(f), f)):
        text = text.replace(form, "")
    return text


def _stands(quote: str, sources: Sequence[str]) -> bool:
    words = quote.removesuffix("…").rstrip() if quote.endswith(" …") else quote
    return any(words in source for source in sources)


def _is_rounded(said: str, values: Iterable[float]) -> bool:
    """Whether a printed number is one of the values, or its size, at the rounding it was printed with."""
    half_a_unit = 0.5000001 * 10.0 ** -len(said.partition(".")[2])
    return any(abs(abs(v) - abs(float(said))) <= half_a_unit for v in values if isfinite(v))
