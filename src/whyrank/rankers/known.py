"""Checkpoints that were trained to rank, by exact id: how each wants to be asked (known.toml)."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Literal

from whyrank.errors import unknown
from whyrank.prompts import Template, load


@dataclass(frozen=True, slots=True)
class KnownModel:
    """How one checkpoint wants to be asked.

    Attributes:
        id: its exact name on the hub.
        kind: what it judges.
        prompt: the template it was trained with.
        scoring: "logprobs", by the likelihood of the template's choices or labels; "generation", by what it writes.
        licence: of the weights, as far as known for certain.
        paper: who published it.
        architecture: which class of model it is loaded as.
        window: most documents in one question; None for one or two, as the kind says.
        stride: how far a sliding window moves.
        query_tokens: most tokens of a query, as published.
        passage_tokens: most tokens of a passage, as published; None for what the template says.
        context: most tokens of prompt and answer, as far as known.
        conversation: a form of `whyrank.prompts.conversation`; "" where the tokenizer brings its own.
        base: the model that this adapter is put on; "" where it is a whole model.
        note: what a user should know.
    """

    id: str
    kind: Literal["pointwise", "pairwise", "setwise", "listwise"]
    prompt: str
    scoring: Literal["logprobs", "generation"]
    licence: str
    paper: str
    architecture: Literal["causal", "seq2seq"] = "causal"
    window: int | None = None
    stride: int | None = None
    query_tokens: int | None = None
    passage_tokens: int | None = None
    context: int | None = None
    conversation: str = ""
    base: str = ""
    note: str = ""

    @property
    def template(self) -> Template:
        """The prompt, loaded."""
        return load(self.prompt)

    @property
    def labels(self) -> Literal["numbers", "letters"]:
        """What it was trained to call documents."""
        return self.template.labels


@cache
def known_models() -> Mapping[str, KnownModel]:
    """All known checkpoints by id, in the order of the table."""
    table = tomllib.loads(files(__package__).joinpath("known.toml").read_text(encoding="utf-8"))
    models = {}
    for group in table["group"].values():
        bases = group.pop("bases", {})
        for identifier in group.pop("models", bases):
            models[identifier] = KnownModel(identifier, base=bases.get(identifier, ""), **group)
    return MappingProxyType(models)


def known_model(identifier: str) -> KnownModel:
    """How to ask the checkpoint of that exact id; a part of an id is never taken for the whole.

    Raises:
        UnknownName: it is not in the table; the message lists near matches.
    """
    models = known_models()
    if identifier not in models:
        raise unknown("checkpoint in the table", identifier, models)
    return models[identifier]
