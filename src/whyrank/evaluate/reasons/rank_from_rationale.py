"""Does the rationale alone put the candidates in the right order, and does the order suffer without it?

A reader who sees only the reasons should come to the same order (Kendall's τ with the judge's own order of the full
texts), and to a good one (nDCG against judgements). Where the rationale matters, deleting it must hurt the order more
than deleting as many words at random.
"""

import math
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np

from whyrank.errors import BadInput
from whyrank.evaluate.measures import measure
from whyrank.evaluate.reasons.erasure import Measured, mean_of_defined
from whyrank.evaluate.reasons.judges import Judge, judged
from whyrank.evaluate.reasons.rationales import (
    Rationale,
    Rationales,
    check_aligned,
    shared_documents,
    shuffled,
    upto,
    upto_words,
    words_of,
)
from whyrank.evaluate.reasons.versions import merged, only
from whyrank.evaluate.results import Evaluation, Proportion, Values
from whyrank.types import Document, Progress, Qrels, Ranking

# Q queries, M measures, D documents
Key: TypeAlias = tuple[str, str, str, int]
"""One version of every list: method, what was done to its documents, level, seed."""

FULL: Key = ("", "full", "", 0)
TAU = "tau"


def rank_from_rationale(
    rankings: Sequence[Ranking],
    methods: Mapping[str, Sequence[Rationales]],
    judge: Judge,
    qrels: Qrels | None = None,
    *,
    measures: Sequence[str] = ("nDCG@10",),
    alone: Sequence[str] = ("1", "3", "20%"),
    deleted: Sequence[str] = ("20%",),
    seeds: Sequence[int] = (0, 1, 2),
    progress: Progress | None = None,
) -> Measured:
    """Rank each query's candidates by their rationales alone, and by what is left without them.

    For each level (see `upto`) and each of `measures`: "nDCG@10 alone@1", of the order by the judge's scores of the
    rationales alone; "nDCG@10 drop@20%", of its order of the full texts minus of its order without the rationales;
    "nDCG@10 excess@20%", that drop minus the mean drop when as many words of each document are deleted at random; and
    "nDCG@10 full". The same for "tau": Kendall's τ-b with the judge's scores of the full texts.

    A document for which a method has no rationale is left out for all of them. Equal scores stand in first-stage order.
    τ-b is undefined where one side ties all, other measures where a query has no relevant document.

    Args:
        rankings: queries and candidates: all of them are ranked.
        methods: name → for each query its rationales.
        judge: what scores; it is asked once a query.
        qrels: judgements; without them only τ is measured.
        measures: of an order against the judgements; see `whyrank.evaluate.measure`.
        alone: levels at which rationales are ranked alone.
        deleted: levels at which they are deleted. At a share of words all methods delete equally many.
        seeds: of the random deletions, at least one.
        progress: called with (queries done, queries).

    Raises:
        BadInput: rationales that do not fit the rankings, no such level, no seed, no query with a relevant document.
        DuplicateId: two rankings are for one query.
        MissingExtra: `qrels` are given and ir_measures is not installed.
    """
    check_aligned(rankings, methods)
    if deleted and not seeds:
        raise BadInput("no seeds for the random deletion; give at least one, such as seeds=(0,)")
    runs: dict[Key, list[dict[str, float]]] = {}
    for q, ranking in enumerate(rankings):
        given = {name: own[q] for name, own in methods.items()}
        for key, scores in _scored(_lists(ranking, given, alone, deleted, seeds), ranking, judge).items():
            runs.setdefault(key, []).append(scores)
        if progress:
            progress(q + 1, len(rankings))
    qualities = {TAU: {key: _taus(run, runs[FULL]) for key, run in runs.items()}}
    for name in measures if qrels is not None else ():
        qualities[name] = {key: _measured(run, rankings, qrels or {}, name) for key, run in runs.items()}
    queries = tuple(ranking.query.id for ranking in rankings)
    evaluations = []
    for method in methods:
        columns = {
            f"{family} {kind}": values_Q
            for family, found in qualities.items()
            for kind, values_Q in _kinds(found, method, alone, deleted, seeds).items()
            if (family, kind) != (TAU, "full")
        }
        values_QM = np.stack(list(columns.values()), axis=1)
        evaluations.append(Evaluation(method, tuple(columns), queries, values_QM))
    kept = sum(map(len, runs.get(FULL, [])))
    total = sum(len(ranking.hits) for ranking in rankings)
    ranked = Proportion("ranked", kept, total, "candidates for which every method has a rationale")
    return Measured(tuple(evaluations), (ranked,))


