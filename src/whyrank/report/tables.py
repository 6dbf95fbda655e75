"""What was measured as tables: typed cells that every format shows in its own way. Pure.

A cell holds the numbers as they were measured; how many digits are shown is for the format to decide
(`table_terminal`, `table_formats`).
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

import numpy as np

from whyrank.errors import BadInput, unknown
from whyrank.evaluate.results import Contrast, Evaluation, Proportion
from whyrank.report import figures
from whyrank.types import Usage

LEVEL = 0.05
"""Adjusted p-values below this are marked."""

NAMED = 3
"""Ids that a footnote names before it only counts."""

Kind: TypeAlias = Literal["name", "score", "share", "count", "seconds", "money", "text"]
Mark: TypeAlias = Literal["", "better", "worse"]
Test: TypeAlias = Literal["randomisation", "t"]
Intervals: TypeAlias = Mapping[tuple[str, str], tuple[float, float]]
"""(system, measure) → bootstrap 95 % interval of the mean."""


class Versus(NamedTuple):
    """A system beside the baseline, as one cell shows it.

    Attributes:
        delta: system minus baseline.
        p: adjusted by Holm; of `test`.
        mark: "better" or "worse" where p is below `LEVEL`.
        wins, ties, losses: queries.
    """

    delta: float
    p: float
    test: Test
    mark: Mark
    wins: int
    ties: int
    losses: int


@dataclass(frozen=True, slots=True)
class Cell:
    """One value.

    Attributes:
        value: a number (NaN where it is undefined), a text, or None where it is not known.
        low, high: its interval, if there is one.
        versus: the same system against the baseline, if it was compared.
        is_best: no value of the column is better.
        note: a few words beside the value: "baseline", "2,053 of 2,500".
    """

    value: float | str | None
    low: float | None = None
    high: float | None = None
    versus: Versus | None = None
    is_best: bool = False
    note: str = ""


class Column(NamedTuple):
    """A column's heading and what its cells hold."""

    name: str
    kind: Kind
    lower_is_better: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """A table in no format yet.

    Attributes:
        title: what is measured, on what.
        columns: the first one names the row.
        rows: one cell a column.
        footnotes: what must be known before the numbers are believed, a sentence or two each.
        evaluations, contrasts: what the rows came from; JSON gives their values by query.
    """

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    footnotes: tuple[str, ...] = ()
    evaluations: tuple[Evaluation, ...] = ()
    contrasts: tuple[Contrast, ...] = ()


def ranking_table(
    evaluations: Sequence[Evaluation],
    contrasts: Sequence[Contrast] = (),
    intervals: Intervals | None = None,
    *,
    measures: Sequence[str] | None = None,
    title: str = "Effectiveness",
    test: Test = "randomisation",
) -> Table:
    """Systems by measures, with what a careful reader must know in the footnotes.

    Args:
        evaluations: one a row, in this order.
        contrasts: systems against one baseline; those of other measures are left out.
        intervals: of the means.
        measures: the columns; by default all that the first evaluation has.
        title: of the table.
        test: whose adjusted p-values set the marks.

    Raises:
        UnknownName: an evaluation lacks one of the measures.
        BadInput: two systems share a name, or the contrasts have several baselines.
    """
    chosen = _measures(evaluations, measures)
    kept = [c for c in contrasts if c.measure in chosen]
    notes = [*_tests(kept, test), *_interval_note(intervals), *_scoring(evaluations), *_coverage(evaluations)]
    return _measured(evaluations, kept, intervals or {}, chosen, (), title, test, notes)


def reason_table(
    evaluations: Sequence[Evaluation],
    contrasts: Sequence[Contrast] = (),
    intervals: Intervals | None = None,
    *,
    measures: Sequence[str] | None = None,
    lower_is_better: Collection[str] = (),
    title: str = "Reasons",
    test: Test = "randomisation",
) -> Table:
    """Ways of giving reasons by measures of whether they are true; arguments and errors as in `ranking_table`.

    Measures in `lower_is_better` are best when small: sufficiency as ERASER defines it, for example.
    """
    chosen = _measures(evaluations, measures)
    kept = [c for c in contrasts if c.measure in chosen]
    notes = [*_tests(kept, test), *_interval_note(intervals), *_undefined(evaluations, chosen)]
    if lower := [m for m in chosen if m in lower_is_better]:
        notes.append(f"Lower is better: {', '.join(lower)}.")
    return _measured(evaluations, kept, intervals or {}, chosen, lower_is_better, title, test, notes)


