"""Reasons written by a language model, beside a finished ranking: the order is read, never made, here.

A model's words follow from nothing that we could check but their quotes. So a written reason names its writer, bears no
number of ours, quotes by exact spans or says that a quote was not found, and a comparison is asked in both orders.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise, zip_longest
from time import perf_counter
from typing import NamedTuple, TypeAlias

from whyrank.errors import AccessDenied, BadInput, ModelError
from whyrank.lm.base import LM, Capability, Reply, check_capabilities
from whyrank.reason.quotes import find_quote, is_quote
from whyrank.reason.writers import NO_REASON
from whyrank.reason.written_answers import Answer, preferred, read_answer
from whyrank.reason.written_prompts import COMPARISON_FORM, DIRECT_FORM, SHORT_FORM, Asked, Side, Writer
from whyrank.types import (
    Comparison,
    Direct,
    Document,
    Evidence,
    Explanations,
    Progress,
    Ranking,
    Scorer,
    Status,
    Usage,
)

OnReason: TypeAlias = Callable[[Direct | Comparison], None]
"""Called with each reason when it is there, from whichever thread its answer arrives on, one at a time."""


class Outcome(NamedTuple):
    """A reason, and what became of each answer that it was made of."""

    reason: Direct | Comparison
    statuses: tuple[Status, ...]


@dataclass(frozen=True, slots=True)
class Task:
    """A reason to be written: what is asked for it, and how it is made of the replies."""

    asked: tuple[Asked, ...]
    make: Callable[[Sequence[Reply | ModelError]], Outcome]


def write_reasons(
    ranking: Ranking,
    lm: LM,
    *,
    top: int = 3,
    scorer: Scorer | None = None,
    swap: bool = True,
    max_tokens: int | None = None,
    on_reason: OnReason | None = None,
    progress: Progress | None = None,
) -> Explanations:
    """Why the best `top` documents answer the query and stand above the next, in the words of a language model.

    Args:
        ranking: a finished ranking. Hits that its ranker did not read are not explained.
        lm: the model that writes.
        top: how many documents get a direct reason and a comparison with the next one that was read, if there is one.
        scorer: any ranker whose scores can be taken apart; comparisons are then asked for with what the sentences of
            both documents add to its score, or take from it.
        swap: ask for each comparison once more with the two documents changed about (`Comparison.agrees`).
        max_tokens: most tokens of an answer; None for what the prompts suggest.
        on_reason: called with each reason as soon as it is there.
        progress: called with the answers that are there and those that will be.

    Returns:
        The reasons in rank order. A reason that the model did not give stands among them, and its text says so.

    Raises:
        BadInput: `top` is below zero, the model cannot write, or its context cannot hold the question.
        AccessDenied: the model takes no request at all.
    """
    [written] = write_reasons_many(
        [ranking],
        lm,
        top=top,
        scorer=scorer,
        swap=swap,
        max_tokens=max_tokens,
        on_reason=on_reason,
        progress=progress,
    )
    return written


def write_reasons_many(
    rankings: Sequence[Ranking],
    lm: LM,
    *,
    top: int = 3,
    scorer: Scorer | None = None,
    swap: bool = True,
    max_tokens: int | None = None,
    on_reason: OnReason | None = None,
    progress: Progress | None = None,
) -> list[Explanations]:
    """The same for many rankings; all that is asked goes to the model in one batch.

    Raises:
        BadInput: as `write_reasons`.
        AccessDenied: as `write_reasons`.
    """
    if top < 0:
        raise BadInput(f"top is {top}; give the number of documents to explain, 0 or more")
    check_capabilities(lm, [Capability.GENERATE], "writing reasons")
    started = perf_counter()
    sides = [_sides(ranking, top, scorer) for ranking in rankings]
    writers = [Writer(lm, ranking.query, max_tokens) for ranking in rankings]
    tasks = [list(_tasks(own, writer, top, swap)) for own, writer in zip(sides, writers, strict=True)]
    replies = _Replies([task for own in tasks for task in own], on_reason, progress)
    outcomes = iter(replies.ask(lm))
    seconds = (perf_counter() - started) / max(1, len(rankings))
    scored = [sum(side.decomposition is not None for side in own) for own in sides]
    return [
        _explanations([next(outcomes) for _ in own], Usage(documents=count, seconds=seconds))
        for own, count in zip(tasks, scored, strict=True)
    ]


def _sides(ranking: Ranking, top: int, scorer: Scorer | None) -> list[Side]:
    """The hits to write about, and the one after them."""
    shown = [hit for hit in ranking.hits if hit.is_read][: top + 1 if top else 0]
    if scorer is None or len(shown) < 2:
        return [Side(hit) for hit in shown]
    documents, first_scores = [hit.document for hit in shown], [hit.first_score for hit in shown]
    apart = scorer.decompose(ranking.query, documents, first_scores)
    return [Side(hit, decomposition) for hit, decomposition in zip(shown, apart, strict=True)]


def _tasks(sides: Sequence[Side], writer: Writer, top: int, swap: bool) -> Iterator[Task]:
    """What there is to write about a ranking, in the order in which it is read."""
    for side, pair in zip_longest(sides[:top], pairwise(sides)):
        asked = writer.why(side)
        yield Task((asked,), partial(_direct, writer.lm.name, side.hit.document.id, asked.shown[0]))
        if pair is not None:
            upper, lower = pair
            both = [writer.why_above(upper, lower), *([writer.which_above(lower, upper)] if swap else [])]
            ids = upper.hit.document.id, lower.hit.document.id
            yield Task(tuple(both), partial(_comparison, writer.lm.name, ids, both[0].shown))


class _Replies:
    """Gathers replies as they arrive, and makes each reason when all of its own are there."""

    def __init__(self, tasks: Sequence[Task], on_reason: OnReason | None, progress: Progress | None) -> None:
        self.tasks, self.on_reason, self.progress = tasks, on_reason, progress
        self.owner = [(number, part) for number, task in enumerate(tasks) for part in range(len(task.asked))]
        self.own: list[dict[int, Reply | ModelError]] = [{} for _ in tasks]
        self.outcomes: dict[int, tuple[Outcome, Usage]] = {}
        self.taken: set[int] = set()

    def ask(self, lm: LM) -> list[tuple[Outcome, Usage]]:
        """Ask for everything in one batch.

        Raises:
            AccessDenied: the model takes no request at all.
        """
        if not self.owner:
            return []
        replies = lm.ask([asked.request for task in self.tasks for asked in task.asked], self.take)
        for reply in replies:
            if isinstance(reply, AccessDenied):
                raise reply
        for place, reply in enumerate(replies):
            if place not in self.taken:
                self.take(place, reply)
        return [self.outcomes[number] for number in range(len(self.tasks))]

    def take(self, place: int, reply: Reply | ModelError) -> None:
        """Keep a reply; with the last one of a reason, make it."""
        number, part = self.owner[place]
        own = self.own[number]
        own[part] = reply
        self.taken.add(place)
        if self.progress is not None:
            self.progress(len(self.taken), len(self.owner))
        if len(own) < len(self.tasks[number].asked) or any(isinstance(r, AccessDenied) for r in own.values()):
            return
        outcome = self.tasks[number].make([own[p] for p in sorted(own)])
        spent = sum((reply.usage or Usage() for reply in own.values()), Usage())
        self.outcomes[number] = outcome, spent
        if self.on_reason is not None:
            self.on_reason(outcome.reason)


def _direct(source: str, document_id: str, shown: Document, replies: Sequence[Reply | ModelError]) -> Outcome:
    answer = read_answer(replies[0], DIRECT_FORM, needed="reason")
    evidence = _quoted(shown, answer.parts["quote"]) if answer.is_usable else ()
    status = _status(answer, evidence)
    return Outcome(Direct(document_id, _said(answer), evidence, source=source, status=status), (status,))


def _comparison(
    source: str, ids: tuple[str, str], shown: tuple[Document, ...], replies: Sequence[Reply | ModelError]
) -> Outcome:
    answer = read_answer(replies[0], COMPARISON_FORM, needed="reason")
    upper, lower = (
        _quoted(document, answer.parts[name]) if answer.is_usable else ()
        for document, name in zip(shown, ("quote_a", "quote_b"), strict=True)
    )
    status = _status(answer, (*upper, *lower))
    again = [read_answer(reply, SHORT_FORM, needed="better") for reply in replies[1:]]
    swapped = [preferred(other.parts.get("better", "")) for other in again]
    reason = Comparison(
        *ids,
        _said(answer),
        source=source,
        status=status,
        upper_evidence=upper,
        lower_evidence=lower,
        agrees=_agrees(preferred(answer.parts.get("better", "")), swapped),
    )
    unclear = [other.is_usable and better is None for other, better in zip(again, swapped, strict=True)]
    heard = ["error" if u else other.status for other, u in zip(again, unclear, strict=True)]
    return Outcome(reason, (status, *heard))


def _agrees(first: str | None, swapped: Sequence[str | None]) -> bool | None:
    """Whether the upper document is preferred: it is A in the first question, and B where the two changed places."""
    if first == "B" or "A" in swapped:
        return False
    return True if first == "A" and "B" in swapped else None


def _said(answer: Answer) -> str:
    return answer.parts["reason"].strip() if answer.is_usable else f"{NO_REASON}: {answer.missing}."


def _quoted(shown: Document, quote: str) -> tuple[Evidence, ...]:
    """The quote in the document's own words, or as the model gave it where the document does not hold it."""
    if not is_quote(quote):
        return ()
    span = find_quote(shown, quote)
    return (Evidence(shown.quote(span) if span else quote.strip(), span),)


def _status(answer: Answer, evidence: Sequence[Evidence]) -> Status:
    """That of the answer, unless it quotes what is not there."""
    return "repaired" if answer.is_usable and any(e.span is None for e in evidence) else answer.status


def _explanations(written: Sequence[tuple[Outcome, Usage]], beside: Usage) -> Explanations:
    """The reasons of one ranking; `beside` is what they cost apart from the model's tokens."""
    statuses = [status for outcome, _ in written for status in outcome.statuses]
    repaired = statuses.count("repaired")
    unusable = len(statuses) - statuses.count("ok") - repaired
    spent = replace(sum((usage for _, usage in written), Usage()), seconds=0.0, repaired=repaired, unusable=unusable)
    reasons = [outcome.reason for outcome, _ in written]
    return Explanations(
        direct=tuple(r for r in reasons if isinstance(r, Direct)),
        comparisons=tuple(r for r in reasons if isinstance(r, Comparison)),
        usage=spent + beside,
    )
