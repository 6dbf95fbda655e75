"""Checkpoints that were trained to rank, by exact id: how each wants to be asked, or reads (known.toml)."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Literal

from whyrank.errors import unknown
from whyrank.prompts import Template, load
from whyrank.rankers.pair_format import PairFormat


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


@dataclass(frozen=True, slots=True)
class KnownClassifier:
    """How one checkpoint that is a sequence classifier with one logit reads.

    Attributes:
        id: its exact name on the hub.
        pair: how a query and a document are written.
        licence: of the weights, as far as known for certain.
        paper: who published it.
        base: the model that this adapter is put on; "" where it is a whole model.
        note: what a user should know.
    """

    id: str
    pair: PairFormat
    licence: str
    paper: str
    base: str = ""
    note: str = ""


@cache
def known_models() -> Mapping[str, KnownModel]:
    """All known checkpoints that are asked in words by id, in the order of the table."""
    models = {}
    for group in _table()["group"].values():
        facts = {name: value for name, value in group.items() if name not in ("models", "bases")}
        for identifier, base in _identifiers(group):
            models[identifier] = KnownModel(identifier, base=base, **facts)
    return MappingProxyType(models)


@cache
def known_classifiers() -> Mapping[str, KnownClassifier]:
    """All known sequence classifiers by id, in the order of the table."""
    classifiers = {}
    for group in _table()["classifier"].values():
        facts = {name: value for name, value in group.items() if name not in ("models", "bases", "pair")}
        pair = PairFormat.parse(group["pair"])
        for identifier, base in _identifiers(group):
            classifiers[identifier] = KnownClassifier(identifier, pair, base=base, **facts)
    return MappingProxyType(classifiers)


@cache
def short_names() -> Mapping[str, str]:
    """Names that are shorter than ids → the ids of known checkpoints."""
    return MappingProxyType(_table()["names"])


def full_id(name: str) -> str:
    """The id that a short name stands for; any other name as it is."""
    return short_names().get(name, name)


def known_model(identifier: str) -> KnownModel:
    """How to ask the checkpoint of that exact id; a part of an id is never taken for the whole.

    Raises:
        UnknownName: it is not in the table; the message lists near matches.
    """
    models = known_models()
    if identifier not in models:
        raise unknown("checkpoint in the table", identifier, models)
    return models[identifier]


@cache
def _table() -> Mapping[str, Any]:
    return tomllib.loads(files(__package__).joinpath("known.toml").read_text(encoding="utf-8"))


def _identifiers(group: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The ids of a group, each with the model that it is put on, "" for a whole model."""
    return [*((identifier, "") for identifier in group.get("models", ())), *group.get("bases", {}).items()]
