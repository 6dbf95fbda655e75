"""Rankings of the demo collection with reasons made up for tests: right in their form, not measured by anything."""

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from math import fsum

from whyrank.datasets.demo import load_demo
from whyrank.types import (
    Comparison,
    Counterfactual,
    Difference,
    Direct,
    Document,
    Evidence,
    Explanations,
    Hit,
    Query,
    Ranking,
    Span,
    Term,
    Usage,
)

DEMO = load_demo()
DOCUMENTS = {d.id: d for d in DEMO.documents}
QUERIES = {q.id: q for q in DEMO.queries}

# Query → documents, best first: id, first rank, first-stage part, whole-document part,
# and what sentences carry: (sentence, query word, value).
Carried = tuple[int, str | None, float]
Row = tuple[str, int, float, float, tuple[Carried, ...]]
LISTS: dict[str, tuple[Row, ...]] = {
    "heat-pump": (
        (
            "heat-pump-cycle",
            9,
            0.012,
            0.241,
            ((1, "warm", 0.118), (3, "cold", 0.142), (3, "outside", 0.071), (5, "heat", 0.083), (7, "house", 0.044)),
        ),
        (
            "coefficient-of-performance",
            6,
            0.048,
            0.236,
            ((0, "pump", 0.128), (0, "heat", 0.116), (1, "outside", 0.052)),
        ),
        ("frozen-well-pump", 3, 0.158, 0.121, ((0, "pump", 0.096), (0, "cold", 0.081), (0, "outside", 0.041))),
        ("house-insulation", 2, 0.171, 0.118, ((0, "house", 0.087), (0, "warm", 0.052), (1, "heat", 0.031))),
        ("bicycle-pump", 5, 0.111, 0.149, ((0, "pump", 0.093), (0, "warm", 0.044), (1, "cold", -0.018))),
        ("house-in-a-heat-wave", 1, 0.178, 0.104, ((0, "house", 0.061), (0, "outside", 0.036), (0, "cold", -0.027))),
        ("heart-in-the-cold", 4, 0.156, 0.071, ((0, "pump", 0.041), (0, "cold", 0.037))),
        ("fridge-frost", 7, 0.031, 0.067, ((1, "warm", 0.022),)),
        ("kneading-dough", 8, 0.014, 0.012, ()),
    ),
    "bread": (
        (
            "starch-recrystallises",
            7,
            0.036,
            0.236,
            ((2, "fridge", 0.174), (2, "stale", 0.116), (2, "bread", 0.091), (1, "stale", 0.072), (3, "bread", 0.021)),
        ),
        ("keeping-a-loaf", 8, 0.031, 0.214, ((1, "stale", 0.131), (1, "fridge", 0.127), (0, "bread", 0.038))),
        ("bread-mould", 2, 0.121, 0.187, ((0, "fridge", 0.094), (0, "faster", 0.081), (1, "bread", 0.036))),
        ("bread-pudding", 1, 0.159, 0.178, ((0, "stale", 0.097), (1, "fridge", 0.041))),
        ("dough-in-the-fridge", 3, 0.101, 0.161, ((0, "faster", 0.062), (1, "fridge", 0.058))),
        ("bread-baking-temperature", 5, 0.088, 0.147, ((0, "bread", 0.052),)),
        ("fridge-frost", 4, 0.096, 0.098, ((0, "fridge", 0.047), (0, "faster", 0.031))),
        ("peeling-eggs", 6, 0.041, 0.052, ((2, "fridge", 0.033),)),
    ),
}


def sentences(document: Document) -> tuple[Span, ...]:
    """The sentences of the document's text."""
    return tuple(Span(m.start(), m.end()) for m in re.finditer(r"\S.*?[.?!](?=\s|$)", document.text))


def terms(document: Document, row: Row) -> tuple[Term, ...]:
    """The summands of a row's score; a small remainder keeps the parts from being too neat."""
    spans = sentences(document)
    carried = [Term("late interaction", value, word, spans[place]) for place, word, value in row[4]]
    best = max((v for _, _, v in row[4]), default=0.0)
    place = next((p for p, _, v in row[4] if v == best), None)
    strongest = [] if place is None else [Term("best sentence", round(best / 2, 3), None, spans[place])]
    return (
        *carried,
        *strongest,
        Term("whole document", row[3]),
        Term("first stage", row[2]),
        Term("remainder", -0.009),
    )


def direct(document: Document, summands: Sequence[Term]) -> Direct:
    """A reason with its evidence, strongest first."""
    by_span: dict[Span, list[Term]] = {}
    for term in summands:
        if term.span:
            by_span.setdefault(term.span, []).append(term)
    evidence = sorted(
        (
            Evidence(
                document.quote(span),
                span,
                fsum(t.value for t in own),
                tuple(dict.fromkeys(t.query_term for t in own if t.query_term and t.value > 0)),
            )
            for span, own in by_span.items()
        ),
        key=lambda e: -(e.contribution or 0),
    )
    total = fsum(e.contribution or 0 for e in evidence)
    text = "No sentence of it carries any of the score."
    if evidence:
        best = evidence[0]
        text = (
            f"“{best.quote}” carries most of the sentence evidence ({best.contribution:.2f} of {total:.2f}) and is "
            f"close to {' and '.join(best.query_terms)}. The whole document and the first stage add the rest."
        )
    return Direct(document.id, text, tuple(evidence), fsum(t.value for t in summands), tuple(summands))


