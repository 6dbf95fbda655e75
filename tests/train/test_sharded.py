"""Two processes that share out the frozen layers learn what two processes learn that each hold them all."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lessons
import pytest
import tiny
import torch
from safetensors.torch import load_file
from test_distributed import rows, same_gradient
from torch import distributed
from torch.distributed.tensor import DTensor
from torch.testing._internal.distributed.fake_pg import FakeStore

from whyrank.errors import BadInput, MissingExtra
from whyrank.rankers.student_network import Network
from whyrank.train.causal import CausalStudent
from whyrank.train.distributed import Group, keep_pace, require_sharding, shard
from whyrank.train.examples import read
from whyrank.train.loop import train
from whyrank.train.measuring import measured
from whyrank.train.settings import LoraSettings, TrainSettings

SCRIPT = """
import sys
from contextlib import nullcontext
from whyrank.config import load
from whyrank.train import distributed, loop
from whyrank.train.settings import TrainSettings

with distributed.joined("cpu") as group:
    loop.joined = lambda device: nullcontext(group)  # torchrun's processes can be joined once
    for path in sys.argv[1:]:
        loop.train(load(TrainSettings, path))
"""
ALONE = Group(0, 1, "cpu")
# The reasons come one by one, so that processes whose lists have other numbers of them take other numbers of passes.
CASES: dict[str, dict[str, Any]] = {
    "packed, computed twice": {"model.gradient_checkpointing": True, "model.reasons_at_once": 1},
    "padded, every layer": {"model.packed": False, "lora.targets": "all-linear", "optimizer.accumulation": 2},
}


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    folder = tmp_path_factory.mktemp("given")
    # Seven lists: of the last step's one process has none. Some have no reasons.
    some = [lessons.record(n, documents=2 + n % 3, has_reasons=n % 3 != 0) for n in range(7)]
    return tiny.llama(folder / "model"), lessons.written(folder / "data", some, lessons.records(3))


@pytest.fixture(scope="module")
def learnt(given: tuple[str, str], tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], TrainSettings]:
    """What two processes have learnt, by case and kind of sharding."""
    folder = tmp_path_factory.mktemp("learnt")
    done, paths = {}, []
    for place, (case, values) in enumerate(CASES.items()):
        for kind in ("none", "fsdp"):
            more = {"checkpoints.every": 1, "checkpoints.keep": 9, "model.shard": kind, **values}
            done[case, kind] = how = lessons.settings(*given, folder / f"{kind}-{place}", more)
            paths.append(folder / f"{kind}-{place}.yaml")
            paths[-1].write_text(json.dumps(how.model_dump(mode="json")), encoding="utf-8")
    (folder / "run.py").write_text(SCRIPT, encoding="utf-8")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command += [str(path) for path in (folder / "run.py", *paths)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    ended = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300, check=False)
    assert ended.returncode == 0, ended.stderr
    return done


@pytest.fixture
def second_of_two() -> Iterator[Group]:
    """A process whose fellow is made up: it sends nothing."""
    distributed.init_process_group("fake", store=FakeStore(), rank=1, world_size=2)
    yield Group(1, 2, "cpu")
    distributed.destroy_process_group()


@pytest.mark.parametrize("case", CASES)
def test_sharded_is_whole(learnt: dict[tuple[str, str], TrainSettings], case: str) -> None:
    whole, sharded = (Path(learnt[case, kind].output) for kind in ("none", "fsdp"))
    for prefix in ("train/", "dev/"):
        assert len(rows(whole, prefix)) == len(rows(sharded, prefix)) > 1
        for one, other in zip(rows(whole, prefix), rows(sharded, prefix), strict=True):
            assert other == pytest.approx(one, abs=1e-5)
    same_gradient(whole, sharded)


@pytest.mark.parametrize("case", CASES)
def test_a_saved_student_holds_what_was_learnt_and_does_what_it_did(
    learnt: dict[tuple[str, str], TrainSettings], case: str
) -> None:
    how = learnt[case, "fsdp"]
    output = Path(how.output)
    student = CausalStudent.load(output / "student", device="cpu")
    assert not student.why_not_packed
    [*_, newest] = sorted((output / "checkpoints").iterdir())
    parameters = load_file(newest / "parameters.safetensors")
    found = student.parameters_by_name()
    assert parameters.keys() == found.keys()
    assert all(torch.equal(parameters[name], found[name]) for name in parameters)
    dev = read(Path(how.data.path) / "dev.jsonl", how).examples
    assert measured(student, dev, how, ALONE) == pytest.approx(rows(output, "dev/")[-1], abs=1e-5)


@pytest.fixture
def student(given: tuple[str, str]) -> CausalStudent:
    return CausalStudent.create(given[0], LoraSettings(), device="cpu", max_tokens=96, query_tokens=16)


@pytest.fixture
def network(student: CausalStudent) -> Network:
    return student.network


def test_a_process_holds_its_part_of_the_layers_and_all_that_is_trained(network: Network, second_of_two: Group) -> None:
    trained = {name: parameter.shape for name, parameter in network.trainable().items()}
    layers = sum(p.numel() for p in network.causal.base_model.layers.parameters() if not p.requires_grad)
    shard(network, second_of_two)
    spread = [parameter for parameter in network.causal.parameters() if isinstance(parameter, DTensor)]
    assert sum(parameter.numel() for parameter in spread) == layers
    assert sum(parameter.to_local().numel() for parameter in spread) == layers // 2
    assert not any(parameter.requires_grad for parameter in spread)
    assert {name: parameter.shape for name, parameter in network.trainable().items()} == trained


def test_passes_of_the_others_are_taken_too(student: CausalStudent, second_of_two: Group) -> None:
    begun: list[int] = []
    student.network.causal.base_model.register_forward_pre_hook(lambda *_: begun.append(1))
    keep_pace(student, second_of_two, [1, 3])
    assert not begun
    keep_pace(student, second_of_two, [3, 1])
    assert len(begun) == 2
    assert all(p.grad is None or not p.grad.any() for p in student.parameters_by_name().values())


def test_layers_that_cannot_be_told_are_refused(network: Network, second_of_two: Group) -> None:
    network.causal.base_model.layers = torch.nn.ModuleList()
    with pytest.raises(BadInput, match="LlamaForCausalLM has no layers that can be sharded"):
        shard(network, second_of_two)


def test_one_process_is_refused_before_anything_is_written(given: tuple[str, str], tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"there is one: start several \(torchrun"):
        train(lessons.settings(*given, tmp_path / "run", {"model.shard": "fsdp"}))
    assert not (tmp_path / "run").exists()


def test_an_old_torch_is_named(second_of_two: Group, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.distributed.fsdp.fully_shard", lambda module, *, mesh: module)
    with pytest.raises(MissingExtra, match="needs a newer torch than"):
        require_sharding(second_of_two)
