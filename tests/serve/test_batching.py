"""The queue of a model: who shares a turn, who is refused, who is forgotten."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from threading import Event
from typing import Any

import pytest
from serving import PATIENCE_S, Counting, Pointwise

from whyrank.serve.batching import Batcher, Turn
from whyrank.serve.problems import Refused
from whyrank.serve.settings import Limits
from whyrank.types import Ranking


def queued(
    limits: Limits, act: Callable[[Counting, Batcher], Coroutine[Any, Any, None]], ranker: Counting | None = None
) -> tuple[Counting, list[Turn]]:
    """Let `act` use a queue whose first turn, of the query "first", is held back until it opens the gate."""
    ranker, turns = ranker or Counting(), list[Turn]()
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


async def waits(batcher: Batcher, query: str, tokens: int, documents: int = 2) -> "asyncio.Task[Ranking]":
    """A list that is in the queue when this returns."""
    given = Ranking.of(query, ["a" * (place + 1) for place in range(documents)])
    task = asyncio.ensure_future(batcher.rank(given, tokens))
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


def test_a_long_list_is_read_in_turns_between_which_others_have_theirs() -> None:
    async def act(ranker: Counting, batcher: Batcher) -> None:
        long = await waits(batcher, "long", 30, documents=10)
        one, other = await waits(batcher, "one", 4), await waits(batcher, "other", 4)
        ranker.gate.set()
        await one
        await other
        found = await long
        assert found.ids == tuple(str(place) for place in range(10, 0, -1))
        assert [hit.first_rank for hit in found] == list(range(10, 0, -1))
        assert found.usage.documents == 10

    ranker, turns = queued(Limits(batch_tokens=10), act, Pointwise())
    assert ranker.batches[:3] == [["first"], ["long"], ["one", "other"]]
    assert set(map(tuple, ranker.batches[3:])) == {("long",)}
    assert all(turn.tokens <= 10 for turn in turns)
    assert sum(turn.documents for turn in turns) == 1 + 10 + 4


def test_what_orders_a_list_as_a_whole_is_not_cut() -> None:
    async def act(ranker: Counting, batcher: Batcher) -> None:
        long = await waits(batcher, "long", 30, documents=10)
        ranker.gate.set()
        await long

    assert queued(Limits(batch_tokens=10), act)[0].batches == [["first"], ["long"]]


class Held(Pointwise):
    """The same, whose turns of the query "long" end when somebody has left."""

    def __init__(self) -> None:
        super().__init__()
        self.left = Event()

    def rerank_many(self, rankings: Sequence[Ranking], **more: Any) -> list[Ranking]:
        found = super().rerank_many(rankings, **more)
        if rankings[0].query.text == "long":
            assert self.left.wait(PATIENCE_S)
        return found


def test_who_leaves_between_two_turns_is_not_read_on() -> None:
    held = Held()

    async def act(ranker: Counting, batcher: Batcher) -> None:
        long = await waits(batcher, "long", 30, documents=10)
        ranker.begun.clear()
        ranker.gate.set()
        await asyncio.to_thread(ranker.begun.wait, PATIENCE_S)
        long.cancel()
        await asyncio.sleep(0)
        held.left.set()
        await (await waits(batcher, "last", 1))

    assert queued(Limits(batch_tokens=10), act, held)[0].batches == [["first"], ["long"], ["last"]]


def test_a_list_that_alone_takes_too_long_is_refused_as_too_large() -> None:
    async def act(_: Counting, batcher: Batcher) -> None:
        batcher.pace.learn(10, 1.0)
        with pytest.raises(Refused) as refused:
            await batcher.rank(Ranking.of("large", ["a"]), 51)
        assert (refused.value.status, refused.value.param) == (413, "documents")
        assert "about 51 tokens, which take about 5 s" in refused.value.message

    assert queued(Limits(batch_tokens=10, seconds=5), act)[0].batches == [["first"]]


@pytest.mark.parametrize(("limits", "retry_s"), [(Limits(seconds=100), "61"), (Limits(seconds=100, wait_s=70), "71")])
def test_what_cannot_be_ready_in_time_is_refused_with_when_it_can(limits: Limits, retry_s: str) -> None:
    """Three turns of 47 s wait before it: it could begin after 141 s, and would end after 161 s."""

    async def act(ranker: Counting, batcher: Batcher) -> None:
        left = [await waits(batcher, str(place), 47) for place in range(3)]
        batcher.pace.learn(100, 100.0)
        with pytest.raises(Refused) as refused:
            await batcher.rank(Ranking.of("late", ["a"]), 20)
        assert (refused.value.status, refused.value.headers) == (429, {"Retry-After": retry_s})
        left.pop(0).cancel()
        left.pop(0).cancel()
        await asyncio.sleep(0)
        let_in = await waits(batcher, "in time", 20)
        ranker.gate.set()
        await asyncio.gather(let_in, *left)

    assert queued(limits, act)[0].batches == [["first"], ["2", "in time"]]


def test_who_has_less_time_is_refused_earlier() -> None:
    async def act(ranker: Counting, batcher: Batcher) -> None:
        waiting = await waits(batcher, "waiting", 47)
        batcher.pace.learn(100, 100.0)
        with pytest.raises(Refused) as refused:
            await batcher.rank(Ranking.of("late", ["a"]), 20, within_s=60.0)
        assert refused.value.status == 429
        ranker.gate.set()
        await waiting

    queued(Limits(seconds=100), act)


def test_a_long_list_before_a_short_one_is_counted_as_the_turn_that_it_takes() -> None:
    async def act(ranker: Counting, batcher: Batcher) -> None:
        long = await waits(batcher, "long", 30, documents=10)
        batcher.pace.learn(10, 10.0)
        short = await waits(batcher, "short", 4)
        ranker.gate.set()
        await asyncio.gather(long, short)

    ranker, _ = queued(Limits(batch_tokens=10, seconds=50, wait_s=15), act, Pointwise())
    assert ["short"] in ranker.batches


def test_other_work_that_waits_is_counted_by_its_own_pace() -> None:
    async def act(ranker: Counting, batcher: Batcher) -> None:
        work = asyncio.ensure_future(batcher.call(lambda: 1, 10))
        await asyncio.sleep(0)
        batcher.pace.learn(10, 0.1)
        batcher.work_pace.learn(10, 60.0)
        with pytest.raises(Refused) as refused:
            await batcher.rank(Ranking.of("late", ["a"]), 1)
        assert refused.value.status == 429
        ranker.gate.set()
        await work

    queued(Limits(seconds=30), act)


def test_what_is_begun_when_the_time_to_end_is_over_is_refused() -> None:
    ranker = Counting()
    batcher = Batcher(ranker, Limits(), lambda _: None)

    async def acted() -> None:
        ranker.gate.clear()
        begun = asyncio.ensure_future(batcher.rank(Ranking.of("begun", ["a"]), 1))
        await asyncio.to_thread(ranker.begun.wait, PATIENCE_S)
        assert not batcher.close(0.0)
        with pytest.raises(Refused) as refused:
            await begun
        assert refused.value.status == 503

    asyncio.run(acted())
    ranker.gate.set()
    assert batcher.close(PATIENCE_S)
