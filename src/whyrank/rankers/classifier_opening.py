"""Opening a sequence classifier from a folder or by its id: whole, or a LoRA adapter that is merged into its base.

From safetensors only, and without any code that comes with a model.
"""

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from transformers import AutoConfig, AutoModelForSequenceClassification
from transformers.utils.hub import cached_file

from whyrank._extras import require
from whyrank.errors import BadInput, Corrupt, MissingFile
from whyrank.lm.transformers_files import best_device, quiet, tokenizer_of, tried
from whyrank.rankers.classifier_folder import ADAPTER_CONFIG, CONFIG, fetched, peeked
from whyrank.rankers.classifier_network import ClassifierNetwork, context, is_head
from whyrank.rankers.pair_format import PairFormat

_ADAPTER_WEIGHTS = "adapter_model.safetensors"
_WHOLE, _BEFORE_ADAPTED = "", "base_model.model."
"""Before the names of a model's tensors, in its own weights and in those of an adapter."""
_PURPOSE = "a sequence classifier"


class Opened(NamedTuple):
    """A classifier and its tokenizer."""

    model: Any
    tokenizer: Any


def open_network(
    model: str, fmt: PairFormat | None, *, base: str | None, device: str | None, dtype: str
) -> ClassifierNetwork:
    """Load a classifier.

    Args:
        model: a folder, or an id on the hub.
        fmt: how pairs are written; None for the tokenizer's own form, as long as the model's context allows.
        base: of an adapter, the model that it is put on; None for the one that it names.
        device: as torch names it; None takes a GPU where there is one.
        dtype: "auto" as the weights are stored, or a dtype of torch.

    Raises:
        MissingFile: the model or its base is not there and cannot be fetched.
        BadInput: no classifier with one logit, no tokenizer, no weights as safetensors, weights without the head.
        Corrupt: the adapter is damaged.
    """
    if dtype != "auto" and not isinstance(getattr(torch, dtype, None), torch.dtype):
        raise BadInput(f"no dtype {dtype!r}; give auto, float32, bfloat16 or float16")
    is_adapter = (peeked(model) / ADAPTER_CONFIG).is_file()
    opened = _adapted(model, base, dtype) if is_adapter else _whole(model, dtype)
    opened.model.to(device or best_device())
    opened.model.eval()
    if fmt is None:
        fmt = PairFormat()
        limit = context(opened.model, opened.tokenizer) or fmt.max_tokens
        if limit < fmt.max_tokens:
            fmt = replace(fmt, max_tokens=limit, query_tokens=min(fmt.query_tokens, limit // 2))
    return ClassifierNetwork(opened.model, opened.tokenizer, fmt)


def _whole(model: str, dtype: str) -> Opened:
    network, missing = _loaded(model, dtype)
    if missing:
        raise BadInput(
            f"{model}: its weights lack {len(missing)} tensors ({', '.join(missing[:3])}), so its scores would be "
            "noise; give a sequence classifier with its head"
        )
    return Opened(network, _tokenizer(model))


def _adapted(model: str, base: str | None, dtype: str) -> Opened:
    peft = require("peft", extra="hf", purpose=_PURPOSE)
    folder = fetched(model)
    config = tried(model, lambda: peft.PeftConfig.from_pretrained(str(folder)))
    if config.peft_type != peft.PeftType.LORA:
        raise BadInput(f"{model}: an adapter of kind {config.peft_type.value}; give a LoRA adapter")
    named = base or config.base_model_name_or_path
    if not named:
        raise BadInput(
            f"{folder / ADAPTER_CONFIG}: names no base_model_name_or_path; give base=, the model it is put on"
        )
    if not (folder / _ADAPTER_WEIGHTS).is_file():
        raise BadInput(f"{model}: no {_ADAPTER_WEIGHTS} in it; weights are read from safetensors only")
    held = _names(folder / _ADAPTER_WEIGHTS)
    try:
        network, missing = _loaded(named, dtype, num_labels=1)
    except MissingFile as error:
        raise MissingFile(
            f"{model}: the model that this adapter is put on is not there ({error}); give base="
        ) from error
    lacking = [name for name in missing if not any(own.endswith(f".{name}") for own in held)]
    if lacking:
        raise BadInput(
            f"{model}: neither the adapter nor {named} holds {', '.join(lacking[:3])}, so its scores would be noise; "
            "give an adapter that was saved with its head (modules_to_save)"
        )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)  # peft asks by the old name
        merged = tried(model, lambda: peft.PeftModel.from_pretrained(network, str(folder)).merge_and_unload())
    _widen_head(merged, folder / _ADAPTER_WEIGHTS, _BEFORE_ADAPTED)
    has_tokenizer = (folder / "tokenizer_config.json").is_file()
    return Opened(merged, _tokenizer(str(folder) if has_tokenizer else named))


def _loaded(model: str, dtype: str, **more: Any) -> tuple[Any, list[str]]:
    """The network, and the names of what its weights lack."""
    path = Path(model).expanduser()
    source = str(path) if path.is_dir() else model
    if path.is_dir() and not (path / CONFIG).is_file():
        raise BadInput(f"{model}: no {CONFIG} in it; give a folder that holds a model in the form of transformers")
    config = tried(model, lambda: AutoConfig.from_pretrained(source, trust_remote_code=False, **more))
    if config.num_labels != 1:
        raise BadInput(
            f"{model}: a classifier with {config.num_labels} logits; a ranker needs a sequence classifier with exactly "
            "one (num_labels=1)"
        )
    if config.is_encoder_decoder:
        raise BadInput(
            f"{model}: {' '.join(config.architectures or [type(config).__name__])} cannot be a sequence classifier of "
            "one row; give an encoder or a causal language model"
        )
    with quiet():
        network, report = tried(
            model,
            lambda: AutoModelForSequenceClassification.from_pretrained(
                source,
                config=config,
                dtype=dtype,
                use_safetensors=True,
                trust_remote_code=False,
                output_loading_info=True,
            ),
        )
    for weights in sorted(Path(str(cached_file(source, CONFIG, local_files_only=True))).parent.glob("*.safetensors")):
        _widen_head(network, weights, _WHOLE)
    return network, sorted(report["missing_keys"])


def _widen_head(network: Any, weights: Path, before: str) -> None:
    """Give the head its values in fp32 where they are stored so and the rest of the model is narrower.

    transformers and peft round everything to the model's dtype. A head is trained in fp32, and computes in it.

    Raises:
        Corrupt: the file is damaged.
    """
    if network.base_model.dtype == torch.float32:
        return
    try:
        with safe_open(weights, framework="pt") as file:
            stored = set(file.keys())
            for name, parameter in network.named_parameters():
                if is_head(network, name) and before + name in stored:
                    exact = file.get_tensor(before + name)
                    if exact.dtype == torch.float32 and exact.shape == parameter.shape:
                        parameter.data = exact.to(parameter.device)
    except (OSError, SafetensorError) as error:
        raise Corrupt(f"{weights}: damaged ({error}); copy it again") from error


def _tokenizer(model: str) -> Any:
    path = Path(model).expanduser()
    return tokenizer_of(model, str(path) if path.is_dir() else model)


def _names(weights: Path) -> list[str]:
    try:
        with safe_open(weights, framework="pt") as file:
            return list(file.keys())
    except (OSError, SafetensorError) as error:
        raise Corrupt(f"{weights}: damaged ({error}); copy the adapter again") from error
