"""Plots: what is drawn are the numbers given, labels stand free, and files come out the same byte for byte."""

import builtins
import dataclasses
import math
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from measured import BASE, GOOD, HOSTILE, contrast, evaluation

from whyrank.errors import BadInput, MissingExtra
from whyrank.evaluate.calibration import ReliabilityBin
from whyrank.report.plot_labels import apart
from whyrank.report.plot_style import DARK, LIGHT
from whyrank.report.plot_svg import inline_svg
from whyrank.report.plots import (
    Point,
    Trained,
    delta_bars,
    effectiveness_against_cost,
    forest,
    reliability,
    save,
    training_curve,
)

CONTRAST = contrast(GOOD, BASE)
POINTS = (
    Point("bm25", 0, 0.5),
    Point("small", 1e3, 0.6, 0.55, 0.65),
    Point("large", 1e6, 0.7),
    Point("poor", 2e6, 0.4),
)
BINS = [ReliabilityBin(0, 0.5, 0.2, 0.1, 400), ReliabilityBin(0.5, 1, math.nan, math.nan, 0)]


def words(figure: Any) -> list[str]:
    """All texts of a figure that are not empty."""
    from matplotlib.text import Text

    figure.canvas.draw()
    return [t.get_text() for t in figure.findobj(Text) if t.get_text() and t.get_visible()]


def heights(axes: Any) -> list[float]:
    return [bar.get_height() for bar in axes.patches]


def test_bars_are_the_deltas_sorted() -> None:
    figure = delta_bars(CONTRAST)
    [axes] = figure.axes
    assert heights(axes) == sorted(CONTRAST.deltas_Q.tolist(), reverse=True) == [0.25, 0.25, 0, -0.25]
    seen = words(figure)
    assert [w for w in seen if w.startswith("q")] == ["q1", "q2", "q3", "q4"]
    assert {"2 better, 1 equal", "1 worse", "┄ mean +0.062 [+0.012, +0.113]"} <= set(seen)


def test_many_queries_become_one_outline() -> None:
    deltas = np.linspace(1, -1, 10_000)
    big = dataclasses.replace(CONTRAST, deltas_Q=deltas, queries=tuple(map(str, range(10_000))))
    [axes] = delta_bars(big).axes
    assert len(axes.patches) == 0
    ends = [c.get_paths()[0].get_extents() for c in axes.collections]
    assert max(e.y1 for e in ends) == 1
    assert min(e.y0 for e in ends) == -1


def test_forest_shows_each_interval() -> None:
    figure = forest([CONTRAST, dataclasses.replace(CONTRAST, system="other", delta=-0.5, low=-0.6, high=-0.4)])
    lines = [line.get_xdata() for line in figure.axes[0].lines]
    assert [CONTRAST.low, CONTRAST.high] in [list(x) for x in lines]
    assert {"evidence", "other", "+0.062", "−0.500"} <= set(words(figure))


def test_costs_are_logarithmic_where_they_differ_much_and_zero_has_a_place() -> None:
    figure = effectiveness_against_cost(POINTS, measure="nDCG@10", cost="tokens")
    [axes] = figure.axes
    assert axes.get_xscale() == "log"
    assert {"0", "bm25", "small", "large", "poor"} <= set(words(figure))
    near = effectiveness_against_cost([Point("a", 10, 0.5), Point("b", 20, 0.6)], measure="m", cost="calls")
    assert near.axes[0].get_xscale() == "linear"


def test_the_front_leaves_out_what_another_beats_in_both() -> None:
    [axes] = effectiveness_against_cost(POINTS, measure="m", cost="tokens").axes
    dashed = [line for line in axes.lines if line.get_linestyle() == "--" and len(line.get_xdata()) == 2]
    heights = {y for line in dashed for y in line.get_ydata() if line.get_transform() == axes.transData}
    assert heights == {0.5, 0.6, 0.7}


def test_a_cost_that_is_not_known_is_named_and_not_drawn() -> None:
    seen = words(effectiveness_against_cost([*POINTS, Point("secret", None, 0.9)], measure="m", cost="tokens"))
    assert "tokens (not known, not shown: secret)" in seen
    assert "secret" not in seen
    with pytest.raises(BadInput, match="no system has a known cost in tokens"):
        effectiveness_against_cost([Point("secret", None, 0.9)], measure="m", cost="tokens")


def boxes(figure: Any, names: Sequence[str]) -> list[Any]:
    """Where the names stand, without the lines that tie them to their points."""
    from matplotlib.text import Text

    figure.canvas.draw()
    return [Text.get_window_extent(t) for axes in figure.axes for t in axes.texts if t.get_text() in names]


def test_labels_do_not_cover_each_other() -> None:
    points = [Point(f"system {i}", 100 + i, 0.5 + i / 1000) for i in range(5)]
    points += [Point("cheap", 1, 0.2), Point("far", 10_000, 0.9)]
    found = boxes(effectiveness_against_cost(points, measure="m", cost="tokens"), [p.name for p in points])
    assert len(found) == 7
    assert not any(a.overlaps(b) for i, a in enumerate(found) for b in found[:i])
    series = {f"series {i}": [Trained(10, 0.5 + i / 1000), Trained(100, 0.6 + i / 1000)] for i in range(4)}
    found = boxes(training_curve(series, measure="m"), list(series))
    assert len(found) == 4
    assert not any(a.overlaps(b) for i, a in enumerate(found) for b in found[:i])


