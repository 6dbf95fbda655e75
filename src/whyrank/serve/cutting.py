"""A list that is longer than a turn: its pieces, and the one ranking that they make. Pure.

A score of a `Scorer` belongs to (model, query, document), never to its neighbours: the pieces have the scores of the
whole, to the bit. What a ranker orders by reading documents together is never cut.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from whyrank.serve.shapes import tokens_of
from whyrank.types import Ranking, Usage


class Piece(NamedTuple):
    """Candidates that are read in one turn, and about how many tokens they have."""

    ranking: Ranking
    tokens: int


def cut(ranking: Ranking, budget: int) -> list[Piece]:
    """The candidates in pieces of at most `budget` tokens; a document that has more is a piece of its own."""
    asked = tokens_of(ranking.query.text)
    starts, sizes = [0], [0]
    for place, hit in enumerate(ranking.hits):
        size = asked + tokens_of(hit.document.full_text)
        if sizes[-1] and sizes[-1] + size > budget:
            starts.append(place)
            sizes.append(0)
        sizes[-1] += size
    ends = [*starts[1:], len(ranking)]
    return [
        Piece(replace(ranking, hits=ranking.hits[start:end]), size)
        for start, end, size in zip(starts, ends, sizes, strict=True)
    ]


def joined(given: Ranking, found: Sequence[Ranking]) -> Ranking:
    """The ranking of all candidates, from those of its pieces.

    Args:
        given: all candidates as they were given.
        found: its pieces, ranked. The usage is their sum: the query was read for each.
    """
    places = {identifier: place for place, identifier in enumerate(given.ids, 1)}
    hits = [replace(hit, first_rank=places[hit.document.id]) for own in found for hit in own.hits]
    scored = sorted((hit for hit in hits if hit.score is not None), key=lambda hit: hit.standing(hit.score or 0.0))
    silent = (hit for hit in hits if hit.score is None)
    return replace(
        given,
        hits=(*scored, *silent),
        ranker=found[0].ranker,
        status=next((own.status for own in found if own.status != "ok"), "ok"),
        notes=tuple(dict.fromkeys(note for own in found for note in own.notes)),
        usage=sum((own.usage for own in found), Usage()),
    )
