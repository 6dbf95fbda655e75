"""Reasons in a terminal: why a document answers, and why it stands above the next."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from whyrank.report import figures
from whyrank.report.look import AGAINST, EVIDENCE, EVIDENCE_AGAINST, FOR, MUTED, Look
from whyrank.report.passages import is_found
from whyrank.types import Comparison, Counterfactual, Difference, Direct, Document, Evidence

EVIDENCE_SHOWN = 8
DIFFERENCES_SHOWN = 6
QUOTE_LIMIT = 100
ROOMY = 64
"""From this width on both sides of a difference are shown, not only the difference."""


def direct_block(direct: Direct, document: Document, look: Look) -> RenderableType:
    """The reason in English, and its evidence with contributions and query terms."""
    rows: list[RenderableType] = []
    if direct.text:
        rows.append(Text.assemble(("why  ", MUTED), look.text(direct.text)))
    if direct.evidence:
        rows.append(_evidence_table(direct.evidence, document, look))
    return Group(*rows)


def comparison_block(
    comparison: Comparison, look: Look, *, lower_rank: int | None = None, lower_score: float | None = None
) -> RenderableType:
    """Margin, reason, the largest signed differences as bars, and what would turn it."""
    place = "" if lower_rank is None else f"#{lower_rank} "
    margin = figures.unsaid_margin(comparison)
    head = Text.assemble(
        (f"above {place}", MUTED),
        look.line(comparison.lower_id, style="bold"),
        *([] if margin is None else [(" by ", MUTED), (figures.number(margin), "bold")]),
    )
    rows: list[RenderableType] = [head]
    if comparison.text:
        rows.append(look.text(comparison.text))
    if comparison.differences:
        rows.append(_difference_table(comparison.differences, look))
    if comparison.counterfactual:
        rows.extend(_turning(comparison.counterfactual, comparison.lower_id, lower_score, look))
    return Group(*rows)


def _evidence_table(evidence: tuple[Evidence, ...], document: Document, look: Look) -> Table:
    line = figures.scale(e.contribution for e in evidence)
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(justify="right", no_wrap=True, overflow="crop")
    grid.add_column(width=5, no_wrap=True, overflow="crop")
    grid.add_column(overflow="fold")
    for item in evidence[:EVIDENCE_SHOWN]:
        style = EVIDENCE_AGAINST if (item.contribution or 0) < 0 else EVIDENCE
        value = figures.carried(item.contribution)
        bar = look.bar(line.share(item.contribution), 5, style)
        grid.add_row(look.text(value, style=style), bar, _quote(item, document, look))
    if len(evidence) > EVIDENCE_SHOWN:
        grid.add_row("", "", Text(f"and {len(evidence) - EVIDENCE_SHOWN} more", style=MUTED))
    return grid


def _quote(item: Evidence, document: Document, look: Look) -> Text:
    if item.span is None or not is_found(document, item):
        words = Text.assemble(("not found in the document: ", "yellow"), look.quote(item.quote, QUOTE_LIMIT))
    else:
        field = "title: " if item.span.field == "title" else ""
        words = Text.assemble((field, MUTED), look.quote(document.quote(item.span), QUOTE_LIMIT))
    if item.query_terms:
        words.append("\n").append_text(look.line(" · ".join(item.query_terms[: figures.WORDS_SHOWN]), style=MUTED))
    return words


def _difference_table(differences: tuple[Difference, ...], look: Look) -> Table:
    shown = figures.largest(differences, DIFFERENCES_SHOWN)
    line = max((abs(s.value) for s in shown.largest), default=0.0) or 1.0
    half = 6 if look.width >= ROOMY else 5
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(overflow="fold")
    grid.add_column(width=2 * half + 1, no_wrap=True, overflow="crop")
    grid.add_column(justify="right", no_wrap=True, overflow="crop")
    grid.add_column(no_wrap=True, overflow="crop")
    for summed in shown.largest:
        value = summed.value
        sides = f"{figures.number(summed.upper)} : {figures.number(summed.lower)}"
        grid.add_row(
            look.line(summed.name, style="bold" if summed.kind == "word" else ""),
            look.diverging(value / line, half),
            look.text(figures.signed(value), style=FOR if value > 0 else AGAINST),
            look.text(sides if look.width >= ROOMY else "", style=MUTED),
        )
    if shown.others:
        others = figures.counted(shown.others, "smaller one")
        grid.add_row(Text(others, style=MUTED), "", look.text(figures.signed(shown.others_sum), style=MUTED))
    return grid


def _turning(found: Counterfactual, lower_id: str, lower_score: float | None, look: Look) -> list[Text]:
    sign = look.sign("↯ ", "~ ")
    style = "yellow" if found.status == "flips" else MUTED
    said = found.text or figures.turning(found, lower_score).replace(figures.NAME, lower_id)
    quotes = [look.quote(quote, QUOTE_LIMIT, style="strike") for quote in figures.struck(found)]
    return [Text.assemble((sign, style), look.line(said)), *(Text.assemble("  ", quote) for quote in quotes)]
