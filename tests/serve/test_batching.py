"""The queue of a model: who shares a turn, who is refused, who is forgotten."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from serving import PATIENCE_S, Counting

from whyrank.serve.batching import Batcher, Turn
from whyrank.serve.problems import Refused
from whyrank.serve.settings import Limits
from whyrank.types import Ranking


def queued(
    limits: Limits, act: Callable[[Counting, Batcher], Coroutine[Any, Any, None]]
) -> tuple[Counting, list[Turn]]:
    """Let `act` use a queue whose first turn, of the query "first", is held back until it opens the gate."""
    ranker, turns = Counting(), list[Turn]()
    batcher = Batcher(ranker, limits, turns.append)

    async def acted() -> None:
        ranker.gate.clear()
        first = asyncio.ensure_future(batcher.rank(Ranking.of("first", ["a"]), 1))
        await asyncio.to_thread(ranker.begun.wait, PATIENCE_S)
        await act(ranker, batcher)
        ranker.gate.set()
        assert (await first).ids == ("1",)

    asyncio.run(acted())
    batcher.close()
    assert not batcher.is_alive
    return ranker, turns


async def waits(batcher: Batcher, query: str, tokens: int) -> "asyncio.Task[Ranking]":
    """A list that is in the queue when this returns."""
    task = asyncio.ensure_future(batcher.rank(Ranking.of(query, ["a", "bb"]), tokens))
    await asyncio.sleep(0)
    return task


def test_a_turn_takes_what_waits_up_to_the_budget() -> None:
    async def act(ranker: Counting, batcher: Batcher) -> None:
        tasks = [await waits(batcher, query, tokens) for query, tokens in (("a", 4), ("b", 6), ("c", 1), ("d", 99))]
        assert batcher.waiting == (4, 110)
        ranker.gate.set()
        assert [(await task).ids for task in tasks] == [("2", "1")] * 4

    ranker, turns = queued(Limits(batch_tokens=10), act)
    assert ranker.batches == [["first"], ["a", "b"], ["c"], ["d"]]
    assert [(turn.requests, turn.documents, turn.tokens) for turn in turns] == [
        (1, 1, 1),
        (2, 4, 10),
        (1, 2, 1),
        (1, 2, 99),
    ]


def test_other_work_keeps_its_place_and_has_a_turn_of_its_own() -> None:
    async def act(ranker: Counting, batcher: Batcher) -> None:
        before = await waits(batcher, "before", 1)
        work = asyncio.ensure_future(batcher.call(lambda: len(ranker.batches), 1))
        await asyncio.sleep(0)
        after = await waits(batcher, "after", 1)
        ranker.gate.set()
        assert await work == 2
        await before
        await after

    assert queued(Limits(), act)[0].batches == [["first"], ["before"], ["after"]]


@pytest.mark.parametrize("limits", [Limits(waiting=2), Limits(waiting_tokens=10)])
def test_too_much_is_refused_until_somebody_leaves(limits: Limits) -> None:
    async def act(ranker: Counting, batcher: Batcher) -> None:
        one, other = await waits(batcher, "one", 5), await waits(batcher, "other", 5)
        with pytest.raises(Refused) as refused:
            await batcher.rank(Ranking.of("late", ["a"]), 5)
        assert (refused.value.status, refused.value.headers) == (429, {"Retry-After": "1"})
        one.cancel()
        await asyncio.sleep(0)
        third = await waits(batcher, "third", 5)
        ranker.gate.set()
        await other
        await third

    assert queued(limits, act)[0].batches == [["first"], ["other", "third"]]


def test_a_list_larger_than_all_that_may_wait_is_taken_when_nothing_waits() -> None:
    async def act(ranker: Counting, batcher: Batcher) -> None:
        large = await waits(batcher, "large", 1_000)
        ranker.gate.set()
        await large

    assert queued(Limits(waiting_tokens=10), act)[0].batches == [["first"], ["large"]]


def test_who_is_gone_is_not_ranked() -> None:
    async def act(ranker: Counting, batcher: Batcher) -> None:
        gone, stays = await waits(batcher, "gone", 1), await waits(batcher, "stays", 1)
        gone.cancel()
        await asyncio.sleep(0)
        ranker.gate.set()
        await stays

    assert queued(Limits(), act)[0].batches == [["first"], ["stays"]]


def test_a_list_that_fails_harms_no_other() -> None:
    async def act(ranker: Counting, batcher: Batcher) -> None:
        good, bad = await waits(batcher, "good", 1), await waits(batcher, "fail", 1)
        ranker.gate.set()
        with pytest.raises(RuntimeError):
            await bad
        assert (await good).ids == ("2", "1")

    assert queued(Limits(), act)[0].batches == [["first"], ["good", "fail"], ["good"], ["fail"]]


def test_what_waits_when_it_closes_is_refused() -> None:
    async def act(ranker: Counting, batcher: Batcher) -> None:
        left = await waits(batcher, "left", 1)
        closing = asyncio.ensure_future(asyncio.to_thread(batcher.close))
        with pytest.raises(Refused) as refused:
            await left
        assert refused.value.status == 503
        ranker.gate.set()
        await closing
        with pytest.raises(Refused):
            await batcher.rank(Ranking.of("late", ["a"]), 1)

    assert queued(Limits(), act)[0].batches == [["first"]]
