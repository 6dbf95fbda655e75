"""Batches across requests: one worker a model takes what is waiting, up to a budget of tokens, and ranks it at once.

A score belongs to (model, query, document), never to its neighbours, so whose lists share a batch changes no bit. A
list that is longer than a turn is read in pieces where that is so by the ranker's own word (`Scorer`): after each
piece its rest waits behind the others, so that nobody waits for more than a turn of anybody else.
"""

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from threading import Condition, Thread
from typing import Any, NamedTuple, TypeVar

from whyrank.serve.cutting import Piece, cut, joined
from whyrank.serve.pace import Pace
from whyrank.serve.problems import Refused
from whyrank.serve.settings import Limits
from whyrank.types import Ranking, Reranker, Scorer

T = TypeVar("T")


class Turn(NamedTuple):
    """What the worker did in one turn: requests, documents, tokens (estimated), seconds."""

    requests: int
    documents: int
    tokens: int
    seconds: float


@dataclass(slots=True, eq=False)
class _Job:
    """What waits: what is left of a list to rank, or other work that needs the model."""

    ranking: Ranking
    pieces: deque[Piece]
    tokens: int
    work: Callable[[], Any] | None = None
    found: list[Ranking] = field(default_factory=list)
    done: "Future[Any]" = field(default_factory=Future)

    def first(self, count: int) -> int:
        """Tokens of the next `count` pieces."""
        return sum(self.pieces[place].tokens for place in range(min(count, len(self.pieces))))


