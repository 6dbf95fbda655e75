"""LlamaIndex: a node postprocessor, for query engines or alone.

postprocessor = WhyrankPostprocessor(top_n=5, reasons=3)
postprocessor.postprocess_nodes(nodes, query_str="why is the sky blue?")
"""

from typing import Any

from whyrank import rankers
from whyrank._extras import require
from whyrank.errors import BadInput
from whyrank.integrations.reranked import KEYS, merged, reranked

require("llama_index.core", extra="llama-index", purpose="the postprocessor for LlamaIndex")

from llama_index.core.bridge.pydantic import ConfigDict, Field  # noqa: E402 - only after the message
from llama_index.core.postprocessor.types import BaseNodePostprocessor  # noqa: E402
from llama_index.core.schema import MetadataMode, NodeWithScore, QueryBundle  # noqa: E402


class WhyrankPostprocessor(BaseNodePostprocessor):
    """Puts nodes into the order in which they answer the query.

    What comes out are copies of the nodes that went in, with their ids, relations and metadata; `score` is the
    ranker's, and in the metadata stand the reasons that were asked for, and none of an earlier pass. Neither a model
    that answers nor one that embeds is shown the reasons.

    Attributes:
        ranker: a name for `whyrank.load`, or a loaded ranker.
        top_n: how many are returned; None returns all.
        reasons: how many of the best get reasons.
        title: key of the metadata that holds a node's title, if one does.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    ranker: Any = rankers.DEFAULT
    top_n: int | None = Field(default=None, ge=1)
    reasons: int = Field(default=0, ge=0)
    title: str | None = None

    @classmethod
    def class_name(cls) -> str:
        """What LlamaIndex calls it where it is saved."""
        return "WhyrankPostprocessor"

    def _postprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        if query_bundle is None:
            raise BadInput("there is no query; give query_str or query_bundle")
        found = reranked(
            query_bundle.query_str,
            [given.node.get_content(metadata_mode=MetadataMode.NONE) for given in nodes],
            titles=None if self.title is None else [given.node.metadata.get(self.title) for given in nodes],
            ranker=self.ranker,
            top_n=self.top_n,
            reasons=self.reasons,
        )
        return [NodeWithScore(node=_with(nodes[own.place].node, own.reasons), score=own.score) for own in found]


def _with(node: Any, reasons: dict[str, str]) -> Any:
    """A copy of the node with reasons in its metadata, for people and not for models."""
    kept_back = KEYS if reasons else ()
    return node.model_copy(
        update={
            "metadata": merged(node.metadata, reasons),
            "relationships": dict(node.relationships),
            "excluded_llm_metadata_keys": list(dict.fromkeys([*node.excluded_llm_metadata_keys, *kept_back])),
            "excluded_embed_metadata_keys": list(dict.fromkeys([*node.excluded_embed_metadata_keys, *kept_back])),
        }
    )
