"""Why one document stands above another: their margin taken apart, and what would turn it."""

from collections.abc import Sequence
from dataclasses import replace
from math import fsum
from typing import Literal

from whyrank.errors import BadInput
from whyrank.reason import counterfactual as counterfactuals
from whyrank.reason.phrases import SIDE_LIMIT, asked, is_in, is_worth_naming, listing, number, quoted, sentence, stems
from whyrank.reason.sums import TOGETHER, Sum, by_source, by_subject
from whyrank.types import Comparison, Counterfactual, Decomposition, Difference, Document, Query, Span, Term

SHOWN = 2
"""Of each kind of thing that is named: sources, words, words that are missing, what speaks for the lower."""

NOTABLE = 1 / 3
"""A gain is mentioned beside the largest from this share of it."""

NOTABLE_WORD = 1 / 5
"""The words are named where the first of them gains this share of the largest source, or more."""

NOTABLE_AGAINST = 1 / 5
"""What speaks for the lower document is mentioned from this share of all that speaks for the upper."""

MOST = 1 / 2
TOLERANCE = 1e-9
"""What is smaller than this is rounding, and no reason."""


def compare(
    query: Query,
    upper: Document,
    lower: Document,
    upper_decomposition: Decomposition,
    lower_decomposition: Decomposition,
    counterfactual: Counterfactual | None = None,
) -> Comparison:
    """Why `upper` stands above `lower` for `query`.

    Args:
        query: the query.
        upper: the document that stands above.
        lower: the document that stands below.
        upper_decomposition: the upper document's score taken apart.
        lower_decomposition: the lower document's score taken apart.
        counterfactual: what would have to be missing from the upper document, if it was searched for.

    Returns:
        The margin (upper score less lower score) and its signed differences, largest first. They sum to the
        margin as exactly as the terms sum to their scores. The counterfactual gets its text.

    Raises:
        BadInput: a decomposition is of another document, or the upper document scores less than the lower.
    """
    margin = _margin(query, upper, lower, upper_decomposition, lower_decomposition)
    differences = differ(upper_decomposition.terms, lower_decomposition.terms)
    if counterfactual is not None:
        turning = counterfactuals.wording(upper, counterfactual, is_first_score_kept=is_first_score_kept(differences))
        counterfactual = replace(counterfactual, text=turning)
    return Comparison(
        upper_id=upper.id,
        lower_id=lower.id,
        text=wording(upper, lower, margin, differences),
        margin=margin,
        differences=differences,
        counterfactual=counterfactual,
    )


def differ(upper: Sequence[Term], lower: Sequence[Term]) -> tuple[Difference, ...]:
    """The signed differences of two scores, by part and query term, largest first.

    A side's span is the sentence from which it gets most of the summand; None where it has none.
    """
    ours, theirs = _grouped(upper), _grouped(lower)
    differences = [
        Difference(
            part=part,
            upper=fsum(t.value for t in ours.get((part, word), ())),
            lower=fsum(t.value for t in theirs.get((part, word), ())),
            query_term=word,
            upper_span=_strongest(ours.get((part, word), ())),
            lower_span=_strongest(theirs.get((part, word), ())),
        )
        for part, word in dict.fromkeys([*ours, *theirs])
    ]
    return tuple(sorted(differences, key=lambda d: -abs(d.value)))


def wording(upper: Document, lower: Document, margin: float, differences: Sequence[Difference]) -> str:
    """The comparison in English: a pure function of what is saved with it, so that it can be checked."""
    sources, subjects = ([s for s in cut(differences) if abs(s.value) > TOLERANCE] for cut in (by_source, by_subject))
    gains = [s for s in sources if s.value > 0]
    said = [_lead(margin, _notable(gains, NOTABLE * gains[0].value) if gains else [], sources)]
    said.append(_words(upper, lower, _named(subjects, gains)))
    said.append(_other(_never_said(upper, lower, subjects), _against(sources, subjects)))
    return " ".join(filter(None, said))


def is_first_score_kept(differences: Sequence[Difference]) -> bool:
    """Whether the upper document's score has a first stage in it, which a removal of sentences leaves as it was."""
    return any(d.part == "first stage" and d.upper != 0 for d in differences)


def _margin(query: Query, upper: Document, lower: Document, above: Decomposition, below: Decomposition) -> float:
    for document, decomposition in ((upper, above), (lower, below)):
        if decomposition.document_id != document.id:
            raise BadInput(
                f"query {query.id!r}: the decomposition is of document {decomposition.document_id!r}, the document "
                f"is {document.id!r}; give the two that belong together"
            )
    margin = above.score - below.score
    if margin < 0:
        raise BadInput(
            f"query {query.id!r}: document {upper.id!r} scores {above.score}, less than {lower.id!r} "
            f"with {below.score}; give the higher document first"
        )
    return margin


def _grouped(terms: Sequence[Term]) -> dict[tuple[str, str | None], list[Term]]:
    groups: dict[tuple[str, str | None], list[Term]] = {}
    for term in terms:
        groups.setdefault((term.part, term.query_term), []).append(term)
    return groups


