"""Opening a causal student: its base by id or folder, then the adapter and the head that were trained on it."""

from pathlib import Path
from typing import Protocol

from transformers import AutoTokenizer

from whyrank._extras import require
from whyrank.errors import BadInput, MissingFile
from whyrank.lm.transformers_loading import Loaded, load
from whyrank.rankers.student_folder import FILES, MANIFEST, Manifest
from whyrank.rankers.student_network import Network


def open_base(base: str, *, revision: str | None, device: str | None, dtype: str) -> Loaded:
    """Load a language model, of a revision on the hub where one is named.

    Raises:
        MissingFile: there is no such model, or it cannot be fetched.
        BadInput: what is there is no language model.
    """
    if revision is None or Path(base).expanduser().is_dir():
        return load(base, device=device, dtype=dtype)
    hub = require("huggingface_hub", extra="hf", purpose="a revision on the hub")
    try:
        folder = hub.snapshot_download(base, revision=revision, allow_patterns=FILES)
    except (OSError, ValueError) as error:
        raise MissingFile(f"{base}@{revision}: cannot be fetched: {str(error).partition(chr(10))[0]}") from error
    return load(folder, device=device, dtype=dtype)._replace(weights=Path(folder).name)


class Trained(Protocol):
    """What the manifest of an adapter says of its base."""

    @property
    def base(self) -> str:
        """Its id or folder."""
        ...

    @property
    def base_revision(self) -> str:
        """Its commit on the hub, or what tells a folder's weights from others."""
        ...

    @property
    def base_fingerprint(self) -> str:
        """What tells it from other models (`student_network.fingerprint`)."""
        ...

    @property
    def dtype(self) -> str:
        """Of its weights."""
        ...


def open_trained_base(folder: str | Path, manifest: Trained, *, base: str | None, device: str | None) -> Loaded:
    """The base that an adapter was trained on.

    Args:
        folder: of the adapter.
        manifest: of that folder.
        base: where the base lies now, if elsewhere.
        device: as torch names it; None takes a GPU where there is one.

    Raises:
        MissingFile: the base is gone.
        BadInput: what is there is no language model.
    """
    named = base or manifest.base
    is_path = named.startswith(("/", ".", "~")) or Path(named).is_absolute()
    revision = None if base or is_path or manifest.base_revision == named else manifest.base_revision
    try:
        return open_base(named, revision=revision, device=device, dtype=manifest.dtype)
    except MissingFile as error:
        raise MissingFile(
            f'{folder}: the model that it was trained on is not there ({error}); write where it is as "base" into '
            f"{Path(folder) / MANIFEST}, or give rankers.student.load_folder base=FOLDER"
        ) from error


def require_base(folder: str | Path, manifest: Trained, found: str, named: str) -> None:
    """Refuse a base that an adapter was not trained on.

    Args:
        folder: of the adapter.
        manifest: of that folder.
        found: the fingerprint of what would be its base.
        named: what that is called.

    Raises:
        BadInput: it is another one.
    """
    if found != manifest.base_fingerprint:
        raise BadInput(
            f"{folder}: was trained on {manifest.base} ({manifest.base_fingerprint[:12]}) in {manifest.dtype}, and "
            f"{named} is another model ({found[:12]}); its adapter would make noise of it; give base=, the model that "
            "it was trained on"
        )


def open_network(
    folder: str | Path, manifest: Manifest, *, base: str | None = None, device: str | None = None
) -> Network:
    """The network of a saved student.

    Args:
        folder: where it was saved.
        manifest: of that folder.
        base: the model that it was trained on, where it lies elsewhere now.
        device: as torch names it; None takes a GPU where there is one.

    Raises:
        MissingFile: the base is gone.
        Corrupt: adapter or head do not fit.
        BadInput: the base is another one than it was trained on.
    """
    loaded = open_trained_base(folder, manifest, base=base, device=device)
    root = Path(folder).expanduser()
    own = AutoTokenizer.from_pretrained(root, trust_remote_code=False)
    network = Network(loaded._replace(tokenizer=own), manifest.lora, manifest.prompt)
    require_base(folder, manifest, network.fingerprint, base or manifest.base)
    network.restore(root)
    return network
