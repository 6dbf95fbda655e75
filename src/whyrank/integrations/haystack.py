"""Haystack: a ranker for pipelines.

ranker = WhyrankRanker(top_k=5, reasons=3)
ranker.run(query="why is the sky blue?", documents=documents)["documents"]
"""

from dataclasses import replace
from typing import Any

from whyrank import rankers
from whyrank._extras import require
from whyrank.errors import BadInput
from whyrank.integrations.reranked import check_counts, merged, reranked
from whyrank.types import Reranker

require("haystack", extra="haystack", purpose="the ranker for Haystack")

from haystack import Document, component, default_from_dict, default_to_dict  # noqa: E402 - only after the message


@component
class WhyrankRanker:
    """Puts documents into the order in which they answer the query.

    What comes out are copies of the documents that went in, with their ids and `meta`; `score` is the ranker's, and
    in `meta` stand the reasons that were asked for. A document without text ranks as an empty one.

    Args:
        ranker: a name for `whyrank.load`, or a loaded ranker; a pipeline can be saved with the former.
        top_k: how many are returned; None returns all.
        reasons: how many of the best get reasons.
        title: key of `meta` that holds a document's title, if one does.

    Raises:
        BadInput: numbers out of range.
    """

    def __init__(
        self,
        ranker: str | Reranker = rankers.DEFAULT,
        top_k: int | None = None,
        reasons: int = 0,
        title: str | None = None,
    ) -> None:
        check_counts(top_k, reasons)
        self.ranker, self.top_k, self.reasons, self.title = ranker, top_k, reasons, title

    @component.output_types(documents=list[Document])
    def run(self, query: str, documents: list[Document], top_k: int | None = None) -> dict[str, list[Document]]:
        """The best documents, best first, under `documents`.

        Args:
            query: the query.
            documents: candidates, in first-stage order.
            top_k: how many are returned this time.

        Raises:
            BadInput: the query is empty, or a number is out of range.
            UnknownName: there is no such ranker.
        """
        found = reranked(
            query,
            [document.content or "" for document in documents],
            titles=None if self.title is None else [document.meta.get(self.title) for document in documents],
            ranker=self.ranker,
            top_n=self.top_k if top_k is None else top_k,
            reasons=self.reasons,
        )
        ranked = [
            replace(documents[own.place], score=own.score, meta=merged(documents[own.place].meta, own.reasons))
            for own in found
        ]
        return {"documents": ranked}

    def to_dict(self) -> dict[str, Any]:
        """What a saved pipeline holds of it.

        Raises:
            BadInput: its ranker was given loaded, and has no name that would load it.
        """
        if not isinstance(self.ranker, str):
            raise BadInput("a loaded ranker cannot be saved with a pipeline; give the ranker by name")
        told: dict[str, Any] = default_to_dict(
            self, ranker=self.ranker, top_k=self.top_k, reasons=self.reasons, title=self.title
        )
        return told

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "WhyrankRanker":
        """The same, from what was saved."""
        made: WhyrankRanker = default_from_dict(cls, data)
        return made