def proportion_table(proportions: Sequence[Proportion], *, title: str = "Checks of what reasons state") -> Table:
    """Shares of counted things, each with its definition."""
    is_defined = any(p.definition for p in proportions)
    columns = [Column("check", "name"), Column("share", "share"), Column("count", "text")]
    rows = []
    for p in proportions:
        row = [Cell(p.name), Cell(p.share), Cell(f"{p.count:,} of {p.of:,}")]
        rows.append((*row, Cell(p.definition)) if is_defined else tuple(row))
    if is_defined:
        columns.append(Column("what was counted", "text"))
    return Table(title, tuple(columns), tuple(rows))


_COSTS: tuple[tuple[str, str, Kind], ...] = (
    ("calls", "calls", "count"),
    ("documents", "documents", "count"),
    ("tokens read", "prompt_tokens", "count"),
    ("of them cached", "cached_tokens", "count"),
    ("generated", "generated_tokens", "count"),
    ("of them reasoning", "reasoning_tokens", "count"),
    ("repaired", "repaired", "count"),
    ("unusable", "unusable", "count"),
    ("seconds", "seconds", "seconds"),
    ("cost", "cost", "money"),
)
_RARE = {"cached_tokens", "reasoning_tokens"}
_OF_ANSWERS = {"repaired", "unusable"}


def cost_table(evaluations: Sequence[Evaluation], *, title: str = "Cost") -> Table:
    """What making each run cost, for all its queries together. What is not known is None, never 0."""
    _reject_twins(evaluations)
    known = [e.usage for e in evaluations if e.usage is not None]
    has_answers = any(usage.prompt_tokens or usage.generated_tokens for usage in known)
    shown = [
        column
        for column in _COSTS
        if column[1] not in _RARE | _OF_ANSWERS
        or any(getattr(usage, column[1]) for usage in known)
        or (has_answers and column[1] in _OF_ANSWERS)
    ]
    rows = tuple((Cell(e.name), *(Cell(_spent(e.usage, field)) for _, field, _ in shown)) for e in evaluations)
    notes = ["Totals over all queries of a run."]
    if any(cell.value is None for row in rows for cell in row):
        notes.append("unknown: the run does not record it; it is not zero.")
    return Table(
        title, (Column("system", "name"), *(Column(name, kind) for name, _, kind in shown)), rows, tuple(notes)
    )


def _spent(usage: Usage | None, field: str) -> float | None:
    if usage is None:
        return None
    value: float | None = getattr(usage, field)
    return value


def _measured(
    evaluations: Sequence[Evaluation],
    contrasts: Sequence[Contrast],
    intervals: Intervals,
    measures: Sequence[str],
    lower_is_better: Collection[str],
    title: str,
    test: Test,
    notes: Sequence[str],
) -> Table:
    _reject_twins(evaluations)
    baselines = {c.baseline for c in contrasts}
    if len(baselines) > 1:
        raise BadInput(f"the contrasts have {len(baselines)} baselines: {', '.join(sorted(baselines))}; give one")
    found = {(c.system, c.measure): c for c in contrasts}
    best = {m: _best([e.mean(m) for e in evaluations], is_lower=m in lower_is_better) for m in measures}
    rows = []
    for e in evaluations:
        row = [Cell(e.name, note="baseline" if e.name in baselines else "")]
        for m in measures:
            mean, contrast = e.mean(m), found.get((e.name, m))
            low, high = intervals.get((e.name, m), (None, None))
            versus = _versus(contrast, test, is_lower=m in lower_is_better) if contrast else None
            is_best = _shown(mean) == best[m]
            row.append(Cell(mean, low, high, versus, is_best))
        rows.append(tuple(row))
    columns = (Column("system", "name"), *(Column(m, "score", m in lower_is_better) for m in measures))
    return Table(title, columns, tuple(rows), tuple(notes), tuple(evaluations), tuple(contrasts))


def _measures(evaluations: Sequence[Evaluation], measures: Sequence[str] | None) -> tuple[str, ...]:
    if measures is None:
        return evaluations[0].measures if evaluations else ()
    for e in evaluations:
        for m in measures:
            if m not in e.measures:
                raise unknown("measure", m, e.measures)
    return tuple(measures)


def _reject_twins(evaluations: Sequence[Evaluation]) -> None:
    names = [e.name for e in evaluations]
    if twins := sorted({n for n in names if names.count(n) > 1}):
        raise BadInput(f"several systems are called {', '.join(map(repr, twins))}; give each a name of its own")


def _shown(value: float) -> str:
    return f"{value:.4f}"


