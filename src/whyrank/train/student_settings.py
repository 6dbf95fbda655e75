"""What the configuration of a training run may say of the model that learns."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import model_validator

from whyrank.config import Count, Settings
from whyrank.rankers.pair_format import Joined, PairFormat
from whyrank.rankers.student_prompt import Layout

CLASSIFIER = "classifier"
_USUAL: Mapping[str, Mapping[str, Any]] = {"model": {"max_tokens": 512}, "lora": {"targets": ("all-linear",)}}
_OF_CAUSAL = ("layout", "packed", "reason_tokens", "reasons_at_once")


class PairSettings(Settings):
    """How a classifier reads a query and a document, beside the numbers of tokens that every student has.

    Attributes:
        query: words before the query; it ends with "{query}".
        document: words before the document; it ends with "{document}".
        document_tokens: most tokens of the document; None for as many as there is room for.
        joined: "pair" as the tokenizer joins two texts, as encoders are trained; "plain" or "each" for causal models:
            a token that begins a text before both, or before each.
    """

    query: str = "{query}"
    document: str = "{document}"
    document_tokens: Count | None = None
    joined: Joined = "pair"


class StudentSettings(Settings):
    """The model that learns.

    Attributes:
        kind: "causal", a causal language model that gets a rank head and can learn to write reasons; "classifier", a
            sequence classifier with one logit, which cannot: an encoder that reads query and document together (a
            cross-encoder: BERT, MiniLM, ModernBERT, DeBERTa …), or a causal model with the head of a classifier.
        base: the model that it begins as: id on the hub, or folder. For a classifier it is one with one logit, or one
            without a head, which then begins with a new one.
        revision: of the base on the hub.
        dtype: of the base's weights; what is trained is held in fp32.
        device: as torch names it; None takes a GPU where there is one, and in torchrun the process's own.
        shard: "fsdp" keeps a part of each frozen layer in each process of torchrun; "none" all of it. A classifier is
            whole in each.
        gradient_checkpointing: compute activations twice instead of keeping them: the same gradients in less memory.
        max_tokens: most tokens of a prompt, query and document together; a document is cut to fit. 618, or 512 for a
            classifier.
        query_tokens: of these, most tokens of the query.
        pair: how a classifier reads; a causal student has `layout`.
        reason_tokens: most tokens of a reason, which follows a prompt; None for 192, or what the model has room for.
        layout: what stands first in a prompt.
        packed: the documents of a list are read in one row behind what they share, where the model can; false reads
            them as a padded batch.
        reasons_at_once: reasons of a list in one batch; fewer take less memory, the loss stays the same.
    """

    kind: Literal["causal", "classifier"] = "causal"
    base: str
    revision: str | None = None
    dtype: Literal["float32", "bfloat16"] = "bfloat16"
    device: str | None = None
    shard: Literal["none", "fsdp"] = "none"
    gradient_checkpointing: bool = False
    max_tokens: Count = 618
    query_tokens: Count = 64
    pair: PairSettings = PairSettings()
    reason_tokens: Count | None = None
    layout: Layout = "query-first"
    packed: bool = True
    reasons_at_once: Count = 8

    @model_validator(mode="after")
    def _fits_its_kind(self) -> "StudentSettings":
        of_others = _OF_CAUSAL if self.kind == CLASSIFIER else ("pair",)
        usual = type(self).model_fields
        if strange := [name for name in of_others if getattr(self, name) != usual[name].default]:
            raise ValueError(f"'model.{strange[0]}' has no effect on a student of kind {self.kind!r}; leave it out")
        if self.kind == CLASSIFIER and self.shard != "none":
            raise ValueError("'model.shard' is 'fsdp', and a classifier is whole in each process; set it to none")
        return self

    @property
    def format(self) -> PairFormat:
        """How a classifier reads.

        Raises:
            BadInput: words that do not end with their field, or a query that leaves no room for documents.
        """
        own = self.pair.model_dump()
        return PairFormat(query_tokens=self.query_tokens, max_tokens=self.max_tokens, **own)


def for_its_kind(values: Any) -> Any:
    """Settings of a training with what is usual for a classifier, where one is trained and nothing else is said.

    It learns no reasons, reads 512 tokens and has an adapter in every linear layer.
    """
    model = values.get("model") if isinstance(values, Mapping) else None
    if not isinstance(model, Mapping) or model.get("kind") != CLASSIFIER:
        return values
    usual = {
        name: {**more, **values.get(name, {})}
        for name, more in _USUAL.items()
        if isinstance(values.get(name, {}), Mapping)
    }
    return {"reasons": "none", **values, **usual}
