"""Where reranking hurt, as a part of a page: both lists side by side, who moved, and the reasons that were given.

Pure; foreign text enters only through `safe`.
"""

from collections.abc import Mapping, Sequence

from whyrank.evaluate.harm import Balance, Harm, Moved, SystemHarm
from whyrank.report import figures
from whyrank.report.html_card import safe
from whyrank.report.passages import Mark, marks_in, pieces, window
from whyrank.report.table_formats import amount, signed
from whyrank.report.visible import clipped
from whyrank.types import Comparison, Direct, Document, Evidence, Ranking

CARDS = 20
OPEN = 3
"""Cards that are open from the start; the others are a line each until they are asked for."""

ROWS = 200
QUERY_LIMIT = 2_000
REASON_LIMIT = 1_500
EXCERPT = 320
LINE = 110


def harm_section(harms: Sequence[SystemHarm]) -> str:
    """One part for each reranker; "" without any."""
    return "".join(_system(given, f"h{number}") for number, given in enumerate(harms, 1))


def _system(given: SystemHarm, anchor: str) -> str:
    cards = "".join(
        _card(harm, f"{anchor}-{n}", given, is_open=n <= OPEN) for n, harm in enumerate(given.harms[:CARDS], 1)
    )
    rest = given.harms[CARDS:]
    heading = f"<h3>{safe(given.system)} after {safe(given.first_stage)}</h3>"
    return f'<div class="harm">{heading}{_balance(given.balance, given.measure)}{cards}{_rest(rest)}</div>\n'


def _balance(b: Balance, measure: str) -> str:
    if not b.queries:
        return '<p class="aside">No query has a value both before and after.</p>'
    hurt = f"<b>{b.hurt:,}</b> of {b.queries:,} queries lost ({amount(b.share_hurt, 'share')}, in sum {signed(b.lost)})"
    helped = f"<b>{b.helped:,}</b> gained ({amount(b.share_helped, 'share')}, in sum {signed(b.gained)})"
    same = f"{b.same:,} stayed"
    parts = [("against", b.hurt), ("track", b.same), ("for", b.helped)]
    rects, start = [], 0.0
    for kind, count in parts:
        share = count / b.queries
        rects.append(f'<rect class="{kind}" x="{start:.2%}" width="{share:.2%}" height="100%"/>')
        start += share
    bar = f'<svg class="balance" aria-hidden="true" focusable="false">{"".join(rects)}</svg>'
    return f'<p class="balance-words">{safe(measure)}: {hurt}; {same}; {helped}.</p>{bar}'


def _card(harm: Harm, anchor: str, given: SystemHarm, *, is_open: bool) -> str:
    text = clipped(harm.query.text, QUERY_LIMIT)
    asked = safe(text) if text else f"query {safe(harm.query.id)}"
    change = f"{safe(harm.measure)} {amount(harm.before, 'score')} → {amount(harm.after, 'score')}"
    return (
        f'<details class="case" id="{anchor}"{" open" if is_open else ""}>'
        f'<summary><span class="asked" dir="auto">{asked}</span> '
        f'<span class="lost-by"><bdi class="id">{safe(harm.query.id)}</bdi> {change} <b class="worse">'
        f"{signed(harm.delta)}</b></span></summary>{_blame(harm)}{_sides(harm, given)}{_why(harm)}</details>\n"
    )


def _blame(harm: Harm) -> str:
    """What happened, in one sentence."""
    if not harm.fallen:
        return (
            f'<p class="aside">Within the first {harm.k} no relevant document lost its place to one of a lower grade: '
            "the loss lies deeper in the list, or documents are missing from it.</p>"
        )
    fallen = figures.counted(len(harm.fallen), "relevant document")
    return (
        f'<p class="aside">Marked on the left: {fallen} pushed down. '
        f"Marked on the right: {len(harm.risen):,} with a lower grade put above.</p>"
    )


def _why(harm: Harm) -> str:
    """The reasons that were given for the documents put above."""
    documents = {d.id: d for d in harm.reranked.documents}
    given = [m for m in harm.risen if m.direct or m.comparison]
    if not given:
        return '<p class="aside">No reasons were given for them.</p>' if harm.risen else ""
    items = "".join(_risen(m, documents) for m in given)
    return f'<h4 class="label">The reasons that were given</h4><ul class="risen">{items}</ul>'


