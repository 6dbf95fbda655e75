"""Why this document answers the query: the sentences that carry its score, and what else adds to it."""

from collections.abc import Sequence
from math import fsum
from typing import NamedTuple

from whyrank.errors import BadInput
from whyrank.reason.phrases import listing, meeting, number, part_name, place, quoted, sentence, worth_naming
from whyrank.types import Decomposition, Direct, Document, Evidence, Query, Span, Term

NEARLY_ALL, MOST = 0.9, 0.5
"""Shares of the sentence evidence above which we say so."""

NEARLY_AS_WELL = 0.75
"""A sentence that carries nothing is evidence too if it meets the query so well, as a share of the best: it says again
what another carries."""

NOTABLE = 0.1
"""What sentences take away is mentioned from this share of what others add."""

NEXT_TO_NOTHING = 0.002
"""What a part adds is told from this share of what the largest adds."""


class Carried(NamedTuple):
    """What one sentence adds to a score, and the query terms that gain from it, strongest first."""

    span: Span
    contribution: float
    query_terms: tuple[str, ...]


def carried(terms: Sequence[Term]) -> list[Carried]:
    """What each sentence adds, strongest first, ties in reading order. Units of the score.

    Terms that belong to no sentence (the whole document, the first stage …) are never spread over sentences.
    """
    by_span: dict[Span, list[Term]] = {}
    for term in terms:
        if term.span is not None:
            by_span.setdefault(term.span, []).append(term)
    sums = [Carried(span, fsum(t.value for t in own), _met(own)) for span, own in by_span.items()]
    return sorted(sums, key=lambda c: (-c.contribution, place(c.span)))


def elsewhere(terms: Sequence[Term]) -> dict[str, float]:
    """What each part adds that belongs to no sentence, in the order of the terms."""
    parts: dict[str, list[float]] = {}
    for term in terms:
        if term.span is None:
            parts.setdefault(term.part, []).append(term.value)
    return {part: fsum(values) for part, values in parts.items()}


def direct_reason(query: Query, document: Document, decomposition: Decomposition, *, max_evidence: int = 3) -> Direct:
    """Why `document` answers `query`, from its score taken apart.

    Args:
        query: the query.
        document: the document that was scored.
        decomposition: its score taken apart.
        max_evidence: how many sentences to give at most, the most telling first (`Decomposition.rationale`): those that
            add something, those that would, if another did not say the same (`NEARLY_AS_WELL`), and the one that is
            pointed at.

    Raises:
        BadInput: the decomposition is of another document, or has a span outside of it.
    """
    if decomposition.document_id != document.id:
        raise BadInput(
            f"query {query.id!r}: the decomposition is of document {decomposition.document_id!r}, the document is "
            f"{document.id!r}; give the two that belong together"
        )
    weights = {c.span: c for c in carried(decomposition.terms)}
    told = [weights.get(span, Carried(span, 0.0, ())) for span in decomposition.rationale()]
    alike = _alike(decomposition) if any(c.contribution > 0 for c in told) else frozenset()
    pointed = decomposition.pointed
    strong = [c for c in told if c.contribution > 0 or c.span == pointed or (c.contribution == 0 and c.span in alike)][
        :max_evidence
    ]
    evidence = tuple(
        Evidence(document.quote(c.span), c.span, c.contribution, worth_naming(c.query_terms)) for c in strong
    )
    return Direct(
        document_id=document.id,
        text=wording(document, decomposition.terms, pointed),
        evidence=evidence,
        score=decomposition.score,
        terms=decomposition.terms,
        pointed=pointed,
    )


def _alike(decomposition: Decomposition) -> frozenset[Span]:
    """The sentences that meet the query nearly as well as the best one does."""
    least = NEARLY_AS_WELL * max(decomposition.matches, default=0.0)
    pairs = zip(decomposition.sentences, decomposition.matches, strict=False)
    return frozenset(span for span, match in pairs if match >= least > 0)


def wording(document: Document, terms: Sequence[Term], pointed: Span | None = None) -> str:
    """The reason in English: a pure function of what is saved with it, so that it can be checked."""
    sentences = carried(terms)
    if any(c.contribution > 0 for c in sentences):
        first = _carrying(document, sentences)
    elif any(c.contribution < 0 for c in sentences):
        first = _against(document, sentences)
    elif not document.full_text.strip():
        first = "The document is empty."
    else:
        first = "No sentence of it carries any of the score."
    return " ".join(filter(None, [first, _pointing(document, sentences, pointed), _rest(elsewhere(terms))]))


