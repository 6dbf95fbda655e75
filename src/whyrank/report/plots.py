"""What was measured as pictures: functions of values to figures; nothing is drawn on screen or written but by `save`.

Everything is labelled where it stands instead of in a legend. Blue-green is better and orange is worse: the pair is
told apart by colour-blind readers, and every colour repeats what place or sign already says. Needs the extra `plots`.

    # Q queries
"""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from whyrank.errors import BadInput
from whyrank.evaluate.calibration import ReliabilityBin
from whyrank.evaluate.results import Contrast
from whyrank.report.figures import MINUS, signed
from whyrank.report.plot_labels import Line, place_labels, spread
from whyrank.report.plot_style import LIGHT, Axes, Figure, Theme, bare, new_figure, save, styled
from whyrank.report.visible import clipped, visible

__all__ = [
    "Point",
    "Trained",
    "delta_bars",
    "effectiveness_against_cost",
    "forest",
    "reliability",
    "save",
    "training_curve",
]

COLUMN_IN = 3.4
"""Width in inches of one column of a paper."""

PAGE_IN = 6.4
SEPARATE_BARS = 200
CURVE_POINTS = 1_000
WIDE = 20.0
"""From this ratio of largest to smallest on, a cost axis is logarithmic."""


class Point(NamedTuple):
    """A system in a plot of effectiveness against cost; `cost` None is not known and not drawn."""

    name: str
    cost: float | None
    value: float
    low: float | None = None
    high: float | None = None


class Trained(NamedTuple):
    """A measurement after training on `size` examples."""

    size: float
    value: float
    low: float | None = None
    high: float | None = None


def delta_bars(contrast: Contrast, *, theme: Theme = LIGHT, width_in: float = PAGE_IN) -> Figure:
    """Each query's difference from the baseline, sorted: where the mean comes from.

    Up to `SEPARATE_BARS` queries stand as bars, with their ids where there is room; more become one outline.

    Raises:
        MissingExtra: matplotlib is not installed.
        BadInput: the contrast has no queries.
    """
    if not len(contrast.deltas_Q):
        raise BadInput(f"{contrast.system} and {contrast.baseline} share no query; nothing can be drawn")
    order = np.argsort(-contrast.deltas_Q, kind="stable")
    sorted_Q = contrast.deltas_Q[order]
    with styled(theme):
        figure, axes = _figure(width_in, max(2.1, width_in * 0.42), theme)
        _bars(axes, sorted_Q, theme)
        ids = [contrast.queries[i] for i in order]
        has_ids = len(ids) * 8.5 < width_in * 62
        if has_ids:
            axes.set_xticks(range(len(ids)), [clipped(visible(i), 12) for i in ids], rotation=90, fontsize=6)
            _plain_labels(axes.get_xticklabels())
            axes.tick_params(axis="x", length=0, pad=2, colors=theme.soft)
        else:
            axes.set_xticks([])
            axes.set_xlabel(f"{len(ids):,} queries, best first")
        axes.axhline(0, color=theme.soft, lw=0.8)
        axes.axhline(contrast.delta, color=theme.ink, lw=0.8, ls=(0, (4, 3)))
        axes.set_xlim(-0.8, len(ids) - 0.2)
        axes.set_ylabel(_text(f"{contrast.measure}: {contrast.system} {MINUS} {contrast.baseline}"), parse_math=False)
        _signed_ticks(axes.yaxis)
        _say_delta(axes, contrast, theme)
    return figure


def _bars(axes: Axes, sorted_Q: Any, theme: Theme) -> None:
    places = np.arange(len(sorted_Q), dtype=float)
    if len(sorted_Q) <= SEPARATE_BARS:
        colours = [theme.better if d > 0 else theme.worse for d in sorted_Q]
        axes.bar(places, sorted_Q, width=0.78, color=colours, linewidth=0)
        return
    if len(sorted_Q) > CURVE_POINTS:
        places = np.unique(np.linspace(0, len(sorted_Q) - 1, CURVE_POINTS).round())
    drawn = sorted_Q[places.astype(int)]
    for is_part, colour in ((drawn >= 0, theme.better), (drawn <= 0, theme.worse)):
        axes.fill_between(places[is_part], drawn[is_part], 0, color=colour, linewidth=0)


