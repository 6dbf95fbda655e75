"""A language model behind a network: what all such backends share.

A transport makes one call; everything around it is here: calls side by side, further tries, the time limit, the
budget, several servers, and what happens when the user breaks off.
"""

import queue
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import ClassVar, Protocol, Self

from whyrank.errors import BadInput, ModelError, ModelUnavailable, UnusableReply
from whyrank.lm.base import (
    NEEDS,
    Capability,
    Choose,
    Generate,
    Likelihood,
    OnReply,
    Prompt,
    Reply,
    Request,
    Tokens,
    check_capabilities,
)
from whyrank.lm.budget import Reservation
from whyrank.lm.estimate import EstimatedTokens
from whyrank.lm.failures import CallFailed
from whyrank.lm.limits import Limits, Timing
from whyrank.lm.prices import Price
from whyrank.lm.replicas import Replica, Replicas
from whyrank.types import Usage

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
UNUSABLE_RETRIES = 1
"""A page of HTML in place of an answer is seldom a stumble: asked for once more, not as often as the rest."""
BYTES_A_TURN = 32
"""What a chat template writes around a turn, at most."""
MOMENT_S = 0.001
WATCH_S = 0.2
"""How often a waiting `ask` looks at its deadline; on Windows also at Ctrl-C."""


class Transport(Protocol):
    """Makes one call to one server. Threads share it."""

    def send(self, request: Request, url: str, timeout_s: float) -> Reply:
        """Ask, and read the answer. The reply's usage holds the tokens that the server counted.

        A reply may hold fewer answers than `Generate.n`; the rest is then asked for.

        Raises:
            CallFailed: there is no answer.
        """
        ...

    def close(self) -> None:
        """End its connections."""
        ...


@dataclass(slots=True)
class _Work:
    """One `ask`: what is still to do, and what has come."""

    requests: Sequence[Request]
    deadline: float
    todo: "queue.SimpleQueue[int]" = field(default_factory=queue.SimpleQueue)
    done: "queue.SimpleQueue[tuple[int, Reply | BaseException]]" = field(default_factory=queue.SimpleQueue)
    stopped: threading.Event = field(default_factory=threading.Event)
    denied: ModelError | None = None


