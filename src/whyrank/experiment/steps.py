"""The steps of an experiment; each takes up what is finished and does what is missing."""

import hashlib
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from whyrank import formats, reason
from whyrank.datasets import Dataset
from whyrank.errors import MissingFile
from whyrank.experiment.store import Store, fingerprint
from whyrank.retrieve import BM25
from whyrank.types import Hit, Progress, Query, Ranking, Reranker, Scorer, Usage

Phase: TypeAlias = Callable[[str], Progress]
"""Begins a phase of the work by its name; gives what is told (done, total)."""

VERSION = version("whyrank")

BATCH = 1_000
"""Candidates between two writes: what a kill can cost, at most."""


def sample(ids: Sequence[str], count: int | None, seed: int) -> frozenset[str]:
    """`count` of the ids, whatever their order; all if None or if there are no more."""
    known = sorted(ids)
    if count is None or count >= len(known):
        return frozenset(known)
    return frozenset(known[i] for i in np.random.default_rng(seed).permutation(len(known))[:count])


def candidates(
    dataset: Dataset, first_stage: str, depth: int, wanted: frozenset[str], folder: Path, phase: Phase
) -> list[Ranking]:
    """The first stage's lists for the queries `wanted`: a run of the dataset, a run file, or BM25's own search.

    Documents that the dataset excludes for a query are gone from its list; the `depth` best of the others are kept.

    Raises:
        MissingFile: it is none of these.
    """
    queries = [query for query in dataset.queries if query.id in wanted]
    excluded = dataset.excluded
    reach = depth + max((len(excluded.get(query.id, ())) for query in queries), default=0)
    phase("first stage")
    if first_stage in dataset.runs:
        found = dataset.rankings(first_stage, depth=reach, queries=wanted)
    elif Path(first_stage).is_file():
        found = formats.read_rankings(first_stage, corpus=dataset.documents(), queries=dataset.queries)
    elif first_stage == "bm25":
        found = _search(dataset, queries, reach, folder, phase)
    else:
        raise MissingFile(
            f"first_stage {first_stage!r} is neither a file nor a run of {dataset.name} "
            f"({', '.join(dataset.runs) or 'it has none'}); give one of them, or bm25 to search with ours"
        )
    asked = (ranking for ranking in found if ranking.query.id in wanted)
    return [without(ranking, excluded.get(ranking.query.id, frozenset())).top(depth) for ranking in asked]


def without(ranking: Ranking, excluded: Collection[str]) -> Ranking:
    """The ranking without some documents and what was said about them; the others move up."""
    hits = [hit for hit in ranking if hit.document.id not in excluded]
    if len(hits) == len(ranking):
        return ranking
    renumbered = {place: new for new, place in enumerate(sorted(hit.first_rank for hit in hits), 1)}
    reasons = ranking.explanations
    if reasons is not None:
        direct = tuple(d for d in reasons.direct if d.document_id not in excluded)
        comparisons = tuple(c for c in reasons.comparisons if not {c.upper_id, c.lower_id} & set(excluded))
        reasons = replace(reasons, direct=direct, comparisons=comparisons)
    moved = tuple(replace(hit, first_rank=renumbered[hit.first_rank]) for hit in hits)
    return replace(ranking, hits=moved, explanations=reasons)


def _search(dataset: Dataset, queries: Sequence[Query], depth: int, folder: Path, phase: Phase) -> list[Ranking]:
    phase("reading the corpus")
    where = folder / f"bm25-{_digest(dataset)}.index"
    if where.is_dir():
        index = BM25.load(where)
    else:
        index = BM25.build(dataset.documents(), progress=phase("indexing"))
        index.save(where)
    return index.search_many(queries, k=depth)


def _digest(dataset: Dataset) -> str:
    """Names the corpus by every text in it: an index of other texts must not be taken for its own."""
    digest = hashlib.sha256(VERSION.encode())
    for document in dataset.documents():
        digest.update(fingerprint(document.id, document.title, document.text).encode())
    return digest.hexdigest()[:16]


