"""The public functions: rerank, explain, load, open_model, llm_ranker."""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from whyrank import rankers
from whyrank.errors import BadInput
from whyrank.rankers.outcome import check_calibrated, likely
from whyrank.types import DEPTH, Document, Explanations, Query, Ranking, Reranker

if TYPE_CHECKING:
    from whyrank.lm.base import LM


@lru_cache(maxsize=4)
def load(name: str = rankers.DEFAULT, *, threads: int | None = None) -> Reranker:
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
    ranker: str | Reranker = rankers.DEFAULT,
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
    if min_probability is not None:
        check_calibrated(model)
    [ranking] = model.rerank_many([given], depth=depth)
    if min_probability is not None:
        ranking = likely(ranking, model, min_probability)
    if top_k is not None:
        ranking = ranking.top(top_k)
    if not explain:
        return ranking
    from whyrank.reason.giving import with_reasons

    return with_reasons(ranking, model, explain, _writer(model))


def explain(
    ranking: Ranking, *, ranker: str | Reranker = rankers.DEFAULT, top: int = 3, writer: "LM | None" = None
) -> Explanations:
    """Give the reasons for a ranking: why each of the best `top` hits answers, and why it stands above the next.

    Args:
        ranking: a finished ranking.
        ranker: what made it.
        top: how many hits get reasons.
        writer: a language model that writes them; by default the ranker's own parts of the score are the reasons, or
            its model writes them.

    Raises:
        BadInput: the ranking was not made by this ranker, or the ranker gives no reasons.
    """
    from whyrank.reason.giving import with_reasons

    model = load(ranker) if isinstance(ranker, str) else ranker
    return with_reasons(ranking, model, top, writer or _writer(model)).explanations or Explanations()


def open_model(name: str, **settings: Any) -> "LM":
    """Open a language model.

    Args:
        name: "backend:model", such as "openai:gpt-4.1-mini" or "transformers:Qwen/Qwen3-Reranker-0.6B".
        settings: of `whyrank.config.ModelSettings`, such as url, max_cost, context or cache.

    Raises:
        UnknownName: there is no such backend.
        BadInput: a setting that is unknown, wrong, or of no use to the backend.
        MissingExtra: what the backend needs is not installed.
    """
    from whyrank.config import ModelSettings, checked
    from whyrank.rankers import models

    return models.open_model(checked(ModelSettings, {"name": name, **settings}))


def llm_ranker(model: "str | LM", kind: str | None = None, **settings: Any) -> Reranker:
    """A ranker that asks a language model.

    Args:
        model: a model, or its name for `open_model`.
        kind: "pointwise", "pairwise", "setwise" or "listwise"; the id of a known checkpoint; or None for what the
            model is made for.
        settings: of `whyrank.config.AskSettings`, such as prompt, algorithm, options or untidy.

    Raises:
        UnknownName: there is no such kind, prompt or algorithm.
        BadInput: settings that do not fit each other, or a model that cannot do what they need.
    """
    from whyrank.config import AskSettings, checked
    from whyrank.rankers.building import resolve

    opened = open_model(model) if isinstance(model, str) else model
    return resolve(kind, model=opened, ask=checked(AskSettings, settings)).ranker


def _writer(ranker: Reranker) -> "LM | None":
    """The model that a ranker asks, if it can write."""
    from whyrank.lm.base import LM, Capability

    lm = getattr(ranker, "lm", None)
    return lm if isinstance(lm, LM) and Capability.GENERATE in lm.capabilities else None
