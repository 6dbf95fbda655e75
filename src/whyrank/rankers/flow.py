"""Ranking algorithms as generators over positions, and the two drivers that serve them all.

An algorithm permutes ``range(n)``. It yields a *round*: a list of questions, each a tuple of positions to
judge together. It is sent one answer per question, and returns the positions in their new order, best first.
It never sees a document, a prompt, a model, a batch or an event loop; `drive` and `drive_async` supply those.

The answer type A names the judge an algorithm needs:

    float      relevance of the one position           (pointwise)
    int        +1 first is better, -1 second, 0 tie    (pairwise)
    int        index of the best within the question   (setwise)
    list[int]  indices of the question, best first     (listwise)

A driver returns an order only when every question was answered. Whatever a judge raises reaches the caller:
there is no half-ranked list that looks like a success.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

from whyrank.errors import BadInput

A = TypeVar("A")
Question: TypeAlias = tuple[int, ...]
Round: TypeAlias = list[Question]
Flow: TypeAlias = Generator[Round, list[A], list[int]]
OnRound: TypeAlias = Callable[[int, Round], None]
"""Called with (flow index, round) before the round is asked: for progress, logs and budgets."""


@dataclass(frozen=True, slots=True)
class Trace:
    """What one flow asked.

    Attributes:
        questions: how many questions, each one call to a judge.
        documents: positions over all questions, each counted as often as it was read.
        rounds: sequential depth; questions of one round need not wait for each other.
    """

    questions: int = 0
    documents: int = 0
    rounds: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """A finished flow: the positions, best first, and what it took to find them."""

    order: tuple[int, ...]
    trace: Trace


class _Run(Generic[A]):
    """One flow under way: starts it, feeds it, counts it, and checks what it returns."""

    def __init__(self, index: int, flow: Flow[A], on_round: OnRound | None) -> None:
        self.index, self.flow, self.on_round = index, flow, on_round
        self.round: Round = []
        self.trace = Trace()
        self.highest = -1
        self.outcome: Outcome | None = None

    def advance(self, answers: list[A] | None) -> None:
        """Send the answers of the last round (None: start); take the next round or the result."""
        try:
            self.round = next(self.flow) if answers is None else self.flow.send(answers)
        except StopIteration as stop:
            self.outcome = Outcome(_permutation(self.index, stop.value, self.highest), self.trace)
            return
        if not self.round:
            raise BadInput(f"flow {self.index} asked an empty round; a flow that has no question returns its order")
        self.trace = Trace(
            self.trace.questions + len(self.round),
            self.trace.documents + sum(map(len, self.round)),
            self.trace.rounds + 1,
        )
        self.highest = max(self.highest, *(max(question, default=-1) for question in self.round), -1)
        if self.on_round is not None:
            self.on_round(self.index, self.round)


def _permutation(index: int, order: list[int], highest: int) -> tuple[int, ...]:
    if sorted(order) != list(range(len(order))) or highest >= len(order):
        raise BadInput(
            f"flow {index} returned {len(order)} positions that are no permutation of what it asked about "
            f"(highest position {highest}); a flow returns every position of range(n) once"
        )
    return tuple(order)


def _runs(flows: Sequence[Flow[A]], on_round: OnRound | None) -> list[_Run[A]]:
    if len({id(flow) for flow in flows}) < len(flows):
        raise BadInput("the same flow object is given twice; call the algorithm once for each list")
    return [_Run(i, flow, on_round) for i, flow in enumerate(flows)]


def _outcomes(runs: Sequence[_Run[A]]) -> list[Outcome]:
    outcomes = []
    for run in runs:
        if run.outcome is None:
            raise BadInput(
                f"flow {run.index} did not finish: its judge cancelled itself instead of answering or raising"
            )
        outcomes.append(run.outcome)
    return outcomes


def drive(
    flows: Sequence[Flow[A]],
    judge: Callable[[list[tuple[int, Question]]], Sequence[A]],
    *,
    on_round: OnRound | None = None,
) -> list[Outcome]:
    """Run flows in lockstep, putting the current round of every open flow in one batch.

    Args:
        flows: fresh flows, one a list to rank.
        judge: receives (flow index, question) pairs and returns their answers, one each, in order.
        on_round: called for each flow's round before it is asked.

    Returns:
        One outcome a flow, in the order of `flows`.

    Raises:
        BadInput: the judge returned another number of answers than questions, or a flow broke its contract.
        Exception: whatever the judge raised; the flows are closed and no order is returned.
    """
    runs = _runs(flows, on_round)
    try:
        for run in runs:
            run.advance(None)
        while open_runs := [run for run in runs if run.outcome is None]:
            batch = [(run.index, question) for run in open_runs for question in run.round]
            answers = list(judge(batch))
            if len(answers) != len(batch):
                raise BadInput(f"the judge gave {len(answers)} answers to {len(batch)} questions; one each is needed")
            start = 0
            for run in open_runs:
                end = start + len(run.round)
                run.advance(answers[start:end])
                start = end
    finally:
        for flow in flows:
            flow.close()
    return _outcomes(runs)


async def drive_async(
    flows: Sequence[Flow[A]],
    judge: Callable[[int, Question], Awaitable[A]],
    *,
    limit: int | None = None,
    on_round: OnRound | None = None,
) -> list[Outcome]:
    """Run each flow as its own task; the questions of a round are asked concurrently.

    Args:
        flows: fresh flows, one a list to rank.
        judge: receives (flow index, question) and returns the answer.
        limit: most questions under way at any moment, over all flows; None for no limit.
        on_round: called for each flow's round before it is asked.

    Returns:
        What `drive` returns, for a deterministic judge the same.

    Raises:
        BadInput: `limit` is below 1, or a flow broke its contract.
        Exception: the judge's first error, with a note of others; all other questions are cancelled and awaited.
    """
    if limit is not None and limit < 1:
        raise BadInput(f"limit is {limit}; give the most questions to ask at once, 1 or more, or None")
    runs = _runs(flows, on_round)
    gate = asyncio.Semaphore(limit) if limit is not None else None
    failed: BaseExceptionGroup[BaseException] | None = None
    try:
        async with asyncio.TaskGroup() as tasks:
            for run in runs:
                tasks.create_task(_finish(run, judge, gate))
    except BaseExceptionGroup as group:
        failed = group  # raised below, so that the first error does not carry the group that holds it
    finally:
        for flow in flows:
            flow.close()
    if failed is not None:
        raise _first(failed)
    return _outcomes(runs)


async def _finish(run: _Run[A], judge: Callable[[int, Question], Awaitable[A]], gate: asyncio.Semaphore | None) -> None:
    async def ask(question: Question) -> A:
        async with _pass(gate):
            return await judge(run.index, question)

    run.advance(None)
    while run.outcome is None:
        async with asyncio.TaskGroup() as tasks:
            asked = [tasks.create_task(ask(question)) for question in run.round]
        run.advance([task.result() for task in asked])


@asynccontextmanager
async def _pass(gate: asyncio.Semaphore | None) -> AsyncIterator[None]:
    if gate is None:
        yield
        return
    async with gate:
        yield


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    leaves = list(_leaves(group))
    if len(leaves) > 1:
        others = "; ".join(f"{type(error).__name__}: {error}" for error in leaves[1:4])
        leaves[0].add_note(f"{len(leaves) - 1} more failed beside it: {others}{' …' if len(leaves) > 4 else ''}")
    return leaves[0]


def _leaves(group: BaseExceptionGroup[BaseException]) -> Generator[BaseException, None, None]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error
