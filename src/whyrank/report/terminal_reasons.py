"""Reasons in a terminal: why a document answers, and why it stands above the next."""

from collections.abc import Iterator, Sequence
from typing import TypeAlias

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from whyrank.reason.writers import GIVEN
from whyrank.report import figures
from whyrank.report.look import AGAINST, EVIDENCE, EVIDENCE_AGAINST, EVIDENCE_WEAK, FOR, MUTED, Look
from whyrank.report.passages import is_found
from whyrank.types import Comparison, Counterfactual, Difference, Direct, Document, Evidence

Side: TypeAlias = tuple[str, Document | None, Sequence[Evidence]]
"""What a reader knows a document by, the document, and what is quoted of it."""

EVIDENCE_SHOWN = 8
DIFFERENCES_SHOWN = 6
QUOTE_LIMIT = 100
_LOST = "not found in the document: "
ROOMY = 64
"""From this width on both sides of a difference are shown, not only the difference."""


def direct_block(direct: Direct, document: Document, look: Look, *, is_signed: bool = True) -> RenderableType:
    """The reason in English, and its evidence with contributions and query terms; or what a model wrote.

    Args:
        direct: the reason.
        document: what it is about.
        look: what the terminal can show.
        is_signed: whether a written reason names its writer here, and not once for all elsewhere.
    """
    rows: list[RenderableType] = []
    if direct.text:
        style = "" if direct.status in GIVEN else "yellow"
        rows.append(Text.assemble(("why  ", MUTED), look.text(direct.text, style=style)))
    if direct.source:
        if direct.evidence:
            rows.append(_quotes([("", document, direct.evidence)], look))
        rows.extend(_byline(direct, look) if is_signed else ())
    elif direct.evidence:
        rows.append(_evidence_table(direct, document, look))
    return Group(*rows)


def comparison_block(
    comparison: Comparison,
    look: Look,
    *,
    upper_rank: int | None = None,
    lower_rank: int | None = None,
    lower_score: float | None = None,
    documents: tuple[Document, Document] | None = None,
    is_signed: bool = True,
) -> RenderableType:
    """Margin, reason, the largest signed differences as bars, and what would turn it; or what a model wrote.

    Args:
        comparison: of two documents.
        look: what the terminal can show.
        upper_rank: the upper document's place.
        lower_rank: the lower document's place.
        lower_score: the lower document's score.
        documents: the upper and the lower, in which the quotes of a written comparison stand.
        is_signed: whether a written comparison names its writer here, and not once for all elsewhere.
    """
    place = "" if lower_rank is None else f"#{lower_rank} "
    margin = figures.unsaid_margin(comparison)
    head = Text.assemble(
        (f"above {place}", MUTED),
        look.line(comparison.lower_id, style="bold"),
        *([] if margin is None else [(" by ", MUTED), (figures.number(margin), "bold")]),
    )
    rows: list[RenderableType] = [head]
    if comparison.text:
        rows.append(look.text(comparison.text, style="" if comparison.status in GIVEN else "yellow"))
    if comparison.source:
        names = (f"#{upper_rank}" if upper_rank else comparison.upper_id, place.strip() or comparison.lower_id)
        sides = zip(
            names, documents or (None, None), (comparison.upper_evidence, comparison.lower_evidence), strict=True
        )
        rows.extend(_written(comparison, names, [side for side in sides if side[2]], look))
        rows.extend(_byline(comparison, look) if is_signed else ())
    if comparison.differences:
        rows.append(_difference_table(comparison.differences, look))
    if comparison.counterfactual:
        rows.extend(_turning(comparison.counterfactual, comparison.lower_id, lower_score, look))
    return Group(*rows)


def _written(
    comparison: Comparison, names: tuple[str, str], sides: Sequence[Side], look: Look
) -> Iterator[RenderableType]:
    """The quotes of a comparison that a model wrote, what it called the documents, and what it thinks of the order."""
    if sides:
        yield _quotes(sides, look)
    letters, agreement = figures.letters(comparison, *names), figures.agreement(comparison, *names)
    style = MUTED if comparison.agrees is not False else "yellow"
    said = [look.line(words, style=own) for words, own in ((letters, MUTED), (agreement, style)) if words]
    if said:
        yield Text(look.sign(" · ", " - "), style=MUTED).join(said)


def _quotes(sides: Sequence[Side], look: Look) -> Table:
    """What a model quoted of each document: in the document's own words, or marked as not found there."""
    grid = Table.grid(padding=(0, 1, 0, 0))
    if any(label for label, *_ in sides):
        grid.add_column(max_width=look.width // 3, overflow="fold")
    grid.add_column(overflow="fold")
    for label, document, evidence in sides:
        for item in evidence[:EVIDENCE_SHOWN]:
            named = [look.line(label, style=MUTED)] if label else []
            grid.add_row(*named, _written_quote(item, document, look))
    return grid


def _written_quote(item: Evidence, document: Document | None, look: Look) -> Text:
    if item.span is None or (document is not None and not is_found(document, item)):
        return Text.assemble((_LOST, "yellow"), look.quote(item.quote, QUOTE_LIMIT))
    words = item.quote if document is None else document.quote(item.span)
    return look.quote(words, QUOTE_LIMIT, style=EVIDENCE_WEAK)


def _byline(reason: Direct | Comparison, look: Look) -> Iterator[Text]:
    if reason.source:
        words = look.folded(figures.byline(reason), look.width - 3, style=MUTED)
        yield Text.assemble((look.sign("— ", "-- "), MUTED), words)


def _evidence_table(direct: Direct, document: Document, look: Look) -> Table:
    evidence = direct.evidence
    line = figures.scale(e.contribution for e in evidence)
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(justify="right", no_wrap=True, overflow="crop")
    grid.add_column(width=5, no_wrap=True, overflow="crop")
    grid.add_column(overflow="fold")
    for item in evidence[:EVIDENCE_SHOWN]:
        style = EVIDENCE_AGAINST if (item.contribution or 0) < 0 else EVIDENCE
        value = figures.carried(item.contribution)
        bar = look.bar(line.share(item.contribution), 5, style)
        grid.add_row(
            look.text(value, style=style), bar, _quote(item, document, look, is_pointed=item.span == direct.pointed)
        )
    if len(evidence) > EVIDENCE_SHOWN:
        grid.add_row("", "", Text(f"and {len(evidence) - EVIDENCE_SHOWN} more", style=MUTED))
    return grid


def _quote(item: Evidence, document: Document, look: Look, *, is_pointed: bool) -> Text:
    if item.span is None or not is_found(document, item):
        words = Text.assemble((_LOST, "yellow"), look.quote(item.quote, QUOTE_LIMIT))
    else:
        field = "title: " if item.span.field == "title" else ""
        mark = look.sign("☞ ", "> ") if is_pointed else ""
        words = Text.assemble((mark, EVIDENCE), (field, MUTED), look.quote(document.quote(item.span), QUOTE_LIMIT))
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
