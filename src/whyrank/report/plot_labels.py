"""Names beside the points of a plot, where they cover neither points nor each other."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

Line: TypeAlias = tuple[tuple[float, float], tuple[float, float]]
"""From (x, y) to (x, y)."""


class Box(NamedTuple):
    """A rectangle in pixels."""

    left: float
    bottom: float
    right: float
    top: float

    def overlap(self, other: "Box") -> float:
        """The area that both cover."""
        wide = min(self.right, other.right) - max(self.left, other.left)
        high = min(self.top, other.top) - max(self.bottom, other.bottom)
        return max(wide, 0.0) * max(high, 0.0)


# Where a label may stand, nicest first: (right of, above) the point in points, and how it is aligned there.
_PLACES: tuple[tuple[float, float, str, str], ...] = (
    (5, 0, "left", "center"),
    (-5, 0, "right", "center"),
    (0, 6, "center", "bottom"),
    (0, -6, "center", "top"),
    (5, 5, "left", "bottom"),
    (5, -5, "left", "top"),
    (-5, 5, "right", "bottom"),
    (-5, -5, "right", "top"),
    (7, 13, "left", "bottom"),
    (7, -13, "left", "top"),
    (-7, 13, "right", "bottom"),
    (-7, -13, "right", "top"),
    (9, 24, "left", "bottom"),
    (9, -24, "left", "top"),
    (-9, 24, "right", "bottom"),
    (-9, -24, "right", "top"),
    (12, 35, "left", "bottom"),
    (12, -35, "left", "top"),
    (-12, 35, "right", "bottom"),
    (-12, -35, "right", "top"),
)
_NEAR = 6
"""Labels further above or below than this are tied to their point by a line."""

_TEXT_ON_TEXT = 5.0
"""Names on each other cannot be read; a name on a line can."""


def place_labels(
    axes: Any, labels: Sequence[tuple[float, float, str]], colour: str, lines: Sequence[Line] = ()
) -> None:
    """Name the points (x, y, name), each at the first place where it covers nothing, or else the least.

    `lines`, level or upright, are not to be covered either.

    A label that had to move away is tied to its point by a thin line.
    """
    figure = axes.figure
    figure.draw_without_rendering()
    renderer = figure.canvas.get_renderer()
    pixel = figure.dpi / 72
    frame = Box(*axes.get_window_extent(renderer).padded(2 * pixel).extents)
    at = [axes.transData.transform((x, y)) for x, y, _ in labels]
    taken = [Box(x - 4 * pixel, y - 4 * pixel, x + 4 * pixel, y + 4 * pixel) for x, y in at]
    for line in lines:
        (left, low), (right, high) = axes.transData.transform(line)
        taken.append(Box(left - pixel, low - pixel, right + pixel, high + pixel))
    placed: list[Box] = []
    number_of = {label: number for number, label in enumerate(labels)}
    for x, y, name in sorted(labels, key=lambda p: (-p[1], p[0], p[2])):
        tried = []
        for number, (right, above, ha, va) in enumerate(_PLACES):
            text = axes.annotate(
                name, (x, y), xytext=(right, above), textcoords="offset points", ha=ha, va=va, color=colour,
                parse_math=False,
            )  # fmt: skip
            box = Box(*text.get_window_extent(renderer).extents)
            outside = _area(box) - box.overlap(frame)
            covered = sum(box.overlap(t) for t in taken) + _TEXT_ON_TEXT * sum(box.overlap(t) for t in placed)
            is_tied = abs(above) > _NEAR
            stolen = 0.0 if is_tied else _area(box) * _is_nearer_to_another(box, number_of[x, y, name], at)
            tried.append((covered + _TEXT_ON_TEXT * outside + stolen, number, box))
            text.remove()
            if tried[-1][0] <= 0:
                break
        _, number, box = min(tried)
        right, above, ha, va = _PLACES[number]
        tie = {"arrowstyle": "-", "lw": 0.5, "color": colour, "alpha": 0.6, "shrinkA": 0, "shrinkB": 3}
        text = axes.annotate(
            name, (x, y), xytext=(right, above), textcoords="offset points", ha=ha, va=va, color=colour,
            arrowprops=tie if abs(above) > _NEAR else None, parse_math=False,
        )  # fmt: skip
        text.set_in_layout(False)
        placed.append(box)


def spread(axes: Any, ends: Sequence[tuple[float, float, str, str]]) -> None:
    """Name lines (x, y, name, colour) at their right ends, moved apart where they would touch."""
    if not ends:
        return
    figure = axes.figure
    figure.draw_without_rendering()
    line = 9.5 * figure.dpi / 72
    ordered = sorted(ends, key=lambda e: -e[1])
    wanted = [axes.transData.transform((x, y))[1] for x, y, _, _ in ordered]
    for (x, y, name, colour), height, place in zip(ordered, wanted, apart(wanted, line), strict=True):
        axes.annotate(
            name, (x, y), xytext=(7, (place - height) * 72 / figure.dpi), textcoords="offset points", va="center",
            color=colour, weight="bold", annotation_clip=False, parse_math=False,
        )  # fmt: skip


def apart(places: Sequence[float], gap: float) -> list[float]:
    """Places, highest first, moved so that neighbours are at least `gap` apart; groups keep their middle.

    >>> apart([10.0, 9.0, 0.0], 4.0)
    [11.5, 7.5, 0.0]
    """
    groups: list[tuple[float, int]] = []  # (middle, how many), highest first
    for place in places:
        middle, size = place, 1
        while groups and groups[-1][0] - middle < gap * (groups[-1][1] + size) / 2:
            above, count = groups.pop()
            middle = (above * count + middle * size) / (count + size)
            size += count
        groups.append((middle, size))
    return [middle + gap * ((size - 1) / 2 - i) for middle, size in groups for i in range(size)]


def _is_nearer_to_another(box: Box, own: int, points: Sequence[Any]) -> bool:
    """Whether a reader would take the label for that of another point."""
    distances = [_distance(box, x, y) for x, y in points]
    return any(d < distances[own] for i, d in enumerate(distances) if i != own)


def _distance(box: Box, x: float, y: float) -> float:
    wide = max(box.left - x, 0.0, x - box.right)
    high = max(box.bottom - y, 0.0, y - box.top)
    return math.hypot(wide, high)


def _area(box: Box) -> float:
    return (box.right - box.left) * (box.top - box.bottom)
