"""Batches across requests: one worker a model takes what is waiting, up to a budget of tokens, and ranks it at once.

A score belongs to (model, query, document), never to its neighbours, so whose lists share a batch changes no bit.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from threading import Condition, Thread
from typing import Any, NamedTuple, TypeVar

from whyrank.serve.problems import Refused
from whyrank.serve.settings import Limits
from whyrank.types import Ranking, Reranker

T = TypeVar("T")
SMOOTHING = 0.2
"""Weight of the newest batch in the measured speed."""
LONGEST_RETRY_S = 60.0


class Turn(NamedTuple):
    """What the worker did in one turn: requests, documents, tokens (estimated), seconds."""

    requests: int
    documents: int
    tokens: int
    seconds: float


@dataclass(frozen=True, slots=True)
class _Job:
    """What waits: a list to rank, or other work that needs the model."""

    tokens: int
    ranking: Ranking | None = None
    work: Callable[[], Any] | None = None
    done: "Future[Any]" = field(default_factory=Future)


class Batcher:
    """The queue of a model and its worker.

    Args:
        ranker: the model.
        limits: how much may wait, how much is taken in a turn.
        on_turn: told of every turn, by the worker's thread.
    """

    def __init__(self, ranker: Reranker, limits: Limits, on_turn: Callable[[Turn], None]) -> None:
        self._ranker, self._limits, self._on_turn = ranker, limits, on_turn
        self._waiting: deque[_Job] = deque()
        self._changed = Condition()
        self._is_open = True
        self._tokens = 0
        self._tokens_per_s = 0.0
        self._worker = Thread(target=self._run, name=f"whyrank-{ranker.name}", daemon=True)
        self._worker.start()

    @property
    def is_alive(self) -> bool:
        """Whether there is a worker."""
        return self._worker.is_alive()

    @property
    def waiting(self) -> tuple[int, int]:
        """Requests that wait, and their tokens."""
        return len(self._waiting), self._tokens

    async def rank(self, ranking: Ranking, tokens: int) -> Ranking:
        """Rank a list when its turn comes. Whoever stops waiting takes it out of the queue.

        Args:
            ranking: the candidates.
            tokens: about how many there are to read.

        Raises:
            Refused: too much is waiting; or the server is stopping.
            WhyrankError: what the ranker says to this list.
        """
        job = _Job(tokens, ranking=ranking)
        with self._changed:
            self._refuse_overload(tokens)
            self._add(job)
        result: Ranking = await asyncio.wrap_future(job.done)
        return result

    async def call(self, work: Callable[[], T], tokens: int) -> T:
        """Do other work on the model, of a request that was let in before, when its turn comes."""
        job = _Job(tokens, work=work)
        with self._changed:
            self._add(job)
        result: T = await asyncio.wrap_future(job.done)
        return result

    def close(self) -> None:
        """End the worker after its turn; what still waits is refused."""
        with self._changed:
            self._is_open = False
            left = list(self._waiting)
            self._waiting.clear()
            self._changed.notify_all()
        for job in left:
            if job.done.set_running_or_notify_cancel():
                job.done.set_exception(Refused("unavailable", "the server is stopping; ask another"))
        self._worker.join(timeout=5)

    def _add(self, job: _Job) -> None:
        if not self._is_open:
            raise Refused("unavailable", "the server is stopping; ask another")
        self._waiting.append(job)
        self._tokens += job.tokens
        self._changed.notify()

    def _refuse_overload(self, tokens: int) -> None:
        count, limits = len(self._waiting), self._limits
        if count < limits.waiting and (count == 0 or self._tokens + tokens <= limits.waiting_tokens):
            return
        self._forget_the_gone()
        count = len(self._waiting)
        if count < limits.waiting and (count == 0 or self._tokens + tokens <= limits.waiting_tokens):
            return
        wait_s = self._tokens / self._tokens_per_s if self._tokens_per_s else 1.0
        raise Refused(
            "overloaded",
            f"{count:,} requests are waiting, and no more may; try again in {max(1, round(wait_s))} s",
            retry_s=min(wait_s, LONGEST_RETRY_S),
        )

    def _forget_the_gone(self) -> None:
        for job in [job for job in self._waiting if job.done.cancelled()]:
            self._waiting.remove(job)
            self._tokens -= job.tokens

    def _run(self) -> None:
        while (jobs := self._next()) is not None:
            begun = [job for job in jobs if job.done.set_running_or_notify_cancel()]
            if not begun:
                continue
            started = time.perf_counter()
            if begun[0].work is not None:
                _settle(begun[0], begun[0].work)
            else:
                self._rank(begun)
            self._tell(begun, time.perf_counter() - started)

    def _next(self) -> list[_Job] | None:
        """What the next turn takes, the longest waiting first: other work alone, or lists up to the budget."""
        with self._changed:
            while self._is_open and not self._waiting:
                self._changed.wait()
            if not self._is_open:
                return None
            taken = [self._waiting.popleft()]
            budget = self._limits.batch_tokens - taken[0].tokens
            while taken[0].ranking is not None and self._waiting:
                following = self._waiting[0]
                if following.ranking is None or following.tokens > budget:
                    break
                budget -= following.tokens
                taken.append(self._waiting.popleft())
            self._tokens -= sum(job.tokens for job in taken)
            return taken

    def _rank(self, jobs: Sequence[_Job]) -> None:
        """Rank all lists at once; if that fails, each alone, so that one bad list harms no other."""
        given = [job.ranking for job in jobs if job.ranking is not None]
        try:
            ranked = self._all(given)
        except BaseException as error:  # noqa: BLE001 - it belongs to whoever asked, and must not end the worker
            if len(jobs) == 1:
                jobs[0].done.set_exception(_forwarded(error))
                return
            for job, ranking in zip(jobs, given, strict=True):
                _settle(job, partial(self._alone, ranking))
            return
        for job, ranking in zip(jobs, ranked, strict=True):
            job.done.set_result(ranking)

    def _alone(self, ranking: Ranking) -> Ranking:
        return self._all([ranking])[0]

    def _all(self, given: Sequence[Ranking]) -> list[Ranking]:
        ranked = self._ranker.rerank_many(given)
        if len(ranked) != len(given):
            raise RuntimeError(f"the ranker gave {len(ranked)} rankings for {len(given)}")
        return ranked

    def _tell(self, jobs: Sequence[_Job], seconds: float) -> None:
        tokens = sum(job.tokens for job in jobs)
        speed = tokens / max(seconds, 1e-6)
        self._tokens_per_s += (SMOOTHING if self._tokens_per_s else 1.0) * (speed - self._tokens_per_s)
        documents = sum(len(job.ranking) for job in jobs if job.ranking is not None)
        self._on_turn(Turn(len(jobs), documents, tokens, seconds))


def _settle(job: _Job, work: Callable[[], Any]) -> None:
    try:
        found = work()
    except BaseException as error:  # noqa: BLE001 - it belongs to whoever asked, and must not end the worker
        job.done.set_exception(_forwarded(error))
    else:
        job.done.set_result(found)


def _forwarded(error: BaseException) -> Exception:
    """An error as whoever waits for it may get it: what would end a program ends no server."""
    return error if isinstance(error, Exception) else RuntimeError(type(error).__name__)