def _say_delta(axes: Axes, contrast: Contrast, theme: Theme) -> None:
    """In the corners that sorted bars leave free: above on the right, below on the left."""
    won = f"{contrast.wins:,} better" + (f", {contrast.ties:,} equal" if contrast.ties else "")
    lost = f"{contrast.losses:,} worse"
    mean = f"┄ mean {signed(contrast.delta)} [{signed(contrast.low)}, {signed(contrast.high)}]"
    axes.text(0.995, 0.98, won, transform=axes.transAxes, ha="right", va="top", color=theme.better, weight="bold")
    axes.text(0.995, 0.88, mean, transform=axes.transAxes, ha="right", va="top", color=theme.ink)
    axes.text(0.01, 0.02, lost, transform=axes.transAxes, ha="left", va="bottom", color=theme.worse, weight="bold")


def forest(contrasts: Sequence[Contrast], *, theme: Theme = LIGHT, width_in: float = PAGE_IN) -> Figure:
    """The mean difference of each system from the baseline, with its interval; in the order given.

    Raises:
        MissingExtra: matplotlib is not installed.
        BadInput: no contrasts, or of several measures.
    """
    if len({(c.measure, c.baseline) for c in contrasts}) != 1:
        raise BadInput(
            f"{len(contrasts)} contrasts of {len({c.measure for c in contrasts})} measures; give one measure"
        )
    with styled(theme):
        figure, axes = _figure(width_in, 0.7 + 0.3 * len(contrasts), theme)
        for row, c in enumerate(contrasts):
            colour = theme.better if c.low > 0 else theme.worse if c.high < 0 else theme.soft
            axes.plot([c.low, c.high], [row, row], color=colour, lw=1.6, solid_capstyle="butt")
            axes.plot([c.delta], [row], "o", color=colour, ms=5)
            axes.annotate(signed(c.delta), (c.delta, row), xytext=(0, 4), textcoords="offset points", ha="center",
                          va="bottom", color=theme.ink)  # fmt: skip
        axes.axvline(0, color=theme.soft, lw=0.8)
        axes.set_yticks(range(len(contrasts)), [_text(c.system) for c in contrasts])
        _plain_labels(axes.get_yticklabels())
        axes.set_ylim(len(contrasts) - 0.5, -0.8)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.set_xlabel(_text(f"{contrasts[0].measure}: difference from {contrasts[0].baseline}"), parse_math=False)
        axes.grid(axis="x", color=theme.line, lw=0.5)
        _signed_ticks(axes.xaxis)
    return figure


def effectiveness_against_cost(
    points: Sequence[Point], *, measure: str, cost: str, theme: Theme = LIGHT, width_in: float = PAGE_IN
) -> Figure:
    """What each system reaches and what it costs; the line is the front that nothing beats in both.

    The axis is logarithmic where costs differ by more than `WIDE`; a cost of 0 then stands left of a gap.

    Args:
        points: the systems. Those without a known cost are named below the plot.
        measure: the name of the values.
        cost: the name and unit of the costs: "seconds", "tokens read", "calls".
        theme: colours.
        width_in: width in inches.

    Raises:
        MissingExtra: matplotlib is not installed.
        BadInput: no point has a known cost.
    """
    known = [(p, c) for p in points if (c := p.cost) is not None and math.isfinite(c) and math.isfinite(p.value)]
    if not known:
        raise BadInput(f"no system has a known cost in {cost}; nothing can be drawn")
    with styled(theme):
        figure, axes = _figure(width_in, max(2.3, width_in * 0.5), theme)
        places = _cost_axis(axes, [c for _, c in known])
        lines = _front(axes, [(x, p.value) for x, (p, _) in zip(places, known, strict=True)], theme)
        for x, (p, _) in zip(places, known, strict=True):
            if p.low is not None and p.high is not None:
                axes.plot([x, x], [p.low, p.high], color=theme.better, lw=1.2, alpha=0.45, solid_capstyle="butt")
                lines.append(((x, p.low), (x, p.high)))
            axes.plot(
                [x],
                [p.value],
                "o",
                color=theme.better,
                ms=5.5,
                mec=theme.paper if theme.paper != "none" else theme.better,
            )
        axes.margins(x=0.09, y=0.12)
        axes.set_xlabel(_text(_unknown_costs(cost, [p.name for p in points if p.cost is None])), parse_math=False)
        axes.set_ylabel(_text(measure), parse_math=False)
        axes.grid(color=theme.line, lw=0.5)
        names = [(x, p.value, _text(p.name)) for x, (p, _) in zip(places, known, strict=True)]
        place_labels(axes, names, theme.ink, lines)
    return figure


