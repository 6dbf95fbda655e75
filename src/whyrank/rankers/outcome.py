"""From scores to a ranking: the tie law, the unread tail, the notes. Written once for every pointwise ranker."""

import math
from collections.abc import Sequence
from dataclasses import replace

from whyrank.errors import BadInput
from whyrank.types import Calibrated, Hit, Ranking, Usage


def check_depth(depth: int | None) -> None:
    """Refuse a depth that reads nothing.

    Raises:
        BadInput: the depth is below 1.
    """
    if depth is not None and depth < 1:
        raise BadInput(f"depth is {depth}; accepted: 1 or more, or None for all")


def check_calibrated(calibrated: object) -> Calibrated:
    """What turns scores into probabilities.

    Raises:
        BadInput: it does not.
    """
    if isinstance(calibrated, Calibrated):
        return calibrated
    name = getattr(calibrated, "name", type(calibrated).__name__)
    raise BadInput(
        f"the scores of {name} are not calibrated, so they have no probability; use student or evidence, or fit a "
        "calibration"
    )


def likely(ranking: Ranking, calibrated: object, minimum: float) -> Ranking:
    """The ranking down to the first hit whose probability of being relevant is below `minimum`, or that was not read.

    Args:
        ranking: a finished ranking.
        calibrated: the ranker that made it, or its calibration.
        minimum: between 0 and 1.

    Raises:
        BadInput: `minimum` is no probability, or the ranker's scores were never calibrated.
    """
    if not 0 <= minimum <= 1:
        raise BadInput(f"the least probability is {minimum}; accepted: 0 to 1")
    known = check_calibrated(calibrated)
    for place, hit in enumerate(ranking):
        if hit.score is None or known.probability(hit.score, hit.first_score) < minimum:
            return ranking.top(place)
    return ranking


def in_order(
    ranking: Ranking, scores: Sequence[float | None], *, ranker: str, usage: Usage, cuts: Sequence[int] = ()
) -> Ranking:
    """The ranking that scores make: best first, ties by place in the list as it was given to this ranker, then id.

    Args:
        ranking: candidates as they were given; the first ``len(scores)`` were read.
        scores: one a candidate that was read, or None for one that got none; those and the candidates that were not
            read keep their order below.
        ranker: name and fingerprint of what scored.
        usage: what it cost.
        cuts: characters at the end of each read candidate that were not read; empty where all were.

    Raises:
        BadInput: a score is no finite number, and so has no place in an order.
    """
    read = _as_given(ranking, len(scores), cuts)
    for hit, score in zip(read, scores, strict=True):
        if score is not None and not math.isfinite(score):
            raise BadInput(
                f"query {ranking.query.id!r}: {ranker} scores document {hit.document.id!r} {score} (first-stage score "
                f"{hit.first_score}); scores are finite numbers"
            )
    hits = [replace(hit, score=score) for hit, score in zip(read, scores, strict=True) if score is not None]
    hits.sort(key=lambda hit: hit.standing(hit.score or 0.0))
    silent = [hit for hit, score in zip(read, scores, strict=True) if score is None]
    ranked = _ranked(ranking, [*hits, *silent], ranker, usage)
    if not silent:
        return ranked
    count = "1 document" if len(silent) == 1 else f"{len(silent):,} documents"
    return replace(ranked, notes=(*ranked.notes, f"{count} got no score; they keep their order below those that did"))


def as_placed(
    ranking: Ranking, order: Sequence[int], *, ranker: str, usage: Usage, cuts: Sequence[int] = ()
) -> Ranking:
    """The ranking of a ranker that gives places and no scores.

    Args:
        ranking: candidates as they were given; the first ``len(order)`` were read.
        order: a permutation of their positions, best first; the rest keep their order below.
        ranker: name of what ordered them.
        usage: what it cost.
        cuts: characters at the end of each read candidate that were not read; empty where all were.
    """
    lost = cuts or [0] * len(order)
    placed = [
        Hit(hit.document, None, hit.first_score, position + 1, lost[position], placed=True)
        for position, hit in ((position, ranking.hits[position]) for position in order)
    ]
    return _ranked(ranking, placed, ranker, usage)


def _as_given(ranking: Ranking, count: int, cuts: Sequence[int]) -> list[Hit]:
    """The first `count` candidates, numbered, without what another ranker said of them."""
    places = enumerate(zip(ranking.hits[:count], cuts or [0] * count, strict=True), 1)
    return [replace(h, score=None, placed=False, cut=cut, first_rank=place) for place, (h, cut) in places]


def _ranked(ranking: Ranking, read: Sequence[Hit], ranker: str, usage: Usage) -> Ranking:
    """The read hits in their order, the others below, and what must be said of both."""
    unread = [
        replace(hit, score=None, placed=False, first_rank=place)
        for place, hit in enumerate(ranking.hits[len(read) :], len(read) + 1)
    ]
    notes = [] if ranking.ranker else list(ranking.notes)  # what befell another ranker is not told of this one
    if unread:
        notes.append(f"{len(unread):,} candidates below depth {len(read):,} were not read; they keep their order")
    shortened = [hit for hit in read if hit.cut]
    if shortened:
        named = ", ".join(f"{h.document.id} ({h.cut:,} of its characters left out)" for h in shortened[:5])
        more = f" and {len(shortened) - 5} more" if len(shortened) > 5 else ""
        notes.append(f"read only in part: {named}{more}")
    return replace(
        ranking,
        hits=(*read, *unread),
        ranker=ranker,
        status="ok",
        notes=tuple(notes),
        usage=usage,
        explanations=None,
    )
