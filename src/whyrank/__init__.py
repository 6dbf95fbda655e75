"""whyrank ranks documents and says why.

    import whyrank

    ranking = whyrank.rerank("why is the sky blue?", ["Rayleigh scattering …", "The sea is …"], explain=2)
    ranking[0].document.text, ranking.explanations.direct[0].text

Importing this package loads neither a model nor numpy; what a call needs is loaded by the call.
"""

from typing import TYPE_CHECKING, Any

from whyrank.errors import WhyrankError
from whyrank.types import (
    Comparison,
    Direct,
    Document,
    Explanations,
    Hit,
    Query,
    Ranking,
    Span,
    Usage,
)

if TYPE_CHECKING:
    from whyrank.api import explain, llm_ranker, load, open_model, rerank

__version__ = "0.1.0"

__all__ = [
    "Comparison",
    "Direct",
    "Document",
    "Explanations",
    "Hit",
    "Query",
    "Ranking",
    "Span",
    "Usage",
    "WhyrankError",
    "__version__",
    "explain",
    "llm_ranker",
    "load",
    "open_model",
    "rerank",
]


def __getattr__(name: str) -> Any:
    if name in {"explain", "llm_ranker", "load", "open_model", "rerank"}:
        from whyrank import api

        return getattr(api, name)
    raise AttributeError(f"module 'whyrank' has no attribute {name!r}")
