"""The classifier in training: an encoder that reads query and document together, or a causal model with a head.

Any `AutoModelForSequenceClassification` with one logit, read as `ClassifierNetwork` reads it when it ranks. Either an
adapter and the head are trained, or all weights. What is saved is a plain folder of Hugging Face with the adapter
merged, beside a `reranker.json` that says how pairs are written.
"""

# R rows that are read

import warnings
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from whyrank._extras import require
from whyrank.errors import BadInput
from whyrank.lm.prefixes import buckets
from whyrank.lm.transformers_files import quiet
from whyrank.rankers.classifier_folder import read_classifier, write_classifier
from whyrank.rankers.classifier_network import POOLER, ClassifierNetwork, hold_head_in_fp32, is_head
from whyrank.rankers.pair_format import PairFormat
from whyrank.rankers.student_folder import creating
from whyrank.train.causal import LoraLike
from whyrank.train.classifier_base import open_base

BATCH_TOKENS = 16_384
ALL_LINEAR = ("all-linear",)
_PURPOSE = "an adapter for a classifier"


@dataclass(frozen=True, slots=True)
class Origin:
    """What a classifier was made of.

    Attributes:
        base: id or folder of the model that it began as.
        base_revision: its commit on the hub, or what tells a folder's weights from others.
        base_fingerprint: sha256 of its configuration, shapes and first values, a new head included.
        lora: shape of the adapter; None if all weights are trained.
        dtype: of the base's weights, by torch's name.
    """

    base: str
    base_revision: str
    base_fingerprint: str
    lora: dict[str, Any] | None
    dtype: str


