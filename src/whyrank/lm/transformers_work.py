"""The work that requests come to: what is read, what is written, and in which batches. Pure."""

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

from whyrank.errors import BadInput, ModelRejected
from whyrank.lm.base import Generate
from whyrank.lm.prefixes import Group, buckets, groups

LOGITS = 2**25
"""Most logits of whole vocabularies that are held at once (128 MiB)."""
OPEN, CLOSE = "<think>", "</think>"


class Reading(NamedTuple):
    """What is read from one sequence.

    Attributes:
        place: of the request in its batch.
        tokens: what the model reads (seq2seq: what its encoder reads).
        start: position whose prediction is the first one wanted (seq2seq: 0, of the decoder).
        targets: tokens asked for: the choices at `start`, or the continuation from there on.
        is_choice: which of the two.
    """

    place: int
    tokens: list[int]
    start: int
    targets: tuple[int, ...]
    is_choice: bool

    @property
    def read(self) -> int:
        """Number of positions that are looked at."""
        return 1 if self.is_choice else len(self.targets)


class Job(NamedTuple):
    """Batches of readings whose first tokens are `prefix`; () where they share nothing."""

    prefix: tuple[int, ...]
    batches: list[list[Reading]]


def jobs(readings: Sequence[Reading], *, limit: int, shares: bool, vocabulary: int) -> list[Job]:
    """Divide readings, all choices or all continuations, into batches of at most `limit` tokens.

    Args:
        readings: what is to be read.
        limit: most tokens of a batch, with padding and with the prefix for each sequence.
        shares: whether a common prefix may be read once.
        vocabulary: size of it: continuations are also held to `LOGITS` logits a batch.
    """
    if not readings:
        return []
    divided = groups([r.tokens[: r.start] for r in readings]) if shares else [Group(0, tuple(range(len(readings))))]
    found = []
    for prefix, members in divided:
        lengths = [len(readings[place].tokens) - prefix for place in members]
        batches = [[readings[members[i]] for i in bucket] for bucket in buckets(lengths, limit, prefix)]
        if batches and not batches[0][0].is_choice:
            batches = [part for batch in batches for part in _within(batch, LOGITS // vocabulary)]
        found.append(Job(tuple(readings[members[0]].tokens[:prefix]), batches))
    return found


def _within(batch: list[Reading], most: int) -> list[list[Reading]]:
    parts: list[list[Reading]] = [[]]
    for reading in batch:
        if parts[-1] and sum(r.read for r in parts[-1]) + reading.read > most:
            parts.append([])
        parts[-1].append(reading)
    return parts


class Writing(NamedTuple):
    """A request to write.

    Attributes:
        place: of the request in its batch.
        request: what is wanted.
        tokens: of the prompt.
        is_inside: the prompt ends with <think>, so that the answer begins within the reasoning.
    """

    place: int
    request: Generate
    tokens: list[int]
    is_inside: bool


class Row(NamedTuple):
    """One answer to write.

    Attributes:
        tokens: what the model reads first.
        max_tokens: most tokens that it writes.
        temperature: 0 is greedy.
        seed: of the sampling; None takes another each time.
        stop: texts at which it stops.
    """

    tokens: list[int]
    max_tokens: int
    temperature: float = 0.0
    seed: int | None = None
    stop: tuple[str, ...] = ()


class Written(NamedTuple):
    """The tokens of an answer, the one that ended it included, and why it ended."""

    tokens: list[int]
    finish: Literal["stop", "length"]


class Parted(NamedTuple):
    """An answer, and the reasoning before it."""

    text: str
    reasoning: str = ""


def parted(text: str, *, is_inside: bool) -> Parted:
    """Part what a model wrote into its reasoning and its answer.

    Reasoning stands between <think> and </think> at the beginning. Where it is not closed all of the text is reasoning
    and the answer is empty.

    Args:
        text: what it wrote.
        is_inside: the prompt ended with <think>, so that what is written begins within it.
    """
    inner = text if is_inside else text.lstrip().removeprefix(OPEN)
    if not is_inside and inner == text.lstrip():
        return Parted(text)
    reasoning, closed, answer = inner.partition(CLOSE)
    return Parted(answer.lstrip() if closed else "", reasoning.strip())


def reasoning_tokens(tokens: Sequence[int], decode: Callable[[Sequence[int]], str]) -> int:
    """How many tokens of an answer came before the end of its reasoning; all of them where it does not end."""
    for end in range(1, len(tokens)):
        if CLOSE in decode(tokens[max(0, end - len(CLOSE)) : end]):
            return end
    return len(tokens)


def first_stop(text: str, stop: Sequence[str]) -> int:
    """Where the first of the stop texts begins; the end of the text where there is none."""
    return min((place for place in map(text.find, stop) if place >= 0), default=len(text))


def check(request: Generate) -> None:
    """Refuse numbers that mean nothing.

    Raises:
        BadInput: no tokens, no answers or a temperature below zero are asked for.
    """
    for name, value, least in (
        ("max_tokens", request.max_tokens, 1),
        ("n", request.n, 1),
        ("temperature", request.temperature, 0),
    ):
        if not value >= least:  # as written, it refuses what is no number too
            raise BadInput(f"{name}={value} in a request to write; give at least {least}")


def unfit(name: str, context: int | None, prompt: int, answer: int, needed: int) -> ModelRejected | None:
    """The error for a request that needs more tokens than the model's context; None for one that fits."""
    if context is None or needed <= context:
        return None
    return ModelRejected(
        f"a prompt of {prompt:,} tokens and an answer of up to {answer:,} do not fit the context of {context:,} tokens "
        f"of {name}; shorten the documents, or ask for fewer tokens"
    )