def _unknown_costs(cost: str, names: Sequence[str]) -> str:
    return f"{cost} (not known, not shown: {', '.join(names)})" if names else cost


def _cost_axis(axes: Axes, costs: Sequence[float]) -> list[float]:
    """Sets the scale; gives the places of the costs on it."""
    positive = [c for c in costs if c > 0]
    if not positive or max(positive) / min(positive) < WIDE:
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.10g}")
        return list(costs)
    axes.set_xscale("log")
    zero, ticks = min(positive) / 6, int(axes.figure.get_figwidth() * 1.6)
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axes.xaxis.set_major_locator(LogLocator(base=10, numticks=ticks))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _compact(value)))
    axes.xaxis.set_minor_formatter(NullFormatter())
    if len(positive) < len(costs):
        axes.annotate("0", (zero, 0), xycoords=("data", "axes fraction"), xytext=(0, -3.5), textcoords="offset points",
                      ha="center", va="top")  # fmt: skip
        axes.axvline(zero * 2.2, color=axes.spines["bottom"].get_edgecolor(), lw=0.8, ls=(0, (1, 2)))
        axes.xaxis.set_major_locator(_from(min(positive), LogLocator(base=10, numticks=ticks)))
        axes.xaxis.set_minor_locator(_from(min(positive), LogLocator(base=10, subs=range(2, 10), numticks=9)))
    return [c if c > 0 else zero for c in costs]


def _from(lowest: float, locator: Any) -> Any:
    """A locator without the ticks below the smallest cost: left of the gap the scale does not go on."""
    from matplotlib.ticker import FixedLocator

    edge = 10 ** math.floor(math.log10(lowest))
    return FixedLocator([t for t in locator.tick_values(edge, lowest * 1e9) if t >= lowest / 2])


def _front(axes: Axes, points: Sequence[tuple[float, float]], theme: Theme) -> list[Line]:
    """The points that no other beats in both, joined by a step: its lines."""
    best, front = -math.inf, []
    for x, y in sorted(points, key=lambda p: (p[0], -p[1])):
        if y > best:
            front.append((x, y))
            best = y
    lines = []
    for (left, low), (right, high) in pairwise(front):
        lines.extend([((left, low), (right, low)), ((right, low), (right, high))])
    for start, end in lines:
        axes.plot(*zip(start, end, strict=True), color=theme.soft, lw=0.9, ls=(0, (4, 3)), zorder=0.5)
    return lines


