"""DSPy: a module that reranks passages, those it is given or those that a retriever finds.

rerank = WhyrankReranker(retrieve=dspy.Retrieve(k=50), k=5, reasons=3)
rerank("why is the sky blue?").passages
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from whyrank import rankers
from whyrank._extras import require
from whyrank.errors import BadInput
from whyrank.integrations.reranked import check_counts, reranked
from whyrank.types import Reranker

require("dspy", extra="dspy", purpose="the module for DSPy")

import dspy  # noqa: E402 - only after the message that says what is missing


class WhyrankReranker(dspy.Module):
    """Puts passages into the order in which they answer the query.

    Args:
        retrieve: called with a query, gives passages or a prediction that holds them, as DSPy's retrievers do; None
            where passages are always given.
        ranker: a name for `whyrank.load`, or a loaded ranker.
        k: how many are returned; None returns all.
        reasons: how many of the best get reasons.

    Raises:
        BadInput: numbers out of range.
    """

    def __init__(
        self,
        retrieve: Callable[[str], Any] | None = None,
        *,
        ranker: str | Reranker = rankers.DEFAULT,
        k: int | None = None,
        reasons: int = 0,
    ) -> None:
        super().__init__()
        check_counts(k, reasons)
        self.retrieve, self.ranker, self.k, self.reasons = retrieve, ranker, k, reasons

    def forward(self, query: str, passages: Sequence[Any] | None = None, k: int | None = None) -> dspy.Prediction:
        """The best passages, best first.

        Args:
            query: the query.
            passages: texts, or objects whose text is `long_text` or `text`; None asks the retriever.
            k: how many are returned this time.

        Returns:
            `passages` as they were given, `indices` (their places there), `scores`, and `metadata`: the reasons.

        Raises:
            BadInput: the query is empty, there is nothing to rerank, or a passage has no text.
            UnknownName: there is no such ranker.
        """
        if passages is None:
            if self.retrieve is None:
                raise BadInput("there are no passages and no retriever; give passages=[…], or retrieve=… once")
            found = self.retrieve(query)
            passages = getattr(found, "passages", found)
        return self._best(query, passages, k)

    async def aforward(
        self, query: str, passages: Sequence[Any] | None = None, k: int | None = None
    ) -> dspy.Prediction:
        """The same without holding the event loop."""
        return await asyncio.to_thread(self.forward, query, passages, k)

    def _best(self, query: str, passages: Sequence[Any], k: int | None) -> dspy.Prediction:
        ranked = reranked(
            query,
            [_text(passage) for passage in passages],
            ranker=self.ranker,
            top_n=self.k if k is None else k,
            reasons=self.reasons,
        )
        return dspy.Prediction(
            passages=[passages[own.place] for own in ranked],
            indices=[own.place for own in ranked],
            scores=[own.score for own in ranked],
            metadata=[own.reasons for own in ranked],
        )


def _text(passage: Any) -> Any:
    """The text of a passage, in the forms in which DSPy's retrievers give it."""
    if isinstance(passage, Mapping):
        return passage.get("long_text", passage.get("text"))
    return getattr(passage, "long_text", getattr(passage, "text", passage))