def comparison(upper: Hit, lower: Hit, ours: Sequence[Term], theirs: Sequence[Term]) -> Comparison:
    """Why one above the other: differences by part and query word, and the best sentence as what would turn it."""
    keys = dict.fromkeys((t.part, t.query_term) for t in (*ours, *theirs))
    differences = tuple(
        Difference(
            part,
            fsum(t.value for t in ours if (t.part, t.query_term) == (part, word)),
            fsum(t.value for t in theirs if (t.part, t.query_term) == (part, word)),
            word,
        )
        for part, word in keys
    )
    ordered = tuple(sorted(differences, key=lambda d: -abs(d.value)))
    margin = (upper.score or 0) - (lower.score or 0)
    best = direct(upper.document, ours).evidence[:1]
    without = (upper.score or 0) - fsum(e.contribution or 0 for e in best)
    turned = Counterfactual("impossible", rescored=7)
    if best and best[0].span and without < (lower.score or 0):
        turned = Counterfactual("flips", (best[0].span,), (best[0].quote,), without, minimal=True, rescored=4)
    lead = ordered[0]
    text = (
        f"It leads by {margin:.2f}: on {lead.query_term or lead.part} {lead.upper:.2f} against {lead.lower:.2f}. "
        f"The other is ahead on {min(ordered, key=lambda d: d.value).part}."
    )
    return Comparison(upper.document.id, lower.document.id, text, margin, ordered, turned)


def ranking(query_id: str, *, explained: int = 4) -> Ranking:
    """One made-up ranking of a demo query, its best hits explained."""
    rows = LISTS[query_id]
    summands = [terms(DOCUMENTS[row[0]], row) for row in rows]
    hits = [
        Hit(DOCUMENTS[row[0]], fsum(t.value for t in own), first_score=row[2] * 40, first_rank=row[1])
        for row, own in zip(rows, summands, strict=True)
    ]
    pairs = list(zip(hits, summands, strict=True))
    return Ranking(
        query=QUERIES[query_id],
        hits=tuple(hits),
        ranker="evidence@3f1c9a",
        usage=Usage(documents=len(hits), prompt_tokens=812, seconds=0.084),
        explanations=Explanations(
            direct=tuple(direct(hit.document, own) for hit, own in pairs[:explained]),
            comparisons=tuple(comparison(u, v, a, b) for (u, a), (v, b) in pairwise(pairs[: explained + 1])),
            usage=Usage(documents=31, seconds=0.21),
        ),
    )


def ours(query_id: str) -> Explanations:
    """The made-up reasons of `ranking`."""
    explanations = ranking(query_id).explanations
    assert explanations is not None
    return explanations


def quoted(document: Document, place: int) -> Evidence:
    """A sentence as a language model quotes it: without numbers."""
    span = sentences(document)[place]
    return Evidence(document.quote(span), span)


def written(query_id: str) -> Ranking:
    """The same list without scores, as a language model placed it, and with what one wrote about the best two."""
    given = ranking(query_id)
    first, second, third = given.documents[:3]
    writer = "fake:writer"
    lost = Evidence("Bread lasts a year.", None)
    direct = (
        Direct(first.id, "It says so.", (quoted(first, 2),), source=writer),
        Direct(second.id, "No reason was given: the answer broke off.", source=writer, status="truncated"),
    )
    comparisons = (
        Comparison(
            first.id,
            second.id,
            "A says more than B.",
            source=writer,
            status="repaired",
            upper_evidence=(quoted(first, 1),),
            lower_evidence=(lost,),
            agrees=True,
        ),
        Comparison(second.id, third.id, "B says more than A.", source=writer, agrees=False),
    )
    hits = tuple(replace(hit, score=None, placed=True) for hit in given.hits)
    usage = Usage(calls=6, prompt_tokens=4_210, generated_tokens=512, repaired=1, unusable=1, cost=None)
    return replace(given, hits=hits, ranker="listwise", explanations=Explanations(direct, comparisons, usage))


def plain(query: str, *texts: str, scores: Sequence[float | None] | None = None) -> Ranking:
    """A ranking of texts without reasons, reversed from the order in which they were given."""
    given = Ranking.of(Query("q", query), texts)
    numbers = scores if scores is not None else [0.9 - 0.1 * i for i in range(len(texts))]
    hits = [
        Hit(hit.document, score, first_rank=hit.first_rank)
        for hit, score in zip(reversed(given.hits), numbers, strict=True)
    ]
    return Ranking(given.query, tuple(hits), ranker="test")
