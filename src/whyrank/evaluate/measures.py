"""Measuring a run by its judgements.

from whyrank import evaluate, formats

run, qrels = formats.read_run("run.trec"), formats.read_qrels("qrels.trec")
evaluate.measure("bm25", run, qrels, ["nDCG@10", "AP(rel=2)"]).mean("nDCG@10")

# Q queries, M measures
"""

import ast
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, TypeAlias

from whyrank.errors import BadInput, UnknownName
from whyrank.evaluate import providers
from whyrank.evaluate.measure_sets import MEASURE_SETS, expanded, is_of_answers
from whyrank.evaluate.ordering import Orders, Ties, judgements_of, orders_of, without
from whyrank.evaluate.results import Coverage, Evaluation
from whyrank.types import Qrels, Ranking, Run, Usage

if TYPE_CHECKING:
    from ir_measures import Measure
else:
    Measure: TypeAlias = Any

DEFAULT_MEASURES = ("nDCG@10", "RR@10", "AP", "R@100")
UNJUDGED_AT = 10  # the cutoff at which unjudged documents are always counted

_TREC_NAMES = {
    "map": "AP", "map_cut": "AP", "ndcg": "nDCG", "ndcg_cut": "nDCG", "recip_rank": "RR", "recall": "R",
    "success": "Success", "P": "P", "precision": "P", "hit": "Success", "hits": "Success", "hit_rate": "Success",
}  # fmt: skip


def parse_measures(names: "str | Measure | Iterable[str | Measure]") -> "tuple[Measure, ...]":
    """Measures by their names in ir_measures: nDCG@10, RR@10, AP(rel=2), nDCG(dcg='exp-log2')@10; repeated ones once.

    A name of `MEASURE_SETS` stands for all that it holds.

    Raises:
        UnknownName: a name is unknown, or nothing that is installed computes the measure. One error names all of them,
            each with near matches or the reason.
        BadInput: no names.
        MissingExtra: ir_measures is not installed.
    """
    known = providers.ir_measures().Measure
    asked = list(names) if isinstance(names, Iterable) and not isinstance(names, str) else [names]
    found: dict[Measure, None] = {}
    wrong: list[str] = []
    for name in expanded(asked):
        try:
            found[name if isinstance(name, known) else _parsed(str(name))] = None
        except ValueError as error:
            wrong.append(str(error))
    wrong += [_why_not(measure) for measure in found if not providers.is_provided(measure)]
    if wrong:
        raise UnknownName(
            f"{'; '.join(wrong)}. Measures are named as in ir_measures: nDCG@10, RR@10, AP(rel=2), R@100; sets of them "
            f"are {', '.join(MEASURE_SETS)}"
        )
    if not found:
        raise BadInput(f"no measures were named; name some, such as {', '.join(DEFAULT_MEASURES)}")
    return tuple(found)


def measure(
    name: str,
    run: Run | Sequence[Ranking],
    qrels: Qrels,
    measures: "Iterable[str | Measure]" = DEFAULT_MEASURES,
    *,
    ties: Ties = "rank",
    excluded: Mapping[str, Collection[str]] | None = None,
    only_relevant: bool = False,
    allow_unjudged: bool = False,
    usage: Usage | None = None,
) -> Evaluation:
    """Measure one system.

    Equal scores are settled once, before anything is computed; see `whyrank.evaluate.ordering`. Excluded documents
    leave the run and the judgements before that. A judged query for which the run holds nothing counts 0, as does a
    query without a relevant document (as with trec_eval); both are listed in the coverage. Grades below 0 count as 0.

    Args:
        name: of the system.
        run: scores by query and document, or rankings.
        qrels: whole grades by query and document; −100 excludes the document from its query.
        measures: names, see `parse_measures`.
        ties: "rank", or "trec_eval" to reproduce published values. Rankings are in order and have no ties.
        excluded: query id → ids of documents that may not count for it.
        only_relevant: leave out the queries that have no document with a grade above 0.
        allow_unjudged: measure a run even if none of its documents is judged.
        usage: what making the run cost; that of the rankings if None.

    Returns:
        Values of Q queries, in the order of the judgements. Means of counts (NumRet, NumRel) are means, not sums.

    Raises:
        BadInput: empty judgements or run; a grade that is no whole number or too high; a score that is no number; no
            query in common; no document judged; `only_relevant` and no query has a relevant document.
        DuplicateId: two rankings are for one query.
        UnknownName: a measure or law of ties that we do not have.
        MissingExtra: ir_measures is not installed.
    """
    asked = parse_measures(measures)
    judged, listed = judgements_of(qrels, excluded)
    orders, removed = without(orders_of(run, ties), listed)
    _reject_other_queries(name, orders, judged)
    unjudged = tuple(query for query in orders if query not in judged)
    without_relevant = tuple(query for query, grades in judged.items() if max(grades.values()) <= 0)
    if only_relevant:
        judged = {query: grades for query, grades in judged.items() if max(grades.values()) > 0}
    if not judged:
        raise BadInput("only_relevant leaves no query: no document has a grade above 0")
    if not (allow_unjudged or _is_judged_anywhere(orders, judged)):
        raise BadInput(_unjudged(name, orders, judged))
    values_QM, unjudged_at = providers.measured(asked, judged, orders, _cutoffs(asked))
    return Evaluation(
        name=name,
        measures=tuple(str(m) for m in asked),
        queries=tuple(judged),
        values_QM=values_QM,
        coverage=Coverage(
            without_results=tuple(query for query in judged if not orders.get(query)),
            unjudged_queries=unjudged,
            without_relevant=without_relevant,
            unjudged_at=unjudged_at,
            excluded=removed,
        ),
        usage=usage if usage is not None else _usage(run),
        gain=_gain(asked),
        ties=ties if isinstance(run, Mapping) else "rank",
    )


