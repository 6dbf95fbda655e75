"""How our plots look: colours, fonts, and files that come out the same byte for byte. Needs the extra `plots`."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from whyrank._extras import require
from whyrank.errors import BadInput

Figure = Any
Axes = Any


class Theme(NamedTuple):
    """The colours of a figure; `paper` "none" is transparent."""

    paper: str
    ink: str
    soft: str
    line: str
    better: str
    worse: str
    series: tuple[str, ...]


LIGHT = Theme(
    "#ffffff", "#22262b", "#5b6169", "#d9d5cb", "#1f6f78", "#c2591c",
    ("#1f6f78", "#c2591c", "#6b5aa6", "#4f8a4c", "#b3567a", "#7b7468"),
)  # fmt: skip
DARK = Theme(
    "#15171a", "#e7e4dc", "#a3a8ae", "#3a3f45", "#58b2b9", "#ee935a",
    ("#58b2b9", "#ee935a", "#9d8fd6", "#85bd80", "#dd8aa9", "#a39b8d"),
)  # fmt: skip


def save(figure: Figure, path: str | Path) -> None:
    """Write a figure as .svg, .png (200 dots an inch) or .pdf, by its ending. The same figure gives the same bytes.

    Raises:
        BadInput: another ending.
    """
    target = Path(path)
    kind = target.suffix.lower()
    if kind not in {".svg", ".png", ".pdf"}:
        raise BadInput(f"{target.name!r}: a picture ends in .svg, .png or .pdf")
    matplotlib = require("matplotlib", extra="plots", purpose="a plot")
    undated = {".svg": {"Date": None}, ".pdf": {"CreationDate": None, "Producer": None, "Creator": None}}.get(kind)
    with matplotlib.rc_context({"svg.hashsalt": "whyrank", "svg.fonttype": "path"}), any_script():
        figure.savefig(target, dpi=200, metadata=undated, facecolor=figure.get_facecolor())


@contextmanager
def any_script() -> Iterator[None]:
    """A name may be written in characters that the font lacks; they are drawn as boxes, without a warning."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"Glyph \d+")
        yield


@contextmanager
def styled(theme: Theme) -> Iterator[None]:
    """Our settings of matplotlib while a figure is made; whatever the caller has set stays as it was outside."""
    matplotlib = require("matplotlib", extra="plots", purpose="a plot")
    settings = {
        "font.family": "DejaVu Sans",
        "font.size": 7.5,
        "text.color": theme.ink,
        "axes.labelcolor": theme.soft,
        "axes.edgecolor": theme.soft,
        "axes.linewidth": 0.6,
        "axes.axisbelow": True,
        "axes.unicode_minus": True,
        "xtick.color": theme.soft,
        "ytick.color": theme.soft,
        "xtick.major.width": 0.6,
        "ytick.major.width": 0.6,
        "xtick.minor.width": 0.4,
        "xtick.major.size": 3,
        "ytick.major.size": 3,
        "xtick.minor.size": 1.5,
        "svg.hashsalt": "whyrank",
    }
    with matplotlib.rc_context(settings), any_script():
        yield


def new_figure(width_in: float, height_in: float, theme: Theme) -> Figure:
    """An empty figure that no window and no global state knows of."""
    # No pyplot: it would keep every figure alive, and choose a window system.
    figures = require("matplotlib.figure", extra="plots", purpose="a plot")
    agg = require("matplotlib.backends.backend_agg", extra="plots", purpose="a plot")
    figure = figures.Figure(figsize=(width_in, height_in), facecolor=theme.paper, layout="constrained")
    agg.FigureCanvasAgg(figure)
    return figure


def bare(axes: Axes) -> None:
    """No box around the plot: only the lines that carry numbers."""
    axes.set_facecolor("none")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