class Batcher:
    """The queue of a model and its worker.

    Args:
        ranker: the model.
        limits: how much may wait, how much is taken in a turn.
        on_turn: told of every turn, by the worker's thread.

    Attributes:
        pace: how long lists take, by the last turns.
        work_pace: how long other work takes.
    """

    def __init__(self, ranker: Reranker, limits: Limits, on_turn: Callable[[Turn], None]) -> None:
        self._ranker, self._limits, self._on_turn = ranker, limits, on_turn
        self.pace, self.work_pace = Pace(limits.batch_tokens), Pace(limits.batch_tokens)
        self._waiting: deque[_Job] = deque()
        self._taken: list[_Job] = []
        self._free = 0.0
        self._changed = Condition()
        self._is_open = True
        self._worker = Thread(target=self._run, name=f"whyrank-{ranker.name}", daemon=True)
        self._worker.start()

    @property
    def is_alive(self) -> bool:
        """Whether there is a worker."""
        return self._worker.is_alive()

    @property
    def turn_tokens(self) -> int:
        """What a turn takes at most."""
        return self._limits.batch_tokens

    @property
    def waiting(self) -> tuple[int, int]:
        """Requests that wait, and their tokens."""
        with self._changed:
            return len(self._waiting), sum(job.tokens for job in self._waiting)

    async def rank(self, ranking: Ranking, tokens: int, within_s: float | None = None) -> Ranking:
        """Rank a list when its turn comes. Whoever stops waiting takes it out of the queue.

        Args:
            ranking: the candidates.
            tokens: about how many there are to read.
            within_s: seconds after which nobody waits for it any more; those of an answer by default.

        Raises:
            Refused: it cannot be read in time, or too much is waiting; or the server is stopping.
            WhyrankError: what the ranker says to this list.
        """
        is_cut = isinstance(self._ranker, Scorer) and tokens > self._limits.batch_tokens
        pieces = cut(ranking, self._limits.batch_tokens) if is_cut else [Piece(ranking, tokens)]
        job = _Job(ranking, deque(pieces), sum(piece.tokens for piece in pieces))
        with self._changed:
            self._forget_the_gone()
            self._refuse_large(job)
            self._refuse_overload(job)
            self._refuse_late(job, self._limits.seconds if within_s is None else within_s)
            self._add(job)
        result: Ranking = await asyncio.wrap_future(job.done)
        return result

    async def call(self, work: Callable[[], T], tokens: int) -> T:
        """Do other work on the model, of a request that was let in before, when its turn comes."""
        nothing = Ranking.of("", ())
        job = _Job(nothing, deque([Piece(nothing, tokens)]), tokens, work)
        with self._changed:
            self._add(job)
        result: T = await asyncio.wrap_future(job.done)
        return result

    def refuse(self) -> None:
        """Have the worker end after its turn; what waits is refused."""
        with self._changed:
            self._is_open = False
            for job in self._waiting:
                _give(job, _stopping())
            self._waiting.clear()
            self._changed.notify_all()

    def close(self, wait_s: float = 5.0) -> bool:
        """End the worker.

        Args:
            wait_s: seconds that its turn may still take; if it takes longer, its requests are refused as well.

        Returns:
            Whether it ended.
        """
        self.refuse()
        self._worker.join(timeout=wait_s)
        if self._worker.is_alive():
            with self._changed:
                for job in self._taken:
                    _give(job, _stopping())
        return not self._worker.is_alive()

    def _add(self, job: _Job) -> None:
        if not self._is_open:
            raise _stopping()
        self._waiting.append(job)
        self._changed.notify()

    def _refuse_large(self, job: _Job) -> None:
        """Refuse what no waiting would help: it would take turns from others for nothing."""
        seconds, most = self.pace.seconds(job.tokens), self._limits.seconds
        if seconds > most:
            raise Refused(
                "too_large",
                f"documents: about {job.tokens:,} tokens, which take about {seconds:,.0f} s to read here; an answer "
                f"may take {most:g} s; send less at once",
                param="documents",
            )

    def _refuse_overload(self, job: _Job) -> None:
        count, limits = len(self._waiting), self._limits
        tokens = sum(own.tokens for own in self._waiting)
        if count >= limits.waiting or (count and tokens + job.tokens > limits.waiting_tokens):
            raise _overloaded(count, self._wait_s(None))
        if limits.wait_s is not None and (wait_s := self._wait_s(1)) > limits.wait_s:
            raise _overloaded(count, wait_s - limits.wait_s)

    def _refuse_late(self, job: _Job, within_s: float) -> None:
        """Refuse what would be ready only when nobody waits for it any more."""
        late_s = self._wait_s(len(job.pieces)) + self.pace.seconds(job.tokens) - within_s
        if late_s > 0:
            raise _overloaded(len(self._waiting), late_s)

    def _wait_s(self, turns: int | None) -> float:
        """About how long it is until so many pieces of each that waits are read; until all are, for None."""
        lists, works = 0, 0
        for job in self._waiting:
            tokens = job.tokens if turns is None else job.first(turns)
            lists, works = (lists + tokens, works) if job.work is None else (lists, works + tokens)
        begun_s = max(0.0, self._free - time.monotonic())
        return begun_s + self.pace.seconds(lists) + self.work_pace.seconds(works)

    def _forget_the_gone(self) -> None:
        for job in [job for job in self._waiting if job.done.cancelled()]:
            self._waiting.remove(job)

    def _run(self) -> None:
        while taken := self._next():
            started = time.perf_counter()
            work = taken[0][0].work
            outcomes = [_outcome(work)] if work is not None else self._ranked([piece.ranking for _, piece in taken])
            self._measure(taken, outcomes, time.perf_counter() - started)
            with self._changed:
                for (job, _), outcome in zip(taken, outcomes, strict=True):
                    self._settle(job, outcome)

    def _next(self) -> list[tuple[_Job, Piece]]:
        """What the next turn takes, the longest waiting first: other work alone, or lists up to the budget."""
        with self._changed:
            taken: list[tuple[_Job, Piece]] = []
            self._taken, self._free = [], 0.0
            while self._is_open and not (taken := self._first()):
                self._changed.wait()
            tokens = sum(piece.tokens for _, piece in taken)
            is_work = bool(taken) and taken[0][0].work is not None
            self._taken = [job for job, _ in taken]
            self._free = time.monotonic() + (self.work_pace if is_work else self.pace).seconds(tokens)
            return taken

    def _first(self) -> list[tuple[_Job, Piece]]:
        taken: list[tuple[_Job, Piece]] = []
        budget = self._limits.batch_tokens
        while self._waiting:
            job = self._waiting[0]
            if taken and (job.work is not None or job.pieces[0].tokens > budget):
                break
            self._waiting.popleft()
            if job.done.cancelled():
                continue
            piece = job.pieces.popleft()
            job.tokens -= piece.tokens
            budget -= piece.tokens
            taken.append((job, piece))
            if job.work is not None:
                break
        return taken

    def _ranked(self, given: Sequence[Ranking]) -> list[Ranking | Exception]:
        """All lists ranked at once; if that fails, each alone, so that one bad list harms no other."""
        found: list[Ranking] | Exception = _outcome(partial(self._all, given))
        if not isinstance(found, Exception):
            return [*found]
        return [found] if len(given) == 1 else [own for one in given for own in self._ranked([one])]

    def _all(self, given: Sequence[Ranking]) -> list[Ranking]:
        ranked = self._ranker.rerank_many(given)
        if len(ranked) != len(given):
            raise RuntimeError(f"the ranker gave {len(ranked)} rankings for {len(given)}")
        return ranked

    def _settle(self, job: _Job, outcome: Any) -> None:
        """Give what there is to who waits for it; what is left of a list waits again, behind the others."""
        if isinstance(outcome, Exception) or job.work is not None:
            _give(job, outcome)
            return
        job.found.append(outcome)
        if not job.pieces:
            _give(job, joined(job.ranking, job.found) if len(job.found) > 1 else outcome)
        elif self._is_open:
            self._waiting.append(job)
        else:
            _give(job, _stopping())

    def _measure(self, taken: Sequence[tuple[_Job, Piece]], outcomes: Sequence[Any], seconds: float) -> None:
        tokens = sum(piece.tokens for _, piece in taken)
        if not any(isinstance(outcome, Exception) for outcome in outcomes):
            pace = self.pace if taken[0][0].work is None else self.work_pace
            pace.learn(tokens, seconds)
        self._on_turn(Turn(len(taken), sum(len(piece.ranking) for _, piece in taken), tokens, seconds))


def _outcome(work: Callable[[], Any]) -> Any:
    """What work gives, or the error that it ends with: it belongs to whoever asked, and must not end the worker."""
    try:
        return work()
    except Exception as error:  # noqa: BLE001 - see above
        return error
    except BaseException as error:  # noqa: BLE001 - what would end a program ends no server
        return RuntimeError(type(error).__name__)


def _give(job: _Job, outcome: Any) -> None:
    """End a job, unless it has ended or nobody waits for it."""
    if job.done.done() or not job.done.set_running_or_notify_cancel():
        return
    if isinstance(outcome, Exception):
        job.done.set_exception(outcome)
    else:
        job.done.set_result(outcome)


def _stopping() -> Refused:
    return Refused("unavailable", "the server is stopping; ask another")


def _overloaded(waiting: int, retry_s: float) -> Refused:
    retry_s = max(1.0, retry_s)
    message = f"{waiting:,} requests are waiting, and no more may; try again in {math.ceil(retry_s)} s"
    return Refused("overloaded", message, retry_s=retry_s)