def _compact(value: float) -> str:
    """1000 → "1,000", 20000 → "20 k", 1000000 → "1 M", 0.01 → "0.01"."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= max(size, 1e4):
            return f"{value / size:,.3g} {unit}"
    return f"{value:,.10g}"


def training_curve(
    series: Mapping[str, Sequence[Trained]],
    *,
    measure: str,
    examples: str = "training queries",
    theme: Theme = LIGHT,
    width_in: float = PAGE_IN,
) -> Figure:
    """A measure against the size of the training set, one line a series, each named at its end.

    Raises:
        MissingExtra: matplotlib is not installed.
        BadInput: no points, or a size that is not above 0.
    """
    sizes = sorted({p.size for points in series.values() for p in points})
    if not sizes or sizes[0] <= 0:
        raise BadInput(f"training sizes are {sizes[:3]}; give at least one point, and sizes above 0")
    with styled(theme):
        figure, axes = _figure(width_in, max(2.2, width_in * 0.48), theme)
        axes.set_xscale("log")
        ends = []
        for number, (name, given) in enumerate(series.items()):
            points = sorted(p for p in given if math.isfinite(p.value))
            if not points:
                continue
            colour = theme.series[number % len(theme.series)]
            x, y = [p.size for p in points], [p.value for p in points]
            axes.plot(x, y, "o-", color=colour, lw=1.4, ms=4)
            banded = [p for p in points if p.low is not None and p.high is not None]
            axes.fill_between(
                [p.size for p in banded], [p.low for p in banded], [p.high for p in banded],
                color=colour, alpha=0.13, linewidth=0,
            )  # fmt: skip
            ends.append((x[-1], y[-1], _text(name), colour))
        from matplotlib.ticker import NullFormatter, NullLocator

        shown = sizes if len(sizes) <= 8 else [sizes[round(i * (len(sizes) - 1) / 7)] for i in range(8)]
        axes.set_xticks(shown, [_compact(s) for s in shown])
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_xlabel(_text(f"{examples} (log scale)"), parse_math=False)
        axes.set_ylabel(_text(measure), parse_math=False)
        axes.grid(axis="y", color=theme.line, lw=0.5)
        spread(axes, ends)
    return figure


def reliability(
    bins: Mapping[str, Sequence[ReliabilityBin]],
    *,
    theme: Theme = LIGHT,
    width_in: float = COLUMN_IN,
) -> Figure:
    """Observed share of relevant documents against predicted probability; below, how many pairs stand behind each bin.

    On the diagonal a probability means what it says; below it the model is too sure.

    Args:
        bins: by name of the series, for example before and after a fit. Empty bins are left out.
        theme: colours.
        width_in: width in inches.

    Raises:
        MissingExtra: matplotlib is not installed.
        BadInput: every bin is empty.
    """
    filled = {name: [b for b in given if b.pairs and math.isfinite(b.predicted)] for name, given in bins.items()}
    if not any(filled.values()):
        raise BadInput("every bin is empty; nothing can be drawn")
    with styled(theme):
        figure = new_figure(width_in, width_in * 1.18, theme)
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
        upper.plot([0, 1], [0, 1], color=theme.soft, lw=0.8, ls=(0, (4, 3)))
        for number, (name, given) in enumerate(filled.items()):
            colour = theme.series[number % len(theme.series)]
            upper.plot(
                [b.predicted for b in given],
                [b.observed for b in given],
                "o-",
                color=colour,
                lw=1.4,
                ms=4,
                clip_on=False,
            )
            upper.text(
                0.03, 0.96 - 0.075 * number, _text(name), color=colour, weight="bold", va="top", parse_math=False
            )
            for b in given:
                share = (b.high - b.low) / (len(filled) + 0.4)
                lower.bar(b.low + (number + 0.7) * share, b.pairs, width=share * 0.92, color=colour, linewidth=0)
        upper.set(xlim=(0, 1), ylim=(0, 1), ylabel="observed share relevant", aspect="auto")
        upper.grid(color=theme.line, lw=0.5)
        lower.set(xlabel="predicted probability", ylabel="pairs")
        counts = [b.pairs for given in filled.values() for b in given]
        if max(counts) / min(counts) > WIDE:
            lower.set_yscale("log")
            lower.set_ylim(bottom=min(counts) / 2)
            lower.set_ylabel("pairs (log)")
        lower.yaxis.set_major_formatter(lambda value, _: _compact(value))
        for axes in (upper, lower):
            bare(axes)
    return figure


def _figure(width_in: float, height_in: float, theme: Theme) -> tuple[Figure, Axes]:
    figure = new_figure(width_in, height_in, theme)
    axes = figure.subplots()
    bare(axes)
    return figure, axes


def _signed_ticks(axis: Axes) -> None:
    axis.set_major_formatter(lambda value, _: f"{value:+.3g}".replace("-", MINUS) if abs(value) > 1e-12 else "0")


def _text(text: str) -> str:
    """Foreign text for a label: harmless, on one line, short enough."""
    return clipped(visible(text), 80).replace("\ufffe", "\ufffd").replace("\uffff", "\ufffd")


def _plain_labels(labels: Sequence[Any]) -> None:
    """A dollar sign in a name is no mathematics."""
    for label in labels:
        label.set_parse_math(False)
