"""The plots of an evaluation page, and the sentence in their place where matplotlib is absent."""

from collections.abc import Callable, Mapping, Sequence

from whyrank.errors import MissingExtra
from whyrank.evaluate.calibration import ReliabilityBin
from whyrank.evaluate.results import Contrast, Evaluation
from whyrank.report import plots
from whyrank.report.html_card import safe
from whyrank.report.plot_style import Figure
from whyrank.report.plot_svg import inline_svg
from whyrank.report.plots import Point, Trained
from whyrank.report.tables import Intervals
from whyrank.types import Usage

MOST_PLOTS = 12
"""Systems whose queries are drawn; the table of values holds all."""

_COSTS: tuple[tuple[str, Callable[[Usage], float | None]], ...] = (
    ("tokens read and generated", lambda u: u.prompt_tokens + u.generated_tokens),
    ("seconds", lambda u: u.seconds),
    ("calls", lambda u: u.calls),
    ("money", lambda u: u.cost),
)


def by_query(contrasts: Sequence[Contrast], measure: str) -> str:
    """All systems against the baseline, then the queries of each, the best system's in sight."""
    told = sorted((c for c in contrasts if c.measure == measure and len(c.deltas_Q)), key=lambda c: -c.delta)
    if not told:
        return ""
    parts = []
    if len(told) > 1:
        label = f"Difference of each system from {told[0].baseline} in {measure}, with 95 % intervals"
        parts.append(_picture(lambda: plots.forest(told), "forest", label))
    for number, contrast in enumerate(told[:MOST_PLOTS]):
        label = f"{measure} of {contrast.system} minus {contrast.baseline}, query by query"
        drawn = _picture(lambda c=contrast: plots.delta_bars(c), f"delta{number}", label)  # type: ignore[misc]
        parts.append(_folded(drawn, f"{contrast.system} against {contrast.baseline}", is_open=number == 0))
        if drawn == _ABSENT:
            return _ABSENT
    return "".join(parts)


def cost(evaluations: Sequence[Evaluation], intervals: Intervals, measure: str) -> str:
    """One plot for each kind of cost that two systems or more are known to have, the first in sight."""
    parts: list[str] = []
    for name, spent in _COSTS:
        points = [
            Point(e.name, spent(e.usage) if e.usage else None, e.mean(measure), *intervals.get((e.name, measure), ()))
            for e in evaluations
        ]
        known = {p.cost for p in points if p.cost is not None}
        if len(known) < 2 or len([p for p in points if p.cost is not None]) < 2:
            continue
        drawn = _picture(
            lambda p=points, n=name: plots.effectiveness_against_cost(p, measure=measure, cost=n),  # type: ignore[misc]
            f"cost{len(parts)}",
            f"{measure} against {name}",
        )
        if drawn == _ABSENT:
            return _ABSENT
        parts.append(_folded(drawn, f"Against {name}", is_open=not parts))
    return "".join(parts)


def training(series: Mapping[str, Sequence[Trained]], measure: str) -> str:
    """The training curve."""
    if not series:
        return ""
    return _picture(lambda: plots.training_curve(series, measure=measure), "training", f"{measure} by training size")


def calibration(bins: Mapping[str, Sequence[ReliabilityBin]]) -> str:
    """The reliability diagram."""
    if not any(b.pairs for given in bins.values() for b in given):
        return ""
    label = "Observed share of relevant documents by predicted probability"
    return _picture(lambda: plots.reliability(bins), "reliability", label, "narrow")


_ABSENT = "<p class=\"absent\">The plots need matplotlib: <code>pip install 'whyrank[plots]'</code></p>\n"


def _picture(draw: Callable[[], Figure], anchor: str, label: str, kind: str = "") -> str:
    try:
        figure = draw()
    except MissingExtra:
        return _ABSENT
    return f'<figure class="picture {kind}" tabindex="0">{inline_svg(figure, anchor=anchor, label=label)}</figure>\n'


def _folded(content: str, name: str, *, is_open: bool) -> str:
    if content == _ABSENT:
        return content
    return f'<details class="plotted"{" open" if is_open else ""}><summary>{safe(name)}</summary>{content}</details>\n'
