"""One hit as an HTML card: place, document with its evidence in place, reason, comparison with the next.

Foreign text enters only through `safe`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import accumulate

from whyrank.reason.sums import Sum
from whyrank.reason.writers import GIVEN
from whyrank.report import bars, figures
from whyrank.report.figures import Scale
from whyrank.report.passages import Mark, is_found, marks_in, pieces, windows
from whyrank.report.visible import clipped, visible
from whyrank.types import Comparison, Counterfactual, Direct, Document, Evidence, Hit

WHOLE_UP_TO = 900
"""Characters of a document that are shown without windows."""

MOST_SHOWN = 30_000
"""Characters of a document that are shown at all; a page must stay a few megabytes."""

REACH, GAP = 160, 90
EVIDENCE_SHOWN = 8
DIFFERENCES_SHOWN = 6
NAME_LIMIT = 80
REASON_LIMIT = 4_000
QUOTE_LIMIT = 300
_ARROWS = {"up": "▲", "down": "▼"}


@dataclass(frozen=True)
class Setting:
    """What all cards of one ranking share.

    Attributes:
        anchor: start of the ids of this ranking's elements.
        line: the scale of the scores.
        colours: part of the score → class of its colour.
        hits: document id → rank and hit.
        is_scored: whether any hit has a score.
        is_signed: whether each written reason names its writer, and not one place for all.
    """

    anchor: str
    line: Scale
    colours: Mapping[str, str]
    hits: Mapping[str, tuple[int, Hit]]
    is_scored: bool
    is_signed: bool


POINTED = (
    '<span aria-hidden="true" title="the student points at this sentence">☞ </span>'
    '<span class="sr">the student points at this sentence: </span>'
)


def safe(text: str) -> str:
    """Foreign text for element content and quoted attributes."""
    return escape(visible(text), quote=True)


def name(document: Document) -> str:
    """What a reader calls a document: its title, or its id."""
    return clipped(document.title, NAME_LIMIT) if document.title and document.title.strip() else document.id


def card(hit: Hit, rank: int, directs: Sequence[Direct], comparisons: Sequence[Comparison], setting: Setting) -> str:
    """The card of one hit. Its evidence is numbered through all of its reasons."""
    evidence = [e for direct in directs for e in direct.evidence[:EVIDENCE_SHOWN]]
    firsts = accumulate((len(direct.evidence[:EVIDENCE_SHOWN]) for direct in directs), initial=1)
    why = [_why(direct, hit.document, first, setting) for direct, first in zip(directs, firsts, strict=False)]
    anchor = f"{setting.anchor}-{rank}"
    return (
        f'<li><article class="hit" aria-labelledby="{anchor}">'
        f'<div class="place"><span class="rank"><span class="sr">Rank </span>{rank}</span>{move(rank, hit)}</div>'
        f'<div><div class="top">{_title(hit.document, evidence, anchor)}{_score(hit, setting)}</div>'
        f"{_text(hit, evidence)}"
        f"{''.join(why)}{''.join(_above(comparison, hit.document, rank, setting) for comparison in comparisons)}"
        "</div></article></li>\n"
    )


def move(rank: int, hit: Hit) -> str:
    """How the hit moved from its first place."""
    moved = figures.movement(rank, hit)
    if moved.kind == "new":
        return '<span class="move new">new</span>'
    if moved.kind == "same":
        return '<span class="move"><span aria-hidden="true">·</span><span class="sr"> not moved</span></span>'
    sign = f'<span aria-hidden="true">{_ARROWS[moved.kind]} </span>'
    words = f'<span class="sr"> {moved.kind} from place {hit.first_rank}</span>'
    return f'<span class="move {moved.kind}" title="was {hit.first_rank}">{sign}{moved.places}{words}</span>'


def _title(document: Document, evidence: Sequence[Evidence], anchor: str) -> str:
    if not document.title:
        return f'<div class="title"><h3 id="{anchor}"><bdi>{safe(document.id)}</bdi></h3></div>'
    words = _marked(document.title, marks_in(document, evidence, "title"), 0, min(len(document.title), 600))
    heading = f'<h3 id="{anchor}" dir="auto">{words}</h3>'
    return f'<div class="title">{heading}<bdi class="id">{safe(document.id)}</bdi></div>'


def _score(hit: Hit, setting: Setting) -> str:
    if hit.is_read and not setting.is_scored:
        return ""
    if hit.score is None:
        return f'<div class="score"><span class="id">{figures.standing(hit)}</span></div>'
    label = '<span class="sr">Score </span>'
    bar = bars.single(setting.line, hit.score) if setting.line.has_positive else ""
    return f'<div class="score">{label}<b>{figures.number(hit.score)}</b>{bar}</div>'


def _text(hit: Hit, evidence: Sequence[Evidence]) -> str:
    text = hit.document.text
    marks = marks_in(hit.document, evidence)
    cut = f'<p class="aside">Its last {figures.counted(hit.cut, "character")} were not read.</p>' if hit.cut else ""
    if not text.strip():
        return f'<p class="aside">No text.</p>{cut}'
    stretches = windows(text, marks, reach=REACH, gap=GAP)
    if len(text) <= WHOLE_UP_TO or stretches == [(0, len(text))]:
        return f'<div class="doc" dir="auto">{_marked(text, marks, 0, len(text))}</div>{cut}'
    excerpts = "".join(
        f'<div class="doc window" dir="auto">{_marked(text, marks, start, end)}</div>\n' for start, end in stretches
    )
    end = min(len(text), MOST_SHOWN)
    more = (
        f'<p class="aside">{figures.counted(len(text) - end, "more character")} left out.</p>'
        if end < len(text)
        else ""
    )
    return (
        f'{excerpts}<details class="whole"><summary>Whole document, {figures.counted(len(text), "character")}</summary>'
        f'<div class="doc" dir="auto">{_marked(text, marks, 0, end)}</div>{more}</details>{cut}'
    )


def _marked(text: str, marks: Sequence[Mark], start: int, end: int) -> str:
    parts = ['<span class="cut">… </span>' if start else ""]
    for piece in pieces(marks, start, end):
        words = safe(text[piece.start : piece.end])
        if piece.mark:
            level = "neg" if piece.mark.is_against else f"s{min(int(piece.mark.strength * 4) + 1, 4)}"
            words = f'<mark class="{level}" data-n="{piece.mark.number}">{words}</mark>'
        parts.append(words + "".join(f"<sup>{n}</sup>" for n in piece.ends))
    parts.append('<span class="cut"> …</span>' if end < len(text) else "")
    return "".join(parts)


def _why(direct: Direct, document: Document, first: int, setting: Setting) -> str:
    evidence = direct.evidence[:EVIDENCE_SHOWN]
    listed = _quotes(evidence, document, first) if direct.source else _evidence(direct, document, first)
    more = len(direct.evidence) - EVIDENCE_SHOWN
    rest = f'<p class="aside">and {figures.counted(more, "more sentence")}</p>' if more > 0 else ""
    return (
        f'<section class="why"><h4 class="label">Why it is here</h4>{_said(direct)}{listed}{rest}'
        f"{_parts(direct, setting)}{_byline(direct) if setting.is_signed else ''}</section>"
    )


def _said(reason: Direct | Comparison) -> str:
    """The text of a reason, or where none was given the words that say so."""
    if not reason.text:
        return ""
    kind = "" if reason.status in GIVEN else ' class="aside"'
    return f'<p{kind} dir="auto">{safe(reason.text[:REASON_LIMIT])}</p>'


def _byline(reason: Direct | Comparison) -> str:
    """Who wrote a reason; nothing under ours."""
    if not reason.source:
        return ""
    did = figures.byline(reason).removesuffix(reason.source)
    return f'<p class="by">{did.capitalize()}<bdi>{safe(reason.source)}</bdi>.</p>'


def _evidence(direct: Direct, document: Document, first: int) -> str:
    evidence = direct.evidence[:EVIDENCE_SHOWN]
    if not evidence:
        return ""
    line = figures.scale(e.contribution for e in evidence)
    items = []
    for number, item in enumerate(evidence, first):
        terms = ", ".join(safe(term) for term in item.query_terms[: figures.WORDS_SHOWN])
        mark = POINTED if item.span == direct.pointed else ""
        words = f'<bdi class="terms">{mark}{terms}</bdi>'
        if not is_found(document, item):
            words = f"<span>{_lost(item)} {words}</span>"
        bar = '<span class="no-bar"></span>' if item.contribution is None else bars.signed(line, item.contribution)
        items.append(f'{_numbered(number)}<span class="v">{figures.carried(item.contribution)}</span>{bar}{words}</li>')
    return f'<ol class="evidence">{"".join(items)}</ol>'


def _quotes(evidence: Sequence[Evidence], document: Document, first: int) -> str:
    """What a model quotes of a document, in the document's own words, or marked as not found."""
    items = [
        f"{_numbered(number)}{_quote(item) if is_found(document, item) else f'<span>{_lost(item)}</span>'}</li>"
        for number, item in enumerate(evidence, first)
    ]
    return f'<ol class="evidence quotes">{"".join(items)}</ol>' if items else ""


