"""Finished runs side by side: nothing is retrieved, ranked or explained, only measured."""

from collections.abc import Collection, Mapping, Sequence

from whyrank.evaluate import measure
from whyrank.evaluate.ordering import Ties
from whyrank.experiment.checks import statements
from whyrank.experiment.outcome import Explained, Outcome, contrasts_of, environment
from whyrank.experiment.steps import as_given, without
from whyrank.types import Qrels, Ranking, Run

FIRST_STAGE = "first stage"


def compare_runs(
    runs: Mapping[str, Run | Sequence[Ranking]],
    qrels: Qrels,
    measures: Sequence[str],
    *,
    dataset: str = "",
    ties: Ties = "rank",
    excluded: Mapping[str, Collection[str]] | None = None,
    only_relevant: bool = False,
    baseline: str | None = None,
    seed: int = 0,
) -> Outcome:
    """Measure runs and compare them.

    Rankings, unlike runs, bring texts, costs and reasons: what the reasons state is checked as far as it can be
    without their ranker. One reranked list given alone is compared with the order in which it was given to its ranker.

    Args:
        runs: name → scores by query and document, or rankings.
        qrels: the judgements.
        measures: as `ir_measures` writes them.
        dataset: what the runs are of, for the title.
        ties: "rank" or "trec_eval".
        excluded: query id → documents that are removed before scoring.
        only_relevant: leave out queries without a relevant document.
        baseline: the name of a run; the first if None.
        seed: of tests and intervals.

    Raises:
        BadInput: runs and judgements of different collections, empty judgements; see `whyrank.evaluate.measure`.
        UnknownName: a measure or baseline that is not there.
    """
    given = _with_first_stage(runs)
    evaluations = tuple(
        measure(name, run, qrels, measures, ties=ties, excluded=excluded, only_relevant=only_relevant)
        for name, run in given.items()
    )
    out = excluded or {}
    ranked = {
        name: [without(ranking, out.get(ranking.query.id, ())) for ranking in run]
        for name, run in given.items()
        if not isinstance(run, Mapping)
    }
    reasons = [
        Explained(name, tuple(explained), proportions=statements(explained))
        for name, rankings in ranked.items()
        if (explained := [ranking for ranking in rankings if ranking.explanations is not None])
    ]
    return Outcome(
        dataset=dataset,
        qrels=qrels,
        systems=ranked,
        first_stage=FIRST_STAGE if FIRST_STAGE in given and FIRST_STAGE not in runs else "",
        evaluations=evaluations,
        contrasts=contrasts_of(evaluations, baseline, seed),
        reasons=tuple(reasons),
        calibrations={},
        notes=(),
        settings={"measures": list(measures), "ties": ties, "only_relevant": only_relevant},
        environment=environment({name: next((r.ranker for r in own), "") for name, own in ranked.items()}),
        seed=seed,
    )


def _with_first_stage(runs: Mapping[str, Run | Sequence[Ranking]]) -> Mapping[str, Run | Sequence[Ranking]]:
    [only, *others] = runs.values()
    if others or isinstance(only, Mapping) or not all(_is_reranked(ranking) for ranking in only):
        return runs
    return {FIRST_STAGE: [as_given(ranking) for ranking in only], **runs}


def _is_reranked(ranking: Ranking) -> bool:
    if not ranking.ranker:
        return False
    places = [hit.first_rank for hit in ranking]
    return not ranking.left_out and sorted(places) == list(range(1, len(places) + 1))
