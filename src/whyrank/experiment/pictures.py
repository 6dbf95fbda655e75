"""The plots of an experiment as files, for papers and slides; the page has them too."""

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from whyrank.errors import MissingExtra
from whyrank.experiment.outcome import Outcome
from whyrank.report import plots

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.figure import Figure


def write_plots(outcome: Outcome, folder: Path) -> None:
    """Differences by query, effectiveness against seconds, reliability, each as SVG; none without matplotlib.

    The page says which extra brings it.
    """
    with suppress(MissingExtra):
        for name, figure in _figures(outcome):
            plots.save(figure, folder / f"{name}.svg")


def _figures(outcome: Outcome) -> "Iterator[tuple[str, Figure]]":
    measure = outcome.evaluations[0].measures[0]
    contrasts = [c for c in outcome.contrasts if c.measure == measure and len(c.deltas_Q)]
    for contrast in contrasts:
        yield f"by-query-{contrast.system}", plots.delta_bars(contrast)
    if len(contrasts) > 1:
        yield "differences", plots.forest(contrasts)
    points = [
        plots.Point(e.name, e.usage.seconds if e.usage else None, e.mean(measure), *outcome.intervals[e.name, measure])
        for e in outcome.evaluations
    ]
    if len([point for point in points if point.cost is not None]) > 1:
        yield "cost", plots.effectiveness_against_cost(points, measure=measure, cost="seconds")
    if outcome.calibrations:
        yield "calibration", plots.reliability({n: c.reliability.bins for n, c in outcome.calibrations.items()})
