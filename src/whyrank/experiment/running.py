"""Run an experiment: first stage, rankers, reasons, measures, files. What is finished already is not done again."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from whyrank import datasets, formats, rankers
from whyrank.config import dump_resolved
from whyrank.datasets import Dataset
from whyrank.errors import BadInput, MissingFile, Unwritable
from whyrank.evaluate import measure, parse_measures
from whyrank.evaluate.calibration import FITS, labelled, probabilities, reliability
from whyrank.evaluate.comparison import EQUAL, contrasts_of
from whyrank.evaluate.harm import CUTOFF
from whyrank.evaluate.results import Evaluation
from whyrank.experiment import steps
from whyrank.experiment.checks import Checking, check_judges, checked
from whyrank.experiment.outcome import Calibrated, Explained, Outcome, environment
from whyrank.experiment.reporting import write
from whyrank.experiment.settings import ExperimentSettings, System
from whyrank.experiment.steps import Phase
from whyrank.experiment.store import Store
from whyrank.formats.locks import alone
from whyrank.rankers.building import refuse_without_model, resolve
from whyrank.rankers.calibration import Calibration
from whyrank.types import Progress, Qrels, Ranking, Reranker, Run, Scorer

LOSSES_EXPLAINED = 20
"""Queries that lost most, whose reasons are given though they were not drawn."""


def run(settings: ExperimentSettings, phase: Phase | None = None) -> Outcome:
    """Do what is missing, and write runs, scores, costs, settings and versions into the folder `settings.output`.

    Args:
        settings: the experiment.
        phase: told what is being done.

    Raises:
        BadInput: the settings name what is not there, or another process is working on the same experiment.
        Unwritable: the folder cannot be written to; what was finished is safe.
    """
    parse_measures(settings.measures)  # what is misspelt is said before hours of work, not after
    check_judges(settings.reasons.judges if settings.reasons else ())
    loaded = {system.label: _loaded(system, settings.threads) for system in settings.rankers}
    dataset = datasets.load(settings.dataset, split=settings.split)
    qrels = _judged(dataset, settings)
    finished = _measured_runs(settings, dataset, qrels)
    work = _folder(settings.output)
    with alone(work), ExitStack() as opened:
        for ranker in loaded.values():
            if close := getattr(ranker, "close", None):
                opened.callback(close)
        return _run(settings, dataset, qrels, loaded, finished, work, phase or _silent)


def _loaded(system: System, threads: int | None) -> Reranker:
    if system.model is not None and system.model.name in rankers.STUDENTS:
        return resolve(system.ranker, model=system.model, ask=system.ask, threads=threads).ranker
    name = system.ranker or (rankers.DEFAULT if system.model is None else None)
    if name is not None and name in rankers.RANKERS:
        if system.model is not None:
            raise BadInput(f"{name} asks no language model; leave the model of {system.label} out, or let it rank")
        refuse_without_model(name, system.ask)
        return rankers.load(name, threads=threads)
    return resolve(name, model=system.model, ask=system.ask, threads=threads).ranker


def _run(
    settings: ExperimentSettings,
    dataset: Dataset,
    qrels: Qrels,
    loaded: Mapping[str, Reranker],
    finished: Sequence[Evaluation],
    work: Path,
    phase: Phase,
) -> Outcome:
    systems = _ranked(settings, dataset, frozenset(qrels), loaded, work, phase)
    phase("measuring")
    evaluations = (*_evaluations(settings, dataset, qrels, systems), *finished)
    telling = {label: r for label, r in loaded.items() if settings.reasons is not None and isinstance(r, Scorer)}
    silent = [label for label in loaded if settings.reasons is not None and label not in telling]
    calibrations, uncalibrated = _calibrated(settings, qrels, systems)
    outcome = Outcome(
        dataset=dataset.name,
        qrels=qrels,
        systems=systems,
        first_stage=settings.first_stage_label,
        evaluations=evaluations,
        contrasts=contrasts_of(evaluations, settings.baseline, settings.seed),
        reasons=tuple(
            _explained(settings, label, ranker, systems[label], _losses(label, evaluations), qrels, work, phase)
            for label, ranker in telling.items()
        ),
        calibrations=calibrations,
        notes=(*(f"{label} gives no reasons; none were checked" for label in silent), *uncalibrated),
        settings=settings.model_dump(mode="json"),
        environment=environment({label: ranker.name for label, ranker in loaded.items()}),
        seed=settings.seed,
    )
    write(outcome, Path(settings.output), f"{dataset.name}: {', '.join(loaded)}")
    dump_resolved(settings, Path(settings.output) / "settings.yaml")
    return outcome


def _ranked(
    settings: ExperimentSettings,
    dataset: Dataset,
    wanted: frozenset[str],
    loaded: Mapping[str, Reranker],
    work: Path,
    phase: Phase,
) -> dict[str, Sequence[Ranking]]:
    given = steps.candidates(dataset, settings.first_stage, settings.depth, wanted, work, phase)
    systems: dict[str, Sequence[Ranking]] = {settings.first_stage_label: given}
    for system in settings.rankers:
        depth = system.depth or settings.depth
        with Store(work / f"{_slug(system.label)}.rankings.jsonl") as store:
            progress = phase(f"reranking: {system.label}")
            systems[system.label] = steps.reranked(given, loaded[system.label], depth, store, progress)
    return systems


def _losses(label: str, evaluations: Sequence[Evaluation]) -> list[str]:
    """The queries that lost most against the first stage under the first measure."""
    measured = {evaluation.name: evaluation for evaluation in evaluations}
    [measure, *_] = evaluations[0].measures
    deltas = measured[label].of(measure) - evaluations[0].of(measure)
    worst = sorted(zip(deltas.tolist(), evaluations[0].queries, strict=True))[:LOSSES_EXPLAINED]
    return [query for delta, query in worst if delta < -EQUAL]


def _explained(
    settings: ExperimentSettings,
    label: str,
    ranker: Scorer,
    rankings: Sequence[Ranking],
    losses: Sequence[str],
    qrels: Qrels,
    work: Path,
    phase: Phase,
) -> Explained:
    assert settings.reasons is not None
    asked = settings.reasons
    drawn = steps.sample([r.query.id for r in rankings], asked.queries, settings.seed)
    ranked = [r for r in rankings if r.query.id in drawn and len(r)]
    lost = [r for r in rankings if r.query.id in losses]
    with Store(work / f"{_slug(label)}.reasons.jsonl") as store:
        shown = steps.explained(ranked, ranker, asked.top, store, phase(f"finding reasons: {label}"))
        progress = phase(f"finding reasons of losses: {label}")
        of_losses = steps.explained(lost, ranker, CUTOFF, store, progress, counterfactuals=False)
    with Store(work / f"{_slug(label)}.checks.jsonl") as store:
        found = checked(Checking(shown, ranked, ranker, asked, qrels, store, settings.seed, settings.threads, phase))
    return Explained(label, tuple(shown), tuple(of_losses), found.proportions, found.faithfulness)


def _calibrated(
    settings: ExperimentSettings, qrels: Qrels, systems: Mapping[str, Sequence[Ranking]]
) -> tuple[dict[str, Calibrated], list[str]]:
    """A curve for each ranker, and in words which have none and why."""
    found, notes = {}, []
    for label in (system.label for system in settings.rankers) if settings.calibrate else ():
        try:
            found[label] = _calibrate(settings, qrels, systems[label])
        except BadInput as error:
            notes.append(f"{label} was not calibrated: {error}")
    return found, notes


def _calibrate(settings: ExperimentSettings, qrels: Qrels, ranked: Sequence[Ranking]) -> Calibrated:
    """Fitted on one half of the queries and measured on the other; what is kept is the curve that was measured."""
    assert settings.calibrate is not None
    half = steps.sample(list(qrels), len(qrels) // 2, settings.seed)
    seen = labelled([r for r in ranked if r.query.id in half], qrels)
    unseen = labelled([r for r in ranked if r.query.id not in half], qrels)
    curve = FITS[settings.calibrate](*seen)
    is_with = any(hit.first_score is not None for r in ranked for hit in r)
    calibration = Calibration(
        ranker=ranked[0].ranker,
        with_first_stage=curve if is_with else None,
        without_first_stage=None if is_with else curve,
        fitted_on=f"{len(half)} queries of {settings.dataset}",
        pairs=len(seen.scores_N),
    )
    return Calibrated(calibration, reliability(probabilities(curve, unseen.scores_N), unseen.outcomes_N))


def _judged(dataset: Dataset, settings: ExperimentSettings) -> Qrels:
    if not dataset.qrels:
        raise BadInput(f"{dataset.name} has no judgements for the split {dataset.split!r}; nothing can be measured")
    asked = {query.id for query in dataset.queries}
    answerable = [
        name
        for name, grades in dataset.qrels.items()
        if name in asked and (not settings.only_relevant or max(grades.values(), default=0) > 0)
    ]
    drawn = steps.sample(answerable, settings.queries, settings.seed)
    return {name: grades for name, grades in dataset.qrels.items() if name in drawn}


def _measured_runs(settings: ExperimentSettings, dataset: Dataset, qrels: Qrels) -> list[Evaluation]:
    """The finished runs, measured before anything is ranked: a run of another collection is said at once."""
    found = []
    for name, where in settings.runs.items():
        run = _finished(dataset, where)
        drawn = {query: scores for query, scores in run.items() if query in qrels}
        found.append(_measure(settings, dataset, qrels, name, drawn or run))
    return found


def _finished(dataset: Dataset, where: str) -> Run:
    if where in dataset.runs:
        return dataset.run(where)
    if Path(where).is_file():
        return formats.read_run(where)
    raise MissingFile(
        f"run {where!r} is neither a file nor a run of {dataset.name} ({', '.join(dataset.runs) or 'it has none'})"
    )


def _evaluations(
    settings: ExperimentSettings, dataset: Dataset, qrels: Qrels, systems: Mapping[str, Sequence[Ranking]]
) -> list[Evaluation]:
    found = []
    for name, ranked in systems.items():
        is_first = name == settings.first_stage_label
        run = _scores(ranked) if is_first else ranked
        # Ids are the dataset's own: a sample of queries for which nothing judged was found is no mistake.
        found.append(_measure(settings, dataset, qrels, name, run, allow_unjudged=True))
    return found


def _scores(first: Sequence[Ranking]) -> Run | Sequence[Ranking]:
    """The first stage by its scores, so that ties are settled as they are for any run; by place where it has none."""
    if any(hit.first_score is None for ranking in first for hit in ranking):
        return first
    return {r.query.id: {h.document.id: h.first_score or 0.0 for h in r} for r in first if len(r)}


def _measure(
    settings: ExperimentSettings,
    dataset: Dataset,
    qrels: Qrels,
    name: str,
    run: Run | Sequence[Ranking],
    *,
    allow_unjudged: bool = False,
) -> Evaluation:
    return measure(
        name,
        run,
        qrels,
        settings.measures,
        ties=settings.ties,
        excluded=dataset.excluded,
        only_relevant=settings.only_relevant,
        allow_unjudged=allow_unjudged,
    )


def _folder(output: str) -> Path:
    work = Path(output) / "work"
    try:
        work.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Unwritable(f"{output}: cannot be made a folder ({error.strerror}); name another") from error
    return work


def _slug(name: str) -> str:
    return "".join(c if c.isalnum() or c in "-_." else "-" for c in name)


def _silent(_name: str) -> Progress:
    return _untold


def _untold(_done: int, _total: int) -> None:
    pass
