"""The causal student in training: a language model with LoRA that learns to score and to give reasons at once.

After Reason-to-Rank (Ji et al., arXiv:2410.05168). Deviates: the rank head is trained and saved with the adapter; the
scored prompt is the one that ranks later and holds no reason; the documents of a list may share one row (`packing`).
"""

# N positions of reasons, V vocabulary

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from whyrank.errors import BadInput
from whyrank.lm.transformers_reading import narrowed
from whyrank.rankers.student_folder import Lora, Manifest, creating, read_manifest, write_manifest
from whyrank.rankers.student_network import Network, padded
from whyrank.rankers.student_opening import open_base, open_network
from whyrank.rankers.student_prompt import Kind, Layout, PromptSettings
from whyrank.train import losses
from whyrank.train.packing import Group, packed_states, prepare

REASON_TOKENS = 192


@dataclass(frozen=True, slots=True)
class Told:
    """A reason to learn.

    Attributes:
        kind: why the document answers the query, or why it stands above `other`.
        query, document: their texts.
        other: the text of the document below; None for a direct reason.
        text: the reason.
    """

    kind: Kind
    query: str
    document: str
    other: str | None
    text: str


class LoraLike(Protocol):
    """What says the shape of an adapter: `LoraSettings`, or `Lora` of a saved student."""

    @property
    def r(self) -> int:
        """Rank."""
        ...

    @property
    def alpha(self) -> float:
        """Scale, times the rank."""
        ...

    @property
    def dropout(self) -> float:
        """Share of inputs that are dropped."""
        ...

    @property
    def targets(self) -> tuple[str, ...]:
        """Names of layers."""
        ...


