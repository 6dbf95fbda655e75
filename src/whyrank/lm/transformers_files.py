"""What all that open a model of transformers have in common: errors in our words, silence, device, fingerprint."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

import torch
import transformers
from transformers import AutoTokenizer
from transformers.utils import logging

from whyrank.errors import BadInput, MissingFile

T = TypeVar("T")
HEAD_BYTES = 1 << 16
"""Bytes at the beginning of a file of weights that tell it from others: names, shapes and the first values."""


def tried(model: str, read: Callable[[], T]) -> T:
    """What `read` gives.

    Raises:
        MissingFile: no such model can be read or fetched.
        BadInput: transformers cannot load it.
    """
    try:
        return read()
    except OSError as error:
        raise MissingFile(f"{model}: no model that can be read or fetched: {first_line(error)}") from error
    except (ValueError, KeyError, ImportError, RuntimeError) as error:
        raise BadInput(
            f"{model}: transformers {transformers.__version__} cannot load it: {first_line(error)}"
        ) from error


def tokenizer_of(model: str, source: str, revision: str | None = None) -> Any:
    """The tokenizer beside a model's weights.

    Raises:
        BadInput: there is none.
    """
    absent = f"{model}: no tokenizer in it that transformers can load; save the one of the model beside its weights"
    try:
        tokenizer = AutoTokenizer.from_pretrained(source, revision=revision, trust_remote_code=False)
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise BadInput(f"{absent} ({first_line(error)})") from error
    if set(tokenizer.get_vocab()) <= set(tokenizer.all_special_tokens):  # what transformers makes where there is none
        raise BadInput(absent)
    return tokenizer


@contextmanager
def quiet() -> Iterator[None]:
    """Without the bars and reports of transformers: standard error is ours."""
    verbosity, shows_progress = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if shows_progress:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]


def weights_digest(folder: Path) -> str:
    """Tells the weights of a folder from those of another of the same name."""
    digest = sha256()
    for file in sorted([folder / "config.json", *folder.glob("*.safetensors")]):
        digest.update(f"{file.name} {file.stat().st_size}".encode())
        with file.open("rb") as stream:
            digest.update(stream.read(HEAD_BYTES))
    return digest.hexdigest()[:16]


def best_device() -> str:
    """A GPU where there is one."""
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def first_line(error: Exception) -> str:
    """Of what an error says."""
    return str(error).strip().partition("\n")[0]
