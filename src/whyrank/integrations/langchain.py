"""LangChain: a document compressor, for `ContextualCompressionRetriever` or alone.

compressor = WhyrankCompressor(top_n=5, reasons=3)
compressor.compress_documents(documents, "why is the sky blue?")
"""

from collections.abc import Sequence
from typing import Any

from whyrank import rankers
from whyrank._extras import require
from whyrank.integrations.reranked import merged, reranked

require("langchain_core", extra="langchain", purpose="the compressor for LangChain")

from langchain_core.callbacks import Callbacks  # noqa: E402 - only after the message that says what is missing
from langchain_core.documents import BaseDocumentCompressor, Document  # noqa: E402
from pydantic import ConfigDict, Field  # noqa: E402


class WhyrankCompressor(BaseDocumentCompressor):
    """Puts documents into the order in which they answer the query.

    What comes out are copies of the documents that went in, with their ids and metadata; in these stand
    `relevance_score`, where other rerankers of LangChain put theirs, and the reasons that were asked for.

    Attributes:
        ranker: a name for `whyrank.load`, or a loaded ranker.
        top_n: how many are returned; None returns all.
        reasons: how many of the best get reasons.
        title: key of the metadata that holds a document's title, if one does.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid")

    ranker: Any = rankers.DEFAULT
    top_n: int | None = Field(default=None, ge=1)
    reasons: int = Field(default=0, ge=0)
    title: str | None = None

    def compress_documents(
        self,
        documents: Sequence[Document],
        query: str,
        callbacks: Callbacks | None = None,  # noqa: ARG002 - LangChain's
    ) -> list[Document]:
        """The best documents, best first.

        Args:
            documents: candidates, in first-stage order.
            query: the query.
            callbacks: not used; LangChain hands them to every compressor.

        Raises:
            BadInput: the query is empty.
            UnknownName: there is no such ranker.
        """
        found = reranked(
            query,
            [document.page_content for document in documents],
            titles=None if self.title is None else [document.metadata.get(self.title) for document in documents],
            ranker=self.ranker,
            top_n=self.top_n,
            reasons=self.reasons,
        )
        return [
            documents[own.place].model_copy(
                update={"metadata": merged(documents[own.place].metadata, own.reasons) | {"relevance_score": own.score}}
            )
            for own in found
        ]
