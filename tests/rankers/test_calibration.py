"""From scores to probabilities: curves, and the file they are kept in."""

import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whyrank.errors import BadInput, Corrupt, MissingFile, OtherRanker
from whyrank.rankers.calibration import Calibration, Isotonic, Temperature

STEPS = Isotonic((0.0, 1.0, 2.0), (0.1, 0.1, 0.9))
CALIBRATION = Calibration("evidence-1@abc", Temperature(0.5, 2.0), STEPS, 1.0, "made up", 12)


def test_temperature_by_hand() -> None:
    curve = Temperature(temperature=0.5, shift=2.0)
    assert curve.probability(2.0) == 0.5
    assert curve.probability(2.5) == pytest.approx(1 / (1 + math.exp(-1)))
    assert curve.probability(1.5) == pytest.approx(1 / (1 + math.e))
    assert curve.probability(1e9) == 1.0
    assert 0 <= curve.probability(-1e9) < 1e-300


def test_isotonic_by_hand() -> None:
    assert [STEPS.probability(s) for s in (-5.0, 0.5, 1.0, 1.5, 2.0, 7.0)] == pytest.approx(
        [0.1, 0.1, 0.1, 0.5, 0.9, 0.9]
    )


@given(st.lists(st.floats(-50, 50), min_size=2, unique=True), st.floats(-60, 60), st.floats(-60, 60))
def test_no_curve_turns_an_order(points: list[float], one: float, other: float) -> None:
    scores = tuple(sorted(points))
    rising = Isotonic(scores, tuple(i / len(scores) for i in range(len(scores))))
    low, high = sorted((one, other))
    for curve in (rising, Temperature(3.0, 1.0)):
        assert curve.probability(low) <= curve.probability(high)


def test_the_curve_depends_on_the_first_stage() -> None:
    assert CALIBRATION.probability(2.0, first_score=12.5) == 0.5
    assert CALIBRATION.probability(2.0) == 0.9
    with pytest.raises(BadInput, match="no curve for candidates without a first-stage score"):
        Calibration("x", Temperature(1.0, 0.0), None).probability(1.0)


def test_it_belongs_to_one_ranker() -> None:
    assert CALIBRATION.of("evidence-1@abc") is CALIBRATION
    with pytest.raises(OtherRanker, match="fitted to the scores of 'evidence-1@abc', not 'evidence-2@def'"):
        CALIBRATION.of("evidence-2@def")


def test_saved_and_read_back(tmp_path: Path) -> None:
    CALIBRATION.save(tmp_path / "c.json")
    assert Calibration.load(tmp_path / "c.json") == CALIBRATION
    with pytest.raises(MissingFile):
        Calibration.load(tmp_path / "absent.json")


@pytest.mark.parametrize(
    "change",
    [
        {"whyrank_calibration": 2},
        {"with_first_stage": {"kind": "temperature", "temperature": 0, "shift": 1}},
        {"with_first_stage": {"kind": "temperature", "temperature": math.nan, "shift": 1}},
        {"with_first_stage": {"kind": "spline"}},
        {"without_first_stage": {"kind": "isotonic", "scores": [2, 1], "probabilities": [0, 1]}},
        {"without_first_stage": {"kind": "isotonic", "scores": [1, 2], "probabilities": [1, 0]}},
        {"without_first_stage": {"kind": "isotonic", "scores": [], "probabilities": []}},
        {"strange": 1},
    ],
)
def test_what_is_no_calibration_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    path = tmp_path / "c.json"
    CALIBRATION.save(path)
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(Corrupt, match="fit it again"):
        Calibration.load(path)


def test_a_torn_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    CALIBRATION.save(path)
    path.write_text(path.read_text()[:40])
    with pytest.raises(Corrupt):
        Calibration.load(path)
