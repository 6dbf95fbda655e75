"""An evaluation as one HTML page: what is best and by how much, query by query, at what cost, why, and where it hurt.

No network, no build, readable without scripts; foreign text enters only through `safe`.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from whyrank.evaluate.calibration import ReliabilityBin
from whyrank.evaluate.harm import SystemHarm
from whyrank.evaluate.results import Contrast, Evaluation, Proportion
from whyrank.report import evaluation_pictures as pictures
from whyrank.report.evaluation_table import table_html
from whyrank.report.harm_html import harm_section
from whyrank.report.html_card import safe
from whyrank.report.page import page
from whyrank.report.plots import Trained
from whyrank.report.table_formats import UNDEFINED, amount, interval, signed
from whyrank.report.tables import (
    LEVEL,
    Intervals,
    Table,
    Test,
    cost_table,
    proportion_table,
    ranking_table,
    reason_table,
)

QUERIES_SHOWN = 300
IDS_SHOWN = 50


@dataclass(frozen=True, slots=True)
class EvaluationReport:
    """What a page can show. Every part may be absent.

    Attributes:
        title: the name of the page.
        dataset: what was measured on.
        evaluations: the systems; their first measure is the one the page leads with.
        contrasts: the systems against a baseline, under any of the measures.
        intervals: of the means.
        reasons, reason_contrasts, reason_intervals: the same for ways of giving reasons.
        lower_is_better: measures of reasons that are best when small.
        proportions: shares of counted things that reasons state.
        reason_tables: finished tables about reasons, each with a title that says whose they are and who judged.
        calibration_table: the figures of the curves in `calibration`.
        training: series of one measure against the size of the training set, by name.
        calibration: bins of the reliability diagram, by name.
        harms: rerankers against their first stage.
        settings: what was run, by name; versions: of what; seeds: of what.
        test: whose adjusted p-values set the marks.
    """

    title: str = "Evaluation"
    dataset: str = ""
    evaluations: Sequence[Evaluation] = ()
    contrasts: Sequence[Contrast] = ()
    intervals: Intervals = field(default_factory=dict)
    reasons: Sequence[Evaluation] = ()
    reason_contrasts: Sequence[Contrast] = ()
    reason_intervals: Intervals = field(default_factory=dict)
    lower_is_better: Sequence[str] = ()
    proportions: Sequence[Proportion] = ()
    reason_tables: Sequence[Table] = ()
    calibration_table: Table | None = None
    training: Mapping[str, Sequence[Trained]] = field(default_factory=dict)
    calibration: Mapping[str, Sequence[ReliabilityBin]] = field(default_factory=dict)
    harms: Sequence[SystemHarm] = ()
    settings: Mapping[str, object] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    seeds: Mapping[str, int] = field(default_factory=dict)
    test: Test = "randomisation"

    @property
    def measure(self) -> str:
        """The measure that the page leads with; "" without systems."""
        return self.evaluations[0].measures[0] if self.evaluations and self.evaluations[0].measures else ""


def render_evaluation(report: EvaluationReport) -> str:
    """One self-contained page. Without matplotlib it has no plots, and says which extra brings them.

    Raises:
        BadInput: two systems share a name, or contrasts have several baselines.
    """
    parts = [(anchor, name, make(report)) for anchor, name, make in _PARTS]
    shown = [(anchor, name, content) for anchor, name, content in parts if content]
    contents = "".join(f'<li><a href="#{anchor}">{name}</a></li>' for anchor, name, _ in shown)
    nav = f'<nav class="contents" aria-label="Contents"><ol>{contents}</ol></nav>'
    sections = "".join(
        f'<section class="part" aria-labelledby="{anchor}"><h2 id="{anchor}">{name}</h2>\n{content}</section>\n'
        for anchor, name, content in shown
    )
    body = (
        '<a class="skip" href="#results">Skip to the results</a>\n<div class="page wide">\n'
        f'<header class="masthead"><h1>{safe(report.title)}</h1></header>\n{_headline(report)}'
        f"{nav if len(shown) > 1 else ''}\n"
        f'<main id="results">\n{sections or _NOTHING}</main>\n{_FOOTER}</div>\n'
    )
    return page(report.title, body, styles=("page.css", "evaluation.css"), scripts=("evaluation.js",))


_NOTHING = '<p class="none">Nothing was measured.</p>\n'
_FOOTER = (
    "<footer>Measures and intervals are over the queries of this data alone. Reasons are computed after the ranking "
    "and never change its order.</footer>\n"
)


def _headline(report: EvaluationReport) -> str:
    sentence = f'<p class="query">{_best(report)}</p>\n' if report.measure else ""
    counts = sorted({len(e.queries) for e in report.evaluations})
    facts = [
        ("Data", report.dataset),
        ("Queries", " or ".join(f"{n:,}" for n in counts)),
        ("Systems", f"{len(report.evaluations):,}" if report.evaluations else ""),
        ("Baseline", ", ".join(sorted({c.baseline for c in report.contrasts}))),
        ("Gain", ", ".join(sorted({e.gain for e in report.evaluations if e.gain}))),
        ("Equal scores", ", ".join(sorted({e.ties for e in report.evaluations if e.ties}))),
    ]
    items = "".join(f"<div><dt>{label}</dt><dd>{safe(value)}</dd></div>" for label, value in facts if value)
    return f'{sentence}<dl class="facts">{items}</dl>\n' if items or sentence else ""


def _best(report: EvaluationReport) -> str:
    measure = report.measure
    means = [(e.mean(measure), e.name) for e in report.evaluations]
    defined = [m for m, _ in means if not math.isnan(m)]
    if not defined:
        return f"{safe(measure)} is not defined for any query."
    best = [name for m, name in means if amount(m, "score") == amount(max(defined), "score")]
    within = report.intervals.get((best[0], measure))
    said = f" {interval(*within)}" if within and len(best) == 1 else ""
    names = " and ".join(f"<b>{safe(name)}</b>" for name in best)
    does = "reaches" if len(means) == 1 else "are best" if len(best) > 1 else "is best"
    on = f" on {safe(report.dataset)}" if report.dataset else ""
    value = f"{safe(measure)} {amount(max(defined), 'score')}"
    if len(means) == 1:
        return f'{names} {does} {value}<span class="ci">{said}</span>{on}'
    return f'{names} {does}{on}, with {value}<span class="ci">{said}</span>'


def _effectiveness(report: EvaluationReport) -> str:
    if not report.evaluations:
        return ""
    table = ranking_table(report.evaluations, report.contrasts, report.intervals, title="", test=report.test)
    return table_html(table) + _in_words(report) + _notes(table)


def _in_words(report: EvaluationReport) -> str:
    """Each comparison under the first measure as a sentence, the strongest first."""
    told = sorted((c for c in report.contrasts if c.measure == report.measure), key=lambda c: -c.delta)
    items = "".join(f"<li>{_sentence(c, report.test)}</li>" for c in told)
    return f'<ul class="words">{items}</ul>\n' if items else ""


def _sentence(c: Contrast, test: Test) -> str:
    p = c.holm_t if test == "t" else c.holm_randomisation
    system, baseline = f"<b>{safe(c.system)}</b>", f"<b>{safe(c.baseline)}</b>"
    if not p < LEVEL:
        said = f"{system} cannot be told apart from {baseline}"
    else:
        said = f"{system} is {'better' if c.delta > 0 else 'worse'} than {baseline}"
    tests = f"p = {_p(c.holm_randomisation)} by randomisation, {_p(c.holm_t)} by t-test, after Holm"
    return (
        f"{said}: {signed(c.delta)} {safe(c.measure)}, 95 % interval {signed(c.low)} to {signed(c.high)}; "
        f"{c.wins:,} queries won, {c.ties:,} tied, {c.losses:,} lost ({tests})."
    )


def _p(value: float) -> str:
    return UNDEFINED if math.isnan(value) else "under 0.0001" if value < 0.0001 else f"{value:.4f}"


def _notes(table: Table) -> str:
    items = "".join(f"<li>{safe(note)}</li>" for note in table.footnotes)
    return f'<ul class="footnotes">{items}</ul>\n' if items else ""


def _queries(report: EvaluationReport) -> str:
    return pictures.by_query(report.contrasts, report.measure) + _query_values(report)


def _query_values(report: EvaluationReport) -> str:
    """Every query's value under the first measure, in a table that opens."""
    measure, systems = report.measure, [e for e in report.evaluations if report.measure in e.measures]
    if not systems:
        return ""
    values = [dict(zip(e.queries, e.of(measure).tolist(), strict=True)) for e in systems]
    ids = list(dict.fromkeys(q for e in systems for q in e.queries))
    rows = "".join(
        f'<tr><th scope="row"><bdi>{safe(q)}</bdi></th>'
        + "".join(f'<td class="n">{amount(v.get(q, math.nan), "score")}</td>' for v in values)
        + "</tr>\n"
        for q in ids[:QUERIES_SHOWN]
    )
    heads = "".join(f'<th scope="col" class="n">{safe(e.name)}</th>' for e in systems)
    more = len(ids) - QUERIES_SHOWN
    rest = f'<p class="aside">and {more:,} more; the JSON table holds them all.</p>' if more > 0 else ""
    return (
        f'<details class="values"><summary>{safe(measure)} of every query</summary>\n<div class="scroll"><table>'
        f'<thead><tr><th scope="col">query</th>{heads}</tr></thead><tbody>\n{rows}</tbody></table></div>{rest}'
        "</details>\n"
    )


