"""Checking a system's reasons, query by query, each query's result stored as it is found."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, replace
from typing import Any, NamedTuple

import numpy as np

from whyrank import rankers, reason
from whyrank.errors import unknown
from whyrank.evaluate.reasons.comparisons import check_counterfactuals, check_differences, comparisons_in_order
from whyrank.evaluate.reasons.erasure import Measured, erasure
from whyrank.evaluate.reasons.grounding import check_numbers, check_order, check_polarity, check_quotes
from whyrank.evaluate.reasons.judges import Judge, Lexical, by_ranker
from whyrank.evaluate.reasons.rank_from_rationale import rank_from_rationale
from whyrank.evaluate.reasons.rationales import Rationales, at_random, by_bm25, by_contribution, lead
from whyrank.evaluate.reasons.stability import stability, unchanged_by_explaining
from whyrank.evaluate.reasons.statements import told
from whyrank.evaluate.results import Evaluation, Proportion
from whyrank.experiment.settings import Reasons
from whyrank.experiment.steps import Phase, as_given, key
from whyrank.experiment.store import Store, fingerprint
from whyrank.types import Explanations, Progress, Qrels, Ranking, Reranker, Scorer

MEASURED_TOP = 3
"""Documents of each query whose erasure is measured: those that a reader sees reasons for."""


class Checked(NamedTuple):
    """What checking found.

    Attributes:
        proportions: shares of counted claims that hold.
        faithfulness: judge → one evaluation for each way of choosing sentences, the system's own first.
    """

    proportions: tuple[Proportion, ...]
    faithfulness: dict[str, tuple[Evaluation, ...]]


class Checking(NamedTuple):
    """What the checks of one system share.

    Attributes:
        shown: the best hits of some queries, with reasons.
        ranked: the same queries, whole.
        ranker: what gave the reasons.
        asked: which checks.
        qrels: judgements.
        store: where results are kept.
        seed: of baselines and shuffles.
        threads: of rankers that serve as judges.
        phase: told what is being done.
    """

    shown: Sequence[Ranking]
    ranked: Sequence[Ranking]
    ranker: Scorer
    asked: Reasons
    qrels: Qrels
    store: Store
    seed: int
    threads: int | None
    phase: Phase


def statements(shown: Sequence[Ranking]) -> tuple[Proportion, ...]:
    """Quotes, numbers, claims about the order, polarity; kinds of claims that are never made are left out."""
    tellings = [told(ranking) for ranking in shown]
    found: list[Proportion] = [*check_quotes(shown), *check_numbers(tellings), check_order(tellings)]
    found += [*check_polarity(tellings), comparisons_in_order(shown)]
    return tuple(p for p in found if p.of)


def checked(given: Checking) -> Checked:
    """All checks that were asked for."""
    proportions: list[Proportion] = []
    wanted = given.asked.checks
    if "statements" in wanted:
        proportions += statements(given.shown)
        proportions += _summed(given, "differences", lambda r: check_differences([r], given.ranker))
    if "counterfactuals" in wanted:
        proportions += _summed(given, "counterfactuals", lambda r: check_counterfactuals([r], given.ranker))
    if "stability" in wanted:
        proportions += _stability(given)
    faithfulness = {}
    if {"erasure", "rationales"} & set(wanted):
        for name in given.asked.judges:
            faithfulness[name] = _faithfulness(given, name, _judge(given, name))
    return Checked(tuple(proportions), faithfulness)


def _summed(given: Checking, kind: str, check: Callable[[Ranking], Iterable[object]]) -> list[Proportion]:
    """The shares that `check` finds in each query, over all queries."""

    def make(ranking: Ranking) -> Any:
        return [asdict(p) for p in check(ranking) if isinstance(p, Proportion)]

    records = _by_query(given, f"checking {kind}", given.shown, (kind,), make)
    sums: dict[str, Proportion] = {}
    for record in records:
        for one in (Proportion(**fields) for fields in record):
            known = sums.get(one.name, replace(one, count=0, of=0))
            sums[one.name] = replace(known, count=known.count + one.count, of=known.of + one.of)
    return [p for p in sums.values() if p.of]


def _stability(given: Checking) -> list[Proportion]:
    top = given.asked.top

    ranker = given.ranker
    assert isinstance(ranker, Reranker)

    def explain(ranking: Ranking) -> Explanations:
        return reason.explain(ranking, given.ranker, top=top, counterfactuals=False)

    def answer(rankings: Sequence[Ranking]) -> list[Ranking]:
        return [replace(r, explanations=explain(r)) for r in ranker.rerank_many(rankings)]

    def make(ranking: Ranking) -> Any:
        candidates = [as_given(ranking)]
        found = stability(answer, candidates, seed=given.seed)
        same = unchanged_by_explaining(ranker, explain, candidates)
        return {
            "measures": [*found.measures, same.name],
            "values": [*found.values_QM[0].tolist(), float(same.count == same.of)],
        }

    cut = [ranking.top(given.asked.depth) for ranking in given.ranked]
    records = _by_query(given, "checking stability", cut, ("stability", top, given.seed), make)
    values: dict[str, list[float]] = {}
    for record in records:
        for name, value in zip(record["measures"], record["values"], strict=True):
            values.setdefault(name, []).append(value)
    defined = {name: [v for v in found if not np.isnan(v)] for name, found in values.items()}
    return [
        Proportion(name, sum(v == 1 for v in found), len(found), "queries for which it is so")
        for name, found in defined.items()
    ]


def _faithfulness(given: Checking, name: str, judge: Judge) -> tuple[Evaluation, ...]:
    wanted = given.asked.checks
    judged_by = _judge_key(given, name)

    def make(ranking: Ranking) -> Any:
        best = ranking.top(given.asked.depth)
        methods = _methods(best, given.ranker, given.seed)
        found: list[Measured] = []
        if "erasure" in wanted:
            found.append(erasure([ranking], methods, judge, top=MEASURED_TOP))
        if "rationales" in wanted:
            found.append(rank_from_rationale([best], methods, judge, given.qrels))
        return {
            method: {m: v for part in found for m, v in _values(part.evaluations[place])}
            for place, method in enumerate(methods)
        }

    cut = [ranking for ranking in given.ranked if len(ranking) > 1]
    kind = ("faithfulness", judged_by, given.asked.depth, sorted(set(wanted) & {"erasure", "rationales"}), given.seed)
    records = _by_query(given, f"judging rationales: {name}", cut, kind, make)
    queries = tuple(ranking.query.id for ranking in cut)
    if not records:
        return ()
    measures = tuple(next(iter(records[0].values())))
    return tuple(
        Evaluation(method, measures, queries, np.array([[r[method][m] for m in measures] for r in records]))
        for method in records[0]
    )


def _methods(ranking: Ranking, ranker: Scorer, seed: int) -> dict[str, list[Rationales]]:
    apart = ranker.decompose(ranking.query, ranking.documents, [hit.first_score for hit in ranking])
    return {
        "its own": [by_contribution(ranking, apart)],
        "random": [at_random(ranking, seed)],
        "lead": [lead(ranking)],
        "bm25 sentence": [by_bm25(ranking)],
    }


def _values(evaluation: Evaluation) -> Iterable[tuple[str, float]]:
    return zip(evaluation.measures, evaluation.values_QM[0].tolist(), strict=True)


def check_judges(names: Sequence[str]) -> None:
    """Refuse judges that are not there.

    Raises:
        UnknownName: a name is neither "self" nor "bm25" nor a ranker's.
    """
    known = ("self", "bm25", *rankers.RANKERS)
    for name in names:
        if name not in known:
            raise unknown("judge", name, known)


def _judge_key(given: Checking, name: str) -> str:
    """Names a judge by all that its scores depend on."""
    if name == "self":
        return given.ranker.name
    if name == "bm25":
        return fingerprint("bm25", sorted(_texts(given).items()))
    return rankers.load(name, threads=given.threads).name


def _texts(given: Checking) -> dict[str, str]:
    """The documents that BM25 as a judge takes its statistics from: all candidates of the queries that were drawn."""
    return {hit.document.id: hit.document.full_text for ranking in given.ranked for hit in ranking}


def _judge(given: Checking, name: str) -> Judge:
    if name == "self":
        assert isinstance(given.ranker, Reranker)
        return by_ranker(given.ranker)
    if name == "bm25":
        return Lexical(_texts(given).values())
    return by_ranker(rankers.load(name, threads=given.threads))


def _by_query(
    given: Checking, phase: str, rankings: Sequence[Ranking], kind: Sequence[object], make: Callable[[Ranking], Any]
) -> list[Any]:
    """What `make` gives for each ranking: from the store, or made now and stored."""
    progress: Progress = given.phase(phase)
    found = []
    for done, ranking in enumerate(rankings):
        progress(done, len(rankings))
        reasons = asdict(ranking.explanations) if ranking.explanations else None
        grades = dict(given.qrels.get(ranking.query.id, {})) if kind[0] == "faithfulness" else None
        name = key(given.ranker, ranking, *kind, reasons, grades)
        if name not in given.store:
            given.store.add([(name, make(ranking))])
        found.append(given.store[name])
    progress(len(rankings), len(rankings))
    return found