def _risen(moved: Moved, documents: Mapping[str, Document]) -> str:
    document = documents.get(moved.document_id)
    evidence = moved.direct.evidence if moved.direct else ()
    excerpt = f'<div class="doc" dir="auto">{_excerpt(document, evidence)}</div>' if document and evidence else ""
    reason = _reason("Why it is here", moved.direct) if moved.direct else ""
    compared = _reason(f"Why above {moved.comparison.lower_id}", moved.comparison) if moved.comparison else ""
    name = document.title if document and document.title and document.title.strip() else moved.document_id
    was = "not in the list" if moved.before is None else f"from place {moved.before}"
    head = (
        f'{_grade(moved.grade)} <bdi class="who">{safe(clipped(name, LINE))}</bdi> '
        f'<span class="journey">{was} to place {moved.after}</span>'
    )
    return f"<li>{head}{excerpt}{reason}{compared}</li>"


def _reason(label: str, reason: Direct | Comparison) -> str:
    if not reason.text:
        return ""
    by = f' <span class="label">({safe(figures.byline(reason))})</span>' if reason.source else ""
    said = f"{safe(clipped(reason.text, REASON_LIMIT))}{by}"
    return f'<p class="reason" dir="auto"><span class="label">{safe(label)}</span> {said}</p>'


def _grade(grade: float | None) -> str:
    if grade is None:
        return '<span class="grade unjudged">unjudged</span>'
    kind = "relevant" if grade > 0 else "not"
    return f'<span class="grade {kind}">grade {grade:g}</span>'


def _sides(harm: Harm, given: SystemHarm) -> str:
    fallen, risen = {m.document_id for m in harm.fallen}, {m.document_id for m in harm.risen}
    left = _side(harm, harm.first, harm.reranked, given.first_stage, fallen, "→")
    right = _side(harm, harm.reranked, harm.first, given.system, risen, "was")
    return f'<div class="sides">{left}{right}</div>'


def _side(harm: Harm, ranking: Ranking, other: Ranking, name: str, marked: set[str], word: str) -> str:
    elsewhere = {d: place for place, d in enumerate(other.ids, 1)}
    explained = ranking.explanations.direct if ranking.explanations else ()
    evidence = {d.document_id: d.evidence for d in explained}
    rows = []
    for place, hit in enumerate(ranking.hits[: harm.k], 1):
        document = hit.document
        there = elsewhere.get(document.id)
        moved = "" if there == place else f"{word} {'–' if there is None else there}"
        body = _one_line(document, evidence.get(document.id, ()))
        rows.append(
            f'<li{" class=guilty" if document.id in marked else ""}><span class="at">{place}</span>'
            f'<span class="went">{moved}</span>{_grade(harm.grades.get(document.id))}'
            f'<span class="body" dir="auto">{body}</span></li>'
        )
    listed = "".join(rows) or "<li>no results</li>"
    return f'<div><h4 class="label">{safe(name)}, first {harm.k}</h4><ol class="list">{listed}</ol></div>'


def _one_line(document: Document, evidence: Sequence[Evidence]) -> str:
    title = f"<b>{safe(clipped(document.title, LINE))}</b> " if document.title else ""
    text = _excerpt(document, evidence, LINE) if document.text.strip() else ""
    return f'{title}{text} <bdi class="id">{safe(clipped(document.id, LINE))}</bdi>'


def _excerpt(document: Document, evidence: Sequence[Evidence], width: int = EXCERPT) -> str:
    """A stretch of the text around the strongest evidence, with all evidence in it marked."""
    marks = marks_in(document, evidence)
    best = max(marks, key=lambda m: (m.strength, -m.number), default=None)
    start, end = window(document.text, best, width)
    words = "".join(_piece(document.text[p.start : p.end], p.mark) for p in pieces(marks, start, end))
    return ("… " if start else "") + words + (" …" if end < len(document.text) else "")


def _piece(text: str, mark: Mark | None) -> str:
    if mark is None:
        return safe(text)
    level = "neg" if mark.is_against else f"s{min(int(mark.strength * 4) + 1, 4)}"
    return f'<mark class="{level}">{safe(text)}</mark>'


def _rest(harms: Sequence[Harm]) -> str:
    if not harms:
        return ""
    rows = "".join(
        f'<tr><th scope="row" dir="auto">{safe(clipped(h.query.text, LINE)) or safe(h.query.id)}</th>'
        f'<td class="n">{amount(h.before, "score")}</td><td class="n">{amount(h.after, "score")}</td>'
        f'<td class="n">{signed(h.delta)}</td></tr>\n'
        for h in harms[:ROWS]
    )
    more = len(harms) - ROWS
    rest = f'<p class="aside">and {more:,} more.</p>' if more > 0 else ""
    return (
        f'<details class="values"><summary>{len(harms):,} more with smaller losses</summary><div class="scroll"><table>'
        '<thead><tr><th scope="col">query</th><th scope="col" class="n">before</th><th scope="col" class="n">after</th>'
        f'<th scope="col" class="n">change</th></tr></thead><tbody>\n{rows}</tbody></table></div>{rest}</details>\n'
    )
