"""What every integration does: texts in, their places in the new order out, with scores and reasons."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from whyrank import rankers
from whyrank.api import rerank
from whyrank.errors import BadInput
from whyrank.formats.trec import decreasing
from whyrank.types import Comparison, Direct, Document, Explanations, Reranker

REASON, QUOTE, COMPARISON = "whyrank_reason", "whyrank_quote", "whyrank_comparison"
"""Keys of the metadata: why it answers, the sentence that carries this, why it stands above the next."""
KEYS = (REASON, QUOTE, COMPARISON)
"""All of them. What stands there from an earlier pass is never kept: it explains another order."""


class Placed(NamedTuple):
    """A document in the new order.

    Attributes:
        place: of the document in the list as it was given, from 0.
        score: falls strictly with the order; the ranker's own score while that does, else n, n−1, … 1.
        reasons: what is said of it, by the keys of the metadata; empty where nothing was asked.
    """

    place: int
    score: float
    reasons: dict[str, str]


def reranked(
    query: str,
    texts: Sequence[str],
    *,
    titles: Sequence[str | None] | None = None,
    scores: Sequence[float | None] | None = None,
    ranker: str | Reranker = rankers.DEFAULT,
    top_n: int | None = None,
    reasons: int = 0,
) -> list[Placed]:
    """Places of texts in the order in which they answer a query. Two may be the same: each keeps its own place.

    Args:
        query: the query.
        texts: candidates, in first-stage order.
        titles: their titles, where they have one.
        scores: first-stage scores, one a text, if the ranker is to weigh them.
        ranker: a name for `whyrank.load`, or a loaded ranker.
        top_n: how many are returned; None returns all.
        reasons: how many of the best get reasons. The order is the same with and without.

    Raises:
        BadInput: an empty query, a text that is none, numbers out of range.
        UnknownName: there is no such ranker.
    """
    check_counts(top_n, reasons)
    if not texts:
        return []
    titled = titles if titles is not None else [None] * len(texts)
    documents = [_document(place, text, title) for place, (text, title) in enumerate(zip(texts, titled, strict=True))]
    found = rerank(query, documents, scores=scores, ranker=ranker, depth=None, top_k=top_n, explain=reasons)
    told = _told(found.explanations or Explanations())
    shown = decreasing(found)
    return [
        Placed(int(hit.document.id), score, told.get(hit.document.id, {}))
        for hit, score in zip(found, shown, strict=True)
    ]


def merged(metadata: Mapping[str, Any], reasons: Mapping[str, str]) -> dict[str, Any]:
    """A copy of a document's metadata with these reasons, and none of an earlier pass.

    >>> merged({"source": "a", REASON: "of another query"}, {QUOTE: "Air scatters blue light."})
    {'source': 'a', 'whyrank_quote': 'Air scatters blue light.'}
    """
    return {**{key: value for key, value in metadata.items() if key not in KEYS}, **reasons}


def check_counts(top_n: int | None, reasons: int) -> None:
    """Refuse counts that mean nothing, also where there is nothing to rank.

    Raises:
        BadInput: one is out of range.
    """
    if top_n is not None and top_n < 1:
        raise BadInput(f"top_n is {top_n}; accepted: 1 or more, or None for all")
    if reasons < 0:
        raise BadInput(f"reasons is {reasons}; accepted: 0 (none) or the number of documents to give reasons for")


def _document(place: int, text: Any, title: Any) -> Document:
    if not isinstance(text, str):
        raise BadInput(f"document {place + 1} has {type(text).__name__} for a text; give a string")
    return Document(str(place), text, title if isinstance(title, str) and title else None)


def _told(found: Explanations) -> dict[str, dict[str, str]]:
    """Reasons by document, as texts; several for one document are lines of one text, in order."""
    directs: dict[str, list[Direct]] = {}
    for own in found.direct:
        directs.setdefault(own.document_id, []).append(own)
    told = {name: _direct(own) for name, own in directs.items()}
    for comparison in found.comparisons:
        above = told.setdefault(comparison.upper_id, {})
        above[COMPARISON] = "\n".join(filter(None, (above.get(COMPARISON), _compared(comparison))))
    return told


def _direct(reasons: Sequence[Direct]) -> dict[str, str]:
    quotes = [found.quote for own in reasons for found in own.evidence if found.span is not None]
    return {REASON: "\n".join(own.text for own in reasons), **({QUOTE: quotes[0]} if quotes else {})}


def _compared(reason: Comparison) -> str:
    turned = reason.counterfactual.text if reason.counterfactual else ""
    return f"{reason.text} {turned}".strip()
