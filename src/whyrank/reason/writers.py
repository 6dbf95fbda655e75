"""Who wrote a reason, and whether it keeps to what such a reason may hold. Pure.

Ours follows from numbers, and has them. One that a language model wrote has none of ours, says where a quote was not
found, and never passes for a reason where none was given.
"""

from collections import Counter
from collections.abc import Iterator, Sequence

from whyrank.reason.checks import Check
from whyrank.types import Comparison, Direct, Evidence, Explanations, Status

NO_REASON = "No reason was given"
"""How the text of a reason begins that its writer did not give."""

GIVEN: tuple[Status, ...] = ("ok", "repaired")
NOT_GIVEN: tuple[Status, ...] = ("refused", "truncated", "error")


def held(subject: str, reason: Direct | Comparison) -> Check:
    """Whether a reason holds what a reason of its writer may hold."""
    problems = list(_written(reason) if reason.source else _ours(reason))
    return Check("writer", subject, not problems, "; ".join(problems))


def named(subject: str, explanations: Explanations) -> Iterator[Check]:
    """Says of each language model that its words could not be checked."""
    reasons: list[Direct | Comparison] = [*explanations.direct, *explanations.comparisons]
    for source, count in Counter(reason.source for reason in reasons if reason.source).items():
        is_one = count == 1
        message = (
            f"{count} reason{'' if is_one else 's'} written by {source!r}: "
            f"{'its' if is_one else 'their'} quotes were looked up; the words follow from nothing that could be checked"
        )
        yield Check("writer", subject, True, message)


def has_numbers(reason: Direct | Comparison) -> bool:
    """Whether it explains a score or a margin."""
    if isinstance(reason, Direct):
        return bool(reason.terms) or reason.score is not None
    return bool(reason.differences) or reason.margin is not None


def quotes_of(reason: Direct | Comparison) -> tuple[Evidence, ...]:
    """All that it quotes."""
    return reason.evidence if isinstance(reason, Direct) else (*reason.upper_evidence, *reason.lower_evidence)


def _ours(reason: Direct | Comparison) -> Iterator[str]:
    turning = isinstance(reason, Comparison) and reason.counterfactual is not None
    if not has_numbers(reason) and not turning:
        yield "names no writer, and no numbers that its words could follow from; who wrote it belongs into 'source'"
    if reason.status != "ok":
        yield f"names no writer, yet has the status {reason.status!r}, which only a written reason can have"
    if isinstance(reason, Comparison) and (quotes_of(reason) or reason.agrees is not None):
        yield "names no writer, yet quotes or agrees as only a written comparison does"


def _written(reason: Direct | Comparison) -> Iterator[str]:
    quotes = quotes_of(reason)
    turning = isinstance(reason, Comparison) and reason.counterfactual is not None
    pointed = isinstance(reason, Direct) and reason.pointed is not None
    numbers = has_numbers(reason) or any(e.contribution is not None or e.query_terms for e in quotes)
    if numbers or turning or pointed:
        yield f"is written by {reason.source!r}, yet bears numbers of a score, which that writer did not make"
    if reason.status not in (*GIVEN, *NOT_GIVEN):
        yield f"has the status {reason.status!r}; expected one of {', '.join((*GIVEN, *NOT_GIVEN))}"
    if reason.status == "ok" and _lost(quotes):
        yield "has the status 'ok', yet a quote that was not found"
    yield from _given(reason, quotes)


def _given(reason: Direct | Comparison, quotes: Sequence[Evidence]) -> Iterator[str]:
    says_none = reason.text.startswith(NO_REASON)
    if reason.status in NOT_GIVEN and (quotes or not says_none):
        yield f"has the status {reason.status!r}, yet gives a reason or a quote"
    if reason.status in GIVEN and (says_none or not reason.text.strip()):
        yield f"has the status {reason.status!r}, yet gives no reason"


def _lost(quotes: Sequence[Evidence]) -> bool:
    return any(quote.span is None for quote in quotes)