class CausalStudent:
    """A student in training, with dropout until `train(False)`; made by `create` or `load`.

    Attributes:
        network: model, adapter, head and renderer.
        manifest: what is saved of how it was made.
        why_not_packed: why the documents of a list are never put into one row, in words; "" where they are.
    """

    def __init__(self, network: Network, manifest: Manifest) -> None:
        self.network = network
        self.manifest = manifest
        self.why_not_packed = prepare(network, network.renderer.settings.max_tokens)
        self._head = narrowed(network.causal)
        self.train()

    @classmethod
    def create(
        cls,
        base: str,
        lora: LoraLike,
        *,
        dtype: str = "float32",
        seed: int = 0,
        revision: str | None = None,
        device: str | None = None,
        max_tokens: int = 618,
        query_tokens: int = 64,
        reason_tokens: int | None = None,
        layout: Layout = "query-first",
        gradient_checkpointing: bool = False,
    ) -> "CausalStudent":
        """A new student.

        Args:
            base: a causal language model: id on the hub, or folder.
            lora: shape of the adapter.
            dtype: of the base's weights; adapter and head are in fp32.
            seed: of the first weights of adapter and head.
            revision: of the base on the hub.
            device: as torch names it; None takes a GPU where there is one.
            max_tokens: most tokens of a prompt.
            query_tokens: of these, most tokens of the query.
            reason_tokens: most tokens of a reason; None for 192, or what the model's context leaves.
            layout: what stands first in a prompt.
            gradient_checkpointing: compute activations twice instead of keeping them.

        Raises:
            MissingExtra: torch, transformers or peft are not installed.
            MissingFile: there is no such model.
            BadInput: it is no causal language model, lacks the layers, or cannot hold the prompts.
        """
        loaded = open_base(base, revision=revision, device=device, dtype=dtype)
        room = REASON_TOKENS if loaded.context is None else max(1, min(REASON_TOKENS, loaded.context - max_tokens))
        prompt = PromptSettings(max_tokens, query_tokens, room if reason_tokens is None else reason_tokens, layout)
        shape = Lora(lora.r, lora.alpha, lora.dropout, tuple(lora.targets))
        network = Network(loaded, shape, prompt, seed=seed)
        if gradient_checkpointing:
            model = network.causal
            enable = getattr(
                model, "activation_checkpointing_enable", model.gradient_checkpointing_enable
            )  # its new name
            enable({"use_reentrant": False})
        path = Path(base).expanduser()
        manifest = Manifest(
            base=str(path.resolve()) if path.is_dir() else base,
            base_revision=loaded.weights,
            base_fingerprint=network.fingerprint,
            lora=shape,
            prompt=prompt,
            dtype=str(network.causal.dtype).removeprefix("torch."),
        )
        return cls(network, manifest)

    @classmethod
    def load(cls, folder: str | Path, *, base: str | None = None, device: str | None = None) -> "CausalStudent":
        """A student as it was saved, to be trained on.

        Raises:
            MissingFile: no student there, or its base is gone.
            Corrupt: a file of it is damaged or absent.
            BadInput: the base is another one than it was trained on.
        """
        manifest = read_manifest(folder)
        return cls(open_network(folder, manifest, base=base, device=device), manifest)

    def save(self, folder: str | Path, *, reasons: str = "none", trained: dict[str, Any] | None = None) -> None:
        """Write adapter, head, tokenizer and `reranker.json`, whole or not at all; a student there is replaced.

        Args:
            folder: where.
            reasons: which reasons it was taught: "none", "direct", "comparison" or "both".
            trained: what is to be known of the training, as JSON values.

        Raises:
            Unwritable: it cannot be written there; what stood there is untouched.
        """
        manifest = replace(self.manifest, reasons=reasons, trained=trained or {})
        with creating(Path(folder)) as temporary:
            self.network.save(temporary)
            write_manifest(temporary, manifest)

    def parameters_by_name(self) -> dict[str, torch.nn.Parameter]:
        """What is trained: the adapter's parameters and the head's, nothing else."""
        return self.network.trainable()

    def train(self, mode: bool = True) -> None:
        """With dropout, or without."""
        self.network.adapted.train(mode)

    def score(self, lists: Sequence[tuple[str, Sequence[str]]], *, packed: bool = True) -> list[Tensor]:
        """One score a document, with gradient.

        Args:
            lists: queries, each with its documents.
            packed: the documents of a list in one row, where the model can (`why_not_packed`); otherwise all documents
                of all lists as one padded batch.
        """
        parts = [[self.network.renderer.parts(query, document) for document in texts] for query, texts in lists]
        counts = [len(own) for own in parts]
        if not sum(counts):
            return [torch.zeros(0, device=self.network.device) for _ in lists]
        if packed and not self.why_not_packed:
            groups = [Group(own[0].prefix, [one.suffix for one in own]) for own in parts if own]
            scores_R = self.network.head(packed_states(self.network, groups))
        else:
            scores_R = self.network.scores([[*one.prefix, *one.suffix] for own in parts for one in own])
        return list(torch.split(scores_R, counts))

    def generation_loss(self, told: Sequence[Told]) -> Tensor:
        """Mean cross-entropy of the reasons' tokens and of their ends; what a prompt holds is read and not learned.

        Raises:
            BadInput: there is no reason.
        """
        if not told:
            raise BadInput("no reasons to learn; give at least one")
        renderer = self.network.renderer
        prompts = [renderer.asked(one.kind, one.query, one.document, one.other) for one in told]
        reasons = [renderer.told(one.text) for one in told]
        tokens_BT, _ = padded(
            [[*prompt, *reason] for prompt, reason in zip(prompts, reasons, strict=True)], self.network.device
        )
        # The token before a reason's first predicts it; the last one predicts nothing that is wanted.
        places = [
            (row, len(prompt) - 1 + n)
            for row, (prompt, reason) in enumerate(zip(prompts, reasons, strict=True))
            for n in range(len(reason))
        ]
        rows_N, before_N = torch.tensor(places, device=self.network.device).unbind(1)
        with self._head.narrowed_to(rows_N, before_N, None):
            logits_NV = self.network.causal(input_ids=tokens_BT, use_cache=False).logits[0]
        wanted_N = tokens_BT[rows_N, before_N + 1]
        return losses.generation(logits_NV, wanted_N, torch.ones_like(wanted_N, dtype=torch.bool))
