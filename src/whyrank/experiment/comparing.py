"""Finished runs side by side: nothing is retrieved, ranked or explained, only measured."""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from whyrank.evaluate import Evaluation, measure, measure_answers
from whyrank.evaluate.answers import Answers, beside, split_measures
from whyrank.evaluate.comparison import contrasts_of
from whyrank.evaluate.ordering import Ties
from whyrank.experiment.checks import statements
from whyrank.experiment.outcome import Explained, Outcome, environment
from whyrank.experiment.steps import as_given, without
from whyrank.formats.problems import some
from whyrank.types import Qrels, Ranking, Run

FIRST_STAGE = "first stage"


class Answered(NamedTuple):
    """What answers are measured by.

    Attributes:
        answers: query id → answers.
        texts: document id → text, of those that `whyrank.evaluate.answers.needed_texts` names.
    """

    answers: Answers
    texts: Mapping[str, str] = {}


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
    answered: Answered | None = None,
) -> Outcome:
    """Measure runs and compare them.

    Rankings, unlike runs, bring texts, costs and reasons: what the reasons state is checked as far as it can be
    without their ranker. One reranked list given alone is compared with the order in which it was given to its ranker.

    Args:
        runs: name → scores by query and document, or rankings.
        qrels: the judgements; may be empty where all measures are of answers.
        measures: as `ir_measures` writes them, Answer@k, and names of `whyrank.evaluate.MEASURE_SETS`.
        dataset: what the runs are of, for the title.
        ties: "rank" or "trec_eval".
        excluded: query id → documents that are removed before scoring.
        only_relevant: leave out queries without a relevant document.
        baseline: the name of a run; the first if None.
        seed: of tests and intervals.
        answered: for the measures Answer@k; their columns come last.

    Raises:
        BadInput: runs and judgements of different collections, empty judgements; see `whyrank.evaluate.measure` and
            `measure_answers`.
        UnknownName: a measure or baseline that is not there.
    """
    given = _with_first_stage(runs)
    out = excluded or {}
    asked = split_measures(measures)
    by_judgements, by_answers = {}, {}
    for name, run in given.items():
        if asked.judged or not asked.answered:
            by_judgements[name] = measure(
                name, run, qrels, asked.judged, ties=ties, excluded=out, only_relevant=only_relevant
            )
        if asked.answered:
            answers, texts = answered or Answered({})
            own = map(str, asked.answered)
            by_answers[name] = measure_answers(name, run, answers, own, ties=ties, excluded=out, texts=texts)
    evaluations = _side_by_side(by_judgements, by_answers)
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
        notes=_unanswered(by_answers),
        settings={"measures": list(measures), "ties": ties, "only_relevant": only_relevant},
        environment=environment({name: next((r.ranker for r in own), "") for name, own in ranked.items()}),
        seed=seed,
    )


def _side_by_side(
    by_judgements: Mapping[str, Evaluation], by_answers: Mapping[str, Evaluation]
) -> tuple[Evaluation, ...]:
    if not (by_judgements and by_answers):
        return (*by_judgements.values(), *by_answers.values())
    return tuple(beside(found, by_answers[name]) for name, found in by_judgements.items())


def _unanswered(by_answers: Mapping[str, Evaluation]) -> tuple[str, ...]:
    left_out = dict.fromkeys(query for found in by_answers.values() for query in found.coverage.unjudged_queries)
    if not left_out:
        return ()
    count = f"{len(left_out):,} {'query' if len(left_out) == 1 else 'queries'} without an answer"
    return (f"{count} left out of the measures of answers: {some(left_out, 3)}",)


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
