"""Which lists a step reads, and at which rate."""

from typing import Any

import pytest

from whyrank.config import checked
from whyrank.train.schedule import Schedule
from whyrank.train.settings import OptimizerSettings


def schedule(lists: int = 10, per_step: int = 4, seed: int = 1, **values: Any) -> Schedule:
    return Schedule(lists, per_step, checked(OptimizerSettings, {"lr": 1.0, **values}), seed)


def test_each_epoch_reads_each_list_once() -> None:
    made = schedule(epochs=2)
    assert (made.per_epoch, made.steps) == (3, 6)
    epochs = [[place for step in range(start, start + 3) for place in made.places(step)] for start in (0, 3)]
    assert [sorted(epoch) for epoch in epochs] == [list(range(10))] * 2
    assert epochs[0] != epochs[1]
    assert [len(made.places(step)) for step in range(6)] == [4, 4, 2, 4, 4, 2]


def test_the_order_follows_from_the_seed() -> None:
    assert schedule().places(1) == schedule().places(1)
    assert schedule(lists=50, per_step=50).places(0) != schedule(lists=50, per_step=50, seed=2).places(0)


@pytest.mark.parametrize(
    ("values", "rates"),
    [
        ({"schedule": "constant"}, [1, 1, 1, 1, 1, 1]),
        ({"schedule": "linear"}, [1, 5 / 6, 4 / 6, 3 / 6, 2 / 6, 1 / 6]),
        ({"schedule": "exponential", "gamma": 0.85}, [1, 1, 1, 0.85, 0.85, 0.85]),
        ({"schedule": "cosine"}, [1, 0.9330127, 0.75, 0.5, 0.25, 0.0669873]),
        ({"schedule": "linear", "warmup": 0.5}, [1 / 3, 2 / 3, 1, 1, 2 / 3, 1 / 3]),
        ({"schedule": "constant", "warmup": 1.0}, [1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6, 1]),
    ],
)
def test_rates(values: dict[str, Any], rates: list[float]) -> None:
    made = schedule(epochs=2, **values)
    assert [made.rate(step) for step in range(6)] == pytest.approx(rates)
