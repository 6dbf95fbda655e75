"""What will it cost? A language model that asks nothing and counts what would be asked."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from threading import Lock

from whyrank.errors import ModelError
from whyrank.lm.base import LM, Choose, Generate, Likelihood, OnReply, Prompt, Reply, Request
from whyrank.lm.cache import Cached, for_nothing
from whyrank.lm.keys import is_repeatable, key_of
from whyrank.lm.prices import Price
from whyrank.types import Usage

TURN_TOKENS = 5
"""What a chat template adds to each turn of a conversation, about: its role and the marks around it."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a run would ask and cost. Tokens and money are of what would really be asked.

    Attributes:
        calls: requests, those answered from the cache included.
        from_cache: of these, how many the cache would answer.
        batches: how often one would wait for the model, each time for all requests that are open at once.
        prompt_tokens: tokens of the prompts.
        generated_tokens: tokens of the answers, if they are as long as expected.
        most_generated_tokens: tokens of the answers, if each is as long as it may be.
        cost: US dollars for the expected answers, before any discount of the provider; None where the price is
            unknown and something would be asked.
        most_cost: US dollars if each answer is as long as it may be.
        is_exact: prompts were counted by the model's own tokenizer; what a chat template adds is always estimated.
    """

    calls: int = 0
    from_cache: int = 0
    batches: int = 0
    prompt_tokens: int = 0
    generated_tokens: int = 0
    most_generated_tokens: int = 0
    cost: float | None = 0.0
    most_cost: float | None = 0.0
    is_exact: bool = True

    def __add__(self, other: "Estimate") -> "Estimate":
        return Estimate(
            self.calls + other.calls,
            self.from_cache + other.from_cache,
            self.batches + other.batches,
            self.prompt_tokens + other.prompt_tokens,
            self.generated_tokens + other.generated_tokens,
            self.most_generated_tokens + other.most_generated_tokens,
            _sum(self.cost, other.cost),
            _sum(self.most_cost, other.most_cost),
            self.is_exact and other.is_exact,
        )


class Rehearsal:
    """Stands for a model, asks nothing, and counts.

    What the cache of `like` holds is answered from there, so that a run that was made before is rehearsed along the
    very requests it made. For the rest `answer` says what the model might reply, so that the ranking runs to its end.
    How many requests follow may depend on the answers; then the estimate is that of this rehearsal.

    Args:
        like: the model that is stood for: its name, limits and tokens, and its answers if it is a `Cached`. It is
            never asked.
        answer: an answer in the form that is expected, of the expected length. A text in answer to `Choose` is the
            choice that is likeliest; to `Likelihood` it means nothing. A `Reply` whose usage has generated tokens
            (of all its answers together) is believed, which is how reasoning is reckoned with.
        price: of its tokens; None where it is unknown.
    """

    def __init__(self, like: LM, answer: Callable[[Request], str | Reply], *, price: Price | None = None) -> None:
        self.name = like.name
        self.capabilities = like.capabilities
        self.context = like.context
        self.tokens = like.tokens
        self.controls = like.controls
        self._cache = like if isinstance(like, Cached) else None
        self._answer = answer
        self._price = price
        self._seen: dict[bytes, Reply] = {}
        self._lock = Lock()
        self._estimate = Estimate(is_exact=like.tokens.is_exact)

    @property
    def estimate(self) -> Estimate:
        """What was counted so far."""
        return self._estimate

    def ask(self, requests: Sequence[Request], on_reply: OnReply | None = None) -> list[Reply | ModelError]:
        """What the model might answer."""
        replies: list[Reply | ModelError] = []
        with self._lock:
            before = self._estimate
            if self._cache is not None and not self._cache.read:
                self._seen.clear()  # only equal requests of one batch are merged then
            replies.extend(self._reply(request) for request in requests)
            after = self._estimate
            if after.calls - after.from_cache > before.calls - before.from_cache:
                self._estimate = replace(after, batches=after.batches + 1)
        for place, reply in enumerate(replies):
            if on_reply is not None:
                on_reply(place, reply)
        return replies

    def _reply(self, request: Request) -> Reply:
        known = self._known(request)
        if known is not None:
            self._estimate = replace(
                self._estimate, calls=self._estimate.calls + 1, from_cache=self._estimate.from_cache + 1
            )
            return known
        answer = self._answer(request)
        reply = _as_reply(request, answer, self.tokens.count) if isinstance(answer, str) else answer
        prompt = _prompt_tokens(request, self.tokens.count)
        most = _most_generated(request)
        expected = reply.usage.generated_tokens or _generated(request, reply, self.tokens.count)
        expected = min(expected, most)
        cost = self._count(prompt, expected, most)
        reasoning = min(reply.usage.reasoning_tokens, expected)
        reply = replace(reply, usage=Usage(1, 0, prompt, 0, expected, reasoning, cost=cost))
        if self._cache is not None and is_repeatable(request):
            self._seen[key_of(request, self._cache.cache_identity)] = reply
        return reply

    def _known(self, request: Request) -> Reply | None:
        """The reply that the cache holds, or would hold by now."""
        if self._cache is None or not is_repeatable(request):
            return None
        seen = self._seen.get(key_of(request, self._cache.cache_identity))
        return self._cache.peek(request) if seen is None else for_nothing(seen)

    def _count(self, prompt: int, expected: int, most: int) -> float | None:
        """Add one request; its price."""
        so_far = self._estimate
        cost = most_cost = None
        if self._price is not None:
            cost, most_cost = self._price.at_most(prompt, expected), self._price.at_most(prompt, most)
        self._estimate = replace(
            so_far,
            calls=so_far.calls + 1,
            prompt_tokens=so_far.prompt_tokens + prompt,
            generated_tokens=so_far.generated_tokens + expected,
            most_generated_tokens=so_far.most_generated_tokens + most,
            cost=_sum(so_far.cost, cost),
            most_cost=_sum(so_far.most_cost, most_cost),
        )
        return cost


def _sum(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one + other


def _as_reply(request: Request, text: str, count: Callable[[str], int]) -> Reply:
    if isinstance(request, Choose):
        return Reply(logprobs=tuple(0.0 if choice == text else -1.0 for choice in request.choices))
    if isinstance(request, Likelihood):
        return Reply(logprobs=(0.0,) * count(request.continuation))
    return Reply(text=text, others=(text,) * (request.n - 1))


def _prompt_tokens(request: Request, count: Callable[[str], int]) -> int:
    tokens = _prompt(request.prompt, count)
    return tokens + count(request.continuation) if isinstance(request, Likelihood) else tokens


def _prompt(prompt: Prompt, count: Callable[[str], int]) -> int:
    if isinstance(prompt, str):
        return count(prompt)
    return sum(count(turn.text) + TURN_TOKENS for turn in prompt)


def _most_generated(request: Request) -> int:
    if isinstance(request, Generate):
        return request.max_tokens * request.n
    return 1 if isinstance(request, Choose) else 0


def _generated(request: Request, reply: Reply, count: Callable[[str], int]) -> int:
    if isinstance(request, Generate):
        return sum(count(text) for text in (reply.text, reply.reasoning, *reply.others))
    return _most_generated(request)