def _pointing(document: Document, sentences: Sequence[Carried], pointed: Span | None) -> str:
    """Which sentence the student points at, unless there is but one."""
    if pointed is None or not document.without([pointed]).full_text.strip():
        return ""
    strongest = [c for c in sentences[:1] if c.contribution > 0]
    is_strongest = any(document.quote(c.span) == document.quote(pointed) for c in strongest)
    return sentence(
        f"the student points at {'the strongest sentence, too' if is_strongest else quoted(document, pointed)}"
    )


def _met(terms: Sequence[Term]) -> tuple[str, ...]:
    sums: dict[str, list[float]] = {}
    for term in terms:
        if term.query_term is not None:
            sums.setdefault(term.query_term, []).append(term.value)
    gains = {word: fsum(values) for word, values in sums.items()}
    return tuple(word for word in sorted(gains, key=lambda w: -gains[w]) if gains[word] > 0)


def _carrying(document: Document, sentences: Sequence[Carried]) -> str:
    adding = [c for c in sentences if c.contribution > 0]
    total = fsum(c.contribution for c in adding)
    best = adding[0]
    if len(adding) > 1 and best.contribution <= MOST * total:
        text = _shared(document, adding, total)
    else:
        text = _single(document, best, total, len(adding))
    taken = -fsum(c.contribution for c in sentences if c.contribution < 0)
    if taken >= NOTABLE * total:
        text += f"; other sentences take {number(taken)} away"
    return sentence(text)


def _single(document: Document, best: Carried, total: float, count: int) -> str:
    quote = quoted(document, best.span)
    met = meeting(best.query_terms, document.quote(best.span))
    also = f" and {met}" if met else ""
    share = f"({number(best.contribution)} of {number(total)})"
    if not document.without([best.span]).full_text.strip():
        return f"its only sentence, {quote}, adds {number(total)}{also}"
    if count == 1:
        return f"{quote} alone carries the sentence evidence ({number(total)}){also}"
    much = "nearly all" if best.contribution >= NEARLY_ALL * total else "most"
    return f"{quote} carries {much} of the sentence evidence {share}{also}"


def _shared(document: Document, adding: Sequence[Carried], total: float) -> str:
    best, second = adding[:2]
    both = best.contribution + second.contribution
    if len(adding) > 2 and both <= MOST * total:
        met = meeting(best.query_terms, document.quote(best.span))
        return (
            f"the sentence evidence ({number(total)}) is spread over {len(adding)} sentences; the strongest is "
            f"{quoted(document, best.span)} ({number(best.contribution)})" + (f", which {met}" if met else "")
        )
    met = meeting(
        best.query_terms + second.query_terms, f"{document.quote(best.span)} {document.quote(second.span)}", plural=True
    )
    pair = listing([f"{quoted(document, c.span)} ({number(c.contribution)})" for c in (best, second)])
    much = "all" if len(adding) == 2 else "most"
    share = f"({number(total)})" if len(adding) == 2 else f"({number(both)} of {number(total)})"
    return f"{pair} together carry {much} of the sentence evidence {share}" + (f" and {met}" if met else "")


def _against(document: Document, sentences: Sequence[Carried]) -> str:
    worst, total = sentences[-1], -fsum(c.contribution for c in sentences)
    most = ", most of all" if len(sentences) > 1 else ":"
    return sentence(
        f"no sentence of it speaks for it; its sentences take {number(total)} away{most} {quoted(document, worst.span)}"
    )


def _rest(parts: dict[str, float]) -> str:
    """What the parts add that belong to no sentence; the constant is the same for all documents and no reason.

    Nor is what is next to nothing: the terms have it.
    """
    kept = {part: value for part, value in parts.items() if value != 0 and part != "constant"}
    least = NEXT_TO_NOTHING * max(map(abs, kept.values()), default=0.0)
    reasons = {part: value for part, value in kept.items() if abs(value) >= least}
    clauses = [
        _clause("adds", {part: value for part, value in reasons.items() if value > 0}),
        _clause("takes away", {part: -value for part, value in reasons.items() if value < 0}),
    ]
    return sentence("; ".join(filter(None, clauses))) if reasons else ""


def _clause(verb: str, amounts: dict[str, float]) -> str:
    """The verb once, then the parts with their amounts: "the whole document adds 0.35, the first stage 0.12"."""
    verbs = [f"{verb} "] + [""] * len(amounts)
    return ", ".join(
        f"{part_name(p)} {v}{number(amount)}" for v, (p, amount) in zip(verbs, amounts.items(), strict=False)
    )
