"""The second stage in training: a language model with LoRA that learns to write a ranking after a thought.

What it is shown is made by the code that shows documents to any language model (`rankers.matter`), so that it reads in
training what it reads later. Nothing that is written is ever cut: an example that does not fit is refused.
"""

from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional

from whyrank.errors import BadInput
from whyrank.lm.transformers_prompts import Prompts
from whyrank.lm.transformers_reading import narrowed
from whyrank.prompts import load
from whyrank.prompts.neutral import neutral
from whyrank.rankers.listwise_folder import Asking, ListwiseManifest, fingerprint, write_manifest
from whyrank.rankers.listwise_opening import lm_over
from whyrank.rankers.listwise_student import asked_by
from whyrank.rankers.matter import Matter
from whyrank.rankers.student_folder import Lora, creating
from whyrank.rankers.student_network import Adapted
from whyrank.rankers.student_opening import open_base
from whyrank.train import packing, permutation_packing
from whyrank.train.examples import Prepared
from whyrank.train.permutation_packing import Row
from whyrank.train.permutations import PermutationExample, answer
from whyrank.train.settings import TrainSettings
from whyrank.types import Document, Query, Ranking

if TYPE_CHECKING:
    from whyrank.rankers.asking import LMReranker

TOO_LONG = "with more tokens than 'model.max_tokens' or the model's context (never cut)"
TOO_MUCH_TOLD = "with an answer of more tokens than 'model.reason_tokens' leaves it (never cut)"
ROWS = 8_192
"""So many examples are kept as tokens, of four bytes each."""
PLAIN = "tagged"
"""The form of a conversation where a tokenizer brings none."""