def _numbered(number: int) -> str:
    return f'<li data-n="{number}"><span class="n"><span class="sr">Sentence </span>{number}</span>'


def _quote(item: Evidence) -> str:
    return f'<q dir="auto">{safe(clipped(item.quote, QUOTE_LIMIT))}</q>'


def _lost(item: Evidence) -> str:
    return f'<span class="lost">not found in the document:</span> {_quote(item)}'


def _parts(direct: Direct, setting: Setting) -> str:
    sums = {part: value for part, value in figures.by_part(direct.terms).items() if value}
    if not sums:
        return ""
    colours = [(setting.colours.get(part, "p6"), value) for part, value in sums.items()]
    legend = "".join(
        f'<li>{bars.swatch(colour)}<span>{safe(part)}</span> <span class="v">{figures.signed(value)}</span></li>'
        for part, (colour, value) in zip(sums, colours, strict=True)
    )
    return (
        f'<div class="parts"><h4 class="label">What the {"place" if direct.score is None else "score"} is made of</h4>'
        f"{bars.stacked(colours)}<ul>{legend}</ul></div>"
    )


def _above(comparison: Comparison, upper: Document, upper_rank: int, setting: Setting) -> str:
    lower_rank, lower = setting.hits.get(comparison.lower_id, (None, None))
    lower_name = name(lower.document) if lower else comparison.lower_id
    place = "" if lower_rank is None else f"#{lower_rank} "
    label = f"Why above {place}<bdi>“{safe(lower_name)}”</bdi>?"
    if comparison.source:
        names = f"#{upper_rank}", place.strip() or "the other"
        rest = _written(comparison, (upper, lower.document if lower else None), names)
        rest += _byline(comparison) if setting.is_signed else ""
    else:
        found = comparison.counterfactual
        turn = _turn(found, lower_name, lower.score if lower else None) if found else ""
        rest = _differences(comparison) + turn
    return f'<details class="above"><summary>{label}</summary>{_said(comparison)}{rest}</details>'


