"""A table as Markdown, LaTeX, CSV and JSON. Pure.

Markdown and LaTeX are for readers: four decimals. CSV and JSON are for programs: every digit, and JSON has the values
of every query too.
"""

import csv
import io
import json
import math
import re
from collections.abc import Callable
from typing import Any

from whyrank.errors import unknown
from whyrank.evaluate.results import Contrast, Evaluation
from whyrank.report.figures import MINUS
from whyrank.report.tables import Cell, Column, Kind, Table
from whyrank.report.visible import flat, visible

SIGNS = {"": "", "better": "▲", "worse": "▼"}
UNKNOWN = "unknown"
UNDEFINED = "–"


def amount(value: float | str | None, kind: Kind) -> str:
    """A value as readers see it.

    >>> amount(0.50583, "score"), amount(0.8212, "share"), amount(1234567, "count"), amount(None, "count")
    ('0.5058', '82.1 %', '1,234,567', 'unknown')
    """
    if value is None:
        return UNKNOWN
    if isinstance(value, str):
        return value
    if math.isnan(value):
        return UNDEFINED
    match kind:
        case "share":
            return f"{100 * value:.1f} %"
        case "count":
            return f"{value:,.0f}"
        case "seconds":
            return f"{value:,.2f}"
        case _:
            return _minus(f"{value:,.4f}")


def signed(value: float) -> str:
    """Four decimals with a sign.

    >>> signed(0.1), signed(-0.1), signed(0.00001)
    ('+0.1000', '−0.1000', '0.0000')
    """
    text = f"{value:+.4f}"
    return UNDEFINED if math.isnan(value) else _minus(text) if text.strip("+-0.") else text[1:]


def interval(low: float, high: float) -> str:
    """An interval in brackets.

    >>> interval(0.25, 0.5)
    '[0.2500, 0.5000]'
    """
    return f"[{amount(low, 'score')}, {amount(high, 'score')}]"


def _minus(text: str) -> str:
    return MINUS + text[1:] if text.startswith("-") and text.strip("-0.,") else text.lstrip("-")


def to_markdown(table: Table) -> str:
    """A GitHub table, the best values bold, the footnotes below."""
    heads = [_markdown(c.name) + (" ↓" if c.lower_is_better else "") for c in table.columns]
    rules = [":--" if c.kind in {"name", "text"} else "--:" for c in table.columns]
    lines = [f"**{_markdown(table.title)}**", "", _row(heads), _row(rules)]
    lines.extend(_row([_markdown_cell(c, k) for c, k in zip(row, table.columns, strict=True)]) for row in table.rows)
    if table.footnotes:
        lines.extend(["", *(f"- {_markdown(note)}" for note in table.footnotes)])
    return "\n".join(lines) + "\n"


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _markdown_cell(cell: Cell, column: Column) -> str:
    shown = _markdown(amount(cell.value, column.kind))
    parts = [f"**{shown}**" if cell.is_best else shown]
    if cell.low is not None and cell.high is not None:
        # Escaped: "[…]" beside "(…)" would be a link.
        parts.append(_markdown(interval(cell.low, cell.high)))
    if cell.versus:
        v = cell.versus
        parts.append(f"{SIGNS[v.mark]} {signed(v.delta)}".strip())
        parts.append(f"{v.wins:,}/{v.ties:,}/{v.losses:,}")
    if cell.note:
        parts.append(f"({_markdown(cell.note)})")
    return " ".join(parts)


_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>|#~$&])")


def _markdown(text: str) -> str:
    return _MARKDOWN.sub(r"\\\1", flat(visible(text)))


def to_latex(table: Table, *, label: str = "") -> str:
    r"""A `table` for the package booktabs; needs nothing else, whichever engine.

    Marks are small arrows: \uparrow better, \downarrow worse.
    """
    aligned = "".join(
        "l" if c.kind == "name" else "p{0.3\\linewidth}" if c.kind == "text" else "r" for c in table.columns
    )
    heads = [_latex(c.name) + (r" $\downarrow$" if c.lower_is_better else "") for c in table.columns]
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{_latex(table.title)}}}",
        *([rf"\label{{{label}}}"] if label else []),
        rf"\begin{{tabular}}{{@{{}}{aligned}@{{}}}}",
        r"\toprule",
        " & ".join(heads) + r" \\",
        r"\midrule",
    ]
    for row in table.rows:
        lines.extend(_latex_row(row, table.columns))
    lines.extend([r"\bottomrule", r"\end{tabular}"])
    if table.footnotes:
        lines.extend(["", r"\smallskip", r"\begin{minipage}{\linewidth}\footnotesize"])
        lines.extend(_latex(note) + r"\par" for note in table.footnotes)
        lines.append(r"\end{minipage}")
    return "\n".join([*lines, r"\end{table}"]) + "\n"


def _latex_row(row: tuple[Cell, ...], columns: tuple[Column, ...]) -> list[str]:
    """One line of values; small ones of intervals and differences below it where there are any."""
    lines = [" & ".join(_latex_cell(cell, column) for cell, column in zip(row, columns, strict=True))]
    below = ([_latex_interval(cell) for cell in row], [_latex_versus(cell) for cell in row])
    lines.extend(
        " & ".join(rf"{{\scriptsize {text}}}" if text else "" for text in small) for small in below if any(small)
    )
    return [line + r" \\" for line in lines]


