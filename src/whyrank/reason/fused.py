"""Why a document stands where two stages put it: the score of the first, its place in the second, and what was thought.

Three kinds of reasons, each with what it can bear: the score of stage 1 taken apart, as always; the place taken apart
into what each stage gave it, which is no score and says so; and the reasoning of stage 2 (`reasoned`), signed by it.
"""

from dataclasses import replace

from whyrank.rankers.dual_stage import DualStage
from whyrank.rankers.fusion import Summands
from whyrank.reason.direct import direct_reason
from whyrank.reason.explanations import decomposed, explain, joined
from whyrank.reason.phrases import number
from whyrank.reason.reasoned import reasoned
from whyrank.types import Direct, Explanations, Ranking, Scorer, Term

PARTS = ("stage 1", "stage 2")


def two_stage_reasons(ranking: Ranking, dual: DualStage, *, top: int = 3) -> Explanations:
    """The reasons for a ranking of `dual`; none but those of its scores where it keeps no account of it (any more).

    Args:
        ranking: a finished ranking.
        dual: what made it.
        top: how many documents get reasons.
    """
    account = dual.account(ranking)
    is_fused = any(hit.placed for hit in ranking)
    own = _scored(ranking, dual.stage1, top, is_fused=is_fused)
    if account is None:
        return own
    ids = [identifier for identifier in ranking.ids[:top] if identifier in account.places]
    places = Explanations(tuple(placed_reason(identifier, account.places[identifier]) for identifier in ids))
    thoughts = reasoned(ranking, account.thoughts, dual.stage2.name, top=top) if is_fused else Explanations()
    return joined(ranking, own, places, thoughts)


def placed_reason(document_id: str, summands: Summands) -> Direct:
    """What a place follows from, as terms of no score."""
    values = zip(PARTS, (summands.stage1, summands.stage2), strict=True)
    terms = tuple(Term(part, value) for part, value in values)
    return Direct(document_id, wording(terms), terms=terms)


def wording(terms: tuple[Term, ...]) -> str:
    """The same in English.

    >>> wording((Term("stage 1", 0.3), Term("stage 2", 0.45)))
    'Placed by 0.75: 0.30 from stage 1 and 0.45 from stage 2.'
    """
    given = " and ".join(f"{number(term.value)} from {term.part}" for term in terms)
    return f"Placed by {number(sum(term.value for term in terms))}: {given}."


def _scored(ranking: Ranking, stage1: object, top: int, *, is_fused: bool) -> Explanations:
    """The scores of stage 1 taken apart; where they made the order, neighbours compared too."""
    if not isinstance(stage1, Scorer):
        return Explanations()
    if not is_fused:
        return explain(replace(ranking, explanations=None), stage1, top=top)
    hits = [hit for hit in ranking.hits[:top] if hit.score is not None]
    apart = decomposed(ranking, stage1, hits)
    direct = [direct_reason(ranking.query, hit.document, one) for hit, one in zip(hits, apart, strict=True)]
    return Explanations(direct=tuple(direct))
