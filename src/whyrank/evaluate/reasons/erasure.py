"""Sufficiency and comprehensiveness: what a judge makes of a rationale alone, and of the rest without it.

DeYoung et al., 2020 (ERASER), section 5: comprehensiveness = m(x) − m(x without rationale), higher is better;
sufficiency = m(x) − m(rationale alone), lower is better. Deviates: m is a score of relevance and no probability, so
it is divided by the standard deviation of the judge's scores over the query's candidates; 1 and 5 % of tokens are left
out; 1, 2 and 3 sentences, which is what a reader is shown, and replacement by a neutral filler are added.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from whyrank.errors import BadInput
from whyrank.evaluate.reasons.judges import Judge, judged
from whyrank.evaluate.reasons.rationales import (
    LEVELS,
    Rationale,
    Rationales,
    check_aligned,
    parse_level,
    sentences_of,
    shared_documents,
    upto,
)
from whyrank.evaluate.reasons.versions import hidden, only, only_shown
from whyrank.evaluate.results import Evaluation, Proportion
from whyrank.types import Document, Progress, Ranking

# Q queries, A methods, M measures
VERSIONS: Mapping[str, Callable[[Document, Rationale], Document]] = {
    "comp": lambda document, spans: document.without(spans),
    "suff": only,
    "comp/replace": hidden,
    "suff/replace": only_shown,
}
"""Family of measures → what is left of a document, given the spans of a rationale."""


class Measured(NamedTuple):
    """What was measured, and on how much.

    Attributes:
        evaluations: one a method, in the order given; NaN where a measure is undefined for a query.
        measured_on: for each level, how many of the documents that were looked at could be measured.
    """

    evaluations: tuple[Evaluation, ...]
    measured_on: tuple[Proportion, ...]


class _Case(NamedTuple):
    """One version of a document, and which cell of the result it belongs to."""

    method: int
    measure: int
    document: int
    version: Document


def erasure(
    rankings: Sequence[Ranking],
    methods: Mapping[str, Sequence[Rationales]],
    judge: Judge,
    *,
    top: int = 5,
    levels: Sequence[str] = LEVELS,
    replaced: Sequence[str] = LEVELS,
    progress: Progress | None = None,
) -> Measured:
    """Sufficiency and comprehensiveness of several methods on the same documents.

    A query's value is the mean over its measured documents; a family's own measure ("comp", "suff", "comp/replace",
    "suff/replace") is the mean over its levels. A document of n sentences is measured at k sentences only if n > k, and
    at a share of words only if n > 1: otherwise every method gives the same words. A document for which a method has no
    rationale is measured for none. A query is undefined where none of its documents is measured, or where the judge
    gives all candidates the same score.

    Args:
        rankings: queries and candidates, best first; the standard deviation is over all of them.
        methods: name → for each query its rationales.
        judge: what scores the versions; it is asked once a query.
        top: how many of the best documents of each ranking are measured.
        levels: of deletion; see `upto`.
        replaced: of replacement; () for none.
        progress: called with (queries done, queries).

    Returns:
        One evaluation a method, measures "comp@1", "suff@20%", "comp/replace@3", "comp" …

    Raises:
        BadInput: rationales that do not fit the rankings, no such level, `top` below 1.
        DuplicateId: two rankings are for one query.
    """
    check_aligned(rankings, methods)
    if top < 1:
        raise BadInput(f"top is {top}; give the number of documents of each ranking to measure, 1 or more")
    wanted = {family: tuple(replaced if "/" in family else levels) for family in VERSIONS}
    names = [f"{family}@{level}" for family, own in wanted.items() for level in own]
    values_AQM = np.full((len(methods), len(rankings), len(names)), np.nan)
    seen = dict.fromkeys(dict.fromkeys((*levels, *replaced)), 0)
    for q, ranking in enumerate(rankings):
        cases = _cases(ranking, {name: given[q] for name, given in methods.items()}, top, wanted, names)
        for level in seen:
            at_level = {i for i, name in enumerate(names) if name.endswith(f"@{level}")}
            seen[level] += len({case.document for case in cases if case.measure in at_level})
        values_AQM[:, q] = _values_of_query(ranking, cases, judge, values_AQM.shape[::2])
        if progress:
            progress(q + 1, len(rankings))
    families = [family for family, own in wanted.items() if own]
    means = [mean_of_defined(values_AQM[..., [name.startswith(f"{f}@") for name in names]]) for f in families]
    values_AQM = np.concatenate([values_AQM, np.stack(means, axis=-1)], axis=-1) if means else values_AQM
    queries = tuple(ranking.query.id for ranking in rankings)
    looked_at = sum(len(ranking.hits[:top]) for ranking in rankings)
    return Measured(
        tuple(
            Evaluation(name, (*names, *families), queries, values_QM)
            for name, values_QM in zip(methods, values_AQM, strict=True)
        ),
        tuple(
            Proportion(
                f"measured at {level}", count, looked_at, "documents with more sentences, and a rationale by all"
            )
            for level, count in seen.items()
        ),
    )


def _cases(
    ranking: Ranking, methods: Mapping[str, Rationales], top: int, wanted: Mapping[str, Sequence[str]], names: list[str]
) -> list[_Case]:
    shared = {document.id for document in shared_documents(ranking, methods)}
    cases = []
    for place, document in enumerate(ranking.documents[:top]):
        count = len(sentences_of(document)) if document.id in shared else 0
        for family, levels in wanted.items():
            for level in levels:
                number, is_share = parse_level(level)
                if count > (1 if is_share else number):
                    measure = names.index(f"{family}@{level}")
                    for a, given in enumerate(methods.values()):
                        spans = upto(document, given[document.id], level)
                        cases.append(_Case(a, measure, place, VERSIONS[family](document, spans)))
    return cases


def _values_of_query(
    ranking: Ranking, cases: Sequence[_Case], judge: Judge, shape: tuple[int, ...]
) -> npt.NDArray[np.float64]:
    """The values [A, M] of one query."""
    full = ranking.documents
    scores = judged(judge, ranking.query, [*full, *(case.version for case in cases)]) if cases else []
    spread = float(np.std(scores[: len(full)])) if cases else 0.0
    sums, counts = np.zeros(shape), np.zeros(shape)
    for case, score in zip(cases, scores[len(full) :], strict=True):
        sums[case.method, case.measure] += scores[case.document] - score
        counts[case.method, case.measure] += 1
    if spread == 0:
        return np.full(shape, np.nan)
    return np.where(counts > 0, sums / np.maximum(counts, 1) / spread, np.nan)


def mean_of_defined(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Mean over the last axis of what is defined; NaN where nothing is."""
    defined = ~np.isnan(values)
    count = defined.sum(axis=-1)
    return np.where(count > 0, np.where(defined, values, 0.0).sum(axis=-1) / np.maximum(count, 1), np.nan)
