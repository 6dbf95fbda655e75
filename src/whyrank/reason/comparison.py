"""Why one document stands above another: their margin taken apart, and what would turn it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import fsum
from typing import NamedTuple

from whyrank.errors import BadInput
from whyrank.reason.phrases import (
    MENTION_LIMIT,
    SIDE_LIMIT,
    asked,
    is_in,
    is_worth_naming,
    listing,
    number,
    part_name,
    quoted,
    sentence,
    stems,
)
from whyrank.types import Comparison, Counterfactual, Decomposition, Difference, Document, Query, Span, Term

PARTS_SHOWN = 3
WORDS_SHOWN = 2
MISSING_SHOWN = 3
NOTABLE = 1 / 3
"""A difference is mentioned beside the largest from this share of it."""

NOTABLE_AGAINST = 0.1
"""What speaks for the lower document is mentioned from this share of what speaks for the upper."""

QUOTES_SHOWN = 3


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
        margin as exactly as the terms sum to their scores.

    Raises:
        BadInput: a decomposition is of another document, or the upper document scores less than the lower.
    """
    for document, decomposition in ((upper, upper_decomposition), (lower, lower_decomposition)):
        if decomposition.document_id != document.id:
            raise BadInput(
                f"query {query.id!r}: the decomposition is of document {decomposition.document_id!r}, the document "
                f"is {document.id!r}; give the two that belong together"
            )
    margin = upper_decomposition.score - lower_decomposition.score
    if margin < 0:
        raise BadInput(
            f"query {query.id!r}: document {upper.id!r} scores {upper_decomposition.score}, less than {lower.id!r} "
            f"with {lower_decomposition.score}; give the higher document first"
        )
    differences = differ(upper_decomposition.terms, lower_decomposition.terms)
    return Comparison(
        upper_id=upper.id,
        lower_id=lower.id,
        text=wording(upper, lower, margin, differences, counterfactual),
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


def wording(
    upper: Document,
    lower: Document,
    margin: float,
    differences: Sequence[Difference],
    counterfactual: Counterfactual | None,
) -> str:
    """The comparison in English: a pure function of what is saved with it, so that it can be checked."""
    parts = sums_by_part(differences)
    gains, losses = [p for p in parts if p.value > 0], [p for p in parts if p.value < 0]
    said = [_lead(margin, _Sides(upper, lower), _notable(gains, NOTABLE * gains[0].value) if gains else [])]
    said.append(_never_said(upper, lower, differences))
    against = _notable(losses, NOTABLE_AGAINST * fsum(p.value for p in gains))
    if against:
        behind = [f"{_subject(p)} by {number(-p.value)}" for p in against]
        said.append(sentence(f"the other is ahead on {listing(behind)}"))
    if counterfactual is not None:
        kept = any(d.part == "first stage" and d.upper != 0 for d in differences)
        said.append(_what_if(upper, counterfactual, is_first_score_kept=kept))
    return " ".join(filter(None, said))


class PartSum(NamedTuple):
    """What a part gives each side, over all query terms, and the differences that it is made of."""

    part: str
    upper: float
    lower: float
    members: tuple[Difference, ...]

    @property
    def value(self) -> float:
        """Positive where it speaks for the upper document."""
        return self.upper - self.lower


def sums_by_part(differences: Sequence[Difference]) -> list[PartSum]:
    """The differences of each part taken together, largest first: words are many and small one by one."""
    parts: dict[str, list[Difference]] = {}
    for difference in differences:
        parts.setdefault(difference.part, []).append(difference)
    sums = [PartSum(p, fsum(d.upper for d in ds), fsum(d.lower for d in ds), tuple(ds)) for p, ds in parts.items()]
    return sorted(sums, key=lambda p: -abs(p.value))


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


def _notable(parts: Sequence[PartSum], least: float) -> list[PartSum]:
    return [p for p in parts if abs(p.value) >= least][:PARTS_SHOWN]


def _subject(part: PartSum) -> str:
    word = part.members[0].query_term
    return part_name(part.part) if word is None or len(part.members) > 1 else asked(word)


def _lead(margin: float, sides: "_Sides", gains: Sequence[PartSum]) -> str:
    ahead = ", on ".join(f"{_subject(p)} {sides.of_part(p)}" for p in gains)
    named = [sides.of_words(p) for p in gains if len(p.members) > 1]
    words = [sentence(text) for text in named if text]
    if margin == 0:
        tie = "both score the same, and ties keep the order in which the documents were given"
        if not gains:
            return sentence(f"{tie}; no part of the score tells them apart")
        return " ".join([sentence(tie), sentence(f"it is ahead on {ahead}"), *words])
    return " ".join([sentence(f"it leads by {number(margin)}" + (f": on {ahead}" if ahead else "")), *words])


@dataclass
class _Sides:
    """Writes what each side gets, "0.12 (“…”) against 0.03 (“…”)"; a sentence is quoted once."""

    upper: Document
    lower: Document
    quoted_already: set[tuple[str, Span]] = field(default_factory=set)

    def of_part(self, part: PartSum) -> str:
        if len(part.members) == 1:
            return self._of(part.members[0])
        return " against ".join(number(value) if value else "nothing" for value in (part.upper, part.lower))

    def of_words(self, part: PartSum) -> str:
        """The query terms that a part is most ahead on; "" for none."""
        gains = [d for d in part.members if d.value > 0 and d.query_term]
        named = [d for d in gains if is_worth_naming(d.query_term or "")] or gains
        strong = [d for d in named if d.value >= NOTABLE * named[0].value][:WORDS_SHOWN]
        said = [f"{asked(d.query_term or '')}{'' if n else ' brings'} {self._of(d)}" for n, d in enumerate(strong)]
        return f"of {part_name(part.part)}, {listing(said)}" if said else ""

    def _of(self, difference: Difference) -> str:
        upper = self._side(difference.upper, self.upper, difference.upper_span)
        return f"{upper} against {self._side(difference.lower, self.lower, difference.lower_span)}"

    def _side(self, value: float, document: Document, span: Span | None) -> str:
        if value == 0:
            return "nothing"
        if span is None or (document.id, span) in self.quoted_already:
            return number(value)
        self.quoted_already.add((document.id, span))
        return f"{number(value)} ({quoted(document, span, SIDE_LIMIT)})"


def _never_said(upper: Document, lower: Document, differences: Sequence[Difference]) -> str:
    """Query words that speak for the upper, stand in the sentence that carries them, and nowhere in the lower."""
    words = dict.fromkeys(
        d.query_term
        for d in differences
        if d.value > 0 and d.query_term and d.upper_span and is_in(d.query_term, upper.quote(d.upper_span))
    )
    theirs = stems(lower.full_text)
    missing = [asked(word) for word in words if is_worth_naming(word) and not stems(word) & theirs]
    return sentence(f"the other never says {listing(missing[:MISSING_SHOWN], 'or')}") if missing else ""


def _what_if(upper: Document, found: Counterfactual, *, is_first_score_kept: bool) -> str:
    if found.status == "impossible":
        return "No removal of its sentences would put it behind the other."
    if found.status == "unknown":
        return sentence(
            f"whether removing sentences would put it behind the other was not found out ({found.rescored} tries)"
        )
    spans = found.removed[:QUOTES_SHOWN]
    quotes = [quoted(upper, span, MENTION_LIMIT) for span in spans]
    count, rest = len(found.removed), len(found.removed) - len(spans)
    if rest:
        quotes.append(f"{rest} more")
    these = quotes[0] if count == 1 else f"these {count} sentences{'' if found.minimal else ' (fewer may do)'}"
    kept = ", its first-stage score kept," if is_first_score_kept else ""
    score = "" if found.score is None else f" score {number(found.score)} and"
    listed = "" if count == 1 else f": {listing(quotes)}"
    return sentence(f"without {these}{kept} it would{score} fall behind the other{listed}")
