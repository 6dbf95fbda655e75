"""A judge's question to a language model, as a generator: it yields requests, is sent replies, returns a verdict.

So that asking again, asking for the end of a thought, or asking about halves is plain code in one place, and the
requests of all open questions still go to the model in one batch (`converse`), as those of a ranking algorithm do
(`whyrank.rankers.flow`).
"""

import math
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Generic, NamedTuple, Protocol, TypeAlias, TypeVar

from whyrank.errors import AccessDenied, BudgetSpent, ModelError, ModelUnavailable
from whyrank.lm.base import LM, Capability, Reply, Request
from whyrank.rankers.algorithms import Judge as Kind
from whyrank.rankers.flow import Question
from whyrank.rankers.matter import Matter
from whyrank.types import Status, Usage

A = TypeVar("A")
B = TypeVar("B")
A_co = TypeVar("A_co", covariant=True)

SEVERITY: Mapping[Status, int] = {"ok": 0, "repaired": 1, "truncated": 2, "refused": 3, "error": 4, "partial": 5}
"""How bad a status is; a ranking has that of its worst answer."""
UNUSABLE = SEVERITY["truncated"]


@dataclass(frozen=True, slots=True)
class Verdict(Generic[A_co]):
    """What a question came to.

    Attributes:
        value: the answer, of the type that the judge's kind has; where the model gave none, what changes nothing.
        status: "ok", "repaired", or why the model's answer was not used.
        notes: what was repaired, or what went wrong, in words.
        heard: the status of each answer that was heard on the way, the last included.
    """

    value: A_co
    status: Status = "ok"
    notes: tuple[str, ...] = ()
    heard: tuple[Status, ...] = ()

    def of(self, value: B) -> "Verdict[B]":
        """The same verdict, with another value."""
        return Verdict(value, self.status, self.notes, self.heard)


Asking: TypeAlias = Generator[list[Request], list[Reply | ModelError], Verdict[A]]


class Judge(Protocol[A_co]):
    """Turns a question about documents into requests to a model, and the model's replies into an answer."""

    @property
    def name(self) -> str:
        """What it asks and how; part of a ranker's name."""
        ...

    @property
    def kind(self) -> Kind:
        """The kind of question, and with it the type of an answer."""
        ...

    @property
    def needs(self) -> frozenset[Capability]:
        """What a model must be able to do."""
        ...

    def ask(self, matter: Matter, question: Question) -> Asking[A_co]:
        """The conversation about one question."""
        ...

    def answer_tokens(self, count: int, /) -> int:
        """Most tokens of an answer about `count` documents, reasoning included."""
        ...

    def expected(self, labels: Sequence[str], /) -> Reply:
        """A plausible answer about documents of these labels: for rehearsals, which ask nobody."""
        ...


class Heard(NamedTuple, Generic[A]):
    """A verdict and what it cost."""

    verdict: Verdict[A]
    usage: Usage


def converse(askings: Sequence[Asking[A]], lm: LM) -> list[Heard[A]]:
    """Hold conversations side by side, the open requests of all in one batch.

    Raises:
        AccessDenied: the model takes no request at all, so there is nothing to fall back from.
    """
    usages = [Usage()] * len(askings)
    verdicts: dict[int, Verdict[A]] = {}
    waiting: dict[int, list[Request]] = {}

    def go_on(place: int, replies: list[Reply | ModelError] | None) -> None:
        asking = askings[place]
        try:
            waiting[place] = next(asking) if replies is None else asking.send(replies)
        except StopIteration as stop:
            verdicts[place] = stop.value

    for place in range(len(askings)):
        go_on(place, None)
    while waiting:
        asked, waiting = waiting, {}
        replies = iter(_replies(lm, [request for requests in asked.values() for request in requests]))
        for place, requests in asked.items():
            own = [next(replies) for _ in requests]
            usages[place] = sum((reply.usage or Usage() for reply in own), usages[place])
            go_on(place, own)
    return [Heard(verdicts[place], _counted(usages[place], verdicts[place])) for place in range(len(askings))]


def _replies(lm: LM, requests: list[Request]) -> list[Reply | ModelError]:
    replies = lm.ask(requests)
    for reply in replies:
        if isinstance(reply, AccessDenied):
            raise reply
    return replies


def _counted(usage: Usage, verdict: Verdict[A]) -> Usage:
    if verdict.heard == ("ok",):
        return usage
    repaired = verdict.heard.count("repaired")
    unusable = sum(SEVERITY[status] >= UNUSABLE for status in verdict.heard)
    return replace(usage, repaired=repaired, unusable=unusable)


def unanswered(value: A, error: ModelError) -> Verdict[A]:
    """The verdict on a question whose request failed: nothing changes.

    Where the model was not reached or not asked, another day may bring an answer: that is "partial".
    """
    status: Status = "partial" if isinstance(error, BudgetSpent | ModelUnavailable) else "error"
    return Verdict(value, status, (str(error),), (status,))


def judged(reply: Reply | ModelError, nothing: A, judge: Callable[[Sequence[float]], A]) -> Verdict[A]:
    """The verdict that likelihoods make.

    Args:
        reply: with likelihoods.
        nothing: the value that changes nothing, where there are none, or they are no numbers (weights that overflow).
        judge: what they mean.
    """
    if isinstance(reply, ModelError):
        return unanswered(nothing, reply)
    if not reply.logprobs or not all(math.isfinite(value) for value in reply.logprobs):
        return Verdict(nothing, "error", ("the model's likelihoods are no numbers",), ("error",))
    return Verdict(judge(reply.logprobs), heard=("ok",))
