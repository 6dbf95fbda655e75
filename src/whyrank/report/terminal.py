"""A ranking and its reasons in a terminal.

    from rich.console import Console
    Console().print(RankingView(ranking))

Text of documents, queries and models enters only through `Look.text`, never as rich markup.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from whyrank.report import figures
from whyrank.report.figures import Scale
from whyrank.report.look import ACCENT, AGAINST, EVIDENCE, EVIDENCE_AGAINST, EVIDENCE_WEAK, FOR, MUTED, Look
from whyrank.report.passages import Mark, marks_in, pieces, window
from whyrank.report.terminal_reasons import comparison_block, direct_block
from whyrank.report.visible import visible
from whyrank.types import Evidence, Explanations, Hit, Ranking

WIDEST = 132
"""Lines longer than this are hard to read, however wide the terminal is."""

ROOMY = 76
"""From this width on there is room for score bars."""

SNIPPET_LINES = 3
_MOVES = {"up": ("▲", "^", FOR), "down": ("▼", "v", AGAINST), "same": ("·", "=", MUTED)}


@dataclass(frozen=True)
class RankingView:
    """A rich renderable of one ranking: query, hits with their reasons, footer. It fits itself to the console.

    Attributes:
        ranking: what to show.
        limit: how many hits are shown.
        reasons: whether explanations are shown, where there are any.
    """

    ranking: Ranking
    limit: int = 10
    reasons: bool = True

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        look = Look(options.encoding, min(options.max_width, WIDEST))
        yield heading(self.ranking, look)
        yield from _body(self.ranking, self.limit, look, with_reasons=self.reasons)
        yield Text()
        yield footer(self.ranking, look, shown=min(self.limit, len(self.ranking)))


def heading(ranking: Ranking, look: Look) -> RenderableType:
    """The query above a line."""
    line = Rule(style=MUTED, characters=look.sign("─", "-"))
    return _within(Group(look.text(ranking.query.text, style="bold"), line), look)


def footer(ranking: Ranking, look: Look, *, shown: int) -> RenderableType:
    """Status, what a careful reader must know, what it cost."""
    lines = []
    if ranking.status != "ok":
        lines.append(look.text(f"status: {ranking.status}", style="bold yellow"))
    lines.extend(
        Text.assemble((look.sign("▸ ", "! "), "yellow"), look.text(note, style="yellow")) for note in ranking.notes
    )
    count = figures.counted(len(ranking), "hit")
    facts = [f"{shown} of {count}" if shown < len(ranking) else count]
    facts += [] if ranking.ranker else ["in the order given"]
    lines.append(look.text(" · ".join([*facts, *figures.usage(ranking.usage)]), style=MUTED))
    parts: list[RenderableType] = [*lines, *([signature("ranked by", ranking.ranker, look)] if ranking.ranker else [])]
    return _within(Group(*parts, *reasons_footer(ranking.explanations, look)), look)


def reasons_footer(explanations: Explanations | None, look: Look) -> Iterator[RenderableType]:
    """What the reasons cost, and who wrote them, if one model wrote them all."""
    if explanations is None:
        return
    if spent := figures.usage(explanations.usage):
        yield look.text("reasons: " + " · ".join(spent), style=MUTED)
    if writer := figures.only_writer(explanations):
        yield signature("reasons written by" if not spent else "written by", writer, look)


def signature(label: str, name: str, look: Look) -> RenderableType:
    """A name in full on lines of its own: those of models are long, and hold no space to break them at."""
    grid = Table.grid(padding=(0, 1, 0, 0), pad_edge=False)
    grid.add_column(width=len(label), no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_row(Text(label, style=MUTED), look.folded(name, look.width - len(label) - 1, style=MUTED))
    return grid


def hit_row(
    hit: Hit, rank: int, evidence: Sequence[Evidence] | None, line: Scale, columns: "Columns", look: Look
) -> RenderableType:
    """One hit as a row: rank, move, score, bar, document. All rows of one view have the same columns."""
    cells: list[RenderableType] = [
        Text(str(rank), style="bold"),
        move_text(rank, hit, look),
        look.text(figures.standing(hit)),
    ]
    if columns.bar:
        cells.append(score_bar(hit.score, line, columns.bar, look))
    grid = columns.grid()
    grid.add_row(*cells, document_cell(hit, evidence or (), columns.document, look))
    return grid


def score_bar(score: float | None, line: Scale, cells: int, look: Look) -> Text:
    """A bar from zero, to the right for what is above it: where some scores are below, zero is a line between."""
    share = line.share(score)
    if not line.has_both:
        return look.bar(share, cells, ACCENT)
    return look.around(-share if (score or 0.0) < 0 else share, line.zero, cells, ACCENT)


def move_text(rank: int, hit: Hit, look: Look) -> Text:
    """▲3, ▼1, · or "new"; ^3, v1 and = where the output has no such signs."""
    move = figures.movement(rank, hit)
    if move.kind == "new":
        return Text("new", style="blue")
    sign, plain, style = _MOVES[move.kind]
    return Text(look.sign(sign, plain) + (str(move.places) if move.places else ""), style=style)


def document_cell(hit: Hit, evidence: Sequence[Evidence], width: int, look: Look) -> Text:
    """Id and title on one line, then a stretch of the text around the strongest evidence."""
    document = hit.document
    cell = Text().append_text(look.line(document.id, style="bold"))
    if document.title:
        cell.append("  ")
        marks = marks_in(document, evidence, "title")
        for piece in pieces(marks, 0, len(document.title)):
            cell.append_text(look.line(document.title[piece.start : piece.end], style=_mark_style(piece.mark)))
    marks = marks_in(document, evidence)
    best = max(marks, key=lambda m: (m.strength, -m.number), default=None)
    start, end = window(document.text, best, _room(document.text, width))
    cell.append("\n")
    cell.append(look.sign("…", "...") if start else "", style=MUTED)
    for piece in pieces(marks, start, end):
        cell.append_text(look.line(document.text[piece.start : piece.end], style=_mark_style(piece.mark)))
    cell.append(look.sign("…", "...") if end < len(document.text) else "", style=MUTED)
    if hit.cut:
        cell.append(f"\n(its last {figures.counted(hit.cut, 'character')} were not read)", style="yellow")
    return cell


@dataclass(frozen=True)
class Columns:
    """Widths in cells. The document comes last: whatever it holds can shift nothing beside it."""

    rank: int
    move: int
    score: int
    bar: int
    document: int

    @classmethod
    def of(cls, ranking: Ranking, shown: int, look: Look) -> "Columns":
        """The widths that the shown hits need."""
        hits = list(enumerate(ranking.hits[:shown], 1))
        rank = len(str(shown))
        move = max((move_text(i, hit, look).cell_len for i, hit in hits), default=1)
        score = max((len(figures.standing(hit)) for _, hit in hits), default=1)
        line = figures.scale(hit.score for hit in ranking.hits)
        bar = 10 if look.width >= ROOMY and line.has_positive else 0
        taken = rank + move + score + 6 + (bar + 2 if bar else 0)
        return cls(rank, move, score, bar, max(look.width - taken, 16))

    @property
    def before(self) -> int:
        """How many cells lie left of the document."""
        return self.rank + self.move + self.score + 6 + (self.bar + 2 if self.bar else 0)

    def grid(self) -> Table:
        """An empty row of these columns."""
        grid = Table.grid(padding=(0, 2, 0, 0), pad_edge=False)
        grid.add_column(width=self.rank, justify="right", overflow="crop")
        grid.add_column(width=self.move, overflow="crop")
        grid.add_column(width=self.score, justify="right", overflow="crop")
        if self.bar:
            grid.add_column(width=self.bar, overflow="crop")
        grid.add_column(width=self.document, overflow="fold")
        return grid


def _body(ranking: Ranking, limit: int, look: Look, *, with_reasons: bool) -> Iterator[RenderableType]:
    shown = ranking.hits[: max(limit, 0)]
    found = figures.reasons(ranking.explanations if with_reasons else None)
    is_signed = not figures.only_writer(ranking.explanations)
    line = figures.scale(hit.score for hit in ranking.hits)
    columns = Columns.of(ranking, len(shown), look)
    # Reasons stand under the document where that leaves them room to breathe, and further left where it does not.
    indent = columns.before if look.width - columns.before >= 60 else columns.rank + 2
    places = {hit.document.id: (place, hit) for place, hit in enumerate(ranking.hits, 1)}
    if not shown:
        yield Text("No hits." if not ranking.hits else "No hits shown.", style=MUTED)
    for rank, hit in enumerate(shown, 1):
        if rank > 1:
            yield Text()
        directs = found.direct.get(hit.document.id, [])
        yield hit_row(hit, rank, [e for direct in directs for e in direct.evidence], line, columns, look)
        inner = look.narrowed(indent)
        blocks = [direct_block(direct, hit.document, inner, is_signed=is_signed) for direct in directs]
        for comparison in found.above.get(hit.document.id, []):
            place, lower = places.get(comparison.lower_id, (None, None))
            blocks.append(
                comparison_block(
                    comparison,
                    inner,
                    upper_rank=rank,
                    lower_rank=place,
                    lower_score=lower.score if lower else None,
                    documents=(hit.document, lower.document) if lower else None,
                    is_signed=is_signed,
                )
            )
        yield from (Padding(block, (1, 0, 0, indent), expand=False) for block in blocks)


def _room(text: str, width: int) -> int:
    """How many characters fill the snippet; Chinese ones are two cells wide."""
    sample = visible(text[:200])
    per_character = cell_len(sample) / len(sample) if sample else 1.0
    return int((SNIPPET_LINES * width - 6) / max(per_character, 1.0))


def _mark_style(mark: Mark | None) -> str:
    if mark is None:
        return ""
    return EVIDENCE_AGAINST if mark.is_against else EVIDENCE if mark.strength >= 0.5 else EVIDENCE_WEAK


def _within(renderable: RenderableType, look: Look) -> RenderableType:
    grid = Table.grid()
    grid.add_column(width=look.width, overflow="fold")
    grid.add_row(renderable)
    return grid
