"""Bars as inline SVG: geometry in attributes, colour by class, so the page needs no inline style. Pure.

Every bar repeats a number that stands beside it, so all of them are hidden from screen readers.
"""

from collections.abc import Iterable, Sequence

from whyrank.report.figures import Scale

_OPEN = '<svg aria-hidden="true" focusable="false">'
_TRACK = '<rect class="track" width="100%" height="100%"/>'


def single(line: Scale, value: float | None) -> str:
    """One bar from zero to `value`; where values lie on either side, zero is a line."""
    share = line.share(value)
    left = line.zero - share if value is not None and value < 0 else line.zero
    axis = f'<rect class="axis" x="{line.zero:.2%}" width="1" height="100%"/>' if line.has_both else ""
    return f"{_OPEN}{_TRACK}{_rect('fill', left, share)}{axis}</svg>"


def signed(line: Scale, value: float | None) -> str:
    """The same, coloured by its sign."""
    share = line.share(value)
    is_against = value is not None and value < 0
    left = line.zero - share if is_against else line.zero
    return f"{_OPEN}{_TRACK}{_rect('against' if is_against else 'for', left, share)}</svg>"


def diverging(share: float) -> str:
    """A bar from the middle: right for positive shares (at most 1), left for negative ones."""
    length = min(abs(share), 1.0) / 2
    bar = _rect("for", 0.5, length) if share >= 0 else _rect("against", 0.5 - length, length)
    return f'{_OPEN}{bar}<rect class="axis" x="50%" width="1" height="100%"/></svg>'


def stacked(values: Sequence[tuple[str, float]]) -> str:
    """Values (class, value) end to end: positive ones right of zero, negative ones left of it.

    The bar is as long as all sizes together: what is taken away takes room beside what is added.
    """
    total = sum(abs(value) for _, value in values)
    if not total:
        return f"{_OPEN}{_TRACK}</svg>"
    negative = [(name, -value / total) for name, value in values if value < 0]
    positive = [(name, value / total) for name, value in values if value > 0]
    zero = sum(share for _, share in negative)
    rects = [*_row(negative, 0.0), *_row(positive, zero)]
    if negative:
        rects.append(f'<rect class="axis" x="{zero:.2%}" width="2" height="100%"/>')
    return f"{_OPEN}{_TRACK}{''.join(rects)}</svg>"


def swatch(name: str) -> str:
    """A square of one colour for a legend."""
    return f'{_OPEN}<rect class="{name}" width="100%" height="100%"/></svg>'


def _row(shares: Iterable[tuple[str, float]], start: float) -> Iterable[str]:
    for name, share in shares:
        yield _rect(name, start, share)
        start += share


def _rect(name: str, left: float, width: float) -> str:
    return f'<rect class="{name}" x="{max(left, 0.0):.2%}" width="{width:.2%}" height="100%"/>'
