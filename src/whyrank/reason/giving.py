"""Reasons by whoever can give them: a ranker whose scores can be taken apart, or a model that writes."""

from collections.abc import Callable
from dataclasses import replace

from whyrank.errors import BadInput
from whyrank.lm.base import LM
from whyrank.reason.explanations import explain
from whyrank.reason.written import write_reasons
from whyrank.types import Comparison, Direct, Ranking, Scorer


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
    scorer = ranker if isinstance(ranker, Scorer) else None
    if writer is not None:
        written = write_reasons(ranking, writer, top=top, scorer=scorer, on_reason=on_reason)
        return replace(ranking, explanations=written)
    if scorer is None:
        name = getattr(ranker, "name", type(ranker).__name__)
        raise BadInput(f"{name} gives no reasons; use evidence, or name a language model that can write them")
    return replace(ranking, explanations=explain(ranking, scorer, top=top))
