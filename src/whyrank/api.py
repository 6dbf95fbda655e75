"""The public functions: rerank, explain, load."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from whyrank import rankers
from whyrank.errors import BadInput
from whyrank.rankers.outcome import likely
from whyrank.types import DEPTH, Document, Explanations, Query, Ranking, Reranker, Scorer


@lru_cache(maxsize=4)
def load(name: str = "evidence", *, threads: int | None = None) -> Reranker:
    """Load a ranker by name; the same call gives the same ranker.

    Args:
        name: a name that `whyrank methods` lists.
        threads: threads to compute with; by default the cores this process may use, at most eight.

    Raises:
        UnknownName: there is no such ranker.
        Corrupt: its model is damaged.
    """
    return rankers.load(name, threads=threads)


def rerank(
    query: str | Query,
    documents: Iterable[str | Document | Mapping[str, Any]],
    *,
    scores: Sequence[float | None] | None = None,
    ranker: str | Reranker = "evidence",
    depth: int | None = DEPTH,
    top_k: int | None = None,
    min_probability: float | None = None,
    explain: int = 0,
) -> Ranking:
    """Put documents into the order in which they answer a query.

    Args:
        query: the query.
        documents: candidates in first-stage order: texts, Documents, or mappings with ``text`` and optionally
            ``id``, ``title`` and anything else (kept as metadata).
        scores: first-stage scores, one a document; None where there is none.
        ranker: a name for `load`, or a loaded ranker.
        depth: candidates that are read; the rest keep their order below. None reads all.
        top_k: how many hits to return; None returns all.
        min_probability: leave out what is less likely to be relevant than this, by the ranker's calibration.
        explain: for how many of the best hits to give reasons. The order is the same with and without.

    Returns:
        A permutation of the documents, best first (without those that `top_k` and `min_probability` leave out).

    Raises:
        BadInput: an empty query, a document that is none, scores that do not fit, numbers out of range.
        DuplicateId: two documents share an id.
        UnknownName: there is no such ranker.
    """
    if top_k is not None and top_k < 1:
        raise BadInput(f"top_k is {top_k}; accepted: 1 or more, or None for all")
    if explain < 0:
        raise BadInput(f"explain is {explain}; accepted: 0 (no reasons) or the number of hits to give reasons for")
    given = Ranking.of(query, documents, scores)
    if not given.query.text.strip():
        raise BadInput("the query is empty; give at least one word")
    model = load(ranker) if isinstance(ranker, str) else ranker
    [ranking] = model.rerank_many([given], depth=depth)
    if min_probability is not None:
        ranking = likely(ranking, model, min_probability)
    if top_k is not None:
        ranking = ranking.top(top_k)
    return replace(ranking, explanations=_explain(ranking, model, explain)) if explain else ranking


def explain(ranking: Ranking, *, ranker: str | Reranker = "evidence", top: int = 3) -> Explanations:
    """Give the reasons for a ranking: why each of the best `top` hits answers, and why it stands above the next.

    Raises:
        BadInput: the ranking was not made by this ranker, or the ranker gives no reasons.
    """
    return _explain(ranking, load(ranker) if isinstance(ranker, str) else ranker, top)


def _explain(ranking: Ranking, ranker: Reranker, top: int) -> Explanations:
    from whyrank import reason

    if not isinstance(ranker, Scorer):
        raise BadInput(f"{ranker.name} gives no reasons; use evidence")
    return reason.explain(ranking, ranker, top=top)
