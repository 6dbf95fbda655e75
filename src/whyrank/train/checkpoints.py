"""Where an interrupted training is taken up: tensors as safetensors, the rest as JSON, a folder whole or absent.

A checkpoint is the parameters, the optimizer's state and a step. Nothing else is needed: the order of the lists, the
learning rate and the random numbers of a step follow from the seed and the number of the step.

    checkpoints/step-00000050/parameters.safetensors, optimizer.safetensors, state.json
"""

import hashlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from safetensors import SafetensorError
from safetensors.torch import load as from_bytes
from safetensors.torch import save as to_bytes
from torch import Tensor

from whyrank.errors import BadInput, Corrupt, Unwritable
from whyrank.formats.files import replacing

FORMAT = "whyrank-checkpoint/1"
PARTS = ("parameters", "optimizer")
_NAME = re.compile(r"step-(\d{8,})")
_ASIDE = ".whyrank-"


class Checkpoint(NamedTuple):
    """A training after a step.

    Attributes:
        step: steps that were taken.
        parameters: by name.
        optimizer: its state, "<parameter>.<what>".
        made_by: what it was trained with, as JSON values; it is taken up by the same only.
    """

    step: int
    parameters: Mapping[str, Tensor]
    optimizer: Mapping[str, Tensor]
    made_by: Mapping[str, Any]


def save(folder: Path, checkpoint: Checkpoint, *, keep: int) -> Path:
    """Write a checkpoint aside, wait until the disk has it, put it in its place; then remove all but the newest.

    Args:
        folder: of all checkpoints; it is made.
        checkpoint: what to write.
        keep: how many remain, this one included.

    Raises:
        Unwritable: the disk is full or gone; the checkpoints that were there are whole.
    """
    target = folder / f"step-{checkpoint.step:08d}"
    aside = folder / f"{_ASIDE}{secrets.token_hex(8)}.tmp"
    packed = {f"{part}.safetensors": _packed(getattr(checkpoint, part)) for part in PARTS}
    told = {
        "format": FORMAT,
        "step": checkpoint.step,
        "made_by": checkpoint.made_by,
        "sha256": {name: hashlib.sha256(data).hexdigest() for name, data in packed.items()},
    }
    packed["state.json"] = json.dumps(told, indent=1, ensure_ascii=False).encode()
    try:
        aside.mkdir(parents=True)
        for name, data in packed.items():
            with replacing(aside / name) as file:
                file.write(data)
        aside.rename(target)
        _sync(folder)
    except OSError as error:
        raise Unwritable(
            f"{target}: cannot be written ({_reason(error)}); the checkpoints before it are whole: make room "
            "and run the same command again"
        ) from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    _prune(folder, keep)
    return target


def newest(folder: Path) -> Path | None:
    """The checkpoint of the highest step; None where there is none."""
    there = _saved(folder)
    return there[-1] if there else None


def load(path: Path) -> Checkpoint:
    """Read a checkpoint.

    Raises:
        Corrupt: a file of it is missing or not the one that was written.
    """
    try:
        told = json.loads((path / "state.json").read_bytes())
        if told["format"] != FORMAT:
            raise ValueError(f"format {told['format']!r}, not {FORMAT!r}")
        tensors = {part: _unpacked(path / f"{part}.safetensors", told["sha256"]) for part in PARTS}
        return Checkpoint(told["step"], tensors["parameters"], tensors["optimizer"], told["made_by"])
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise Corrupt(
            f"{path}: is no whole checkpoint ({error}); remove that folder, and training resumes from the one before"
        ) from error


def require_same(found: Mapping[str, Any], wanted: Mapping[str, Any], where: Path) -> None:
    """Refuse to go on with what other settings began.

    Args:
        found: what the checkpoint was made by; mappings may be nested.
        wanted: what would go on.
        where: the checkpoint.

    Raises:
        BadInput: they differ; each difference is named.
    """
    before, now = _flat(found), _flat(wanted)
    other = sorted(key for key in before.keys() | now.keys() if before.get(key) != now.get(key))
    if other:
        listed = "; ".join(f"{key} was {before.get(key)!r} and is {now.get(key)!r}" for key in other)
        raise BadInput(
            f"{where}: was made by other settings ({listed}); set them back to resume, name another 'output', or give "
            "--overwrite to begin anew"
        )


def _reason(error: OSError) -> str:
    cause = error.__cause__ if isinstance(error.__cause__, OSError) else error
    return cause.strerror or str(cause)


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat


def _packed(tensors: Mapping[str, Tensor]) -> bytes:
    data: bytes = to_bytes({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()})
    return data


def _unpacked(path: Path, digests: Mapping[str, str]) -> dict[str, Tensor]:
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != digests[path.name]:
        raise ValueError(f"{path.name} is not what was written")
    tensors: dict[str, Tensor] = from_bytes(data)
    return tensors


def _sync(folder: Path) -> None:
    with suppress(PermissionError):  # Windows opens no folders; the rename itself has happened
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _saved(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    steps = {int(match[1]): path for path in folder.iterdir() if (match := _NAME.fullmatch(path.name))}
    return [steps[step] for step in sorted(steps)]


def _prune(folder: Path, keep: int) -> None:
    for old in _saved(folder)[:-keep]:
        # A folder that is half removed may not be taken for a checkpoint.
        gone = folder / f"{_ASIDE}{secrets.token_hex(8)}.tmp"
        with suppress(OSError):
            old.rename(gone)
    for aside in folder.glob(f"{_ASIDE}*.tmp"):
        shutil.rmtree(aside, ignore_errors=True)
