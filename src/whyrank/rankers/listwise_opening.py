"""Opening a listwise student: over a base of its own, or over that of a first stage, as a second adapter."""

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

from transformers import AutoTokenizer

from whyrank.lm.base import LM
from whyrank.lm.transformers import Transformers
from whyrank.lm.transformers_loading import Loaded
from whyrank.rankers.adapters import AdapterLM, Adapters
from whyrank.rankers.listwise_folder import KIND, ListwiseManifest
from whyrank.rankers.listwise_student import name_of
from whyrank.rankers.student_network import Adapted, Network
from whyrank.rankers.student_opening import open_trained_base, require_base

Mode = Literal["fast", "isolated"]


def open_alone(root: Path, manifest: ListwiseManifest, *, base: str | None, device: str | None, mode: Mode) -> LM:
    """The model of a listwise student, with its adapter in it.

    Raises:
        MissingFile: the base is gone.
        Corrupt: the adapter does not fit.
        BadInput: the base is another one than it was trained on.
    """
    loaded = open_trained_base(root, manifest, base=base, device=device)
    adapted = Adapted(loaded._replace(tokenizer=_tokenizer(root)), manifest.lora)
    require_base(root, manifest, adapted.fingerprint, base or manifest.base)
    adapted.restore(root)
    return lm_over(adapted, manifest, mode=mode)


def open_beside(root: Path, manifest: ListwiseManifest, network: Network, *, mode: Mode) -> LM:
    """The same over the base of a first stage, whose adapter is active again after each call.

    Raises:
        Corrupt: the adapter does not fit.
        BadInput: the first stage stands on another base.
    """
    require_base(root, manifest, network.fingerprint, "that of the first stage beside it")
    adapters, name = Adapters(network), f"{KIND}-{_digest(manifest)}"
    adapters.add(name, manifest.lora, root)
    loaded = Loaded(network.causal, _tokenizer(root), False, network.context, _weights(manifest, mode))
    return AdapterLM(Transformers.over(loaded, name_of(manifest), mode=mode), adapters, name)


def lm_over(adapted: Adapted, manifest: ListwiseManifest, *, mode: Mode = "fast") -> LM:
    """What is asked of a model with one adapter, in training and later."""
    loaded = Loaded(adapted.causal, adapted.tokenizer, False, adapted.context, _weights(manifest, mode))
    return Transformers.over(loaded, name_of(manifest), mode=mode)


def _tokenizer(root: Path) -> Any:
    return AutoTokenizer.from_pretrained(root, trust_remote_code=False)


def _digest(manifest: ListwiseManifest) -> str:
    made_of = [manifest.base_fingerprint, asdict(manifest.asking), dict(manifest.files), manifest.dtype]
    return hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()[:12]


def _weights(manifest: ListwiseManifest, mode: Mode) -> str:
    return f"{_digest(manifest)}/{mode}"
