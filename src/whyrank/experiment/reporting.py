"""What was found, as the page that a person reads and as files that programs read."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from whyrank import formats
from whyrank.errors import Unwritable
from whyrank.evaluate.comparison import contrasts_of, intervals_of
from whyrank.evaluate.harm import SystemHarm, balance, find_harm
from whyrank.evaluate.results import Evaluation
from whyrank.experiment.outcome import Explained, Outcome
from whyrank.experiment.pictures import write_plots
from whyrank.formats.files import replacing
from whyrank.report.evaluation_html import EvaluationReport, render_evaluation
from whyrank.report.table_formats import render_table
from whyrank.report.tables import Cell, Column, Table, cost_table, proportion_table, ranking_table, reason_table
from whyrank.types import Ranking

SHOWN = (
    "comp@1",
    "comp",
    "suff@1",
    "suff",
    "comp/replace",
    "suff/replace",
    "tau alone@1",
    "nDCG@10 alone@1",
    "tau excess@20%",
)
"""Measures of rationales that tables show; the CSV files have all."""

LOWER_IS_BETTER = ("suff", "suff/replace")
"""Families of measures that are best when small."""


def tables(outcome: Outcome) -> list[Table]:
    """Every table of an outcome: effectiveness, cost, what reasons state, and for each judge their faithfulness."""
    found = [ranking_table(outcome.evaluations, outcome.contrasts, outcome.intervals)]
    if any(e.usage is not None for e in outcome.evaluations):
        found.append(cost_table(outcome.evaluations))
    if outcome.calibrations:
        found.append(_calibration(outcome))
    return [*found, *_reasons(outcome)]


def _reasons(outcome: Outcome) -> list[Table]:
    found = []
    for explained in outcome.reasons:
        for judge, evaluations in explained.faithfulness.items():
            found.append(_faithfulness(explained, judge, evaluations, outcome.seed))
        if explained.proportions:
            found.append(proportion_table(explained.proportions, title=f"{explained.system}: what its reasons state"))
    return found


def report_of(outcome: Outcome, title: str) -> EvaluationReport:
    """The page of an outcome."""
    return EvaluationReport(
        title=title,
        dataset=outcome.dataset,
        evaluations=outcome.evaluations,
        contrasts=outcome.contrasts,
        intervals=outcome.intervals,
        reason_tables=_reasons(outcome),
        calibration_table=_calibration(outcome) if outcome.calibrations else None,
        calibration={name: found.reliability.bins for name, found in outcome.calibrations.items()},
        harms=harms(outcome),
        settings=outcome.settings,
        versions=outcome.environment,
        seeds={"samples and tests": outcome.seed},
    )


def harms(outcome: Outcome) -> list[SystemHarm]:
    """Each reranker against the first stage, under the first measure, with the reasons that were given."""
    first = outcome.first_stage
    if not first:
        return []
    measured = {e.name: e for e in outcome.evaluations}
    measure = outcome.evaluations[0].measures[0]
    before = _by_query(measured[first], measure)
    explained = {e.system: {r.query.id: r for r in (*e.rankings, *e.of_losses)} for e in outcome.reasons}
    found = []
    for name in outcome.systems:
        if name == first:
            continue
        after = _by_query(measured[name], measure)
        reranked = [_with_reasons(r, explained.get(name, {}).get(r.query.id)) for r in outcome.systems[name]]
        found.append(
            SystemHarm(
                name,
                first,
                measure,
                balance(before, after),
                find_harm(outcome.systems[first], reranked, outcome.qrels, before, after, measure=measure),
            )
        )
    return found


def write(outcome: Outcome, folder: Path, title: str) -> None:
    """Runs, reasons, scores by query, costs, tables, versions and the page, each file whole or as it was.

    Raises:
        Unwritable: a file could not be written.
    """
    try:
        for name in ("runs", "reasons", "plots"):
            (folder / name).mkdir(exist_ok=True)
    except OSError as error:
        raise Unwritable(f"{folder}: cannot be written to ({error.strerror}); name another folder") from error
    _drop_earlier(folder)
    for name, ranked in outcome.systems.items():
        formats.write_rankings(folder / "runs" / f"{name}.trec", ranked, "run", tag=name)
    for name, fitted in outcome.calibrations.items():
        fitted.calibration.save(folder / f"{name}.calibration.json")
    for explained in outcome.reasons:
        shown = {ranking.query.id: ranking for ranking in (*explained.of_losses, *explained.rankings)}
        formats.write_rankings(folder / "reasons" / f"{explained.system}.jsonl", shown.values())
    found = tables(outcome)
    formats.write_lines(folder / "scores.csv", _scores("system", outcome.evaluations))
    for explained in outcome.reasons:
        for judge, evaluations in explained.faithfulness.items():
            name = f"{explained.system}.judged-by-{judge}.csv"
            formats.write_lines(folder / "reasons" / name, _scores("sentences", evaluations))
    _write_json(folder / "costs.json", {e.name: e.usage and asdict(e.usage) for e in outcome.evaluations})
    _write_json(folder / "environment.json", dict(outcome.environment))
    formats.write_lines(folder / "tables.md", (render_table(table, "markdown") for table in found))
    _write_json(folder / "tables.json", [json.loads(render_table(table, "json")) for table in found])
    write_plots(outcome, folder / "plots")
    formats.write_lines(folder / "report.html", [render_evaluation(report_of(outcome, title))])


def _drop_earlier(folder: Path) -> None:
    """What an earlier run of the folder wrote for each system: some may be gone, or have other reasons now."""
    for pattern in ("runs/*.trec", "reasons/*.jsonl", "reasons/*.judged-by-*.csv", "*.calibration.json", "plots/*.svg"):
        for file in folder.glob(pattern):
            file.unlink()


def _calibration(outcome: Outcome) -> Table:
    rows = []
    for name, (calibration, found) in outcome.calibrations.items():
        pairs = f"{calibration.pairs:,} and {found.pairs:,}"
        rows.append((Cell(name), Cell(found.ece), Cell(found.brier), Cell(found.base_brier), Cell(pairs)))
    columns = (
        Column("system", "name"),
        Column("ECE", "score", lower_is_better=True),
        Column("Brier", "score", lower_is_better=True),
        Column("Brier of the mean", "score"),
        Column("pairs fitted on and measured on", "text"),
    )
    note = "Measured on the half of the queries that the curve was not fitted on; ECE over ten bins of equal width."
    return Table("Calibration", columns, tuple(rows), (note,))


def _faithfulness(explained: Explained, judge: str, evaluations: Sequence[Evaluation], seed: int) -> Table:
    by = "the ranker itself" if judge == "self" else judge
    brief = _brief(evaluations)
    return reason_table(
        brief,
        contrasts_of(brief, None, seed),
        intervals_of(brief, seed),
        lower_is_better=_lower(brief),
        title=f"{explained.system}: are its rationales true? Judged by {by}",
    )


def _brief(evaluations: Sequence[Evaluation]) -> tuple[Evaluation, ...]:
    """The same with the measures that are shown."""
    kept = [name for name in SHOWN if evaluations and name in evaluations[0].measures]
    return tuple(
        replace(e, measures=tuple(kept), values_QM=np.stack([e.of(name) for name in kept], axis=1)) for e in evaluations
    )


def _lower(evaluations: Sequence[Evaluation]) -> tuple[str, ...]:
    measures = evaluations[0].measures if evaluations else ()
    return tuple(m for m in measures if m.partition("@")[0] in LOWER_IS_BETTER)


def _by_query(evaluation: Evaluation, measure: str) -> dict[str, float]:
    return dict(zip(evaluation.queries, evaluation.of(measure).tolist(), strict=True))


def _with_reasons(ranking: Ranking, explained: Ranking | None) -> Ranking:
    return ranking if explained is None else replace(ranking, explanations=explained.explanations)


def _scores(what: str, evaluations: Iterable[Evaluation]) -> Iterator[str]:
    yield f"{what},query,measure,value"
    for evaluation in evaluations:
        for query, row in zip(evaluation.queries, evaluation.values_QM.tolist(), strict=True):
            for measure, value in zip(evaluation.measures, row, strict=True):
                line = io.StringIO()
                csv.writer(line, lineterminator="").writerow([evaluation.name, query, measure, repr(value)])
                yield line.getvalue()


def _write_json(path: Path, value: Any) -> None:
    with replacing(path) as stream:
        stream.write((json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode())
