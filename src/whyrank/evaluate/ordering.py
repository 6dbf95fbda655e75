"""The order of a run: equal scores are settled here, once, before anything is measured, and excluded documents leave.

Two laws of ties are known:

- "rank": equal scores keep the order in which they were given. Ours, and that of whoever reads the list.
- "trec_eval": scores are read as float32, as trec_eval reads them, and equal ones stand by descending document id.
  It reproduces published values; it can put a document above one that the ranker scored higher by less than float32
  can tell.

Measures are then handed scores that decrease strictly, so no provider has ties left to break in its own way.
"""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import accumulate, chain
from numbers import Real
from typing import Any, Literal, NamedTuple, TypeAlias, get_args

import numpy as np
import numpy.typing as npt

from whyrank.errors import BadInput, DuplicateId, unknown
from whyrank.types import Qrels, Ranking, Run

Ties: TypeAlias = Literal["rank", "trec_eval"]
Orders: TypeAlias = dict[str, list[str]]
"""Query id → document ids, best first."""

EXCLUDED_GRADE = -100
"""The grade with which BRIGHT marks documents that may not count for a query."""
BLOCK = 200  # queries whose scores are looked at together: they fit the processor's cache
HIGHEST_GRADE = 1_000_000
"""trec_eval holds a counter for every grade up to the highest, for every query."""


class Judgements(NamedTuple):
    """Judgements ready to be measured by.

    Attributes:
        grades: query id → document id → whole grade; queries without any judgement are left out.
        excluded: query id → documents that are taken out of the run.
    """

    grades: dict[str, dict[str, int]]
    excluded: dict[str, set[str]]


class Remaining(NamedTuple):
    """What is left of a run.

    Attributes:
        orders: the run without the excluded documents.
        removed: how many entries that were.
    """

    orders: Orders
    removed: int


def orders_of(run: Run | Sequence[Ranking], ties: Ties = "rank") -> Orders:
    """The documents of each query, best first.

    Args:
        run: scores by query and document, the documents of equal scores in the order that "rank" shall keep; or
            rankings, which have their order already.
        ties: what becomes of equal scores; see the module. Rankings are ordered as `run_of` would write them, that
            is, without ties.

    Raises:
        BadInput: a score is no number; `run` is neither a mapping nor rankings.
        DuplicateId: two rankings are for one query.
        UnknownName: no such law of ties.
    """
    if ties not in get_args(Ties):
        raise unknown("law of ties", str(ties), get_args(Ties))
    if isinstance(run, Mapping):
        return _settled(run, ties)
    return {query: list(ranking.ids) for query, ranking in _by_query(run).items()}


def run_of(rankings: Iterable[Ranking]) -> dict[str, dict[str, float]]:
    """Rankings as a run: the scores that `formats.write_rankings` would write, strictly decreasing.

    Raises:
        BadInput: a score is not finite.
        DuplicateId: two rankings are for one query.
    """
    from whyrank.formats import decreasing

    found = _by_query(rankings)
    return {query: dict(zip(r.ids, decreasing(r), strict=True)) for query, r in found.items()}


def descending(order: Sequence[str]) -> dict[str, float]:
    """Scores that say nothing but the order: n, n-1, … 1. Exact in float32 for up to 2**24 documents."""
    return dict(zip(order, map(float, range(len(order), 0, -1)), strict=True))


def judgements_of(qrels: Qrels, excluded: Mapping[str, Collection[str]] | None = None) -> Judgements:
    """Check judgements, and set the excluded documents apart.

    Grades below 0 other than −100 stay as they are here; measures count them as 0.

    Args:
        qrels: grades, whole numbers; −100 excludes the document from its query.
        excluded: query id → ids of further documents to exclude.

    Raises:
        BadInput: there is no judgement at all; a grade is no whole number or above 1,000,000.
    """
    listed = {query: set(documents) for query, documents in (excluded or {}).items() if documents}
    whole: dict[float, int] = {}
    grades: dict[str, dict[str, int]] = {}
    for query, given in qrels.items():
        used = set(given.values())
        for grade in used.difference(whole):
            whole[grade] = _whole(query, given, grade)
        if EXCLUDED_GRADE in used:
            listed[query] = listed.get(query, set()) | {d for d, g in given.items() if g == EXCLUDED_GRADE}
        out = listed.get(query, set())
        if kept := {document: whole[grade] for document, grade in given.items() if document not in out}:
            grades[query] = kept
    if not grades:
        raise BadInput("the judgements (qrels) are empty; give query id → document id → grade")
    return Judgements(grades, listed)


