"""When stage 2 is asked and believed, with numbers worked by hand and against exhaustive sums."""

import itertools
import math
import random
from statistics import fmean, pstdev
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whyrank.errors import BadInput
from whyrank.rankers.algorithms import algorithm
from whyrank.rankers.flow import drive
from whyrank.rankers.guard import Decision, Guard, agreement, stake, summary, within_budget


def test_nothing_at_stake() -> None:
    assert stake([]) == 0.0
    assert stake([0.3]) == pytest.approx(0.0)
    assert stake([1.0, 1.0, 0.0, 0.0]) == 0.0
    assert stake([0.0, 0.0]) == 0.0


def test_a_stake_by_hand() -> None:
    """The lower one is surely the only relevant one: its gain falls from 1 to 1 / log2(3)."""
    assert stake([0.0, 1.0]) == pytest.approx(1 - 1 / math.log2(3))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=7), st.integers(1, 5))
def test_a_stake_is_the_sum_over_all_worlds(probabilities: list[float], top: int) -> None:
    gained = best = 0.0
    for world in itertools.product((0, 1), repeat=len(probabilities)):
        chance = math.prod(p if is_relevant else 1 - p for p, is_relevant in zip(probabilities, world, strict=True))
        gained += chance * sum(r / math.log2(i + 2) for i, r in enumerate(world[:top]))
        best += chance * sum(r / math.log2(i + 2) for i, r in enumerate(sorted(world, reverse=True)[:top]))
    expected = 1 - gained / best if best else 0.0
    assert stake(probabilities, top=top) == pytest.approx(max(0.0, expected), abs=1e-9)


def test_agreement_by_hand() -> None:
    assert agreement([0, 1, 2], [0, 1, 2]) == 1.0
    assert agreement([0, 1, 2], [2, 1, 0]) == -1.0
    assert agreement([0, 1, 2], [0, 2, 1]) == pytest.approx(1 / 3)
    assert agreement([0, 1, 2], [0, 2, 1], top=1) == 1.0  # what stands below the first place does not count
    assert agreement([0, 1, 2, 3], [1, 0, 3, 2], top=1) == pytest.approx((-1 + 4) / 5)
    assert agreement([], []) == agreement([0], [0]) == 1.0


def test_other_documents_cannot_agree() -> None:
    with pytest.raises(BadInput, match="different ones"):
        agreement([0, 1], [0, 2])


def test_chance_agrees_to_nothing() -> None:
    """The threshold lies three standard deviations above what two random orders of thirty come to."""
    draws = random.Random(0)
    taus = [agreement(draws.sample(range(30), 30), range(30)) for _ in range(1_000)]
    assert abs(fmean(taus)) < 0.02
    assert 3 * pstdev(taus) < Guard().agreement
    assert sum(tau >= Guard().agreement for tau in taus) <= 2


def perfect(shown: list[int], question: tuple[int, ...]) -> list[int]:
    return sorted(range(len(question)), key=lambda place: shown[question[place]])


@pytest.mark.parametrize("second", ["shuffled", "reversed"])
@pytest.mark.parametrize("count", [2, 7, 20, 21, 30, 37])
def test_a_perfect_judge_agrees_with_itself(second: Any, count: int) -> None:
    """Whatever the number of candidates, also where windows do not divide it."""
    orders = []
    for shown in (list(range(count)), Guard(second=second).other_order(count, "query")):
        flow = algorithm("sliding-window").function(count, size=20, stride=10)
        [outcome] = drive([flow], lambda batch, given=shown: [perfect(given, question) for _, question in batch])  # type: ignore[misc]
        orders.append([shown[place] for place in outcome.order])
    assert orders[0][:10] == list(range(min(10, count)))
    assert agreement(*orders) == 1.0


def test_the_second_order_belongs_to_its_query() -> None:
    guard = Guard()
    assert guard.other_order(20, "a") == guard.other_order(20, "a")
    assert guard.other_order(20, "a") != guard.other_order(20, "b")
    assert guard.other_order(20, "a") != Guard(seed=1).other_order(20, "a")
    assert Guard(second="reversed").other_order(3, "a") == [2, 1, 0]


def test_what_is_accepted() -> None:
    assert [Guard(accepts="ok").takes(s) for s in ("ok", "repaired", "refused")] == [True, False, False]
    assert [Guard().takes(s) for s in ("ok", "repaired", "truncated", "error", "partial")] == [True, True] + [False] * 3
    assert Guard.off().takes("error")


def test_most_at_stake_first() -> None:
    prices = [(2, 100)] * 4
    stakes = [0.1, 0.4, None, 0.4]
    assert within_budget(Guard(), stakes, prices, 4) == [True] * 4
    assert within_budget(Guard(calls=4), stakes, prices, 4) == [False, True, True, False]
    assert within_budget(Guard(tokens=299), stakes, prices, 4) == [False, True, True, False]
    assert within_budget(Guard(share=0.25), stakes, prices, 4) == [False, False, True, False]
    assert within_budget(Guard(share=0.25), stakes, prices, 8) == [False, True, True, False]
    assert within_budget(Guard(calls=0), stakes, prices, 4) == [False] * 4
    assert sum(within_budget(Guard(share=0.29), [0.1] * 100, [(2, 100)] * 100, 100)) == 29  # 0.29 · 100 < 29


def test_decisions_are_counted() -> None:
    decisions = [
        Decision("kept", 0.3, 0.8),
        Decision("sure", 0.01),
        Decision("disagrees", 0.3, 0.1),
        Decision("disagrees", 0.3, -0.1),
        Decision("unusable", 0.2, None, "refused"),
    ]
    assert summary(decisions) == (
        "stage 2 kept for 1 of 5 queries: 1 not asked (stage 1 is sure), 1 dropped (no usable answer), "
        "2 dropped (disagrees with itself), mean tau 0.00"
    )
    assert str(decisions[0]) == "stage 2 kept: at stake 0.30, tau 0.80"
    assert str(decisions[4]) == "stage 2 dropped (no usable answer): at stake 0.20, answer refused"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"least_stake": -0.1}, "least_stake is -0.1; give a number from 0 to 1"),
        ({"least_stake": math.nan}, "least_stake is nan"),
        ({"agreement": 1.5}, "agreement is 1.5; give a number from -1 to 1"),
        ({"agreement": "high"}, "agreement is 'high'"),
        ({"share": 2}, "share is 2"),
        ({"calls": -1}, "calls is -1; give a whole number"),
        ({"tokens": 1.5}, "tokens is 1.5"),
        ({"accepts": "all"}, "accepts is 'all'; known: ok, repaired, any"),
        ({"second": "sorted"}, "second is 'sorted'; known: shuffled, reversed, off"),
    ],
)
def test_settings_that_mean_nothing(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        Guard(**settings)