class EncoderStudent:
    """A classifier in training, with dropout until `train(False)`; made by `create` or `load`.

    Args:
        network: the model, with an adapter in it or without.
        manifest: what it was made of.

    Attributes:
        network, manifest: as given.
        why_not_packed: why the documents of a list are never put into one row.
    """

    why_not_packed = "a classifier reads each document in a row of its own"

    def __init__(self, network: ClassifierNetwork, manifest: Origin) -> None:
        self.network = network
        self.manifest = manifest
        self.train()

    @classmethod
    def create(
        cls,
        base: str,
        lora: LoraLike,
        fmt: PairFormat,
        *,
        dtype: str = "float32",
        seed: int = 0,
        revision: str | None = None,
        device: str | None = None,
        gradient_checkpointing: bool = False,
    ) -> "EncoderStudent":
        """A new student.

        Args:
            base: a classifier with one logit, or a model that gets a new head: id on the hub, or folder.
            lora: shape of the adapter; with rank 0 all weights are trained.
            fmt: how pairs are written.
            dtype: of the base's weights behind an adapter. What is trained is in fp32; where all weights are,
                "bfloat16" computes in it and keeps them in fp32.
            seed: of the first weights of adapter and head.
            revision: of the base on the hub.
            device: as torch names it; None takes a GPU where there is one.
            gradient_checkpointing: compute activations twice instead of keeping them.

        Raises:
            MissingExtra: peft is not installed.
            MissingFile: there is no such model.
            BadInput: it cannot be a classifier with one logit, lacks the layers, or cannot hold the rows.
        """
        loaded = open_base(base, revision=revision, dtype=dtype if lora.r else "float32", seed=seed)
        loaded.model.to(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        network = ClassifierNetwork(loaded.model, loaded.tokenizer, fmt)
        if lora.r:
            _adapt(loaded.model, lora, seed)
        elif dtype != "float32":  # behind an adapter the network holds it so by itself
            hold_head_in_fp32(loaded.model)
        if gradient_checkpointing:
            enable = getattr(  # its new name
                loaded.model, "activation_checkpointing_enable", loaded.model.gradient_checkpointing_enable
            )
            enable({"use_reentrant": False})
        path = Path(base).expanduser()
        shape = {"r": lora.r, "alpha": lora.alpha, "dropout": lora.dropout, "targets": list(lora.targets)}
        origin = Origin(
            base=str(path.resolve()) if path.is_dir() else base,
            base_revision=loaded.weights,
            base_fingerprint=network.fingerprint,
            lora=shape if lora.r else None,
            dtype=dtype,
        )
        return cls(network, origin)

    @classmethod
    def load(
        cls,
        folder: str | Path,
        lora: LoraLike,
        *,
        dtype: str = "float32",
        seed: int = 0,
        device: str | None = None,
    ) -> "EncoderStudent":
        """A student as it was saved, to be trained on: its weights are what a new adapter stands on.

        Args:
            folder: where it was saved.
            lora: as `create`.
            dtype: as `create`.
            seed: as `create`.
            device: as `create`.

        Raises:
            MissingFile: no classifier there.
            Corrupt: a file of it is damaged or absent.
            BadInput: another kind of student, or an adapter that does not fit it.
        """
        return cls.create(str(folder), lora, read_classifier(folder).pair, dtype=dtype, seed=seed, device=device)

    def save(self, folder: str | Path, *, reasons: str = "none", trained: dict[str, Any] | None = None) -> None:
        """Write model, tokenizer and `reranker.json`, whole or not at all; a student there is replaced.

        An adapter is added to the weights it stands on in fp32, and their sum is rounded to the base's dtype.

        Args:
            folder: where.
            reasons: as every student has them; a classifier was taught none.
            trained: what is to be known of the training, as JSON values.

        Raises:
            Unwritable: it cannot be written there; what stood there is untouched.
        """
        told = {**asdict(self.manifest), "reasons": reasons, **(trained or {})}
        with creating(Path(folder)) as temporary:
            self._write_model(temporary)
            write_classifier(temporary, self.network.fmt, told)

    def parameters_by_name(self) -> dict[str, nn.Parameter]:
        """What is trained: the adapter's parameters and the head's, or all."""
        return {name: one for name, one in self.network.model.named_parameters() if one.requires_grad}

    def train(self, mode: bool = True) -> None:
        """With the dropout of adapter and model, or without."""
        self.network.model.train(mode)

    def score(
        self,
        lists: Sequence[tuple[str, Sequence[str]]],
        *,
        packed: bool = True,  # noqa: ARG002  # others can
    ) -> list[Tensor]:
        """One score a document, with gradient; rows of about the same length are read together.

        Args:
            lists: queries, each with its documents.
            packed: without effect (`why_not_packed`).
        """
        rows = self.network.rows([(query, document) for query, texts in lists for document in texts])
        counts = [len(texts) for _, texts in lists]
        if not rows:
            return [torch.zeros(0, device=self.network.device) for _ in lists]
        batches = buckets([len(row.tokens) for row in rows], BATCH_TOKENS)
        with self._precision():
            read_R = torch.cat([self.network.scores([rows[place] for place in batch]) for batch in batches])
        places = torch.tensor([place for batch in batches for place in batch], device=read_R.device)
        return list(torch.split(read_R[places.argsort()], counts))

    def _precision(self) -> AbstractContextManager[Any]:
        if self.manifest.lora is None and self.manifest.dtype == "bfloat16":
            return torch.autocast(self.network.device.type, torch.bfloat16)
        return nullcontext()

    def _write_model(self, folder: Path) -> None:
        state = {name: tensor.detach().cpu().contiguous() for name, tensor in merged(self.network.model).items()}
        with quiet():
            self.network.model.save_pretrained(folder, state_dict=state)
        try:
            self.network.tokenizer.save_pretrained(folder)
        except Exception as error:  # tokenizers knows no kinds of errors
            raise OSError(f"the tokenizer could not be written ({error})") from error


def merged(model: Any) -> dict[str, Tensor]:
    """A model's tensors by the names that they have without adapters, these added to the weights they stand on."""
    state = {n.replace(".base_layer.", "."): t for n, t in model.state_dict().items() if ".lora_" not in n}
    for name, module in model.named_modules():
        if hasattr(module, "get_delta_weight"):
            weight = module.base_layer.weight
            state[f"{name}.weight"] = (weight.float() + module.get_delta_weight("default").float()).to(weight.dtype)
    return state


def _adapt(model: Any, lora: LoraLike, seed: int) -> None:
    """Put an adapter into the body; leave the body's own weights as they are, and the head to be trained."""
    peft = require("peft", extra="hf", purpose=_PURPOSE)
    config = peft.LoraConfig(
        r=lora.r,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=_targets(model, lora.targets),
        fan_in_fan_out=any(isinstance(module, Conv1D) for module in model.modules()),
    )
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)  # peft asks by the old name
        torch.manual_seed(seed)
        peft.inject_adapter_in_model(config, model.base_model)
    for name, parameter in model.named_parameters():
        is_adapter = ".lora_" in name
        parameter.requires_grad_(is_adapter or is_head(model, name))
        if is_adapter:
            parameter.data = parameter.data.float()


def _targets(model: Any, wanted: Sequence[str]) -> list[str]:
    """The linear layers of the body that are meant by their names, or by the ends of these."""
    layers = [n for n, m in model.base_model.named_modules() if isinstance(m, nn.Linear | Conv1D) and POOLER not in n]
    if tuple(wanted) == ALL_LINEAR:
        return layers
    found = {target: [name for name in layers if f".{name}".endswith(f".{target}")] for target in wanted}
    if unknown := [target for target, names in found.items() if not names]:
        known = sorted({name.rpartition(".")[2] for name in layers})
        raise BadInput(
            f"no adapter for {', '.join(unknown)} in {type(model).__name__}: its linear layers are {', '.join(known)}; "
            "all-linear takes them all"
        )
    return sorted({name for names in found.values() for name in names})