def _best(means: Sequence[float], *, is_lower: bool) -> str:
    """The best mean as it is shown: what a reader sees as equal is equally best; "" where all are equal."""
    defined = [m for m in means if not math.isnan(m)]
    if len({_shown(m) for m in defined}) < 2:
        return ""
    return _shown(min(defined) if is_lower else max(defined))


def _versus(contrast: Contrast, test: Test, *, is_lower: bool) -> Versus:
    p = contrast.holm_t if test == "t" else contrast.holm_randomisation
    is_better = (contrast.delta < 0) if is_lower else (contrast.delta > 0)
    mark: Mark = "" if not p < LEVEL or not contrast.delta else "better" if is_better else "worse"
    return Versus(contrast.delta, p, test, mark, contrast.wins, contrast.ties, contrast.losses)


def _tests(contrasts: Sequence[Contrast], test: Test) -> list[str]:
    if not contrasts:
        return []
    name = "paired t-test" if test == "t" else "paired randomisation test"
    signs = (
        f"Signed numbers: difference from {contrasts[0].baseline}, the baseline; W/T/L: queries won, tied, lost "
        "against it."
    )
    marks = (
        f"▲ better, ▼ worse than the baseline: {name}, two-sided, p < {LEVEL} after Holm's correction over the "
        "systems compared under each measure."
    )
    return [signs, marks]


def _interval_note(intervals: Intervals | None) -> list[str]:
    return ["In brackets: bootstrap 95 % intervals of the means, over queries."] if intervals else []


def _scoring(evaluations: Sequence[Evaluation]) -> list[str]:
    notes = []
    if counts := sorted({len(e.queries) for e in evaluations}):
        notes.append(f"Queries: {' or '.join(f'{n:,}' for n in counts)}.")
    if gains := sorted({e.gain for e in evaluations if e.gain}):
        notes.append(f"Gain of nDCG: {' or '.join(gains)}{_differs(gains)}.")
    if ties := sorted({e.ties for e in evaluations if e.ties}):
        words = {"rank": "in the order of the run", "trec_eval": "by document id, as trec_eval does"}
        notes.append(f"Equal scores: {' or '.join(words.get(t, t) for t in ties)}{_differs(ties)}.")
    return notes


def _differs(values: Sequence[str]) -> str:
    return " (not the same for all systems: do not compare them)" if len(values) > 1 else ""


def _coverage(evaluations: Sequence[Evaluation]) -> list[str]:
    """What is missing, each thing once where all systems share it."""
    notes: dict[str, list[str]] = {}
    for e in evaluations:
        c = e.coverage
        for ids, words in (
            (c.without_results, "judged, without results: they count 0"),
            (c.unjudged_queries, "without judgements or answers: not measured"),
            (c.without_relevant, "without a relevant document"),
        ):
            if ids:
                notes.setdefault(f"{_counted_queries(ids)} {words}", []).append(e.name)
        if c.excluded:
            notes.setdefault(f"{figures.counted(c.excluded, 'excluded result')} removed before scoring", []).append(
                e.name
            )
    lines = [f"{'All systems' if len(n) == len(evaluations) else ', '.join(n)}: {what}." for what, n in notes.items()]
    return [*lines, *_unjudged(evaluations)]


def _counted_queries(ids: Sequence[str]) -> str:
    count = f"{len(ids):,} {'query' if len(ids) == 1 else 'queries'}"
    named = ", ".join(ids[:NAMED]) + (", …" if len(ids) > NAMED else "")
    return f"{count} ({named})"


def _unjudged(evaluations: Sequence[Evaluation]) -> list[str]:
    lines = []
    for k in sorted({k for e in evaluations for k in e.coverage.unjudged_at}):
        shares = [(e.name, e.coverage.unjudged_at[k]) for e in evaluations if k in e.coverage.unjudged_at]
        said = ", ".join(f"{name} {100 * share:.1f} %" for name, share in shares)
        lines.append(f"Share of the first {k} results without a judgement (unjudged@{k}): {said}.")
    return lines


def _undefined(evaluations: Sequence[Evaluation], measures: Sequence[str]) -> list[str]:
    counts = sorted({len(e.queries) for e in evaluations})
    notes = [f"Queries: {' or '.join(f'{n:,}' for n in counts)}."] if counts else []
    for e in evaluations:
        missing = [(m, int(np.isnan(e.of(m)).sum())) for m in measures]
        if said := ", ".join(f"{m} for {n:,}" for m, n in missing if n):
            notes.append(f"{e.name}: undefined, and left out of the mean: {said} of {len(e.queries):,} queries.")
    return notes