def kendall_tau(left: Sequence[float], right: Sequence[float]) -> float:
    """Kendall's τ-b: agreement of two orders, from −1 to 1, corrected for ties; NaN where one side ties all.

    Kendall, 1945; as `scipy.stats.kendalltau`, which a short list need not wait for.
    """
    signs_DD = [np.sign(np.subtract.outer(side, side)) for side in (np.asarray(left), np.asarray(right))]
    untied = math.prod(float(np.abs(signs).sum()) for signs in signs_DD)
    return float((signs_DD[0] * signs_DD[1]).sum()) / math.sqrt(untied) if untied else math.nan


def _lists(
    ranking: Ranking,
    methods: Mapping[str, Rationales],
    alone: Sequence[str],
    deleted: Sequence[str],
    seeds: Sequence[int],
) -> dict[Key, list[Document]]:
    """Every version of the list of candidates that is to be scored, each in first-stage order."""
    places = {hit.document.id: hit.first_rank for hit in ranking.hits}
    documents = sorted(shared_documents(ranking, methods), key=lambda d: places[d.id])
    lists: dict[Key, list[Document]] = {FULL: documents}
    for name, given in methods.items():
        for level in alone:
            lists[name, "alone", level, 0] = [only(d, upto(d, given[d.id], level)) for d in documents]
        for level in deleted:
            cut = [(d, upto(d, given[d.id], level)) for d in documents]
            lists[name, "without", level, 0] = [d.without(spans) for d, spans in cut]
            for seed in seeds:
                lists[name, "random", level, seed] = [_as_much_at_random(d, s, ranking, seed) for d, s in cut]
    return lists


def _as_much_at_random(document: Document, spans: Rationale, ranking: Ranking, seed: int) -> Document:
    """The document without as many words as the spans have: sentences at random, the last one cut."""
    count = sum(len(words_of(document, span)) for span in merged(spans))
    return document.without(upto_words(document, shuffled(document, f"control {seed} {ranking.query.id}"), count))


def _scored(lists: Mapping[Key, list[Document]], ranking: Ranking, judge: Judge) -> dict[Key, dict[str, float]]:
    """For each version, the scores by document id."""
    scores = iter(judged(judge, ranking.query, [document for own in lists.values() for document in own]))
    return {key: {document.id: next(scores) for document in own} for key, own in lists.items()}


def _taus(run: Sequence[Mapping[str, float]], full: Sequence[Mapping[str, float]]) -> Values:
    return np.array([kendall_tau([*a.values()], [*b.values()]) for a, b in zip(run, full, strict=True)], np.float64)


def _measured(run: Sequence[dict[str, float]], rankings: Sequence[Ranking], qrels: Qrels, name: str) -> Values:
    """Values [Q]; NaN for a query without candidates or without a relevant document."""
    ids = [ranking.query.id for ranking in rankings]
    by_query = {query: scores for query, scores in zip(ids, run, strict=True) if scores}
    judgements = {query: qrels[query] for query in by_query if query in qrels}
    found = measure("", by_query, judgements, [name], only_relevant=True, allow_unjudged=True)
    values = dict(zip(found.queries, found.values_QM[:, 0].tolist(), strict=True))
    return np.array([values.get(query, math.nan) for query in ids])


def _kinds(
    found: Mapping[Key, Values], method: str, alone: Sequence[str], deleted: Sequence[str], seeds: Sequence[int]
) -> dict[str, Values]:
    kinds = {f"alone@{level}": found[method, "alone", level, 0] for level in alone}
    for level in deleted:
        kinds[f"drop@{level}"] = found[FULL] - found[method, "without", level, 0]
        at_random = [found[FULL] - found[method, "random", level, seed] for seed in seeds]
        kinds[f"excess@{level}"] = kinds[f"drop@{level}"] - mean_of_defined(np.stack(at_random, axis=-1))
    return kinds | {"full": found[FULL]}
