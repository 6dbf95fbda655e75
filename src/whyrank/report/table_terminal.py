"""A table in a terminal.

    from rich.console import Console
    Console().print(TableView(table))

Where the columns do not fit beside each other they are continued below, each block with the names of its rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.rule import Rule
from rich.table import Table as Grid
from rich.text import Text

from whyrank.report.look import AGAINST, FOR, MUTED, Look
from whyrank.report.table_formats import SIGNS, amount, interval, signed
from whyrank.report.tables import Cell, Column, Table
from whyrank.report.terminal import WIDEST
from whyrank.report.visible import visible

GAP = 2
NAME_WIDEST = 28
TEXT_NARROWEST = 30
_PLAIN = str.maketrans({"▲": "^", "▼": "v"})


@dataclass(frozen=True)
class TableView:
    """A rich renderable of one table. It fits itself to the console."""

    table: Table

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        look = Look(options.encoding, min(options.max_width, WIDEST))
        yield look.line(self.table.title, style="bold")
        if not self.table.rows:
            yield Text("Nothing was measured.", style=MUTED)
        else:
            cells = [
                [_cell(c, k, look) for c, k in zip(row, self.table.columns, strict=True)] for row in self.table.rows
            ]
            for block in _blocks(self.table.columns, cells, look):
                yield Rule(style=MUTED, characters=look.sign("─", "-"))
                yield _grid(self.table.columns, cells, block, look)
            yield Rule(style=MUTED, characters=look.sign("─", "-"))
        for note in self.table.footnotes:
            yield look.line(note if look.is_unicode else note.translate(_PLAIN), style=MUTED)


def _cell(cell: Cell, column: Column, look: Look) -> Text:
    """Up to three lines: the value with its difference, the interval, wins, ties and losses."""
    if isinstance(cell.value, str):
        note = Text.assemble("\n", look.line(cell.note, style=MUTED)) if cell.note else Text()
        return Text.assemble(look.line(cell.value, style="bold" if column.kind == "name" else ""), note)
    parts = [Text(_plain(amount(cell.value, column.kind), look), style="bold" if cell.is_best else "")]
    if cell.versus:
        sign = SIGNS[cell.versus.mark]
        style = {"better": FOR, "worse": AGAINST}.get(cell.versus.mark, MUTED)
        parts.append(Text(f" {(sign if look.is_unicode else sign.translate(_PLAIN)) or ' '} ", style=style))
        parts.append(Text(_plain(signed(cell.versus.delta), look), style=style))
    lines = [Text.assemble(*parts)]
    if cell.low is not None and cell.high is not None:
        lines.append(Text(_plain(interval(cell.low, cell.high), look), style=MUTED))
    if cell.versus:
        v = cell.versus
        lines.append(Text(f"{v.wins:,}/{v.ties:,}/{v.losses:,} W/T/L", style=MUTED))
    if cell.note:
        lines.append(look.line(cell.note, style=MUTED))
    return Text("\n").join(lines)


def _plain(text: str, look: Look) -> str:
    return visible(text, encoding=look.encoding)


def _width(text: Text) -> int:
    return max((cell_len(line) for line in text.plain.split("\n")), default=0)


def _widths(columns: Sequence[Column], cells: Sequence[Sequence[Text]], look: Look) -> list[int]:
    """What each column needs; names and longer texts can fold and ask for less."""
    widths = []
    for place, column in enumerate(columns):
        needed = max(cell_len(_heading(column, look).plain), *(_width(row[place]) for row in cells))
        if column.kind == "name":
            needed = min(needed, NAME_WIDEST, max(look.width // 3, 8))
        elif column.kind == "text":
            needed = min(needed, TEXT_NARROWEST)
        widths.append(min(needed, look.width))
    return widths


def _blocks(columns: Sequence[Column], cells: Sequence[Sequence[Text]], look: Look) -> list[list[int]]:
    """The columns (by place, the first left out) that stand beside each other, block by block."""
    widths = _widths(columns, cells, look)
    blocks: list[list[int]] = [[]]
    room = look.width - widths[0]
    for place in range(1, len(columns)):
        if blocks[-1] and room < widths[place] + GAP:
            blocks.append([])
            room = look.width - widths[0]
        blocks[-1].append(place)
        room -= widths[place] + GAP
    return blocks


def _grid(
    columns: Sequence[Column], cells: Sequence[Sequence[Text]], block: Sequence[int], look: Look
) -> RenderableType:
    widths = _widths(columns, cells, look)
    free = look.width - widths[0] - sum(widths[p] + GAP for p in block)
    grid = Grid.grid(padding=(0, GAP, 0, 0), pad_edge=False)
    grid.add_column(width=widths[0], overflow="fold")
    for place in block:
        is_text = columns[place].kind == "text"
        wanted = max(_width(row[place]) for row in cells)
        width = min(widths[place] + free, max(wanted, widths[place])) if is_text else widths[place]
        free -= width - widths[place]
        grid.add_column(width=width, overflow="fold", justify="left" if is_text or _is_tall(cells, place) else "right")
    grid.add_row(*(_heading(columns[p], look) for p in [0, *block]))
    has_tall = any(_is_tall(cells, p) for p in [0, *block])
    for number, row in zip(count(), cells, strict=False):
        if has_tall and number:
            grid.add_row()
        grid.add_row(*(row[p] for p in [0, *block]))
    return Group(grid)


def _heading(column: Column, look: Look) -> Text:
    lower = look.sign(" ↓", " (lower)") if column.lower_is_better else ""
    return Text.assemble(look.line(column.name, style=MUTED), (lower, MUTED))


def _is_tall(cells: Sequence[Sequence[Text]], place: int) -> bool:
    return any("\n" in row[place].plain for row in cells)
