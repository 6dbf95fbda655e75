"""A table as HTML: numbers with their bars and intervals. Pure; foreign text enters only through `safe`."""

import math
from collections.abc import Sequence

from whyrank.report import figures
from whyrank.report.figures import Scale
from whyrank.report.html_card import safe
from whyrank.report.table_formats import SIGNS, amount, interval, signed
from whyrank.report.tables import Cell, Column, Table, Versus

_OPEN = '<svg class="range" aria-hidden="true" focusable="false">'


def table_html(table: Table) -> str:
    """The table without title and footnotes; its headings become buttons where scripts run."""
    lines = [_scale([row[place] for row in table.rows]) for place in range(len(table.columns))]
    heads = "".join(f'<th scope="col"{_kind(c)}>{_heading(c)}</th>' for c in table.columns)
    rows = "".join(
        "<tr>"
        + "".join(_cell(cell, column, line) for cell, column, line in zip(row, table.columns, lines, strict=True))
        + "</tr>\n"
        for row in table.rows
    )
    return (
        '<div class="scroll" tabindex="0"><table class="measured sortable">'
        f"<thead><tr>{heads}</tr></thead>\n<tbody>\n{rows}</tbody></table></div>\n"
    )


def _heading(column: Column) -> str:
    lower = ' <span title="lower is better">↓</span>' if column.lower_is_better else ""
    return safe(column.name) + lower


def _kind(column: Column) -> str:
    return f' class="k-{column.kind}"'


def _cell(cell: Cell, column: Column, line: Scale) -> str:
    # On a narrow screen each cell stands in a line of its own, after the name of its column.
    named = f'{_kind(column)} data-name="{safe(column.name)}"'
    if isinstance(cell.value, str):
        note = f' <span class="note">{safe(cell.note)}</span>' if cell.note else ""
        tag = 'th scope="row"' if column.kind == "name" else "td"
        return f"<{tag}{named}><bdi>{safe(cell.value)}</bdi>{note}</{tag.split()[0]}>"
    shown = amount(cell.value, column.kind)
    value = f"<b>{shown}</b>" if cell.is_best else shown
    sort = "" if cell.value is None or math.isnan(cell.value) else f' data-value="{cell.value!r}"'
    if column.kind != "score":
        return f"<td{named}{sort}>{value}</td>"
    between = (
        "" if cell.low is None or cell.high is None else f'<span class="ci">{interval(cell.low, cell.high)}</span>'
    )
    return (
        f'<td{named}{sort}><span class="value">{value}{_mark(cell.versus)}</span>{_bar(cell, line)}{between}'
        f"{_against(cell.versus)}</td>"
    )


def _mark(versus: Versus | None) -> str:
    if versus is None or not versus.mark:
        return ""
    words = f"{versus.mark} than the baseline, p = {versus.p:.4f}"
    return f' <span class="mark {versus.mark}" title="{words}">{SIGNS[versus.mark]}</span>'


def _against(versus: Versus | None) -> str:
    if versus is None:
        return ""
    counts = f"{versus.wins:,}/{versus.ties:,}/{versus.losses:,}"
    return (
        f'<span class="against"><span class="{versus.mark or "even"}">{signed(versus.delta)}</span> '
        f'<span class="wtl" title="queries won, tied, lost">{counts}</span></span>'
    )


def _scale(cells: Sequence[Cell]) -> Scale:
    """From zero to what the column needs; to 1 where all values lie below it, as most measures do."""
    numbers = [v for c in cells for v in (c.value, c.low, c.high) if isinstance(v, int | float)]
    line = figures.scale(numbers)
    return Scale(line.low, 1.0) if 0.0 < line.high <= 1.0 else line


def _bar(cell: Cell, line: Scale) -> str:
    """The value as a bar from zero, its interval as a thin line across the end."""
    if cell.value is None or isinstance(cell.value, str) or math.isnan(cell.value):
        return ""
    start = line.zero - (line.share(cell.value) if cell.value < 0 else 0.0)
    bar = f'<rect class="fill" x="{start:.2%}" y="30%" width="{line.share(cell.value):.2%}" height="40%"/>'
    track = '<rect class="track" y="30%" width="100%" height="40%"/>'
    return f"{_OPEN}{track}{bar}{_whisker(cell, line)}</svg>"


def _whisker(cell: Cell, line: Scale) -> str:
    if cell.low is None or cell.high is None or math.isnan(cell.low) or math.isnan(cell.high):
        return ""
    left, right = (_place(v, line) for v in (cell.low, cell.high))
    return (
        f'<rect class="whisker" x="{left:.2%}" y="44%" width="{right - left:.2%}" height="12%"/>'
        f'<rect class="whisker" x="{left:.2%}" y="20%" width="1.5" height="60%"/>'
        f'<rect class="whisker" x="{right:.2%}" y="20%" width="1.5" height="60%"/>'
    )


def _place(value: float, line: Scale) -> float:
    return min(max(line.zero + math.copysign(line.share(value), value), 0.0), 1.0)
