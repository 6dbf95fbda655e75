"""The model that a classifier in training begins as: a sequence classifier with one logit, or a body without a head."""

from pathlib import Path
from typing import Any, NamedTuple

import torch
from transformers import AutoConfig, AutoModelForSequenceClassification
from transformers.models.auto.modeling_auto import MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING

from whyrank.errors import BadInput, MissingFile
from whyrank.lm.transformers_files import quiet, tokenizer_of, tried, weights_digest
from whyrank.rankers.classifier_network import POOLER


class Base(NamedTuple):
    """A model with one logit, its tokenizer, and what tells its weights from others."""

    model: Any
    tokenizer: Any
    weights: str


def open_base(base: str, *, revision: str | None = None, dtype: str = "float32", seed: int = 0) -> Base:
    """Load a base from safetensors only, without any code that comes with it.

    Args:
        base: a folder, or an id on the hub.
        revision: on the hub.
        dtype: of its weights, by torch's name.
        seed: of the weights of a head that it lacks.

    Raises:
        MissingFile: there is no such folder, and no such model that could be fetched.
        BadInput: it cannot be a classifier with one logit: an adapter, another kind of architecture, another number
            of logits, a body without its weights, or no tokenizer.
    """
    path = Path(base).expanduser()
    source = str(path) if path.is_dir() else base
    if not path.is_dir() and (path.exists() or base.startswith((".", "/", "~"))):
        raise MissingFile(f"{base}: no such folder; give a folder with config.json and *.safetensors, or a model's id")
    if path.is_dir() and not (path / "config.json").is_file():
        what = "an adapter" if (path / "adapter_config.json").is_file() else "no config.json"
        raise BadInput(f"{base}: {what} is in it; give a folder that holds a whole model in the form of transformers")
    with quiet():
        config = tried(base, lambda: AutoConfig.from_pretrained(source, revision=revision, trust_remote_code=False))
        _require_classifier(base, config)
        tokenizer = tokenizer_of(base, source, revision)
        model = _model(base, source, revision, dtype, seed)
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    if model.config.pad_token_id is None:  # others than ours find a row's last token by it
        model.config.pad_token_id = tokenizer.pad_token_id
    weights = weights_digest(path) if path.is_dir() else str(getattr(config, "_commit_hash", None) or revision or base)
    return Base(model, tokenizer, weights)


def _require_classifier(base: str, config: Any) -> None:
    if type(config) not in MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING or config.is_encoder_decoder:
        raise BadInput(
            f"{base}: {' '.join(config.architectures or [type(config).__name__])} cannot be a sequence classifier of "
            "one row; give an encoder or a causal language model"
        )
    has_head = any("ForSequenceClassification" in name for name in config.architectures or ())
    if has_head and config.num_labels != 1:
        raise BadInput(f"{base}: has a head of {config.num_labels} logits; give a classifier with one, or its body")


def _model(base: str, source: str, revision: str | None, dtype: str, seed: int) -> Any:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model, report = tried(
            base,
            lambda: AutoModelForSequenceClassification.from_pretrained(
                source,
                revision=revision,
                num_labels=1,
                dtype=getattr(torch, dtype),
                use_safetensors=True,
                trust_remote_code=False,
                output_loading_info=True,
            ),
        )
    body = f"{model.base_model_prefix}."
    if lacking := sorted(name for name in report["missing_keys"] if name.startswith(body) and POOLER not in name):
        raise BadInput(
            f"{base}: its weights lack {len(lacking)} tensors of its body ({', '.join(lacking[:3])}), so its scores "
            "would be noise; give the whole weights"
        )
    return model
