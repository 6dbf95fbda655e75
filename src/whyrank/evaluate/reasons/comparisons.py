"""Are comparisons true? Counterfactuals and signed differences, derived again and held against what was claimed.

Nothing is taken from what made the reasons: a claim is tried by removing sentences and scoring again, and a difference
by taking both scores apart again. The first-stage score of a document stays as it was given, whatever is removed.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations, islice
from math import comb, fsum
from typing import NamedTuple

from whyrank.errors import BadInput, unknown
from whyrank.evaluate.reasons.statements import rounds_to, stated_leads
from whyrank.evaluate.results import Proportion
from whyrank.types import Comparison, Counterfactual, Decomposition, Hit, Ranking, Scorer, Span

MOST_SETS = 4_095
"""Sets of sentences that one search may score: all of twelve sentences."""

TOLERANCE = 1e-9
"""What is smaller is rounding, in units of the score."""

_AT_ONCE = 256


class CounterfactualChecks(NamedTuple):
    """What became of the counterfactuals of some rankings.

    Attributes:
        answered: of all, those that are not "unknown".
        flips: of the claims that a removal flips, those that do when scored again.
        necessary: of the sentences removed by flips that hold, those without whose removal the rest does not flip.
        smallest: of the flips that hold, those with as few sentences as the smallest set that flips.
        said_smallest: the same of the claims that say so (`minimal`).
        needed: sentences in the smallest sets, of those stated, over the claims that `smallest` counts.
        impossible: of the "impossible" claims, those for which no set of sentences flips.
        unsearched: claims about all sets that would have taken more than the budget; not counted above.
        other_order: claims on pairs that the scorer does not put in this order; not counted above.
    """

    answered: Proportion
    flips: Proportion
    necessary: Proportion
    smallest: Proportion
    said_smallest: Proportion
    needed: Proportion
    impossible: Proportion
    unsearched: int
    other_order: int


class DifferenceChecks(NamedTuple):
    """What became of the stated differences, margins and leads of some rankings.

    Attributes:
        signs: differences whose sign is that of the same summand taken apart again; 0 within 1e-9 is a sign of its own.
        values: differences with both sides within 1e-9 of the summand taken apart again.
        complete: summands above 1e-9 that the comparison states, of those that the scores have.
        margins: margins within 1e-9 of the difference of both scores.
        leads: leads stated in the text that are the margin, rounded as stated.
    """

    signs: Proportion
    values: Proportion
    complete: Proportion
    margins: Proportion
    leads: Proportion


class _Held(NamedTuple):
    """The numbers of one comparison: which of them hold."""

    signs: list[bool]
    values: list[bool]
    complete: list[bool]
    margins: list[bool]
    leads: list[bool]


class _Claim(NamedTuple):
    """A counterfactual and what it is about."""

    ranking: Ranking
    upper: Hit
    lower: Hit
    sentences: tuple[Span, ...]
    score: float
    bar: float
    found: Counterfactual

    def flips(self, score: float) -> bool:
        return self.upper.standing(score) > self.lower.standing(self.bar)


class _Verdict(NamedTuple):
    """None where it does not apply or was not found out."""

    flips: bool | None = None
    necessary: tuple[bool, ...] = ()
    stated: int = 0
    fewest: int | None = None
    impossible: bool | None = None
    is_unsearched: bool = False


def check_counterfactuals(
    rankings: Iterable[Ranking], scorer: Scorer, *, budget: int = MOST_SETS
) -> CounterfactualChecks:
    """Try every counterfactual again.

    Args:
        rankings: rankings with explanations; comparisons without a counterfactual are passed over.
        scorer: the score that the claims are about: the ranker's own, or an independent one.
        budget: sets of sentences that the search for a smaller set, or for any, may score a claim.

    Raises:
        UnknownName: a comparison names a document that is not in its ranking.
        BadInput: the budget is below zero.
    """
    if budget < 0:
        raise BadInput(f"budget is {budget}; give the number of sets to score for a claim, 0 or more")
    claims = [claim for ranking in rankings for claim in _claims(ranking, scorer)]
    tried = [(c, _judged(c, scorer, budget)) for c in claims if not c.flips(c.score)]
    flips = [v for _, v in tried if v.flips is not None]
    necessary = [n for v in flips if v.flips for n in v.necessary]
    sized = [(c, v.stated, v.fewest) for c, v in tried if v.fewest is not None]
    said = [stated == fewest for c, stated, fewest in sized if c.found.minimal]
    impossible = [v.impossible for _, v in tried if v.impossible is not None]
    answered = [c.found.status != "unknown" for c in claims]
    return CounterfactualChecks(
        _share("counterfactuals answered", answered, "claims whose status is not “unknown”"),
        _share("flips", [bool(v.flips) for v in flips], "the upper falls below the lower when scored without them"),
        _share("necessary sentences", necessary, "left in, the rest no longer flips"),
        _share("smallest", [stated == fewest for _, stated, fewest in sized], "no smaller set of sentences flips"),
        _share("smallest where claimed", said, "no smaller set of sentences flips"),
        Proportion(
            "sentences needed",
            sum(fewest for _, _, fewest in sized),
            sum(stated for _, stated, _ in sized),
            "sentences of the smallest sets, of those stated",
        ),
        _share("impossible", impossible, "no set of sentences flips"),
        sum(v.is_unsearched for _, v in tried),
        len(claims) - len(tried),
    )


def check_differences(rankings: Iterable[Ranking], scorer: Scorer) -> DifferenceChecks:
    """Take both scores of every comparison apart again and hold its numbers against them.

    Raises:
        UnknownName: a comparison names a document that is not in its ranking.
    """
    found = [f for ranking in rankings for f in _held_against(ranking, scorer)]
    return DifferenceChecks(
        _share("signs", _flat(f.signs for f in found), "the sign of the same part and word, taken apart again"),
        _share("values", _flat(f.values for f in found), "both sides within 1e-9"),
        _share("summands stated", _flat(f.complete for f in found), "parts and words that either score has"),
        _share("margins", _flat(f.margins for f in found), "within 1e-9 of the difference of the scores"),
        _share("leads in the text", _flat(f.leads for f in found), "the margin, rounded as stated"),
    )


def comparisons_in_order(rankings: Iterable[Ranking]) -> Proportion:
    """The comparisons whose upper document stands above the lower in the ranking itself.

    Raises:
        UnknownName: a comparison names a document that is not in its ranking.
    """
    cases: list[bool] = []
    for ranking in rankings:
        places = {name: place for place, name in enumerate(ranking.ids)}
        cases += [places[c.upper_id] < places[c.lower_id] for c in _comparisons(ranking)]
    return _share("comparisons in order", cases, "the upper document stands above the lower")


def _share(name: str, cases: Sequence[bool], definition: str) -> Proportion:
    return Proportion(name, sum(cases), len(cases), definition)


def _flat(cases: Iterable[list[bool]]) -> list[bool]:
    return [case for some in cases for case in some]


def _held_against(ranking: Ranking, scorer: Scorer) -> Iterator[_Held]:
    apart = _taken_apart(ranking, scorer)
    for c in _comparisons(ranking):
        upper, lower = apart[c.upper_id], apart[c.lower_id]
        margin, fresh = upper.score - lower.score, _summands(upper, lower)
        stated = {(d.part, d.query_term) for d in c.differences}
        sides = [(d, fresh.get((d.part, d.query_term), (0.0, 0.0))) for d in c.differences]
        yield _Held(
            signs=[_sign(d.value) == _sign(ours - theirs) for d, (ours, theirs) in sides],
            values=[
                abs(d.upper - ours) <= TOLERANCE and abs(d.lower - theirs) <= TOLERANCE for d, (ours, theirs) in sides
            ],
            complete=[key in stated for key, both in fresh.items() if stated and max(map(abs, both)) > TOLERANCE],
            margins=[abs(c.margin - margin) <= TOLERANCE] if c.margin is not None else [],
            leads=[rounds_to(margin, lead) for lead in stated_leads(c.text)],
        )


def _comparisons(ranking: Ranking) -> Iterator[Comparison]:
    ids = set(ranking.ids)
    for comparison in ranking.explanations.comparisons if ranking.explanations else ():
        for name in (comparison.upper_id, comparison.lower_id):
            if name not in ids:
                raise unknown(f"document in the ranking of query {ranking.query.id!r}", name, ids)
        yield comparison


def _taken_apart(ranking: Ranking, scorer: Scorer) -> dict[str, Decomposition]:
    """The scores of all compared documents, taken apart in one batch."""
    named = {name for c in _comparisons(ranking) for name in (c.upper_id, c.lower_id)}
    hits = [hit for hit in ranking.hits if hit.document.id in named]
    if not hits:
        return {}
    apart = scorer.decompose(ranking.query, [h.document for h in hits], [h.first_score for h in hits])
    return {hit.document.id: decomposition for hit, decomposition in zip(hits, apart, strict=True)}


def _claims(ranking: Ranking, scorer: Scorer) -> Iterator[_Claim]:
    hits = {hit.document.id: hit for hit in ranking.hits}
    apart = _taken_apart(ranking, scorer)
    for c in _comparisons(ranking):
        if c.counterfactual is not None:
            upper, lower = apart[c.upper_id], apart[c.lower_id]
            yield _Claim(
                ranking,
                hits[c.upper_id],
                hits[c.lower_id],
                upper.sentences,
                upper.score,
                lower.score,
                c.counterfactual,
            )


def _judged(claim: _Claim, scorer: Scorer, budget: int) -> _Verdict:
    n, removed = len(claim.sentences), tuple(dict.fromkeys(claim.found.removed))
    if claim.found.status == "unknown":
        return _Verdict()
    if claim.found.status == "impossible":
        if 2**n - 1 > budget:
            return _Verdict(is_unsearched=True)
        return _Verdict(impossible=_fewest(claim, scorer, range(1, n + 1)) is None)
    if not removed or not _is_inside(claim, removed):
        return _Verdict(flips=False)
    fewer = [tuple(s for s in removed if s != left_in) for left_in in removed]
    whole, *parts = _scores(claim, scorer, [removed, *(f for f in fewer if f)])
    if not claim.flips(whole):
        return _Verdict(flips=False)
    necessary = tuple(not claim.flips(score) for score in parts) or (True,)  # nothing removed does not flip
    found = _Verdict(flips=True, necessary=necessary, stated=len(removed))
    is_of_sentences = set(removed) <= set(claim.sentences)
    if not is_of_sentences or sum(comb(n, size) for size in range(1, len(removed))) > budget:
        return found._replace(is_unsearched=True)
    smaller = _fewest(claim, scorer, range(1, len(removed)))
    return found._replace(fewest=len(removed) if smaller is None else smaller)


def _is_inside(claim: _Claim, removed: Sequence[Span]) -> bool:
    document = claim.upper.document
    return all(0 <= s.start < s.end <= len(document.field_text(s.field)) for s in removed)


def _fewest(claim: _Claim, scorer: Scorer, sizes: range) -> int | None:
    """The size of the smallest set of sentences that flips, among these sizes; every set of a size is tried."""
    for size in sizes:
        sets = combinations(claim.sentences, size)
        while some := list(islice(sets, _AT_ONCE)):
            if any(map(claim.flips, _scores(claim, scorer, some))):
                return size
    return None


def _scores(claim: _Claim, scorer: Scorer, sets: Sequence[Sequence[Span]]) -> list[float]:
    documents = [claim.upper.document.without(removed) for removed in sets]
    return scorer.score(claim.ranking.query, documents, [claim.upper.first_score] * len(sets))


def _summands(upper: Decomposition, lower: Decomposition) -> dict[tuple[str, str | None], tuple[float, float]]:
    """What each part and query word gives either side."""
    keys = dict.fromkeys((t.part, t.query_term) for d in (upper, lower) for t in d.terms)

    def given(side: Decomposition, key: tuple[str, str | None]) -> float:
        return fsum(t.value for t in side.terms if (t.part, t.query_term) == key)

    return {key: (given(upper, key), given(lower, key)) for key in keys}


def _sign(value: float) -> int:
    return 0 if abs(value) <= TOLERANCE else 1 if value > 0 else -1
