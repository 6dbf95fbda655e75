"""The drivers: batches, counts, errors and cancellation."""

import asyncio
import random
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whyrank.errors import BadInput
from whyrank.rankers.algorithms import ALGORITHMS
from whyrank.rankers.costs import answer
from whyrank.rankers.flow import Flow, Outcome, Question, Round, Trace, drive, drive_async
from whyrank.rankers.listwise_sorting import sliding_window
from whyrank.rankers.sorting import pointwise

Batch = list[tuple[int, Question]]


def backwards(batch: Batch) -> list[list[int]]:
    """A listwise judge to whom later positions are better."""
    return [sorted(range(len(q)), key=lambda i: -q[i]) for _, q in batch]


async def backwards_async(_: int, question: Question) -> list[int]:
    return sorted(range(len(question)), key=lambda i: -question[i])


def test_seven_lists_of_a_hundred_take_nine_batches() -> None:
    batches: list[int] = []

    def judge(batch: Batch) -> list[list[int]]:
        batches.append(len(batch))
        return backwards(batch)

    outcomes = drive([sliding_window(100) for _ in range(7)], judge)
    assert batches == [7] * 9
    assert [o.trace for o in outcomes] == [Trace(questions=9, documents=180, rounds=9)] * 7
    assert outcomes[0].order[:10] == tuple(range(99, 89, -1))


def test_short_lists_leave_the_batch_early() -> None:
    batches: list[list[int]] = []

    def judge(batch: Batch) -> list[list[int]]:
        batches.append([i for i, _ in batch])
        return backwards(batch)

    outcomes = drive([sliding_window(n, size=4, stride=2) for n in (0, 1, 4, 8)], judge)
    assert batches == [[2, 3], [3], [3]]
    assert [len(o.order) for o in outcomes] == [0, 1, 4, 8]
    assert [o.trace.questions for o in outcomes] == [0, 0, 1, 3]


def test_no_flows_ask_nothing() -> None:
    assert drive([], backwards) == []
    assert asyncio.run(drive_async([], backwards_async)) == []


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_wrong_number_of_answers_is_an_error(count: int) -> None:
    with pytest.raises(BadInput, match=f"{count} answers to 2 questions"):
        drive([pointwise(2)], lambda batch: [1.0] * count)


def one_round(result: list[int]) -> Flow[float]:
    yield [(0,), (1,), (2,)]
    return result


@pytest.mark.parametrize("result", [[0, 1], [0, 0, 1], [0, 1, 3], []])
def test_a_flow_that_loses_or_invents_positions_is_an_error(result: list[int]) -> None:
    with pytest.raises(BadInput, match="permutation"):
        drive([one_round(result)], lambda batch: [1.0] * len(batch))


def test_an_empty_round_is_an_error() -> None:
    def empty() -> Flow[float]:
        yield []
        return []

    with pytest.raises(BadInput, match="empty round"):
        drive([empty()], lambda batch: [])


def test_the_same_flow_twice_is_an_error() -> None:
    flow = pointwise(3)
    with pytest.raises(BadInput, match="twice"):
        drive([flow, flow], lambda batch: [1.0] * len(batch))


class Watched:
    """Flows that report when they are closed before their end."""

    def __init__(self) -> None:
        self.closed: list[int] = []

    def flow(self, number: int) -> Flow[float]:
        try:
            yield [(0,), (1,)]
            yield [(0,), (1,)]
        except GeneratorExit:
            self.closed.append(number)
            raise
        return [0, 1]


def test_an_error_of_the_judge_reaches_the_caller_and_closes_all_flows() -> None:
    watched = Watched()
    calls = 0

    def judge(batch: Batch) -> list[float]:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise ConnectionError("gone")
        return [1.0] * len(batch)

    flows = [watched.flow(0), watched.flow(1)]  # held, or the garbage collector would close them
    with pytest.raises(ConnectionError, match="gone"):
        drive(flows, judge)
    assert watched.closed == [0, 1]