def _cost(report: EvaluationReport) -> str:
    if all(e.usage is None for e in report.evaluations):
        return ""
    table = cost_table(report.evaluations, title="")
    drawn = pictures.cost(report.evaluations, report.intervals, report.measure)
    return drawn + table_html(table) + _notes(table)


def _training(report: EvaluationReport) -> str:
    return pictures.training(report.training, report.measure)


def _calibration(report: EvaluationReport) -> str:
    table = report.calibration_table
    figures = table_html(table) + _notes(table) if table else ""
    return pictures.calibration(report.calibration) + figures


def _reasons(report: EvaluationReport) -> str:
    parts = []
    if report.reasons:
        table = reason_table(
            report.reasons,
            report.reason_contrasts,
            report.reason_intervals,
            lower_is_better=report.lower_is_better,
            title="",
            test=report.test,
        )
        parts.append(table_html(table) + _notes(table))
    if report.proportions:
        counted = proportion_table(report.proportions)
        parts.append(f"<h3>{safe(counted.title)}</h3>{table_html(counted)}")
    parts += [f"<h3>{safe(t.title)}</h3>{table_html(t)}{_notes(t)}" for t in report.reason_tables]
    return "".join(parts)


def _coverage(report: EvaluationReport) -> str:
    """Lists of the queries behind the counts of the footnotes."""
    items = []
    for e in report.evaluations:
        c = e.coverage
        for ids, words in (
            (c.without_results, "judged, without results: they count 0"),
            (c.unjudged_queries, "without judgements or answers: not measured"),
            (c.without_relevant, "without a relevant document"),
        ):
            if ids:
                named = ", ".join(safe(q) for q in ids[:IDS_SHOWN]) + (" …" if len(ids) > IDS_SHOWN else "")
                count = f"{len(ids):,} {'query' if len(ids) == 1 else 'queries'}"
                items.append(f"<dt>{safe(e.name)}: {count} {words}</dt><dd>{named}</dd>")
    return f'<dl class="ids">{"".join(items)}</dl>\n' if items else ""


def _harm(report: EvaluationReport) -> str:
    return harm_section(report.harms)


def _made(report: EvaluationReport) -> str:
    groups = (("Settings", report.settings), ("Versions", report.versions), ("Seeds", report.seeds))
    return "".join(
        f'<h3>{name}</h3><dl class="made">'
        + "".join(f"<div><dt>{safe(str(key))}</dt><dd>{safe(str(value))}</dd></div>" for key, value in given.items())
        + "</dl>\n"
        for name, given in groups
        if given
    )


_PARTS: tuple[tuple[str, str, Callable[[EvaluationReport], str]], ...] = (
    ("effectiveness", "Effectiveness", _effectiveness),
    ("queries", "Query by query", _queries),
    ("harm", "Where reranking hurt", _harm),
    ("cost", "Effectiveness against cost", _cost),
    ("training", "Effectiveness against training size", _training),
    ("calibration", "Calibration", _calibration),
    ("reasons", "Are the reasons true?", _reasons),
    ("coverage", "Queries that need care", _coverage),
    ("made", "How this was made", _made),
)
