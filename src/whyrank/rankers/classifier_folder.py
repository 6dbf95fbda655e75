"""What tells the folder of a sequence classifier from others, and what whyrank writes beside one that it trained.

config.json, *.safetensors, tokenizer.json, …   as transformers and sentence-transformers read them
reranker.json                                   of one that was trained here: its format of pairs, sha256 of its files

Beside a whole model there may be a LoRA adapter of one in the form of peft (adapter_config.json).
"""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from whyrank._extras import require
from whyrank.errors import BadInput, Corrupt, MissingFile
from whyrank.rankers.pair_format import PairFormat
from whyrank.rankers.student_folder import (
    FILES,
    FORMAT,
    MANIFEST,
    check_files,
    is_hub_id,
    kind_of,
    read_content,
    sha256,
)

KIND = "classifier"
CONFIG, ADAPTER_CONFIG = "config.json", "adapter_config.json"
_CLASSIFIERS, _ADAPTED = "ForSequenceClassification", "SEQ_CLS"
_SAYING = [MANIFEST, CONFIG, ADAPTER_CONFIG]
"""The small files that say what a model on the hub is."""
_AGAIN = "save the classifier again, or copy the folder again"


class Trained(NamedTuple):
    """What `reranker.json` says of a classifier.

    Attributes:
        pair: how it reads.
        trained: what the trainer wanted to be known of the training.
    """

    pair: PairFormat
    trained: Mapping[str, Any]


def is_classifier(folder: str | Path) -> bool:
    """Whether a folder says that it holds a sequence classifier: one of ours, a whole one, or an adapter of one."""
    root = Path(folder).expanduser()
    if (root / MANIFEST).is_file():
        return kind_of(root) == KIND
    if (root / ADAPTER_CONFIG).is_file():
        return _said(root / ADAPTER_CONFIG).get("task_type") == _ADAPTED
    classes = _said(root / CONFIG).get("architectures")
    return isinstance(classes, list) and any(str(name).endswith(_CLASSIFIERS) for name in classes)


def peeked(model: str) -> Path:
    """The folder of a model: itself, or of an id on the hub one that holds what says what it is.

    Raises:
        MissingFile: there is no such folder, and no such model that could be fetched.
        MissingExtra: what fetches models is not installed.
    """
    path = Path(model).expanduser()
    if path.is_dir():
        return path
    if not is_hub_id(model):
        raise MissingFile(f"{model}: no such folder; give a folder with config.json and *.safetensors, or a model's id")
    return _fetched(model, _SAYING)


def fetched(model: str) -> Path:
    """The folder of a model with all of it that is read: itself, or what an id on the hub is fetched to.

    Raises:
        MissingFile: it cannot be fetched.
        MissingExtra: what fetches models is not installed.
    """
    path = Path(model).expanduser()
    return path if path.is_dir() else _fetched(model, FILES)


def write_classifier(folder: Path, pair: PairFormat, trained: Mapping[str, Any]) -> None:
    """Write `reranker.json` for the files of a folder.

    Raises:
        OSError: the disk is full, or the folder is read-only.
    """
    files = {p.relative_to(folder).as_posix(): sha256(p) for p in sorted(folder.rglob("*")) if p.is_file()}
    content = {"format": FORMAT, "kind": KIND, "pair": asdict(pair), "trained": dict(trained), "files": files}
    (folder / MANIFEST).write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def read_classifier(folder: str | Path) -> Trained:
    """Read `reranker.json`, and check that the files it names are there and are those that were saved.

    Raises:
        MissingFile: there is none.
        Corrupt: it is damaged; a file is absent or was changed.
        BadInput: another format or kind.
    """
    root = Path(folder).expanduser()
    content = read_content(root, KIND)
    try:
        known = Trained(PairFormat.parse(content["pair"]), dict(content["trained"]))
        files = dict(content["files"])
    except (BadInput, KeyError, TypeError, ValueError, AttributeError) as error:
        raise Corrupt(f"{root / MANIFEST}: damaged ({type(error).__name__}: {error}); {_AGAIN}") from error
    check_files(root, files, {CONFIG: "configuration"})
    return known


def _said(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _fetched(model: str, patterns: list[str]) -> Path:
    hub = require("huggingface_hub", extra="hf", purpose="a model on the hub")
    try:
        return Path(hub.snapshot_download(model, allow_patterns=patterns))
    except (OSError, ValueError) as error:
        cause = str(error).strip().partition("\n")[0]
        raise MissingFile(f"{model}: no such folder, and no model of this id could be fetched: {cause}") from error
