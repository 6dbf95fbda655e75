"""Rankings and their reasons as one HTML file: no network, no build, readable without scripts.

The content security policy lets nothing run or load but the style and the script of this package, named by hash.
"""

from collections.abc import Sequence

from whyrank.report import figures
from whyrank.report.html_card import Setting, card, move, safe
from whyrank.report.page import page
from whyrank.report.visible import clipped
from whyrank.types import Explanations, Hit, Ranking, Usage

FULL_CARDS = 20
LONG_QUERY = 160
QUERY_LIMIT = 6_000
COLOURS = 6
NO_QUERY = "(empty query)"


def render_html(rankings: Sequence[Ranking], *, title: str = "whyrank report", cards: int = FULL_CARDS) -> str:
    """One self-contained page.

    Args:
        rankings: what to show, each with or without explanations.
        title: the name of the page.
        cards: how many hits of each ranking get a full card; the rest stand in a compact table.
    """
    sections = "".join(_section(ranking, number, cards) for number, ranking in enumerate(rankings, 1))
    body = (
        '<a class="skip" href="#results">Skip to the results</a>\n<div class="page">\n'
        f'<header class="masthead"><h1>{safe(title)}</h1><div class="tools"></div></header>\n'
        f'{_contents(rankings)}<main id="results">\n{sections or _NOTHING}</main>\n{_FOOTER}</div>\n'
    )
    return page(title, body, styles=("page.css",), scripts=("page.js",))


_NOTHING = '<p class="none">There is no ranking in this report.</p>\n'
_FOOTER = "<footer>Reasons are computed after the ranking and never change its order.</footer>\n"
_PLACES = """<p>The number beside a document is its rank; the arrow says how many places it rose (▲) or fell (▼) from \
the list as it was given. The bar under a score starts at zero; scores that are all below zero have none.</p>
"""
_MARKS = """<p>Marked sentences carry the score: the stronger the mark, the larger the contribution, and the small \
number leads to the list below the text. A reddish mark lowers the score. Contributions are in units of the score and \
add up to it.</p>
"""
_WRITTEN = """<p>Reasons that a language model wrote are its own words, asked for when the order was finished. \
Its quotes were looked up: what is marked in a document stands there to the letter, and a quote that does not is \
called not found. Nothing else in these words was checked.</p>
"""
_REUSED = """<p>Reused tokens are those that a model had read before and need not read again, or that whyrank’s own \
cache of answers stood in for.</p>
"""


def _section(ranking: Ranking, number: int, cards: int) -> str:
    anchor = f"r{number}"
    found = figures.reasons(ranking.explanations)
    parts = dict.fromkeys(t.part for own in found.direct.values() for d in own for t in d.terms if t.value)
    setting = Setting(
        anchor=anchor,
        line=figures.scale(hit.score for hit in ranking.hits),
        colours={part: f"p{min(i, COLOURS)}" for i, part in enumerate(parts, 1)},
        hits={hit.document.id: (rank, hit) for rank, hit in enumerate(ranking.hits, 1)},
        is_scored=any(hit.score is not None for hit in ranking.hits),
        is_signed=not figures.only_writer(ranking.explanations),
    )
    usages = [ranking.usage, *([ranking.explanations.usage] if ranking.explanations else [])]
    numbered = list(enumerate(ranking.hits, 1))
    shown = "".join(
        card(hit, rank, found.direct.get(hit.document.id, ()), found.above.get(hit.document.id, ()), setting)
        for rank, hit in numbered[: max(cards, 0)]
    )
    results = f'<ol class="hits">\n{shown}</ol>\n' if shown else ""
    if not ranking.hits:
        results = '<p class="none">No documents were given.</p>\n'
    return (
        f'<section class="ranking" aria-labelledby="{anchor}">\n{_query(ranking.query.text, anchor)}'
        f"{_facts(ranking)}{_notes(ranking)}{_legend(found, usages)}{results}"
        f"{_rest(numbered[max(cards, 0) :])}</section>\n"
    )


def _legend(found: figures.Reasons, usages: Sequence[Usage]) -> str:
    """How to read what is shown: marks of ours, words of others, and tokens that were reused."""
    sources = [d.source for own in found.direct.values() for d in own]
    sources += [c.source for own in found.above.values() for c in own]
    marks, written = "" if all(sources) else _MARKS, _WRITTEN if any(sources) else ""
    reused = _REUSED if any(figures.REUSED in said for usage in usages for said in figures.usage(usage)) else ""
    if not sources and not reused:
        return ""
    told = f"{_PLACES}{marks}{written}{reused}"
    return f'<details class="legend"><summary>How to read this</summary>\n{told}</details>\n'


def _query(text: str, anchor: str) -> str:
    shown = text if len(text) <= QUERY_LIMIT else text[:QUERY_LIMIT] + " …"
    size = "query long" if len(text) > LONG_QUERY else "query"
    return f'<h2 class="{size}" id="{anchor}" dir="auto">{safe(shown) or NO_QUERY}</h2>\n'


def _facts(ranking: Ranking) -> str:
    reasons = ranking.explanations or Explanations()
    facts = (
        ("Documents", f"{len(ranking):,}"),
        ("Ranked by", ranking.ranker or "nothing yet, the order as given"),
        ("Ranking", " · ".join(figures.usage(ranking.usage))),
        ("Reasons by", figures.only_writer(reasons)),
        ("Reasons", " · ".join(figures.usage(reasons.usage))),
    )
    items = "".join(f"<div><dt>{label}</dt><dd>{safe(value)}</dd></div>" for label, value in facts if value)
    return f'<dl class="facts">{items}</dl>\n'


def _notes(ranking: Ranking) -> str:
    lines = [f"<b>Status: {safe(ranking.status)}.</b>"] if ranking.status != "ok" else []
    lines.extend(safe(note) for note in ranking.notes)
    if not lines:
        return ""
    return f'<div class="notes" role="note">{"".join(f"<p>{line}</p>" for line in lines)}</div>\n'


def _contents(rankings: Sequence[Ranking]) -> str:
    if len(rankings) < 2:
        return ""
    names = [safe(clipped(ranking.query.text, 140)) or NO_QUERY for ranking in rankings]
    items = "".join(
        f'<li><span>{number}</span><a href="#r{number}" dir="auto">{name}</a></li>\n'
        for number, name in enumerate(names, 1)
    )
    return f'<nav class="queries" aria-label="Queries"><ol>\n{items}</ol></nav>\n'


def _rest(hits: Sequence[tuple[int, Hit]]) -> str:
    if not hits:
        return ""
    rows = "".join(_row(rank, hit) for rank, hit in hits)
    return (
        f'<details class="rest"><summary>{figures.counted(len(hits), "further document")}</summary>\n'
        '<table><thead><tr><th scope="col" class="c1">Rank</th><th scope="col" class="c2">Moved</th>'
        '<th scope="col" class="c3">Score</th><th scope="col">Document</th></tr></thead>\n'
        f"<tbody>\n{rows}</tbody></table></details>\n"
    )


def _row(rank: int, hit: Hit) -> str:
    document = hit.document
    title = f"{safe(clipped(document.title, 100))} " if document.title else ""
    words = f"<bdi>{title}<span>{safe(clipped(document.id, 100))}</span></bdi>"
    snippet = f"<br><bdi><span>{safe(clipped(document.text, 160))}</span></bdi>" if document.text else ""
    score = figures.standing(hit)
    return (
        f'<tr><td class="c1">{rank}</td><td class="c2">{move(rank, hit)}</td><td class="c3">{score}</td>'
        f"<td>{words}{snippet}</td></tr>\n"
    )
