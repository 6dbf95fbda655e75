"""Training: what it writes, that it is taken up in the same bits, and what it refuses."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lessons
import pytest
import torch
from safetensors.torch import load_file

from whyrank.errors import BadInput, Corrupt, MissingFile, Unwritable
from whyrank.train import checkpoints, learner, objective
from whyrank.train.loop import Trained, train
from whyrank.train.settings import TrainSettings

KILLED = """
import os, signal, sys
from whyrank.config import load
from whyrank.train import checkpoints, loop
from whyrank.train.settings import TrainSettings

steps, real = [], checkpoints._prune
def killing(folder, keep):
    steps.append(folder)
    if len(steps) == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    real(folder, keep)
checkpoints._prune = killing
loop.train(load(TrainSettings, sys.argv[1]))
"""


class Interrupted(Exception):
    pass


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return lessons.base(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> str:
    return lessons.written(tmp_path_factory.mktemp("data"), lessons.records(9), lessons.records(3))


def settings(model: str, data: str, output: Path, **more: Any) -> TrainSettings:
    values = {
        "optimizer.epochs": 2,
        "optimizer.accumulation": 2,
        "optimizer.schedule": "cosine",
        "checkpoints.every": 2,
    }
    return lessons.settings(model, data, output, {**values, **{k.replace("__", "."): v for k, v in more.items()}})


def tensors(output: Path) -> dict[str, torch.Tensor]:
    """What a finished training left: the student and the state of its optimizer."""
    newest = max((output / "checkpoints").iterdir())
    found: dict[str, torch.Tensor] = {}
    for path in (*newest.glob("*.safetensors"), *(output / "student").rglob("*.safetensors")):
        found |= {f"{path.name}:{name}": value for name, value in load_file(path).items()}
    return found


def figures(output: Path) -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in (output / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    return [{name: value for name, value in row.items() if name != "train/seconds"} for row in rows]


def same(first: Path, second: Path) -> bool:
    one, two = tensors(first), tensors(second)
    equal = one.keys() == two.keys() and all(torch.equal(value, two[name]) for name, value in one.items())
    return equal and figures(first) == figures(second)


@pytest.fixture(scope="module")
def whole(model: str, data: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Trained]:
    """A training that nothing interrupted: 10 steps."""
    output = tmp_path_factory.mktemp("whole") / "run"
    return output, train(settings(model, data, output))


def interrupt(monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    real = learner.Learner.step

    def step(self: learner.Learner, number: int, *rest: Any) -> Any:
        if number == after:
            raise Interrupted
        return real(self, number, *rest)

    monkeypatch.setattr(learner.Learner, "step", step)


def test_what_a_training_leaves(whole: tuple[Path, Trained], model: str) -> None:
    output, done = whole
    assert (done.begun, done.steps, done.folder) == (0, 10, output / "student")
    assert sorted(path.name for path in output.iterdir()) == [
        "checkpoints",
        "config.yaml",
        "lock",
        "log.jsonl",
        "student",
    ]
    assert sorted(path.name for path in (output / "checkpoints").iterdir()) == ["step-00000008", "step-00000010"]
    rows = figures(output)
    assert [row["step"] for row in rows if "train/loss" in row] == list(range(1, 11))
    assert [row["step"] for row in rows if "dev/loss" in row] == [0, 2, 4, 6, 8, 10]
    assert rows[1]["train/loss"] == pytest.approx(
        0.4 * rows[1]["train/pairwise"] + 0.4 * rows[1]["train/listwise"] + 0.2 * rows[1]["train/generation"]
    )
    assert done.figures["dev/nDCG@10"] == rows[-1]["dev/nDCG@10"]
    saved = json.loads((output / "student" / "reranker.json").read_text(encoding="utf-8"))
    assert (saved["reasons"], saved["trained"]["steps"], saved["trained"]["lists"]) == ("both", 10, 9)
    card = (output / "student" / "README.md").read_text(encoding="utf-8")
    assert "It learnt a teacher's order of documents, and direct and comparison reasons, as in" in card
    assert "| model | tiny |" in card
    assert (model in card, saved["base"]) == (False, model)
    assert done.known == 3  # its dev data are lists that it learns from


def test_dropout_is_on_and_changes_from_step_to_step(
    model: str, data: str, whole: tuple[Path, Trained], tmp_path: Path
) -> None:
    train(settings(model, data, tmp_path / "dry", lora__dropout=0.0))
    assert not same(whole[0], tmp_path / "dry")
    assert len({learner.drawn(42, step, rank) for step in range(5) for rank in range(2)}) == 10


@pytest.mark.parametrize("after", [0, 1, 2, 5, 9])
def test_an_interrupted_training_ends_in_the_same_bits(
    after: int, model: str, data: str, whole: tuple[Path, Trained], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    how = settings(model, data, tmp_path / "run")
    with monkeypatch.context() as patched:
        interrupt(patched, after)
        with pytest.raises(Interrupted):
            train(how)
    torch.manual_seed(123)  # what else the process drew does not matter
    done = train(how)
    assert done.begun == after // 2 * 2
    assert same(whole[0], tmp_path / "run")


def test_a_killed_process_leaves_a_whole_checkpoint(
    model: str, data: str, whole: tuple[Path, Trained], tmp_path: Path
) -> None:
    how = settings(model, data, tmp_path / "run")
    config = tmp_path / "config.yaml"
    config.write_text(json.dumps(how.model_dump(mode="json")), encoding="utf-8")
    ended = subprocess.run([sys.executable, "-c", KILLED, str(config)], capture_output=True, check=False)
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()
    assert train(how).begun == 4
    assert same(whole[0], tmp_path / "run")


def test_a_finished_training_stays_as_it_is(model: str, data: str, tmp_path: Path) -> None:
    how = settings(model, data, tmp_path / "run", optimizer__epochs=1)
    train(how)
    before = tensors(tmp_path / "run")
    done = train(how)
    assert (done.begun, done.steps) == (5, 5)
    assert all(torch.equal(value, before[name]) for name, value in tensors(tmp_path / "run").items())


def test_other_settings_are_named_on_resume(model: str, data: str, tmp_path: Path) -> None:
    train(settings(model, data, tmp_path / "run", optimizer__epochs=1))
    with pytest.raises(BadInput, match=r"optimizer\.lr was 0\.01 and is 0\.02; seed was 42 and is 7"):
        train(settings(model, data, tmp_path / "run", optimizer__epochs=1, optimizer__lr=0.02, seed=7))
    other = lessons.written(tmp_path / "data", lessons.records(8))
    with pytest.raises(BadInput, match="data was '"):
        train(settings(model, other, tmp_path / "run", optimizer__epochs=1))
    free = {"checkpoints__every": 3, "card__name": "mine", "threads": 1}
    assert train(settings(model, data, tmp_path / "run", optimizer__epochs=1, **free)).begun == 5


def test_overwrite_begins_anew(model: str, data: str, tmp_path: Path) -> None:
    train(settings(model, data, tmp_path / "run", optimizer__epochs=1))
    assert train(settings(model, data, tmp_path / "run", optimizer__epochs=2), overwrite=True).begun == 0


def test_a_damaged_checkpoint_is_not_taken_up(model: str, data: str, tmp_path: Path) -> None:
    how = settings(model, data, tmp_path / "run", optimizer__epochs=1)
    train(how)
    path = tmp_path / "run" / "checkpoints" / "step-00000005" / "parameters.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"\x01")
    with pytest.raises(Corrupt, match=r"step-00000005: is no whole checkpoint"):
        train(how)


def test_a_loss_that_is_no_number_stops_and_leaves_the_checkpoint(
    model: str, data: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = objective.descend
    calls: list[int] = []

    def broken(*args: Any) -> torch.Tensor:
        calls.append(1)
        return real(*args) * (torch.nan if len(calls) > 6 else 1)

    monkeypatch.setattr(learner, "descend", broken)
    how = settings(model, data, tmp_path / "run")
    with pytest.raises(BadInput, match=r"step 4: loss is nan, .*lower optimizer\.lr"):
        train(how)
    assert [path.name for path in (tmp_path / "run" / "checkpoints").iterdir()] == ["step-00000002"]
    monkeypatch.setattr(learner, "descend", real)
    assert train(how).begun == 2


def test_a_full_disk_leaves_the_checkpoint_before(
    model: str, data: str, whole: tuple[Path, Trained], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    how = settings(model, data, tmp_path / "run")
    real = checkpoints.save

    def full(folder: Path, saved: Any, *, keep: int) -> Path:
        if saved.step == 6:
            raise Unwritable("no space left")
        return real(folder, saved, keep=keep)

    with monkeypatch.context() as patched:
        patched.setattr(checkpoints, "save", full)
        with pytest.raises(Unwritable):
            train(how)
    assert train(how).begun == 4
    assert same(whole[0], tmp_path / "run")


def test_gradient_checkpointing_changes_nothing(model: str, data: str, tmp_path: Path) -> None:
    short = {"optimizer__epochs": 1, "lora__dropout": 0.1}
    train(settings(model, data, tmp_path / "kept", **short))
    train(settings(model, data, tmp_path / "twice", model__gradient_checkpointing=True, **short))
    kept, twice = tensors(tmp_path / "kept"), tensors(tmp_path / "twice")
    assert all(torch.equal(value, twice[name]) for name, value in kept.items())


@pytest.mark.parametrize(
    ("make", "error", "told"),
    [
        (list, BadInput, "none of 0 records can be learnt from: the file is empty"),
        (
            lambda: [lessons.record(1, status="refused", order=(), reasons=())],
            BadInput,
            "none of 1 records can be learnt from: 1 of status 'refused'",
        ),
        (
            lambda: lessons.records(3, has_reasons=False),
            BadInput,
            "no direct and no comparison reason; set reasons=none",
        ),
    ],
)
def test_nothing_to_learn_from(
    make: Callable[[], Any], error: type[Exception], told: str, model: str, tmp_path: Path
) -> None:
    data = lessons.written(tmp_path / "data", make())
    with pytest.raises(error, match=told):
        train(settings(model, data, tmp_path / "run"))
    assert not (tmp_path / "run" / "student").exists()


def test_a_folder_without_data(model: str, tmp_path: Path) -> None:
    with pytest.raises(MissingFile, match=r"holds no train\.jsonl"):
        train(settings(model, str(tmp_path), tmp_path / "run"))


def test_an_output_that_cannot_be_made(model: str, data: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(Unwritable, match="name another 'output'"):
        train(settings(model, data, tmp_path / "file" / "run"))


def test_threads_are_those_of_the_settings(
    model: str, data: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", asked.append)
    train(settings(model, data, tmp_path / "run", optimizer__epochs=1, threads=3))
    assert asked == [3]
    assert os.environ["OMP_NUM_THREADS"] == "1"
