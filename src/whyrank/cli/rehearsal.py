"""`--dry-run`: what a language model would be asked, and what that would cost."""

from collections.abc import Sequence
from contextlib import closing

import typer

from whyrank.cli.progress import Work
from whyrank.cli.ranking import Plan, resolved
from whyrank.errors import BadInput
from whyrank.lm.prices import Price, price_of
from whyrank.lm.rehearsal import Estimate
from whyrank.types import Ranking


def rehearsed(given: Sequence[Ranking], plan: Plan, work: Work) -> None:
    """Say what ranking these lists would ask and cost; nothing is asked.

    Raises:
        BadInput: no language model ranks.
    """
    from whyrank.rankers.asking import LMReranker

    ranker, _ = resolved(plan, work)
    if not isinstance(ranker, LMReranker):
        raise BadInput(f"{ranker.name} asks no language model to rank, so there is nothing to rehearse; name a --model")
    work.phase("rehearsing")
    with closing(ranker):
        estimate = ranker.rehearse(given, depth=plan.depth, price=_price(plan))
    with work.paused():
        for line in _lines(estimate, ranker.name, len(given)):
            typer.echo(line)


def _price(plan: Plan) -> Price | None:
    if plan.model is None:
        return None
    if plan.model.price is not None:
        return Price(*plan.model.price)
    provider, _, model = plan.model.name.partition(":")
    return None if plan.model.url else price_of(provider, model)


def _lines(estimate: Estimate, ranker: str, queries: int) -> list[str]:
    about = "" if estimate.is_exact else "about "
    lines = [
        f"ranker     {ranker}",
        f"queries    {queries:,}",
        f"calls      {estimate.calls:,}"
        + (f", of which {estimate.from_cache:,} from the cache" if estimate.from_cache else ""),
        f"waits      {estimate.batches:,} (calls between two waits go out together)",
        f"prompts    {about}{estimate.prompt_tokens:,} tokens",
        f"answers    about {estimate.generated_tokens:,} tokens, at most {estimate.most_generated_tokens:,}",
    ]
    if estimate.cost is None or estimate.most_cost is None:
        return [*lines, "cost       unknown: nobody told the price of this model (--config 'model.price=[0.4, 1.6]')"]
    return [*lines, f"cost       about ${estimate.cost:.4f}, at most ${estimate.most_cost:.4f}"]
