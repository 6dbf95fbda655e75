"""Reasons by whoever can give them: a ranker whose scores can be taken apart, or a model that writes."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from whyrank.errors import BadInput
from whyrank.lm.base import LM
from whyrank.rankers.dual_stage import DualStage
from whyrank.reason.explanations import explain
from whyrank.reason.fused import two_stage_reasons
from whyrank.reason.told import Teller, tell_reasons
from whyrank.reason.written import write_reasons, write_reasons_many
from whyrank.types import Comparison, Direct, Progress, Ranking, Scorer


def with_reasons(
    ranking: Ranking,
    ranker: object,
    top: int,
    writer: LM | None = None,
    on_reason: Callable[[Direct | Comparison], None] | None = None,
) -> Ranking:
    """The same ranking with reasons for its best `top` hits; as it is for 0.

    Args:
        ranking: a finished ranking.
        ranker: what made it. If its scores can be taken apart, a writer is shown the parts; without a writer they
            are the reasons.
        top: how many hits get reasons.
        writer: a language model that writes them.
        on_reason: told of each reason that is written, as it comes.

    Raises:
        BadInput: neither can give reasons.
    """
    if not top:
        return ranking
    if writer is None and isinstance(ranker, DualStage) and ranker.name == ranking.ranker:
        return replace(ranking, explanations=two_stage_reasons(ranking, ranker, top=top))
    if writer is not None:
        scorer = _maker(ranking, ranker)
        written = write_reasons(ranking, writer, top=top, scorer=scorer, on_reason=on_reason)
        return replace(ranking, explanations=written)
    if isinstance(ranker, Teller) and ranker.name == ranking.ranker:
        return replace(ranking, explanations=tell_reasons(ranking, ranker, top=top))
    if not isinstance(ranker, Scorer):
        name = getattr(ranker, "name", type(ranker).__name__)
        raise BadInput(
            f"{name} gives no reasons; use student or evidence, or name a language model that can write them"
        )
    if any(hit.placed for hit in ranking):
        raise BadInput(
            f"query {ranking.query.id!r}: the ranking was made by {ranking.ranker}, which gives no scores to take "
            "apart; have its model write the reasons"
        )
    return replace(ranking, explanations=explain(ranking, ranker, top=top))


def with_reasons_many(
    rankings: Sequence[Ranking], ranker: object, top: int, writer: LM, progress: Progress | None = None
) -> list[Ranking]:
    """The same for many rankings, with everything that is to be written in one batch."""
    if not top or not rankings:
        return list(rankings)
    scorer = _maker(rankings[0], ranker)
    written = write_reasons_many(rankings, writer, top=top, scorer=scorer, progress=progress)
    return [replace(r, explanations=reasons) for r, reasons in zip(rankings, written, strict=True)]


def _maker(ranking: Ranking, ranker: object) -> Scorer | None:
    """The ranker, if it made this ranking and its scores can be taken apart."""
    return ranker if isinstance(ranker, Scorer) and ranker.name == ranking.ranker else None