def _written(comparison: Comparison, documents: tuple[Document, Document | None], names: tuple[str, str]) -> str:
    """The quotes of a comparison that a model wrote, what it called the documents, and what it thinks of the order."""
    sides = zip(names, documents, (comparison.upper_evidence, comparison.lower_evidence), strict=True)
    items = "".join(
        f'<li><span class="n">{label}</span>'
        f"{_quote(item) if document and is_found(document, item) else f'<span>{_lost(item)}</span>'}</li>"
        for label, document, evidence in sides
        for item in evidence[:EVIDENCE_SHOWN]
    )
    quotes = f'<ul class="evidence quotes">{items}</ul>' if items else ""
    letters, agreement = figures.letters(comparison, *names), figures.agreement(comparison, *names)
    own_view = f'<span class="dissent">{agreement}</span>' if comparison.agrees is False else agreement
    said = " · ".join(words for words in (letters, own_view) if words)
    return f'{quotes}<p class="by">{said}</p>' if said else quotes


def _differences(comparison: Comparison) -> str:
    if not comparison.differences:
        return ""
    shown = figures.largest(comparison.differences, DIFFERENCES_SHOWN)
    largest = max((abs(s.value) for s in shown.largest), default=0.0) or 1.0
    rows = "".join(
        f'<tr><th scope="row">{_subject(s)}</th><td class="bar">{bars.diverging(s.value / largest)}</td>'
        f'<td class="n">{figures.signed(s.value)}</td><td class="n side">{figures.number(s.upper)}</td>'
        f'<td class="n side">{figures.number(s.lower)}</td></tr>'
        for s in shown.largest
    )
    others = ""
    if shown.others:
        count = figures.counted(shown.others, "smaller one")
        others = (
            f'<tfoot><tr><th scope="row">{count}</th><td></td><td class="n">{figures.signed(shown.others_sum)}</td>'
            '<td class="side"></td><td class="side"></td></tr></tfoot>'
        )
    margin = figures.unsaid_margin(comparison)
    ahead = "" if margin is None else f"Ahead by {figures.number(margin)}. "
    return (
        f'<table class="differences"><caption>{ahead}Right of the line: for this document. '
        "Left: for the other.</caption>"
        '<thead><tr><th scope="col"><span class="sr">Query word or part</span></th>'
        '<td></td><th scope="col" class="n">difference</th>'
        '<th scope="col" class="n side">this</th><th scope="col" class="n side">other</th></tr></thead>'
        f"<tbody>{rows}</tbody>{others}</table>"
    )


def _subject(summed: Sum) -> str:
    return f"<b>{safe(summed.name)}</b>" if summed.kind == "word" else safe(summed.name)


def _turn(found: Counterfactual, lower_name: str, lower_score: float | None) -> str:
    called = f"<bdi>“{safe(lower_name)}”</bdi>"
    own = figures.turning(found, lower_score).replace(figures.NAME, called)
    said = f'<p dir="auto">{safe(found.text[:REASON_LIMIT])}</p>' if found.text else f"<p>{own}</p>"
    quotes = "".join(
        f'<blockquote dir="auto"><del>{safe(clipped(quote, 400))}</del></blockquote>' for quote in figures.struck(found)
    )
    return f'<div class="turn {"flips" if found.status == "flips" else ""}">{said}{quotes}</div>'
