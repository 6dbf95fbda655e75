"""The folder of a causal student: plain JSON and safetensors beside each other, written whole or not at all.

reranker.json               what it is, what it stands on, how it reads, and the sha256 of the files
rank_head.safetensors       the rank head, fp32
adapter/                    the LoRA adapter, in the form of peft
tokenizer.json, …           the tokenizer that it was trained with
"""

import hashlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from whyrank.errors import BadInput, Corrupt, MissingFile, Unwritable, WhyrankError
from whyrank.formats.files import put_folder
from whyrank.rankers.student_prompt import LAYOUTS, PromptSettings

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
MANIFEST = "reranker.json"
FORMAT = "whyrank-reranker/1"
KIND = "causal-student"
HEAD = "rank_head.safetensors"
ADAPTER = "adapter"
ADAPTER_WEIGHTS = f"{ADAPTER}/adapter_model.safetensors"
FILES = ["*.json", "*.safetensors", "*.model", "*.txt", "*.jinja", "*.toml"]
"""What is fetched of a model on the hub: nothing that could run."""
_AGAIN = "save the student again, or copy the folder again"


@dataclass(frozen=True, slots=True)
class Lora:
    """The shape of an adapter.

    Attributes:
        r: rank of the added matrices.
        alpha: their product is multiplied by alpha / r.
        dropout: share of the inputs that are dropped while training.
        targets: names of the layers that get one; ("all-linear",) for every one but the output head.
    """

    r: int = 8
    alpha: float = 32
    dropout: float = 0.05
    targets: tuple[str, ...] = ("q_proj", "v_proj")


@dataclass(frozen=True, slots=True)
class Manifest:
    """What `reranker.json` says.

    Attributes:
        base: id or folder of the model that the adapter was trained on.
        base_revision: its commit on the hub, or what tells a folder's weights from others.
        base_fingerprint: sha256 of its configuration, shapes and first values (`student_network.fingerprint`).
        lora: shape of the adapter.
        prompt: how it reads.
        dtype: of the base's weights, by torch's name.
        reasons: which reasons it was taught: "none", "direct", "comparison" or "both".
        trained: whatever the trainer wants to be known of the training.
        files: path of every other file in the folder → sha256.
    """

    base: str
    base_revision: str
    base_fingerprint: str
    lora: Lora
    prompt: PromptSettings
    dtype: str = "float32"
    reasons: str = "none"
    trained: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)


def is_hub_id(name: str) -> bool:
    """Whether a name has the form of a model's on the Hugging Face hub, "owner/name"."""
    return _HUB_ID.fullmatch(name) is not None


def kind_of(folder: str | Path) -> str:
    """What kind of reranker a folder says that it holds; "" where it says nothing that can be read."""
    try:
        content = json.loads((Path(folder).expanduser() / MANIFEST).read_bytes())
    except (OSError, ValueError, RecursionError):
        return ""
    return str(content.get("kind", "")) if isinstance(content, dict) else ""