class PermutationStudent:
    """A listwise student in training, with dropout until `train(False)`; made by `create`.

    Args:
        network: model and adapter.
        manifest: what is saved of how it was made.
        prompt: name or file of its prompt.

    Attributes:
        network: model and adapter.
        manifest: what is saved of how it was made.
        why_not_packed: why examples are never put into one row, in words; "" where they are.
        ranker: asks it, as it will be asked later.
    """

    def __init__(self, network: Adapted, manifest: ListwiseManifest, prompt: str) -> None:
        self.network = network
        self.manifest = manifest
        self.why_not_packed = packing.prepare(network, min(manifest.asking.max_tokens, packing_check(network)))
        lm = lm_over(network, manifest)
        self.ranker: LMReranker = asked_by(lm, load(prompt), manifest.asking)
        self._prompt = prompt
        self._prompts = Prompts(network.tokenizer, lm.name, continues=True)
        self._head = narrowed(network.causal)
        self._row = lru_cache(maxsize=ROWS)(self._rendered)
        self.train()

    @classmethod
    def create(cls, settings: TrainSettings, *, device: str | None = None) -> "PermutationStudent":
        """A new student.

        Args:
            settings: of the training.
            device: as torch names it; None takes a GPU where there is one.

        Raises:
            MissingExtra: torch, transformers or peft are not installed.
            MissingFile: there is no such model or prompt.
            BadInput: it is no causal language model, lacks the layers, or has a smaller context; a prompt that asks
                for no ranking of a list.
            UnknownName: there is no such prompt.
        """
        how = settings.model
        loaded = open_base(how.base, revision=how.revision, device=device, dtype=how.dtype)
        if loaded.context is not None and how.max_tokens > loaded.context:
            raise BadInput(
                f"'model.max_tokens' is {how.max_tokens:,}, and {how.base} reads {loaded.context:,}; give fewer"
            )
        shape = Lora(settings.lora.r, settings.lora.alpha, settings.lora.dropout, settings.lora.targets)
        network = Adapted(loaded, shape, seed=settings.seed)
        if how.gradient_checkpointing:
            model = network.causal
            enable = getattr(model, "activation_checkpointing_enable", model.gradient_checkpointing_enable)
            enable({"use_reentrant": False})
        path = Path(how.base).expanduser()
        manifest = ListwiseManifest(
            base=str(path.resolve()) if path.is_dir() else how.base,
            base_revision=loaded.weights,
            base_fingerprint=network.fingerprint,
            lora=shape,
            asking=asking(settings, has_form=bool(loaded.tokenizer.chat_template)),
            dtype=str(network.causal.dtype).removeprefix("torch."),
        )
        return cls(network, manifest, settings.data.prompt)

    def save(self, folder: str | Path, *, reasons: str = "none", trained: dict[str, Any] | None = None) -> None:
        """Write adapter, tokenizer, prompt and `reranker.json`, whole or not at all; a student there is replaced.

        Args:
            folder: where.
            reasons: it writes none but its thought; "none".
            trained: what is to be known of the training, as JSON values.

        Raises:
            Unwritable: it cannot be written there; what stood there is untouched.
        """
        manifest = replace(self.manifest, reasons=reasons, trained=trained or {})
        with creating(Path(folder)) as temporary:
            self.network.save(temporary)
            write_manifest(temporary, manifest, self._prompt)

    def parameters_by_name(self) -> dict[str, torch.nn.Parameter]:
        """What is trained: the adapter's parameters, nothing else."""
        return self.network.trainable()

    def train(self, mode: bool = True) -> None:
        """With dropout, or without."""
        self.network.adapted.train(mode)

    def row(self, one: PermutationExample) -> Row:
        """An example as tokens; its end is a token that ends a text.

        Raises:
            BadInput: the prompt does not fit the model's context.
        """
        return self._row(replace(one, tokens=0, learnt=0))

    def _rendered(self, one: PermutationExample) -> Row:
        judge, showing, lm = self.ranker.judge, self.ranker.showing, self.ranker.lm
        matter = Matter(ranking_of(one), "list", len(one.documents), lm, showing, judge.answer_tokens)
        shown = matter.show(tuple(range(len(one.documents))))
        prompt = self._prompts.encode(shown.prompt)
        thought = neutral(one.thought, lm.controls)
        written = self._prompts.continuation(prompt, answer(thought, [shown.labels[place] for place in one.order]))
        return Row(array("i", prompt.tokens), array("i", [*written, self.network.tokenizer.eos_token_id]))

    def fitting(self, prepared: Prepared) -> Prepared:
        """The examples that fit, measured; the others are counted."""
        kept, refused = [], Counter(prepared.skipped)
        for one in prepared.examples:
            assert isinstance(one, PermutationExample)
            try:
                row = self.row(one)
            except BadInput:
                refused[TOO_LONG] += 1
                continue
            if len(row.tokens) > self.manifest.asking.max_tokens:
                refused[TOO_LONG] += 1
            elif len(row.answer) > self.ranker.judge.answer_tokens(len(one.documents)):
                refused[TOO_MUCH_TOLD] += 1
            else:
                kept.append(replace(one, tokens=len(row.tokens), learnt=len(row.answer)))
        return prepared._replace(examples=tuple(kept), skipped=dict(refused))

    def loss(self, some: Sequence[PermutationExample], *, is_packed: bool = True) -> Tensor:
        """The cross-entropy of what is written, ends included, summed over its tokens, with gradient.

        What a prompt holds is read and not learnt.

        Args:
            some: examples that fit.
            is_packed: in one row, where the model can (`why_not_packed`); otherwise as a padded batch.
        """
        rows = [self.row(one) for one in some]
        layout = permutation_packing.packed if is_packed and not self.why_not_packed else permutation_packing.apart
        batch = layout(rows, self.network.device)
        logits_AV = permutation_packing.logits(self.network, self._head, batch)
        return functional.cross_entropy(logits_AV.float(), batch.wanted_A, reduction="sum")


def packing_check(network: Adapted) -> int:
    """So many tokens are read in two ways to see whether examples can be packed: enough to meet a sliding window."""
    config = network.causal.config.get_text_config(decoder=True)
    return (getattr(config, "sliding_window", None) or 512) + 64


def asking(settings: TrainSettings, *, has_form: bool) -> Asking:
    """How the student of a training is asked.

    Args:
        settings: of the training.
        has_form: whether its tokenizer brings the form of a conversation.

    Raises:
        BadInput: a prompt that asks for no ranking of a list.
        UnknownName: there is no such prompt.
    """
    template = load(settings.data.prompt)
    if template.kind != "listwise" or template.size is not None:
        raise BadInput(f"'data.prompt' is {template.name}, which asks for no ranking of a list; dear does")
    usual = template.max_tokens if template.reasons else 0
    conversation = settings.data.conversation
    if conversation is None:
        conversation = "" if has_form or template.form == "text" else PLAIN
    return Asking(
        prompt=template.name,
        prompt_fingerprint=fingerprint(template),
        conversation=conversation,
        max_tokens=settings.model.max_tokens,
        answer_tokens=usual if settings.model.reason_tokens is None else settings.model.reason_tokens,
    )


def ranking_of(one: PermutationExample) -> Ranking:
    """A list as rankers take it."""
    documents = [Document(str(place), text) for place, text in enumerate(one.documents, 1)]
    return Ranking.of(Query("list", one.query), documents)