def test_on_round_sees_every_question() -> None:
    seen: list[tuple[int, Round]] = []
    drive([pointwise(2), pointwise(0)], lambda batch: [0.0] * len(batch), on_round=lambda i, r: seen.append((i, r)))
    assert seen == [(0, [(0,), (1,)])]


# Async


def test_an_async_error_cancels_all_others_and_is_not_lost() -> None:
    watched = Watched()
    finished: list[int] = []
    cancelled: list[int] = []

    async def judge(flow: int, question: Question) -> float:
        if flow == 1:
            await asyncio.sleep(0)
            raise ConnectionError(f"{question} failed")
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            cancelled.append(flow)
            raise
        finished.append(flow)
        return 1.0

    flows = [watched.flow(i) for i in range(3)]
    with pytest.raises(ConnectionError, match="failed") as caught:
        asyncio.run(drive_async(flows, judge))
    assert finished == []
    assert sorted(cancelled) == [0, 0, 2, 2]
    assert watched.closed == [0, 1, 2]
    assert "1 more failed beside it" in caught.value.__notes__[0]


def test_one_late_failure_in_a_round_is_not_lost() -> None:
    async def judge(_: int, question: Question) -> float:
        await asyncio.sleep(0.001 * question[0])
        if question == (19,):
            raise TimeoutError("too late")
        return 1.0

    with pytest.raises(TimeoutError, match="too late"):
        asyncio.run(drive_async([pointwise(20)], judge))


def test_a_judge_that_cancels_itself_gives_no_half_result() -> None:
    async def judge(flow: int, _: Question) -> float:
        if flow == 1:
            raise asyncio.CancelledError
        return 1.0

    with pytest.raises(BadInput, match="flow 1 did not finish"):
        asyncio.run(drive_async([pointwise(2), pointwise(2)], judge))


def test_cancelling_the_driver_cancels_the_questions() -> None:
    watched = Watched()
    started = 0

    async def judge(_: int, __: Question) -> float:
        nonlocal started
        started += 1
        await asyncio.sleep(30)
        return 1.0

    async def main() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await drive_async([watched.flow(0)], judge)

    asyncio.run(main())
    assert started == 2
    assert watched.closed == [0]


@pytest.mark.parametrize(("limit", "expected"), [(1, 1), (4, 4), (None, 60)])
def test_the_limit_holds_over_all_flows(limit: int | None, expected: int) -> None:
    under_way = most = 0

    async def judge(_: int, __: Question) -> float:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.001)
        under_way -= 1
        return 1.0

    asyncio.run(drive_async([pointwise(20) for _ in range(3)], judge, limit=limit))
    assert most == expected


def test_a_limit_below_one_is_an_error() -> None:
    with pytest.raises(BadInput, match="limit is 0"):
        asyncio.run(drive_async([pointwise(2)], backwards_async, limit=0))  # type: ignore[arg-type]


@given(
    name=st.sampled_from(sorted(ALGORITHMS)),
    sizes=st.lists(st.integers(0, 45), max_size=4),
    seed=st.integers(0, 2**32),
    limit=st.sampled_from([None, 1, 3]),
)
def test_both_drivers_give_the_same(name: str, sizes: Sequence[int], seed: int, limit: int | None) -> None:
    make: Callable[..., Flow[Any]] = ALGORITHMS[name].function
    worths = [[random.Random(seed + i).random() for _ in range(n)] for i, n in enumerate(sizes)]

    def judge(batch: Batch) -> list[Any]:
        return [answer(ALGORITHMS[name].judge, q, worths[i]) for i, q in batch]

    async def judge_async(flow: int, question: Question) -> Any:
        await asyncio.sleep(0)
        return answer(ALGORITHMS[name].judge, question, worths[flow])

    lockstep: list[Outcome] = drive([make(n) for n in sizes], judge)
    assert asyncio.run(drive_async([make(n) for n in sizes], judge_async, limit=limit)) == lockstep
