"""Fitting a fusion: it finds who is right."""

import random

import pytest

from whyrank.errors import BadInput
from whyrank.evaluate.fusing import SHAPES, Opinions, fit


def queries(error1: float, error2: float, count: int = 60, size: int = 12) -> list[Opinions]:
    """Two stages that see grades with errors."""
    draws = random.Random(0)
    made = []
    for _ in range(count):
        grades = {str(n): draws.choice([0, 0, 0, 1, 2]) for n in range(size)} | {"0": 2}
        seen = {i: min(1.0, max(0.0, grade / 2 + draws.gauss(0, error1))) for i, grade in grades.items()}
        ids = sorted(grades, key=lambda i: -seen[i])
        worth = {i: grade + draws.gauss(0, error2) for i, grade in grades.items()}
        best = sorted(ids, key=lambda i: -worth[i])
        made.append(Opinions(ids, [seen[i] for i in ids], [1.0 + best.index(i) for i in ids], [], grades))
    return made


def test_a_stage_that_is_right_gets_all_the_weight() -> None:
    second = fit({"a": queries(0.6, 0.0)})
    assert second.fusion.weight >= 0.9
    assert second.stage2 == pytest.approx(1.0)
    assert second.best == pytest.approx(1.0)
    first = fit({"a": queries(0.0, 3.0)})
    assert first.fusion.weight <= 0.3
    assert first.stage1 == pytest.approx(1.0)


def test_two_that_err_apart_are_better_together() -> None:
    found = fit({"a": queries(0.4, 0.8), "b": queries(0.4, 0.8, count=30)})
    assert 0.1 < found.fusion.weight < 0.9
    assert found.value > max(found.stage1, found.stage2) + 0.01
    assert found.best - 0.002 <= found.value + 0.002
    assert found.fusion.form in {shape.form for shape in SHAPES}
    assert found.fusion.fitted_on == "90 queries of a, b"


def test_nothing_to_fit_on() -> None:
    with pytest.raises(BadInput, match="no queries to fit"):
        fit({})
    with pytest.raises(BadInput, match="no queries to fit"):
        fit({"a": []})
