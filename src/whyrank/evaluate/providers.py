"""Who computes a measure: `ranked_grades` what trec_eval defines, the providers of ir_measures all the rest.

The values are those of ir_measures; three of its choices are not followed:

- RR@k by MS MARCO's Python script: the same value here.
- nDCG with exponential gain by a Perl script: the same here, but not rounded to five digits.
- An nDCG with gains of its own and a plain one asked for together: ir_measures 0.4 gives both the former's gains.

    # Q queries, M measures
"""

from collections.abc import Iterator, Mapping, Sequence
from subprocess import CalledProcessError
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from whyrank._extras import require
from whyrank.errors import BadInput
from whyrank.evaluate.ordering import Orders, descending
from whyrank.evaluate.ranked_grades import is_defined, ranked_grades, unjudged_shares, values
from whyrank.evaluate.results import Values

if TYPE_CHECKING:
    from types import ModuleType

    from ir_measures import Measure

CELLS = 100_000  # documents looked up at a time: small enough for the processor's cache, and to bound the memory


class Measured(NamedTuple):
    """Values of Q queries under M measures, and cutoff → mean share of unjudged documents."""

    values_QM: Values
    unjudged_at: dict[int, float]


def ir_measures() -> "ModuleType":
    """The library.

    Raises:
        MissingExtra: it is not installed.
    """
    return require("ir_measures", extra="evaluate", purpose="measuring rankings")


def is_provided(measure: "Measure") -> bool:
    """Whether anything that is installed computes it."""
    return is_defined(measure) or bool(ir_measures().DefaultPipeline.supports(measure))


def measured(
    measures: Sequence["Measure"], grades: Mapping[str, dict[str, int]], orders: Orders, cutoffs: Sequence[int] = ()
) -> Measured:
    """One value a query and measure.

    Args:
        measures: M, each of them provided.
        grades: judgements of Q queries. Grades below 0 count as 0, except under infAP, whose −1 is a pooled document
            that was not sampled.
        orders: documents best first; queries that have none get the measure's value for no results.
        cutoffs: where to count unjudged documents; a share is of the documents that the run holds up to there, the
            mean over the queries that have any.

    Returns:
        Values in the order of `grades`.

    Raises:
        BadInput: a grade above 52 under exponential gain, or above 4 for what gdeval computes (ERR).
    """
    values_QM = np.empty((len(grades), len(measures)))
    values_QM[:] = [float(measure.DEFAULT) for measure in measures]
    clipped = {query: _clipped(given) for query, given in grades.items()}
    places = {query: place for place, query in enumerate(grades) if orders.get(query)}
    unjudged = dict.fromkeys(cutoffs, 0.0)
    for queries in _blocks(orders, list(places)):
        ranked = ranked_grades([orders[query] for query in queries], [clipped[query] for query in queries])
        rows = [places[query] for query in queries]
        for column, measure in enumerate(measures):
            if is_defined(measure):
                values_QM[rows, column] = values(measure, ranked)
        for cutoff in cutoffs:
            unjudged[cutoff] += float(unjudged_shares(ranked, cutoff).sum())
    for column, measure in enumerate(measures):
        if not is_defined(measure):
            own = grades if measure.NAME == "infAP" else clipped
            _fill_by_provider(values_QM[:, column], measure, own, orders)
    return Measured(values_QM, {cutoff: total / max(1, len(places)) for cutoff, total in unjudged.items()})


def _fill_by_provider(
    values_Q: Values, measure: "Measure", grades: Mapping[str, Mapping[str, int]], orders: Orders
) -> None:
    """Ids are numbered first: some providers write files in which blanks and hyphens have a meaning."""
    numbered: dict[str, dict[str, int]] = {}
    run: dict[str, dict[str, float]] = {}
    for place, (query, given) in enumerate(grades.items()):
        order = orders.get(query, [])
        numbers = {document: str(number) for number, document in enumerate(dict.fromkeys([*order, *given]))}
        numbered[str(place)] = {numbers[document]: grade for document, grade in given.items()}
        if order:
            run[str(place)] = descending([numbers[document] for document in order])
    try:
        for found in ir_measures().iter_calc([measure], numbered, run):
            values_Q[int(found.query_id)] = found.value
    except CalledProcessError as error:
        highest = max(grade for given in grades.values() for grade in given.values())
        raise BadInput(
            f"{measure}: the program that ir_measures runs for it failed ({error}); gdeval takes grades up to 4, "
            f"the highest here is {highest}"
        ) from error


def _clipped(given: dict[str, int]) -> dict[str, int]:
    if min(given.values(), default=0) >= 0:
        return given
    return {document: max(grade, 0) for document, grade in given.items()}


def _blocks(orders: Orders, queries: Sequence[str]) -> Iterator[Sequence[str]]:
    deepest = max((len(orders[query]) for query in queries), default=1)
    rows = max(1, CELLS // deepest)
    return (queries[start : start + rows] for start in range(0, len(queries), rows))
