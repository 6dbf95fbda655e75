"""Opening a causal student: its base by id or folder, then the adapter and the head that were trained on it."""

from pathlib import Path

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
    named = base or manifest.base
    is_path = named.startswith(("/", ".", "~")) or Path(named).is_absolute()
    revision = None if base or is_path or manifest.base_revision == named else manifest.base_revision
    try:
        loaded = open_base(named, revision=revision, device=device, dtype=manifest.dtype)
    except MissingFile as error:
        raise MissingFile(
            f'{folder}: the model that it was trained on is not there ({error}); write where it is as "base" into '
            f"{Path(folder) / MANIFEST}, or give rankers.student.load_folder base=FOLDER"
        ) from error
    root = Path(folder).expanduser()
    own = AutoTokenizer.from_pretrained(root, trust_remote_code=False)
    network = Network(loaded._replace(tokenizer=own), manifest.lora, manifest.prompt)
    if network.fingerprint != manifest.base_fingerprint:
        raise BadInput(
            f"{folder}: was trained on {manifest.base} ({manifest.base_fingerprint[:12]}), and {named} is another "
            f"model ({network.fingerprint[:12]}); its adapter would make noise of it; give base=, the model that it "
            "was trained on"
        )
    network.restore(root)
    return network