def without(orders: Orders, excluded: Mapping[str, Collection[str]]) -> Remaining:
    """Take the excluded documents out of a run; those below move up."""
    kept = {query: [d for d in orders[query] if d not in out] for query, out in excluded.items() if query in orders}
    removed = sum(len(orders[query]) - len(order) for query, order in kept.items())
    return Remaining({**orders, **kept}, removed)


def _settled(run: Run, ties: Ties) -> Orders:
    """Sorts only the queries that need it, since most runs come sorted."""
    queries = list(run)
    orders: Orders = {}
    for first in range(0, len(queries), BLOCK):
        orders |= _settled_block({query: run[query] for query in queries[first : first + BLOCK]}, ties)
    return orders


def _settled_block(run: Run, ties: Ties) -> Orders:
    given = _all_scores(run)
    with np.errstate(over="ignore"):  # beyond float32 lies infinity, for trec_eval as for us
        read: npt.NDArray[Any] = given.astype(np.float32 if ties == "trec_eval" else np.float64)
    wrong_before = np.concatenate([[0, 0], np.cumsum(read[1:] > read[:-1])]).tolist()  # at i: of the steps below i
    flat = _by_id_where_tied(run, read) if ties == "trec_eval" else list(chain.from_iterable(run.values()))
    orders: Orders = {}
    end = 0
    for query, scores in run.items():
        start, end = end, end + len(scores)
        if len(scores) < 2 or wrong_before[end] == wrong_before[start + 1]:
            orders[query] = flat[start:end]
        elif ties == "trec_eval":
            by_id = sorted(zip(read[start:end].tolist(), scores, strict=True), reverse=True)
            orders[query] = [document for _, document in by_id]
        else:
            orders[query] = sorted(scores, key=scores.__getitem__, reverse=True)  # stable: ties stay as they are
    return orders


def _by_id_where_tied(run: Run, read: npt.NDArray[Any]) -> list[str]:
    """All documents of the block, neighbours of one query and score by descending id."""
    flat = list(chain.from_iterable(run.values()))
    is_tied = np.concatenate([[False], read[1:] == read[:-1], [False]])  # at i: with the place above
    is_tied[[0, *accumulate(map(len, run.values()))]] = False
    edges = np.flatnonzero(is_tied[1:] != is_tied[:-1]).tolist()
    for first, last in zip(edges[::2], edges[1::2], strict=True):
        flat[first : last + 1] = sorted(flat[first : last + 1], reverse=True)
    return flat


def _all_scores(run: Run) -> npt.NDArray[Any]:
    try:
        given = np.array(list(chain.from_iterable(scores.values() for scores in run.values())))
    except (AttributeError, TypeError, ValueError):
        given = np.array([None])
    if given.dtype.kind not in "iuf" or np.isnan(given).any():
        for query, scores in run.items():
            _reject_unordered(query, scores)
    return given


def _reject_unordered(query: str, scores: object) -> None:
    if not isinstance(scores, Mapping):
        raise BadInput(f"query {query!r}: its documents are {type(scores).__name__}; give document id → score")
    for document, score in scores.items():
        if not isinstance(score, Real) or math.isnan(score):
            raise BadInput(f"query {query!r}, document {document!r}: its score is {score!r}; give a number")


def _by_query(rankings: Iterable[Ranking]) -> dict[str, Ranking]:
    found: dict[str, Ranking] = {}
    for ranking in rankings:
        if not isinstance(ranking, Ranking):
            raise BadInput(f"a run is query id → document id → score, or rankings; not {type(ranking).__name__}")
        if ranking.query.id in found:
            raise DuplicateId(f"two rankings are for query {ranking.query.id!r}; give one a query")
        found[ranking.query.id] = ranking
    return found


def _whole(query: str, given: Mapping[str, float], grade: float) -> int:
    document = next(d for d, g in given.items() if g is grade or g == grade)
    try:
        is_whole = float(grade).is_integer() and grade <= HIGHEST_GRADE
    except (TypeError, ValueError):
        is_whole = False
    if not is_whole:
        raise BadInput(
            f"query {query!r}, document {document!r}: its grade is {grade!r}; grades are whole numbers up to "
            f"{HIGHEST_GRADE:,}: round or scale them (below 0 counts as not relevant, {EXCLUDED_GRADE} excludes)"
        )
    return int(grade)