class Remote:
    """A language model behind a transport. Implements `LM`.

    The usage of a reply counts every try as a call and the seconds of all of them.

    Args:
        transport: makes one call.
        name: what results are signed with.
        urls: of servers that run the same model; the least busy is asked.
        capabilities: what it can do.
        limits: what holds it in bounds.
        price: of its tokens; None where it is unknown.
        context: most tokens of prompt and answer together; None where nobody knows.
        tokens: counts as the model does; None estimates.
        controls: texts that the model's tokenizer reads as control tokens.
        timing: clock, waiting and chance.

    Raises:
        BadInput: the budget limits money and the price is unknown.
    """

    takes_texts: ClassVar[bool] = True
    """Whether prompts may be texts; False where the interface has only conversations."""

    def __init__(
        self,
        transport: Transport,
        *,
        name: str,
        urls: Sequence[str],
        capabilities: frozenset[Capability],
        limits: Limits,
        price: Price | None = None,
        context: int | None = None,
        tokens: Tokens | None = None,
        controls: tuple[str, ...] = (),
        timing: Timing | None = None,
    ) -> None:
        if limits.budget is not None and limits.budget.max_cost is not None and price is None:
            raise BadInput(
                f"the budget limits money, and the price of {name} is unknown: give its price in dollars for a million "
                "tokens of prompts and answers, --config 'model.price=[0.4, 1.6]' (in Python: price=(0.4, 1.6)), "
                "or limit tokens (--max-tokens)"
            )
        self.name = name
        self.capabilities = capabilities
        self.context = context
        self.tokens: Tokens = tokens or EstimatedTokens()
        self.controls = controls
        self.price = price
        self._transport = transport
        self._limits = limits
        self._timing = timing or Timing()
        self._replicas = Replicas(urls, limits.concurrency, limits.breaker, self._timing.now)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the connections. What is asked afterwards opens new ones."""
        self._transport.close()

    def ask(self, requests: Sequence[Request], on_reply: OnReply | None = None) -> list[Reply | ModelError]:
        """One reply or error for each request, in order.

        `on_reply` is called from the calling thread. An exception, Ctrl-C among them, ends the work: what waits is not
        sent, and calls under way end unheard within their time-out.

        Raises:
            BadInput: a request outside the capabilities, or one that makes no sense.
        """
        self._check(requests)
        limit = self._limits.deadline_s
        work = _Work(requests, float("inf") if limit is None else self._timing.now() + limit)
        for place in range(len(requests)):
            work.todo.put(place)
        try:
            for _ in range(min(self._limits.concurrency, len(requests))):
                threading.Thread(target=self._serve, args=(work,), name=self.name, daemon=True).start()
            return self._collect(work, on_reply)
        finally:
            work.stopped.set()

    def _check(self, requests: Sequence[Request]) -> None:
        check_capabilities(self, {NEEDS[type(request)] for request in requests}, "a request")
        for request in requests:
            if isinstance(request, Choose) and not request.choices:
                raise BadInput("a choice without choices; give at least one text")
            if isinstance(request, Generate) and (request.n < 1 or request.max_tokens < 1):
                raise BadInput(f"n is {request.n} and max_tokens {request.max_tokens}; both are 1 or more")
            if isinstance(request.prompt, str) and not self.takes_texts:
                raise BadInput(f"{self.name} takes conversations and continues no plain text; give messages")
            if isinstance(request, Likelihood) and not isinstance(request.prompt, str):
                raise BadInput("a likelihood of a conversation; give the prompt as the text that the model reads")
            if _is_prefilled(request.prompt) and Capability.PREFILL not in self.capabilities:
                raise BadInput(
                    f"the conversation ends with the assistant's turn, and {self.name} does not say that it continues "
                    "one; where the server does, build the backend with prefill=True"
                )

    def _collect(self, work: _Work, on_reply: OnReply | None) -> list[Reply | ModelError]:
        results: dict[int, Reply | ModelError] = {}

        def arrived(place: int, result: Reply | ModelError) -> None:
            results[place] = result
            if on_reply is not None:
                on_reply(place, result)

        while len(results) < len(work.requests):
            left_s = work.deadline - self._timing.now()
            try:
                place, result = work.done.get(timeout=min(max(left_s, 0.0), WATCH_S))
            except queue.Empty:
                if left_s <= 0:
                    break
                continue
            if not isinstance(result, Reply | ModelError):
                raise result
            arrived(place, result)
        work.stopped.set()
        for place in range(len(work.requests)):
            if place not in results:
                arrived(place, ModelUnavailable(f"{self.name}: {self._late()}"))
        return [results[place] for place in range(len(work.requests))]

    def _serve(self, work: _Work) -> None:
        """What a thread does: one request after the other, until none is left."""
        while not work.stopped.is_set():
            try:
                place = work.todo.get_nowait()
            except queue.Empty:
                return
            try:
                result: Reply | BaseException = self._answer(work.requests[place], work)
            except BaseException as error:  # noqa: BLE001 `ask` raises it: a thread that dies silently would hang it
                result = error
            work.done.put((place, result))

    def _answer(self, request: Request, work: _Work) -> Reply | ModelError:
        try:
            reply = self._try_often(request, work)
            while isinstance(request, Generate) and 1 + len(reply.others) < request.n:
                made = 1 + len(reply.others)
                seed = None if request.seed is None else request.seed + made
                more = self._try_often(replace(request, n=1, seed=seed), work)
                reply = replace(reply, others=(*reply.others, more.text, *more.others), usage=reply.usage + more.usage)
        except ModelError as error:
            named = type(error)(f"{self.name}: {error}")
            named.usage = error.usage
            return named
        return reply

    def _try_often(self, request: Request, work: _Work) -> Reply:
        tries = _Tries(self._timing.now())
        while True:
            if work.denied is not None:
                raise work.denied
            try:
                reply = self._try_once(request, tries, work)
                took_s = self._timing.now() - tries.started
                return replace(reply, usage=replace(reply.usage, calls=tries.count, seconds=took_s))
            except CallFailed as failure:
                tries.note(failure)
                if failure.is_for_all:
                    work.denied = failure.error
                if not failure.is_retried or tries.unusable > UNUSABLE_RETRIES or tries.count > self._limits.retries:
                    raise tries.final(failure.error) from None
            self._pause(self._jitter(tries.count - 1), tries, work)

    def _try_once(self, request: Request, tries: "_Tries", work: _Work) -> Reply:
        """One call, with its worst case booked while it is under way."""
        reservation = self._reserve(request, work)
        used: Usage | None = Usage()
        try:
            replica = self._take(tries, work)
            tries.last, tries.count, used = replica, tries.count + 1, None
            reply = self._send(request, replica, tries, work)
            used = reply.usage if reply.usage.prompt_tokens else None
        except CallFailed as failure:
            used = None if failure.may_have_cost else Usage(calls=1)
            raise
        finally:
            if self._limits.budget is not None and reservation is not None:
                self._limits.budget.settle(reservation, used)
        return reply

    def _send(self, request: Request, replica: Replica, tries: "_Tries", work: _Work) -> Reply:
        started, failure = self._timing.now(), None
        timeout_s = min(self._limits.timeout_s, max(work.deadline - started, MOMENT_S))
        try:
            reply = self._transport.send(request, replica.url, timeout_s)
        except CallFailed as failed:
            failure = failed
            raise
        finally:
            self._replicas.give_back(replica, failure, id(tries))
        is_priced = self.price is not None and reply.usage.prompt_tokens > 0
        cost = self.price.of(reply.usage) if self.price is not None and is_priced else None
        return replace(reply, usage=replace(reply.usage, calls=1, seconds=self._timing.now() - started, cost=cost))

    def _take(self, tries: "_Tries", work: _Work) -> Replica:
        def is_wanted() -> bool:
            return not work.stopped.is_set() and self._timing.now() < work.deadline

        while True:
            try:
                found = self._replicas.take(tries.last, is_wanted)
            except ModelUnavailable as error:
                raise tries.final(error) from None
            if isinstance(found, Replica):
                return found
            self._pause(found + self._jitter(0), tries, work)

    def _pause(self, seconds: float, tries: "_Tries", work: _Work) -> None:
        if self._timing.now() + seconds < work.deadline:
            self._timing.wait(work.stopped, seconds)
            if not work.stopped.is_set():
                return
        raise tries.final(self._late())

    def _jitter(self, failures: int) -> float:
        """Anything up to a limit that doubles with each failure, so that those who failed together come back apart."""
        return self._timing.chance() * min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0**failures)

    def _late(self) -> ModelUnavailable:
        limit = self._limits.deadline_s
        return ModelUnavailable(
            "the work was broken off" if limit is None else f"no answer by the deadline of {limit:g} s"
        )

    def _reserve(self, request: Request, work: _Work) -> Reservation | None:
        budget = self._limits.budget
        if budget is None:
            return None
        prompt, answer = worst_case(request)
        cost = None if self.price is None else self.price.at_most(prompt, answer)
        left_s = work.deadline - self._timing.now()
        return budget.reserve(prompt + answer, cost, timeout_s=None if left_s == float("inf") else max(left_s, 0.0))


@dataclass(slots=True)
class _Tries:
    """What has become of one request so far."""

    started: float
    count: int = 0
    unusable: int = 0
    may_have_cost: bool = False
    last: Replica | None = None
    said: str = ""

    def note(self, failure: CallFailed) -> None:
        self.unusable += isinstance(failure.error, UnusableReply)
        self.may_have_cost |= failure.may_have_cost
        self.said = str(failure.error)

    def final(self, error: ModelError) -> ModelError:
        """The error, with how often it was tried and what the last try met. What an unseen answer cost is unknown."""
        what = str(error) if not self.said or self.said == str(error) else f"{error}; before that, {self.said}"
        told = type(error)(what if self.count < 2 else f"{what} (tried {self.count} times)")
        if self.count:
            told.usage = Usage(calls=self.count, cost=None if self.may_have_cost else 0.0)
        return told


def worst_case(request: Request) -> tuple[int, int]:
    """Most tokens of the prompt and of the answer: a token is at least one byte."""
    prompt = request.prompt
    turns = [prompt] if isinstance(prompt, str) else [message.text for message in prompt]
    size = sum(len(turn.encode()) + BYTES_A_TURN for turn in turns) + BYTES_A_TURN
    if isinstance(request, Generate):
        return (size + len(request.schema.encode())) * request.n, request.max_tokens * request.n
    if isinstance(request, Likelihood):
        size += len(request.continuation.encode())
    return size, 1


def _is_prefilled(prompt: Prompt) -> bool:
    return not isinstance(prompt, str) and bool(prompt) and prompt[-1].role == "assistant"
