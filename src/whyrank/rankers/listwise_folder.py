"""The folder of a listwise student, DeAR's second stage: an adapter that writes rankings, and how it is asked.

reranker.json               what it is, what it stands on, how it is asked, and the sha256 of the files
prompt/<name>.toml          the prompt that it was trained with, in its own words
adapter/                    the LoRA adapter, in the form of peft
tokenizer.json, …           the tokenizer that it was trained with
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Any

from whyrank.errors import BadInput, Corrupt
from whyrank.formats.files import read_bytes
from whyrank.prompts import Passage, Template, load
from whyrank.rankers.student_folder import ADAPTER, ADAPTER_WEIGHTS, FORMAT, MANIFEST, Lora, check_files, read_content
from whyrank.rankers.student_folder import sha256 as sha256_of

KIND = "listwise-student"
WINDOW, STRIDE = 20, 10
PROMPTS = "prompt"
_AGAIN = "save the student again, or copy the folder again"


@dataclass(frozen=True, slots=True)
class Asking:
    """How a listwise student is asked.

    Attributes:
        prompt: name of the template; its text lies in the folder.
        prompt_fingerprint: of all that the template makes of a request (`fingerprint`).
        conversation: a form of `whyrank.prompts.conversation`; "" for the tokenizer's own chat template.
        max_tokens: most tokens of prompt and answer together that it was trained on.
        answer_tokens: most tokens of an answer's reasoning.
        passage_tokens: most tokens of a passage; None for what the template says.
        window: most documents of one question.
        stride: how far the window moves.
    """

    prompt: str
    prompt_fingerprint: str
    conversation: str = ""
    max_tokens: int = 5_000
    answer_tokens: int = 1_024
    passage_tokens: int | None = None
    window: int = WINDOW
    stride: int = STRIDE


@dataclass(frozen=True, slots=True)
class ListwiseManifest:
    """What `reranker.json` says of a listwise student.

    Attributes:
        base: id or folder of the model that the adapter was trained on.
        base_revision: its commit on the hub, or what tells a folder's weights from others.
        base_fingerprint: sha256 of its configuration, shapes and first values (`student_network.fingerprint`).
        lora: shape of the adapter.
        asking: how it is asked.
        dtype: of the base's weights, by torch's name.
        reasons: the kinds of reasons it writes beside a ranking; "none".
        trained: whatever the trainer wants to be known of the training.
        files: path of every other file in the folder → sha256.
    """

    base: str
    base_revision: str
    base_fingerprint: str
    lora: Lora
    asking: Asking
    dtype: str = "float32"
    reasons: str = "none"
    trained: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)


def fingerprint(template: Template) -> str:
    """Tells a prompt from another: by its settings, and by what it makes of a query and two passages."""
    sample = template.render("query", [Passage(template.label(place), "passage") for place in range(2)])
    limits = (template.passage_tokens, template.max_tokens, template.reasons, template.brackets)
    return sha256(repr((template.kind, template.labels, template.parser, limits, sample)).encode()).hexdigest()[:16]


def write_manifest(folder: Path, manifest: ListwiseManifest, prompt: str) -> None:
    """Write the prompt and `reranker.json` into a folder that holds all other files.

    Args:
        folder: of the student.
        manifest: what is told.
        prompt: name of a shipped prompt, or a file.

    Raises:
        OSError: the disk is full, or the folder is read-only.
        MissingFile: the prompt's file is gone.
    """
    (folder / PROMPTS).mkdir()
    (folder / PROMPTS / f"{manifest.asking.prompt}.toml").write_bytes(_source(prompt))
    values = asdict(manifest)
    flat = values | values.pop("asking")
    sums = {p.relative_to(folder).as_posix(): sha256_of(p) for p in sorted(folder.rglob("*")) if p.is_file()}
    content = {"format": FORMAT, "kind": KIND, **flat, "adapter": f"{ADAPTER}/", "files": sums}
    (folder / MANIFEST).write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def read_manifest(folder: str | Path) -> ListwiseManifest:
    """Read `reranker.json`, and check that the files it names are there and are those that were saved.

    Raises:
        MissingFile: there is no such folder, or no student in it.
        Corrupt: it is damaged; a file is absent or was changed.
        BadInput: another format or kind.
    """
    root = Path(folder).expanduser()
    path = root / MANIFEST
    content = read_content(root, KIND)
    try:
        manifest = _parsed(content)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Corrupt(f"{path}: damaged ({type(error).__name__}: {error}); {_AGAIN}") from error
    needed = {ADAPTER_WEIGHTS: "adapter", f"{PROMPTS}/{manifest.asking.prompt}.toml": "prompt"}
    check_files(root, manifest.files, needed)
    return manifest


def prompt_of(folder: str | Path, asking: Asking) -> Template:
    """The prompt that a student was trained with.

    Raises:
        BadInput: this version of whyrank makes another request of it.
    """
    template = load(str(Path(folder).expanduser() / PROMPTS / f"{asking.prompt}.toml"))
    found = fingerprint(template)
    if found != asking.prompt_fingerprint:
        raise BadInput(
            f"{folder}: was trained with the prompt {asking.prompt}@{asking.prompt_fingerprint}, of which this version "
            f"of whyrank makes another request ({found}); take the version that trained it, or train again"
        )
    return template


def _source(prompt: str) -> bytes:
    """The text of a prompt: of the shipped one of that name, or of the user's file."""
    if prompt.endswith(".toml"):
        return read_bytes(prompt)
    return files("whyrank.prompts").joinpath(f"{prompt}.toml").read_bytes()


def _parsed(content: Mapping[str, Any]) -> ListwiseManifest:
    lora, passage = content["lora"], content["passage_tokens"]
    return ListwiseManifest(
        base=str(content["base"]),
        base_revision=str(content["base_revision"]),
        base_fingerprint=str(content["base_fingerprint"]),
        lora=Lora(int(lora["r"]), float(lora["alpha"]), float(lora["dropout"]), tuple(map(str, lora["targets"]))),
        asking=Asking(
            prompt=str(content["prompt"]),
            prompt_fingerprint=str(content["prompt_fingerprint"]),
            conversation=str(content["conversation"]),
            max_tokens=int(content["max_tokens"]),
            answer_tokens=int(content["answer_tokens"]),
            passage_tokens=None if passage is None else int(passage),
            window=int(content["window"]),
            stride=int(content["stride"]),
        ),
        dtype=str(content["dtype"]),
        trained=dict(content["trained"]),
        files=dict(content["files"]),
    )
