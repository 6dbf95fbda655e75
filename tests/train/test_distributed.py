"""Two processes of torchrun learn what one process learns from twice the batch."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import lessons
import pytest
import torch
from safetensors.torch import load_file

from whyrank.train.distributed import joined
from whyrank.train.loop import train
from whyrank.train.settings import TrainSettings

SCRIPT = """
import sys
from whyrank.config import load
from whyrank.train.loop import train
from whyrank.train.settings import TrainSettings

train(load(TrainSettings, sys.argv[1]))
"""


def torchrun(how: TrainSettings, folder: Path, *, processes: int = 2) -> subprocess.CompletedProcess[str]:
    (folder / "run.py").write_text(SCRIPT, encoding="utf-8")
    (folder / "config.yaml").write_text(json.dumps(how.model_dump(mode="json")), encoding="utf-8")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    command += [str(folder / "run.py"), str(folder / "config.yaml")]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300, check=False)


def rows(output: Path, prefix: str) -> list[dict[str, float]]:
    found = [json.loads(line) for line in (output / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    skipped = ("train/seconds",)
    return [
        {name: value for name, value in row.items() if name.startswith(prefix) and name not in skipped}
        for row in found
        if f"{prefix}loss" in row
    ]


def same_gradient(first: Path, second: Path) -> None:
    """The first step's, of every parameter: after one step Adam's mean of gradients is a tenth of it.

    Parameters themselves are no measure: Adam takes whole steps along gradients that are nothing but rounding.
    """
    name = "checkpoints/step-00000001/optimizer.safetensors"
    one, two = load_file(first / name), load_file(second / name)
    assert one.keys() == two.keys()
    means = [key for key in one if key.endswith("exp_avg")]
    assert all(torch.allclose(one[key], two[key], atol=1e-6) for key in means)
    assert sum(bool((one[key].abs() > 1e-4).any()) for key in means) >= len(means) // 2


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("given")
    model = lessons.base(folder / "model")
    # Seven lists: the last step has one list, and one of the processes none. Some have no reasons.
    some = [lessons.record(n, documents=2 + n % 3, has_reasons=n % 3 != 0) for n in range(7)]
    data = lessons.written(folder / "data", some, lessons.records(3))

    def made(output: Path, **more: Any) -> TrainSettings:
        values = {"lora.dropout": 0.0, "checkpoints.every": 1, "checkpoints.keep": 9}
        return lessons.settings(model, data, output, {**values, **{k.replace("__", "."): v for k, v in more.items()}})

    return made


def test_two_processes_are_one_with_twice_the_batch(settings: Any, tmp_path: Path) -> None:
    ended = torchrun(settings(tmp_path / "two"), tmp_path)
    assert ended.returncode == 0, ended.stderr
    train(settings(tmp_path / "one", optimizer__batch=2))
    for prefix in ("train/", "dev/"):
        one, two = rows(tmp_path / "one", prefix), rows(tmp_path / "two", prefix)
        assert len(one) == len(two) == (4 if prefix == "train/" else 5)
        for first, second in zip(one, two, strict=True):
            assert second == pytest.approx(first, abs=1e-5)
    same_gradient(tmp_path / "one", tmp_path / "two")


def test_accumulation_is_the_big_batch(settings: Any, tmp_path: Path) -> None:
    train(settings(tmp_path / "big", optimizer__batch=4))
    train(settings(tmp_path / "small", optimizer__batch=1, optimizer__accumulation=4, model__reasons_at_once=1))
    for first, second in zip(rows(tmp_path / "big", "train/"), rows(tmp_path / "small", "train/"), strict=True):
        assert second == pytest.approx(first, abs=1e-5)
    same_gradient(tmp_path / "big", tmp_path / "small")


def test_another_number_of_processes_does_not_go_on(settings: Any, tmp_path: Path) -> None:
    train(settings(tmp_path / "run"))
    ended = torchrun(settings(tmp_path / "run"), tmp_path)
    assert ended.returncode != 0
    assert "processes was 1 and is 2" in ended.stderr


def test_alone_without_torchrun() -> None:
    with joined("cpu") as group:
        assert (group.rank, group.size, group.device, group.is_first) == (0, 1, "cpu", True)
        gradient = torch.tensor([1.0, 2.0])
        group.add_up([gradient])
        group.wait()
    assert gradient.tolist() == [1.0, 2.0]