def test_training_curve_draws_the_points_in_order_of_size() -> None:
    figure = training_curve(
        {"ours": [Trained(100, 0.6, 0.5, 0.7), Trained(10, 0.5), Trained(50, math.nan)]}, measure="m"
    )
    [axes] = figure.axes
    assert (list(axes.lines[0].get_xdata()), list(axes.lines[0].get_ydata())) == ([10, 100], [0.5, 0.6])
    assert "ours" in words(figure)
    with pytest.raises(BadInput, match="above 0"):
        training_curve({"ours": [Trained(0, 0.5)]}, measure="m")
    with pytest.raises(BadInput, match="at least one point"):
        training_curve({}, measure="m")


def test_reliability_leaves_out_empty_bins() -> None:
    upper, lower = reliability({"as scored": BINS}).axes
    assert [list(line.get_xdata()) for line in upper.lines] == [[0, 1], [0.2]]
    assert heights(lower) == [400]
    with pytest.raises(BadInput, match="every bin is empty"):
        reliability({"as scored": BINS[1:]})


def test_nothing_to_draw_is_said() -> None:
    with pytest.raises(BadInput, match="share no query"):
        delta_bars(dataclasses.replace(CONTRAST, queries=(), deltas_Q=np.zeros(0)))
    with pytest.raises(BadInput, match="one measure"):
        forest([])
    with pytest.raises(BadInput, match=r"ends in \.svg"):
        save(delta_bars(CONTRAST), "picture.jpg")


@pytest.mark.parametrize("ending", ["svg", "png", "pdf"])
def test_the_same_figure_gives_the_same_bytes(tmp_path: Path, ending: str) -> None:
    for name in ("one", "two"):
        save(effectiveness_against_cost(POINTS, measure="m", cost="tokens"), tmp_path / f"{name}.{ending}")
    content = (tmp_path / f"one.{ending}").read_bytes()
    assert content == (tmp_path / f"two.{ending}").read_bytes()
    assert b"<dc:date>" not in content
    assert len(content) > 1000


def test_names_are_text_and_nothing_else(tmp_path: Path) -> None:
    bad = evaluation(HOSTILE, (0.75, 0.5, 0.125, 0.25))
    odd = dataclasses.replace(contrast(bad, BASE), queries=("$q$", "_", "日本語", "<b>"))
    for figure in (
        delta_bars(odd),
        forest([odd]),
        effectiveness_against_cost([Point(HOSTILE, 1, 0.5)], measure="$m", cost="$"),
    ):
        save(figure, tmp_path / "a.svg")
        ElementTree.parse(tmp_path / "a.svg")
        inline = inline_svg(figure, anchor="a", label=HOSTILE)
        assert "<script" not in inline
        assert "\x1b" not in inline
        drawn = "".join(ElementTree.fromstring(inline).itertext())
        assert "$" in drawn  # not taken for mathematics


def test_inline_pictures_need_no_style_and_follow_the_page() -> None:
    inline = inline_svg(delta_bars(CONTRAST), anchor="p1", label="deltas")
    assert "style" not in inline
    assert LIGHT.better not in inline
    assert 'fill="var(--better)"' in inline
    root = ElementTree.fromstring(inline)
    ids = [e.get("id") for e in root.iter() if e.get("id")]
    assert ids
    assert all(i.startswith("p1-") for i in ids if i)
    assert len(ids) == len(set(ids))
    used = [v for e in root.iter() for k in ("href", "clip-path") if (v := e.get(k))]
    assert {u.strip("#").removeprefix("url(#").rstrip(")") for u in used} <= set(ids)
    assert inline == inline_svg(delta_bars(CONTRAST), anchor="p1", label="deltas")


def test_dark_and_light_differ_in_colours_only() -> None:
    assert words(delta_bars(CONTRAST, theme=DARK)) == words(delta_bars(CONTRAST))
    assert delta_bars(CONTRAST, theme=DARK).get_facecolor() != delta_bars(CONTRAST).get_facecolor()


def test_settings_of_the_caller_stay_as_they_were() -> None:
    import matplotlib

    before = dict(matplotlib.rcParams)
    figure = delta_bars(CONTRAST)
    assert dict(matplotlib.rcParams) == before
    assert figure.canvas.manager is None  # pyplot would keep it alive


def test_without_matplotlib_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def refused(name: str, *args: Any, **given: Any) -> Any:
        if name.partition(".")[0] == "matplotlib":
            raise ImportError("no matplotlib")
        return real(name, *args, **given)

    for name in [m for m in sys.modules if m.partition(".")[0] == "matplotlib"]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setattr(builtins, "__import__", refused)
    with pytest.raises(MissingExtra, match=r"pip install 'whyrank\[plots\]'"):
        delta_bars(CONTRAST)


@given(st.lists(st.floats(0, 1000), max_size=12), st.floats(1, 50))
def test_names_at_the_ends_stand_apart_and_in_order(given: list[float], gap: float) -> None:
    places = apart(sorted(given, reverse=True), gap)
    assert len(places) == len(given)
    assert all(upper - lower >= gap - 1e-6 for upper, lower in pairwise(places))


def test_names_that_stand_apart_are_not_moved() -> None:
    assert apart([30.0, 20.0, 10.0], 9.0) == [30.0, 20.0, 10.0]