def _latex_interval(cell: Cell) -> str:
    return "" if cell.low is None or cell.high is None else _latex(interval(cell.low, cell.high))


def _latex_versus(cell: Cell) -> str:
    v = cell.versus
    return "" if v is None else _latex(f"{signed(v.delta)} {v.wins:,}/{v.ties:,}/{v.losses:,}")


def _latex_cell(cell: Cell, column: Column) -> str:
    shown = _latex(amount(cell.value, column.kind))
    shown = rf"\textbf{{{shown}}}" if cell.is_best else shown
    if cell.versus and cell.versus.mark:
        shown += r"$^{\uparrow}$" if cell.versus.mark == "better" else r"$^{\downarrow}$"
    if cell.note:
        shown += rf" {{\footnotesize ({_latex(cell.note)})}}"
    return shown


_LATEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "_": r"\_", "%": r"\%",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", "[": "{[}", "]": "{]}", '"': r"\textquotedbl{}", "−": "$-$", "–": "--",
    "α": r"$\alpha$", "κ": r"$\kappa$", "τ": r"$\tau$", "ρ": r"$\rho$", "▲": r"$\uparrow$", "▼": r"$\downarrow$",
    "“": "``", "”": "''", "’": "'",
}  # fmt: skip


def _latex(text: str) -> str:
    return "".join(_LATEX.get(c, c) for c in flat(visible(text)))


def to_csv(table: Table) -> str:
    """One line a row and a column for each number; all digits. Empty: not known, or undefined."""
    columns = [c for place in range(len(table.columns)) for c in _numbers(table, place)]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([head for head, _ in columns])
    writer.writerows(zip(*(values for _, values in columns), strict=True))
    return out.getvalue()


def _numbers(table: Table, place: int) -> list[tuple[str, list[object]]]:
    """The columns that one column of the table becomes, each with its heading."""
    name, cells = table.columns[place].name, [row[place] for row in table.rows]
    found = [(name, [_exact(c.value) for c in cells])]
    if any(c.low is not None for c in cells):
        found.append((f"{name} low", [_exact(c.low) for c in cells]))
        found.append((f"{name} high", [_exact(c.high) for c in cells]))
    against = [c.versus for c in cells]
    if test := next((v.test for v in against if v), None):
        found.append((f"{name} delta", ["" if v is None else _exact(v.delta) for v in against]))
        found.append((f"{name} holm_{test}", ["" if v is None else _exact(v.p) for v in against]))
        counts = ("wins", "ties", "losses")
        found.extend((f"{name} {c}", ["" if v is None else getattr(v, c) for v in against]) for c in counts)
    return found


def _exact(value: float | str | None) -> object:
    return "" if value is None or (isinstance(value, float) and math.isnan(value)) else value


def to_json(table: Table) -> str:
    """The table with every digit, the comparisons with both tests, and the values of every query. NaN becomes null."""
    content = {
        "title": table.title,
        "columns": [c._asdict() for c in table.columns],
        "rows": [[_cell(cell) for cell in row] for row in table.rows],
        "footnotes": list(table.footnotes),
        "systems": [_system(e) for e in table.evaluations],
        "comparisons": [_contrast(c) for c in table.contrasts],
    }
    return json.dumps(_null(content), ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def _cell(cell: Cell) -> dict[str, Any]:
    given = {"low": cell.low, "high": cell.high, "note": cell.note or None, "best": cell.is_best or None}
    versus = cell.versus._asdict() if cell.versus else None
    return {"value": cell.value, **{k: v for k, v in {**given, "versus": versus}.items() if v is not None}}


def _system(e: Evaluation) -> dict[str, Any]:
    c = e.coverage
    return {
        "name": e.name,
        "gain": e.gain,
        "ties": e.ties,
        "coverage": {
            "without_results": list(c.without_results),
            "unjudged_queries": list(c.unjudged_queries),
            "without_relevant": list(c.without_relevant),
            "unjudged_at": {str(k): v for k, v in c.unjudged_at.items()},
            "excluded": c.excluded,
        },
        "usage": None if e.usage is None else {f: getattr(e.usage, f) for f in e.usage.__slots__},
        "per_query": {m: dict(zip(e.queries, e.of(m).tolist(), strict=True)) for m in e.measures},
    }


def _contrast(c: Contrast) -> dict[str, Any]:
    plain = {f: getattr(c, f) for f in c.__slots__ if f not in {"queries", "deltas_Q"}}
    return {**plain, "per_query": dict(zip(c.queries, c.deltas_Q.tolist(), strict=True))}


def _null(value: Any) -> Any:
    """JSON has no NaN and no infinity."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {k: _null(v) for k, v in value.items()}
    return [_null(v) for v in value] if isinstance(value, list | tuple) else value


FORMATS: dict[str, Callable[[Table], str]] = {
    "markdown": to_markdown,
    "latex": to_latex,
    "csv": to_csv,
    "json": to_json,
}


def render_table(table: Table, form: str) -> str:
    """The table in one of `FORMATS`.

    Raises:
        UnknownName: there is no such format.
    """
    if form not in FORMATS:
        raise unknown("table format", form, FORMATS)
    return FORMATS[form](table)
