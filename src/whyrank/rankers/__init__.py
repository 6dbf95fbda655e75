"""Everything that puts candidates into a better order."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any, NamedTuple

from whyrank.errors import UnknownName, unknown
from whyrank.types import Reranker


class Known(NamedTuple):
    """A ranker that can be loaded by name.

    Attributes:
        target: dotted name of its class, imported only when it is asked for.
        summary: what it is, in a line.
        licence: terms of the weights it uses.
        explains: what kinds of reasons it can give.
    """

    target: str
    summary: str
    licence: str
    explains: str


RANKERS: Mapping[str, Known] = {
    "evidence": Known(
        "whyrank.rankers.evidence:EvidenceRanker",
        "the default: whole document, late interaction, best sentence and first stage, taken apart exactly",
        "Apache-2.0",
        "direct, comparison, counterfactual",
    ),
    "bi-encoder": Known(
        "whyrank.rankers.bi_encoder:BiEncoder",
        "the baseline: cosine of whole-text vectors of the embedded body",
        "Apache-2.0",
        "none",
    ),
}
DEFAULT = "evidence"


def load(name: str = DEFAULT, *, threads: int | None = None) -> Reranker:
    """Load a ranker by name.

    Args:
        name: a key of `RANKERS`.
        threads: threads to compute with; by default the cores this process may use, at most eight.

    Raises:
        UnknownName: there is no such ranker; near matches are listed.
        Corrupt: its model is damaged.
    """
    if name not in RANKERS:
        error = unknown("ranker", name, RANKERS)
        raise UnknownName(f"{error}; those that ask a language model are made by whyrank.llm_ranker") from None
    module, _, attribute = RANKERS[name].target.partition(":")
    factory: Any = getattr(import_module(module), attribute)
    ranker: Reranker = factory(threads=threads)
    return ranker
