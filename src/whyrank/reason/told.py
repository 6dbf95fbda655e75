"""Reasons by the ranker that made the order, in its own words: a student that was taught to give them.

As with reasons by a language model, the words follow from nothing that could be checked but their quotes. So such a
reason names its writer, bears no number of ours, and what it puts in quotation marks is looked up.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import zip_longest
from typing import Protocol, runtime_checkable

from whyrank.errors import BadInput
from whyrank.rankers.student import Asked, Said
from whyrank.rankers.student_prompt import Kind
from whyrank.reason.quotes import find_quote
from whyrank.reason.writers import NO_REASON
from whyrank.types import Comparison, Direct, Document, Evidence, Explanations, Hit, Ranking, Status, Usage

QUOTED = re.compile(r'“([^“”]{1,2000})”|(?<!\w)"([^"]{1,2000})"(?!\w)')
_SENTENCE_END = re.compile(r"[.!?][\"”’)]*(?=\s|$)")
LEAST_WORDS = 2
"""A single word in quotation marks names a word and quotes no passage."""


@runtime_checkable
class Teller(Protocol):
    """A ranker that writes reasons for its own order."""

    @property
    def name(self) -> str:
        """What reasons are signed with."""
        ...

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """The kinds of reasons that it can write."""
        ...

    def reasons(self, asked: Sequence[Asked]) -> list[Said]:
        """What it says, in order."""
        ...


def tell_reasons(ranking: Ranking, teller: Teller, *, top: int = 3) -> Explanations:
    """Why the best `top` documents answer the query and stand above the next, in the words of their ranker.

    Args:
        ranking: a finished ranking. Hits that its ranker did not read are not explained.
        teller: what made it.
        top: how many documents get a direct reason and a comparison with the next one that was read; only those kinds
            of reasons that the teller can write.

    Returns:
        The reasons in rank order. One that the teller did not give stands among them, and its text says so.

    Raises:
        BadInput: `top` is below zero, or the teller gives no reasons.
    """
    if top < 0:
        raise BadInput(f"top is {top}; give the number of documents to explain, 0 or more")
    if not teller.kinds:
        raise BadInput(f"{teller.name} was not taught to give reasons; name a language model that can write them")
    wanted = list(_wanted([hit for hit in ranking.hits if hit.is_read], top, teller.kinds))
    query = ranking.query.text
    asked = [
        Asked("direct", query, hit.document.full_text)
        if lower is None
        else Asked("comparison", query, hit.document.full_text, lower.document.full_text)
        for hit, lower in wanted
    ]
    said = teller.reasons(asked) if asked else []
    given = [_given(teller.name, hit, lower, one) for (hit, lower), one in zip(wanted, said, strict=True)]
    statuses = [reason.status for reason in given]
    repaired = statuses.count("repaired")
    spent = sum((one.usage for one in said), Usage())
    return Explanations(
        direct=tuple(reason for reason in given if isinstance(reason, Direct)),
        comparisons=tuple(reason for reason in given if isinstance(reason, Comparison)),
        usage=replace(spent, repaired=repaired, unusable=len(statuses) - statuses.count("ok") - repaired),
    )


def _wanted(hits: Sequence[Hit], top: int, kinds: Sequence[Kind]) -> Iterator[tuple[Hit, Hit | None]]:
    """What there is to say: of a hit alone, or of a hit and the next one below it."""
    for hit, lower in zip_longest(hits[:top], hits[1 : top + 1]):
        if "direct" in kinds and hit is not None:
            yield hit, None
        if "comparison" in kinds and hit is not None and lower is not None:
            yield hit, lower


def _given(source: str, hit: Hit, lower: Hit | None, said: Said) -> Direct | Comparison:
    text, status = _text(said)
    documents = [hit.document] if lower is None else [hit.document, lower.document]
    quotes = looked_up(text, documents) if status in ("ok", "repaired") else [()] * len(documents)
    if any(quote.span is None for own in quotes for quote in own):
        status = "repaired"
    if lower is None:
        return Direct(hit.document.id, text, quotes[0], source=source, status=status)
    return Comparison(
        hit.document.id,
        lower.document.id,
        text,
        source=source,
        status=status,
        upper_evidence=quotes[0],
        lower_evidence=quotes[1],
    )


def _text(said: Said) -> tuple[str, Status]:
    """The words, down to the last whole sentence where they broke off; or that there are none."""
    if said.finish == "stop":
        is_said = any(map(str.isalnum, said.text)) and not said.text.startswith(NO_REASON)
        return (said.text, "ok") if is_said else (f"{NO_REASON}: the answer is empty.", "error")
    ends = [match.end() for match in _SENTENCE_END.finditer(said.text)]
    if not ends or not any(map(str.isalnum, said.text[: ends[-1]])):
        return f"{NO_REASON}: the answer broke off.", "truncated"
    return f"{said.text[: ends[-1]]} …", "repaired"


def looked_up(text: str, documents: Sequence[Document]) -> list[tuple[Evidence, ...]]:
    """What is quoted of each document, in the document's own words; what none of them holds, under the first."""
    found: list[list[Evidence]] = [[] for _ in documents]
    for match in QUOTED.finditer(text):
        quote = (match[1] or match[2]).strip()
        if len(quote.split()) < LEAST_WORDS:
            continue
        spans = [find_quote(document, quote) for document in documents]
        place = next((n for n, span in enumerate(spans) if span is not None), 0)
        span = spans[place]
        found[place].append(Evidence(documents[place].quote(span) if span else quote, span))
    return [tuple(own) for own in found]