def as_given(ranking: Ranking) -> Ranking:
    """The candidates of a ranking as they were before it was made."""
    hits = sorted(ranking.hits, key=lambda hit: hit.first_rank)
    return Ranking.of(ranking.query, [h.document for h in hits], [h.first_score for h in hits])


def reranked(given: Sequence[Ranking], ranker: Reranker, depth: int, store: Store, progress: Progress) -> list[Ranking]:
    """Every list reranked: those in the store as they were, the others now, each batch stored as it is done.

    What was left undone, because a model was not reached or a budget spent, is not stored: the next run does it.
    """
    keys = [key(ranker, ranking, "ranking", depth) for ranking in given]
    missing = [place for place, name in enumerate(keys) if name not in store]
    progress(len(given) - len(missing), len(given))
    undone: dict[str, Ranking] = {}
    for batch in _batches(missing, [min(len(ranking), depth) for ranking in given]):
        ranked = ranker.rerank_many([given[place] for place in batch], depth=depth)
        found = {keys[place]: ranking for place, ranking in zip(batch, ranked, strict=True)}
        undone |= {name: ranking for name, ranking in found.items() if ranking.status == "partial"}
        store.add({name: _compact(ranking) for name, ranking in found.items() if name not in undone}.items())
        progress(sum(name in store or name in undone for name in keys), len(given))
    return [
        undone[name] if name in undone else _restored(ranking, store[name])
        for ranking, name in zip(given, keys, strict=True)
    ]


def explained(
    ranked: Sequence[Ranking],
    ranker: Scorer,
    top: int,
    store: Store,
    progress: Progress,
    *,
    counterfactuals: bool = True,
) -> list[Ranking]:
    """The best hits of each list with reasons: `top` of them and the next, which the last is compared with."""
    kind = "reasons" if counterfactuals else "reasons without counterfactuals"
    shown = [ranking.top(top + 1) for ranking in ranked]
    keys = [key(ranker, ranking, kind, top) for ranking in shown]
    for done, (ranking, name) in enumerate(zip(shown, keys, strict=True)):
        progress(done, len(shown))
        if name not in store:
            reasons = reason.explain(ranking, ranker, top=top, counterfactuals=counterfactuals)
            store.add([(name, formats.to_json(replace(ranking, explanations=reasons)))])
    progress(len(shown), len(shown))
    return [formats.from_json(store[name]) for name in keys]


def key(ranker: Reranker | Scorer, ranking: Ranking, *about: object) -> str:
    """Names a piece of work on a ranking: what is done, by whom, and every text and score it is done to.

    A ranker's name holds the fingerprint of its arithmetic; how reasons are found and checked changes with our version.
    """
    hits = [(h.document.id, h.document.title, h.document.text, h.score, h.first_score) for h in ranking]
    return fingerprint(VERSION, list(about), ranker.name, ranking.query.id, ranking.query.text, hits)


def _batches(places: Sequence[int], sizes: Sequence[int]) -> Iterator[list[int]]:
    batch: list[int] = []
    for place in places:
        if batch and sum(sizes[p] for p in batch) + sizes[place] > BATCH:
            yield batch
            batch = []
        batch.append(place)
    if batch:
        yield batch


def _compact(ranking: Ranking) -> dict[str, Any]:
    """What reranking adds to the candidates: they hold the texts."""
    return {
        "hits": [[hit.document.id, hit.score, hit.cut, hit.placed] for hit in ranking],
        "ranker": ranking.ranker,
        "status": ranking.status,
        "notes": list(ranking.notes),
        "usage": asdict(ranking.usage),
    }


def _restored(given: Ranking, record: dict[str, Any]) -> Ranking:
    by_id = {hit.document.id: (place, hit) for place, hit in enumerate(given, 1)}
    hits = []
    for name, score, cut, placed in record["hits"]:
        place, hit = by_id[name]
        hits.append(Hit(hit.document, score, hit.first_score, first_rank=place, cut=cut, placed=placed))
    return Ranking(
        query=given.query,
        hits=tuple(hits),
        ranker=record["ranker"],
        status=record["status"],
        notes=tuple(record["notes"]),
        usage=Usage(**record["usage"]),
        left_out=given.left_out,
    )
