"""Checkpoints: whole or absent, the last few kept, taken up by the same settings only."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from whyrank.errors import BadInput, Corrupt, Unwritable
from whyrank.train.checkpoints import Checkpoint, load, newest, require_same, save


def checkpoint(step: int) -> Checkpoint:
    made_by = {"seed": 42, "lora": {"r": 8, "targets": ["q_proj"]}}
    return Checkpoint(step, {"w": torch.full((3,), float(step))}, {"w.exp_avg": torch.ones(3, 2).t()}, made_by)


def test_a_round_trip(tmp_path: Path) -> None:
    path = save(tmp_path / "all", checkpoint(7), keep=2)
    assert path == tmp_path / "all" / "step-00000007"
    found = load(path)
    assert (found.step, found.made_by) == (7, checkpoint(7).made_by)
    assert torch.equal(found.parameters["w"], torch.full((3,), 7.0))
    assert torch.equal(found.optimizer["w.exp_avg"], torch.ones(2, 3))
    assert sorted(p.name for p in path.iterdir()) == ["optimizer.safetensors", "parameters.safetensors", "state.json"]


def test_the_newest_are_kept(tmp_path: Path) -> None:
    assert newest(tmp_path / "none") is None
    for step in (2, 10, 4, 12):
        save(tmp_path, checkpoint(step), keep=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-00000010", "step-00000012"]
    assert newest(tmp_path) == tmp_path / "step-00000012"


def test_what_a_kill_has_left_is_no_checkpoint_and_goes(tmp_path: Path) -> None:
    save(tmp_path, checkpoint(2), keep=2)
    aside = tmp_path / ".whyrank-0123456789abcdef.tmp"
    aside.mkdir()
    (aside / "parameters.safetensors").write_bytes(b"half")
    assert newest(tmp_path) == tmp_path / "step-00000002"
    save(tmp_path, checkpoint(4), keep=2)
    assert not aside.exists()


def test_a_disk_that_is_full_while_a_file_is_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(tmp_path, checkpoint(2), keep=1)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(Unwritable, match=r"step-00000004: cannot be written \(No space left.*before it are whole"):
            save(tmp_path, checkpoint(4), keep=1)
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000002"]
    assert load(tmp_path / "step-00000002").step == 2


LIMITED = """
import resource, sys
from pathlib import Path
import torch
from whyrank.train.checkpoints import Checkpoint, save

def checkpoint(step, size):
    return Checkpoint(step, {"w": torch.zeros(size)}, {"w.exp_avg": torch.zeros(size)}, {"seed": 1})

save(Path(sys.argv[1]), checkpoint(2, 10), keep=1)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
save(Path(sys.argv[1]), checkpoint(4, 10_000), keep=1)
"""


def test_a_file_that_may_not_grow(tmp_path: Path) -> None:
    ended = subprocess.run([sys.executable, "-c", LIMITED, str(tmp_path)], capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "Unwritable" in ended.stderr
    assert "File too large" in ended.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000002"]
    assert load(tmp_path / "step-00000002").step == 2


@pytest.mark.parametrize("name", ["parameters.safetensors", "optimizer.safetensors", "state.json"])
@pytest.mark.parametrize("how", ["cut", "changed", "gone", "empty"])
def test_what_is_damaged_is_not_taken_up(name: str, how: str, tmp_path: Path) -> None:
    path = save(tmp_path, checkpoint(2), keep=1)
    data = (path / name).read_bytes()
    if how == "gone":
        (path / name).unlink()
    else:
        flipped = data[:1] + bytes([data[1] ^ 0xFF]) + data[2:]
        (path / name).write_bytes({"cut": data[:-5], "changed": flipped, "empty": b""}[how])
    with pytest.raises(Corrupt, match="is no whole checkpoint"):
        load(path)


def test_another_format_is_not_read(tmp_path: Path) -> None:
    path = save(tmp_path, checkpoint(2), keep=1)
    told = json.loads((path / "state.json").read_text(encoding="utf-8"))
    (path / "state.json").write_text(json.dumps({**told, "format": "whyrank-checkpoint/2"}), encoding="utf-8")
    with pytest.raises(Corrupt, match="whyrank-checkpoint/2"):
        load(path)


def test_each_difference_of_settings_is_named() -> None:
    found = {"seed": 42, "lora": {"r": 8, "alpha": 32}, "data": "abc"}
    require_same(found, json.loads(json.dumps(found)), Path("step-1"))
    with pytest.raises(BadInput) as caught:
        require_same(found, {"seed": 42, "lora": {"r": 16, "alpha": 32}, "data": "abd", "new": 1}, Path("step-1"))
    assert "(data was 'abc' and is 'abd'; lora.r was 8 and is 16; new was None and is 1)" in str(caught.value)
    assert "--overwrite" in str(caught.value)


def test_nothing_in_it_is_pickled(tmp_path: Path) -> None:
    path = save(tmp_path, checkpoint(2), keep=1)
    for file in path.iterdir():
        head = file.read_bytes()[:2]
        assert head[:1] != b"\x80"
        assert head != b"PK"
