"""Where figures go."""

import json
import math
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import lessons
import pytest

from whyrank.errors import Corrupt, MissingExtra, Unwritable
from whyrank.train.settings import TrainSettings
from whyrank.train.tracking import JsonLog, opened, read_log


def settings(tmp_path: Path, *to: str) -> TrainSettings:
    return lessons.settings("tiny", "data", tmp_path, {"tracking.to": to, "tracking.project": "mine"})


class Run:
    """A run as Weights & Biases and Trackio have it."""

    def __init__(self, **told: Any) -> None:
        self.told = told
        self.logged: list[tuple[int, dict[str, float]]] = []
        self.is_finished = False

    def log(self, figures: dict[str, float], step: int) -> None:
        self.logged.append((step, figures))

    def finish(self) -> None:
        self.is_finished = True


def test_a_line_for_every_step(tmp_path: Path) -> None:
    with opened(settings(tmp_path), 0) as log:
        log.log(1, {"train/loss": 0.5})
        log.log(2, {"train/loss": math.nan, "train/lr": 0.1})
    lines = (tmp_path / "log.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == [
        {"step": 1, "train/loss": 0.5},
        {"step": 2, "train/loss": None, "train/lr": 0.1},
    ]


def test_what_comes_again_is_cut_and_what_a_kill_has_torn(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text('{"step": 1, "a": 1}\n{"step": 2, "a": 2}\n{"step": 3, "a": 3}\n{"step": 4, "a"', encoding="utf-8")
    assert [row["step"] for row in read_log(path)] == [1, 2, 3]
    log = JsonLog(path, step=2)
    log.log(3, {"a": 9})
    log.close()
    assert read_log(path) == [{"step": 1, "a": 1}, {"step": 2, "a": 2}, {"step": 3, "a": 9}]
    JsonLog(path).close()
    assert read_log(path) == []


def test_a_log_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(Unwritable):
        JsonLog(tmp_path / "absent" / "log.jsonl")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device that is always full")
def test_a_full_disk_is_said_once(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").symlink_to("/dev/full")
    with pytest.raises(Unwritable, match="make room and run again"), opened(settings(tmp_path), 0) as log:
        log.log(1, {"train/loss": 0.5})


def test_a_log_that_was_changed_is_named(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    for line in ("{", "[1]", '{"train/loss": 1}'):
        path.write_text(f'{{"step": 1}}\n{line}\n{{"step": 3}}\n', encoding="utf-8")
        with pytest.raises(Corrupt, match=r"log\.jsonl:2: is no row"):
            JsonLog(path, step=3)
        assert path.read_text(encoding="utf-8").count("\n") == 3


@pytest.mark.parametrize("name", ["wandb", "trackio"])
def test_runs_of_others(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[Run] = []

    def init(**told: Any) -> Run:
        runs.append(Run(**told))
        return runs[-1]

    monkeypatch.setitem(sys.modules, name, SimpleNamespace(init=init))
    for step in (0, 1):
        with opened(settings(tmp_path, name), step) as log:
            log.log(step + 1, {"train/loss": 0.5})
    first, second = runs
    assert (first.logged, first.is_finished) == ([(1, {"train/loss": 0.5})], True)
    assert (first.told["project"], first.told["name"], first.told["resume"]) == ("mine", tmp_path.name, "allow")
    assert first.told["config"]["lora"]["r"] == 8
    assert first.told.get("id") == second.told.get("id")
    assert [row["step"] for row in read_log(tmp_path / "log.jsonl")] == [1, 2]


@pytest.mark.parametrize("name", ["wandb", "trackio", "tensorboard"])
def test_a_tracker_that_is_not_installed_leaves_the_log(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "log.jsonl").write_text('{"step": 1}\n', encoding="utf-8")
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingExtra, match=rf"needs {name}: pip install 'whyrank\[{name}\]'"):
        opened(settings(tmp_path, name), 0)
    assert read_log(tmp_path / "log.jsonl") == [{"step": 1}]


def test_tensorboard_reads_what_was_written(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator  # type: ignore[import-untyped]

    with opened(settings(tmp_path, "tensorboard"), 0) as log:
        log.log(1, {"train/loss": 0.5})
        log.log(2, {"train/loss": 0.25})
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert [(event.step, event.value) for event in events.Scalars("train/loss")] == [(1, 0.5), (2, 0.25)]


@pytest.mark.parametrize(("step", "shown"), [(1, [(1, 0.5), (2, 0.75)]), (0, [(1, 0.75)])])
def test_tensorboard_shows_what_a_run_took_up_and_not_what_it_began_anew(
    step: int, shown: list[tuple[int, float]], tmp_path: Path
) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    with opened(settings(tmp_path, "tensorboard"), 0) as log:
        for number, loss in ((1, 0.5), (2, 0.25), (3, 0.125)):
            log.log(number, {"train/loss": loss})
    with opened(settings(tmp_path, "tensorboard"), step) as log:
        log.log(step + 1, {"train/loss": 0.75})
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert [(event.step, event.value) for event in events.Scalars("train/loss")] == shown