def _parsed(name: str) -> "Measure":
    """Read a name; ValueError says what is wrong. ir_measures' own reader needs what Python 3.14 took from `ast`."""
    if is_of_answers(name):
        raise ValueError(
            f"{name!r} needs answers and no judgements: whyrank evaluate --answers FILE, or measure_answers"
        )
    registry: dict[str, Measure] = providers.ir_measures().measures.registry
    try:
        node: ast.expr = ast.parse(name.strip(), mode="eval").body
        given: dict[str, Any] = {}
        at: list[Any] = []
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult):
            at, node = [ast.literal_eval(node.right)], node.left
        if isinstance(node, ast.Call) and not node.args:
            given, node = {str(k.arg): ast.literal_eval(k.value) for k in node.keywords}, node.func
        base = node.id if isinstance(node, ast.Name) else ""
    except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError):
        base = ""
    if base not in registry:
        raise ValueError(f"no measure called {name!r}{_near(name, registry)}")
    kind = registry[base]
    made: Measure = kind(**given, **({kind.AT_PARAM: at[0]} if at else {}))
    _check_parameters(name, made)
    return made


def _check_parameters(name: str, measure: "Measure") -> None:
    accepted = measure.SUPPORTED_PARAMS
    for key, value in measure.params.items():
        if key not in accepted:
            raise ValueError(f"{name!r}: {measure.NAME} has no {key!r}; it has {', '.join(accepted) or 'none'}")
        if not _is_valid(key, value, accepted[key]):
            raise ValueError(f"{name!r}: {key} cannot be {value!r}; {accepted[key].desc or 'see ir_measures'}")
    for key, info in accepted.items():
        if info.required and key not in measure.params:
            raise ValueError(f"{name!r}: {measure.NAME} needs a {key}" + f", {name}@10" * (key == measure.AT_PARAM))


def _is_valid(key: str, value: object, info: Any) -> bool:
    if isinstance(value, bool) and info.dtype is not bool:
        return False
    if key in {"cutoff", "rel"} and isinstance(value, int) and not 0 < value < 2**31:
        return False  # trec_eval ends the process
    if isinstance(value, dict) and any(type(n) is not int or n < 0 for pair in value.items() for n in pair):
        return False
    return bool(info.validate(value))


def _near(name: str, registry: Iterable[str]) -> str:
    """Near matches with the cutoff kept: "ndcg@10" → nDCG@10, "recall_100" → R@100."""
    stem = re.sub(r"\W.*|_?\d*$", "", name.strip(), flags=re.DOTALL)
    cutoff = re.search(r"[1-9]\d*$", name.strip())
    folded = {known.casefold(): known for known in sorted(registry)}
    folded |= {alias.casefold(): known for alias, known in _TREC_NAMES.items()}
    close = [stem.casefold()] if stem.casefold() in folded else get_close_matches(stem.casefold(), folded, cutoff=0.6)
    near = dict.fromkeys(folded[match] for match in close)
    return f", did you mean {' or '.join(n + (f'@{cutoff[0]}' if cutoff else '') for n in near)}?" if near else ""


def _why_not(measure: "Measure") -> str:
    pipeline = providers.ir_measures().DefaultPipeline
    able = [p for p in pipeline.providers if not p.is_available() and p.supports(measure)]
    ways = dict.fromkeys(str(p.install_instructions() or p.NAME) for p in able)
    return f"nothing installed computes {str(measure)!r}" + (f" ({' or '.join(ways)})" if ways else "")


def _reject_other_queries(name: str, orders: Orders, judged: Mapping[str, object]) -> None:
    if not orders:
        raise BadInput(f"the run {name!r} is empty; give query id → document id → score")
    if not any(query in judged for query in orders):
        raise BadInput(
            f"the run {name!r} and the judgements have no query in common: the run's are such as "
            f"{_some(orders)}, the judged ones {_some(judged)}; give the judgements of the run's collection"
        )


def _is_judged_anywhere(orders: Orders, judged: Mapping[str, Mapping[str, int]]) -> bool:
    """Whether a judged query has a document that is judged for it, or no query has any document at all."""
    is_any_document = False
    for query, grades in judged.items():
        if order := orders.get(query):
            is_any_document = True
            if not grades.keys().isdisjoint(order):
                return True
    return not is_any_document


def _unjudged(name: str, orders: Orders, judged: Mapping[str, Mapping[str, int]]) -> str:
    query = next(query for query in judged if orders.get(query))
    return (
        f"the run {name!r} has no document that is judged for its query: for query {query!r} it has "
        f"{_some(orders[query])}, judged are {_some(judged[query])}; is it a run of another collection, or of other "
        "ids? (in Python, allow_unjudged=True measures it all the same)"
    )


def _some(ids: Iterable[object], count: int = 3) -> str:
    shown = [repr(each) for each, _ in zip(ids, range(count), strict=False)]
    return ", ".join(shown)


def _cutoffs(measures: "Iterable[Measure]") -> tuple[int, ...]:
    asked = {measure.params["cutoff"] for measure in measures if "cutoff" in measure.params}
    return tuple(sorted(asked | {UNJUDGED_AT}))


def _gain(measures: "Iterable[Measure]") -> str:
    names = set()
    for measure in measures:
        if measure.NAME == "nDCG":
            is_exponential = measure["dcg"] == "exp-log2"
            names.add("custom" if "gains" in measure.params else "exponential" if is_exponential else "linear")
    return ", ".join(sorted(names))


def _usage(run: Run | Sequence[Ranking]) -> Usage | None:
    if isinstance(run, Mapping):
        return None
    total = sum((ranking.usage for ranking in run), Usage())
    return None if total == Usage() else total