def _strongest(terms: Sequence[Term]) -> Span | None:
    sums: dict[Span, list[float]] = {}
    for term in terms:
        if term.span is not None:
            sums.setdefault(term.span, []).append(term.value)
    return max(sums, key=lambda span: fsum(sums[span]), default=None)


def _notable(sums: Sequence[Sum], least: float) -> list[Sum]:
    return [s for s in sums if abs(s.value) >= least][:SHOWN]


def _lead(margin: float, gains: Sequence[Sum], sources: Sequence[Sum]) -> str:
    """By how much, and on what. Shares of the margin are claimed only where they are shares of it."""
    ahead = _ahead(gains)
    if margin == 0:
        tie = sentence("both score the same, and ties keep the order in which the documents were given")
        return f"{tie} It is ahead {ahead}." if gains else f"{tie[:-1]}; no part of the score tells them apart."
    total = fsum(s.value for s in gains)
    if not MOST * margin < total <= margin + TOLERANCE:
        return sentence(f"leads by {number(margin)}" + (f": ahead {ahead}" if gains else ""))
    if len(sources) == 1:
        return sentence(f"leads by {number(margin)}, all of it on {gains[0].title}")
    mostly = listing([f"{s.title} ({number(s.value)})" for s in gains])
    return sentence(f"leads by {number(margin)}, mostly on {mostly}")


def _named(subjects: Sequence[Sum], gains: Sequence[Sum]) -> list[Sum]:
    """The words that speak most for the upper document, if they matter beside all that does.

    Function words say nothing to a reader, but where they gain more than the first word, they are not passed over.
    """
    words = [s for s in subjects if s.kind == "word" and s.value > 0]
    if not words or words[0].value < NOTABLE_WORD * max((s.value for s in gains), default=0.0):
        return []
    small = [s for s in subjects if s.kind == "words" and s.value > words[0].value]
    return [words[0], *small] if small else _notable(words, NOTABLE * words[0].value)


def _words(upper: Document, lower: Document, named: Sequence[Sum]) -> str:
    """The words, and the sentences that the strongest gets most from, one a side."""
    if not named:
        return ""
    sides = [(_source(word, "upper"), _source(word, "lower")) for word in named]
    ours, theirs = sides[0]
    quotes = quoted(upper, ours, SIDE_LIMIT) if ours else ""
    if quotes and theirs:
        quotes += f" against {quoted(lower, theirs, SIDE_LIMIT)}"
    met = _met_better(named)
    if quotes and len(set(sides)) > 1:
        return sentence(f"it meets {listing([f'{met[0]} ({quotes})', *met[1:]])}")
    return sentence(f"it meets {listing(met)}" + (f": {quotes}" if quotes else ""))


def _met_better(words: Sequence[Sum]) -> list[str]:
    better = ["better ", *[""] * len(words)]
    names = [asked(s.name) if s.kind == "word" else f"the {s.name}" for s in words]
    return [f"{name} {b}by {number(abs(s.value))}" for name, s, b in zip(names, words, better, strict=False)]


def _source(word: Sum, side: Literal["upper", "lower"]) -> Span | None:
    """The sentence that gives this side most, in the part that gives it most for the word; None for no gain."""
    given = {"upper": lambda d: (d.upper, d.upper_span), "lower": lambda d: (d.lower, d.lower_span)}[side]
    value, span = max(map(given, word.members), key=lambda v: v[0])
    return span if value > 0 else None


def _never_said(upper: Document, lower: Document, subjects: Sequence[Sum]) -> list[str]:
    """Query words that speak for the upper, stand in a sentence that carries them, and nowhere in the lower."""
    theirs = stems(lower.full_text)
    words = [s for s in subjects if s.kind == "word" and s.value > 0 and is_worth_naming(s.name)]
    return [
        s.name
        for s in words
        if not stems(s.name) & theirs
        and any(d.upper_span and is_in(s.name, upper.quote(d.upper_span)) for d in s.members)
    ][:SHOWN]


def _against(sources: Sequence[Sum], subjects: Sequence[Sum]) -> list[Sum]:
    """What speaks most for the lower: words one by one only where the words together do not."""
    total = fsum(s.value for s in subjects if s.value > 0)
    losses = [s._replace(name=TOGETHER) if s.kind == "words" else s for s in sources if s.value < 0]
    if not any(s.kind == "words" for s in losses):
        losses += [s for s in subjects if s.kind != "part" and s.value < 0]
    return _notable(sorted(losses, key=lambda s: s.value), NOTABLE_AGAINST * total)


def _other(missing: Sequence[str], against: Sequence[Sum]) -> str:
    """What the lower document lacks and what it is ahead on."""
    never = [f"never says {listing([asked(word) for word in missing], 'or')}"] if missing else []
    others = [s for s in against if s.kind == "part" or s.name == TOGETHER]
    words = [s for s in against if s not in others]
    met = [f"meets {listing(_met_better(words))}"] if words else []
    ahead = [f"is ahead {_ahead(others)}"] if others else []
    better = listing(met + ahead)
    said = ", but ".join(filter(None, [*never, better]))
    return sentence(f"the other {said}") if said else ""


def _ahead(sums: Sequence[Sum]) -> str:
    return listing([f"on {s.title} by {number(abs(s.value))}" for s in sums])
