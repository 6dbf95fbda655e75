"""Loading a model and its tokenizer from a folder or by its id, or saying why it cannot be done."""

from pathlib import Path
from typing import Any, NamedTuple

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer, GenerationConfig
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING, MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING

from whyrank.errors import BadInput, MissingFile
from whyrank.lm.transformers_files import best_device, first_line, quiet, tried, weights_digest

SANE = 10_000_000
"""Tokenizers that know no limit give a number beyond all bounds."""


class Loaded(NamedTuple):
    """A model, ready to be asked, its tokenizer, and what is known of them."""

    model: Any
    tokenizer: Any
    is_seq2seq: bool
    context: int | None
    weights: str


def load(model: str, *, device: str | None, dtype: str) -> Loaded:
    """Load from safetensors only, without any code that comes with the model.

    Args:
        model: a folder, or an id on the hub.
        device: as torch names it; None takes a GPU where there is one.
        dtype: "auto" as the weights are stored, or a dtype of torch.

    Raises:
        MissingFile: there is no such folder, and no such model that could be fetched.
        BadInput: what is there is no language model: no configuration, no weights as safetensors, another kind of
            architecture, or weights that lack the head; a dtype that torch does not have.
    """
    path = Path(model).expanduser()
    source = str(path) if path.is_dir() else model
    if not path.is_dir() and (path.exists() or model.startswith((".", "/", "~"))):
        raise MissingFile(f"{model}: no such folder; give a folder with config.json and *.safetensors, or a model's id")
    if path.is_dir() and not (path / "config.json").is_file():
        raise BadInput(f"{model}: no config.json in it; give a folder that holds a model in the form of transformers")
    config = tried(model, lambda: AutoConfig.from_pretrained(source, trust_remote_code=False))
    kind = _kind(model, config)
    network = _network(model, source, kind, dtype)
    tokenizer = tried(model, lambda: AutoTokenizer.from_pretrained(source, trust_remote_code=False))
    network.to(device or best_device())
    network.eval()
    network.generation_config = _plain_generation(network.generation_config, tokenizer)
    weights = weights_digest(path) if path.is_dir() else str(getattr(config, "_commit_hash", None) or model)
    return Loaded(network, tokenizer, bool(config.is_encoder_decoder), _context(config, tokenizer), weights)


def _kind(model: str, config: Any) -> Any:
    """The class that loads it, decided by what its configuration says."""
    mapping, kind = (
        (MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING, AutoModelForSeq2SeqLM)
        if config.is_encoder_decoder
        else (MODEL_FOR_CAUSAL_LM_MAPPING, AutoModelForCausalLM)
    )
    if type(config) not in mapping:
        raise BadInput(
            f"{model}: {' '.join(config.architectures or [type(config).__name__])} is no model that writes text; "
            "give a causal or a sequence-to-sequence language model"
        )
    return kind


def _network(model: str, source: str, kind: Any, dtype: str) -> Any:
    if dtype != "auto" and not isinstance(getattr(torch, dtype, None), torch.dtype):
        raise BadInput(f"no dtype {dtype!r}; give auto, float32, bfloat16 or float16")
    try:
        with quiet():
            network, report = kind.from_pretrained(
                source, dtype=dtype, use_safetensors=True, trust_remote_code=False, output_loading_info=True
            )
    except OSError as error:
        raise BadInput(f"{model}: no weights as safetensors: {first_line(error)}") from error
    if report["missing_keys"]:
        names = sorted(report["missing_keys"])
        raise BadInput(
            f"{model}: its weights lack {len(names)} tensors ({', '.join(names[:3])}), so its answers would be noise; "
            "give a language model with its head, not an encoder or a classifier"
        )
    return network


def _plain_generation(stored: Any, tokenizer: Any) -> GenerationConfig:
    """Where texts begin and end, and none of the sampling that the model's makers set: a request says what it wants."""
    stated = stored.eos_token_id if isinstance(stored.eos_token_id, list) else [stored.eos_token_id]
    ends = sorted({*stated, tokenizer.eos_token_id} - {None})
    pad = next((t for t in (tokenizer.pad_token_id, stored.pad_token_id, *ends) if t is not None), 0)
    return GenerationConfig(  # type: ignore[no-untyped-call]
        bos_token_id=stored.bos_token_id,
        eos_token_id=ends,
        pad_token_id=pad,
        decoder_start_token_id=stored.decoder_start_token_id,
        forced_bos_token_id=stored.forced_bos_token_id,
        do_sample=False,
    )


def _context(config: Any, tokenizer: Any) -> int | None:
    text_config = config.get_text_config(decoder=True)
    limits = [getattr(text_config, "max_position_embeddings", None), tokenizer.model_max_length]
    sane = [int(limit) for limit in limits if limit and limit < SANE]
    return min(sane) if sane else None