def is_student(folder: str | Path) -> bool:
    """Whether a folder says that it holds a student."""
    return (Path(folder).expanduser() / MANIFEST).is_file()


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write `reranker.json` for the files of a folder."""
    values = asdict(manifest)
    flat = values | values.pop("prompt")
    files = {p.relative_to(folder).as_posix(): sha256(p) for p in sorted(folder.rglob("*")) if p.is_file()}
    places = {"adapter": f"{ADAPTER}/", "head": HEAD}
    content = {"format": FORMAT, "kind": KIND, **flat, **places, "files": files}
    (folder / MANIFEST).write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def read_manifest(folder: str | Path) -> Manifest:
    """Read `reranker.json`, and check that the files it names are there and are those that were saved.

    Raises:
        MissingFile: there is no such folder, or no student in it.
        Corrupt: it is damaged; the head, the adapter or another file is absent or was changed.
        BadInput: another format or kind.
    """
    root = Path(folder).expanduser()
    content = read_content(root, KIND)
    try:
        manifest = _parsed(content)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Corrupt(f"{root / MANIFEST}: damaged ({type(error).__name__}: {error}); {_AGAIN}") from error
    check_files(root, manifest.files, {HEAD: "rank head", ADAPTER_WEIGHTS: "adapter"})
    return manifest


def read_content(folder: Path, kind: str) -> dict[str, Any]:
    """What `reranker.json` of a folder holds.

    Args:
        folder: of a student.
        kind: that it must be.

    Raises:
        MissingFile: there is no such folder, or no student in it.
        Corrupt: it is damaged.
        BadInput: another format or kind.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise MissingFile(f"{folder}: no {MANIFEST} in it; give the folder of a student that was trained by whyrank")
    try:
        content: dict[str, Any] = json.loads(path.read_bytes())
        found = (content["format"], content["kind"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Corrupt(f"{path}: damaged ({error}); {_AGAIN}") from error
    if found != (FORMAT, kind):
        raise BadInput(f"{path}: a {found[1]} of {found[0]}; a {kind} of {FORMAT} was expected here")
    return content


def check_files(folder: Path, files: Mapping[str, str], needed: Mapping[str, str]) -> None:
    """Check the files of a student.

    Args:
        folder: where they lie.
        files: path → sha256.
        needed: path → what it is; those without which the student would be noise.

    Raises:
        Corrupt: one is absent, or is not what was saved.
    """
    for name, what in needed.items():
        if name not in files or not (folder / name).is_file():
            raise Corrupt(f"{folder / name}: the {what} is missing, so its scores would be noise; {_AGAIN}")
    for name, expected in files.items():
        file = folder / name
        if not file.is_file() or sha256(file) != expected:
            raise Corrupt(f"{file}: is missing, or its sha256 is not the one in {MANIFEST}; {_AGAIN}")


@contextmanager
def creating(folder: Path) -> Iterator[Path]:
    """Create the folder of a student whole or not at all: written beside its place, synced to disk, then renamed.

    Yields:
        The folder to write into.

    Raises:
        Unwritable: something that is no student stands at `folder`, its parent is absent or read-only, or the disk is
            full. What stood there is untouched.
    """
    target = folder.expanduser().resolve()
    if target.exists() and not (target.is_dir() and (is_student(target) or not any(target.iterdir()))):
        raise Unwritable(f"{folder}: something else stands there; name a new folder for the student")
    if not target.parent.is_dir():
        raise Unwritable(f"{folder}: the folder {target.parent} does not exist; create it first")
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(8)}.tmp")
    try:
        temporary.mkdir()
        yield temporary
        for path in (*temporary.rglob("*"), temporary):
            _sync(path)
        put_folder(temporary, target)
        _sync(target.parent)
    except WhyrankError:
        raise
    except OSError as error:
        raise Unwritable(f"{folder}: cannot be written ({error.strerror or error}); nothing was changed") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def sha256(path: Path) -> str:
    """Of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _parsed(content: Mapping[str, Any]) -> Manifest:
    lora, layout = content["lora"], content["layout"]
    if layout not in LAYOUTS:
        raise ValueError(f"layout {layout!r}")
    most, asked, said = (int(content[f"{name}_tokens"]) for name in ("max", "query", "reason"))
    return Manifest(
        base=str(content["base"]),
        base_revision=str(content["base_revision"]),
        base_fingerprint=str(content["base_fingerprint"]),
        lora=Lora(int(lora["r"]), float(lora["alpha"]), float(lora["dropout"]), tuple(map(str, lora["targets"]))),
        prompt=PromptSettings(most, asked, said, layout),
        dtype=str(content["dtype"]),
        reasons=str(content["reasons"]),
        trained=dict(content["trained"]),
        files=dict(content["files"]),
    )


def _sync(path: Path) -> None:
    if path.is_dir() and os.name == "nt":  # Windows opens no folders
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
