"""`--dry-run`: what a language model would be asked, and what that would cost."""

from collections.abc import Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING

import typer

from whyrank.cli.progress import Work
from whyrank.cli.ranking import Plan, resolved
from whyrank.errors import BadInput
from whyrank.lm.base import Reply, Request
from whyrank.lm.prices import Price, price_of
from whyrank.lm.rehearsal import Estimate, Rehearsal
from whyrank.types import Ranking, Scorer, Usage

if TYPE_CHECKING:
    from whyrank.config import ModelSettings
    from whyrank.lm.base import LM

REASON_TOKENS = 90
"""Tokens of a reason with its quote, as models write them."""


def rehearsed(given: Sequence[Ranking], plan: Plan, work: Work) -> None:
    """Say what ranking these lists, and the reasons, would ask and cost; nothing is asked.

    Raises:
        BadInput: no language model is asked.
    """
    from whyrank.rankers.asking import LMReranker
    from whyrank.rankers.dual_stage import DualStage

    ranker, writer = resolved(plan, work)
    work.phase("rehearsing")
    with ExitStack() as opened:
        for one in (ranker, writer):
            if close := getattr(one, "close", None):
                opened.callback(close)
        parts: list[tuple[str, Estimate]] = []
        if isinstance(ranker, LMReranker | DualStage):
            parts.append(("ranking", ranker.rehearse(given, depth=plan.depth, price=_price(plan))))
        if plan.explain and writer is not None:
            parts.append(("reasons", _reasons(given, ranker if isinstance(ranker, Scorer) else None, plan, writer)))
    if not parts:
        raise BadInput(f"{ranker.name} asks no language model, so there is nothing to rehearse; name a --model")
    depth = max(len(ranking.hits[: plan.depth]) for ranking in given)
    with work.paused():
        typer.echo(f"ranker     {ranker.name}\nqueries    {len(given):,}\ndepth      {depth:,} documents")
        for name, estimate in parts:
            if len(parts) > 1:
                typer.echo(f"\n{name}")
            for line in _lines(estimate, plan):
                typer.echo(line)


def _reasons(given: Sequence[Ranking], scorer: Scorer | None, plan: Plan, writer: "LM") -> Estimate:
    """What the reasons would take, if the order stayed as it is."""
    from whyrank.rankers.outcome import as_placed
    from whyrank.reason import write_reasons_many

    def written(_request: Request) -> Reply:
        return Reply("{}", usage=Usage(generated_tokens=REASON_TOKENS))

    rehearsal = Rehearsal(writer, written, price=_price(plan))
    as_given = [
        as_placed(ranking, range(len(ranking.hits[: plan.depth])), ranker="as given", usage=Usage())
        for ranking in given
    ]
    write_reasons_many(as_given, rehearsal, top=plan.explain, scorer=scorer)
    return rehearsal.estimate


def _price(plan: Plan) -> Price | None:
    asked = _asked(plan)
    if asked is None:
        return None
    if asked.price is not None:
        return Price(*asked.price)
    provider, _, model = asked.name.partition(":")
    if provider in ("transformers", "vllm"):
        return Price(0.0, 0.0)
    return None if asked.url else price_of(provider, model)


def _asked(plan: Plan) -> "ModelSettings | None":
    return plan.model if plan.then is None else plan.then.model


def _lines(estimate: Estimate, plan: Plan) -> list[str]:
    about = "" if estimate.is_exact else "about "
    cached = f", of which {estimate.from_cache:,} from the cache" if estimate.from_cache else ""
    expected, most = estimate.generated_tokens, estimate.most_generated_tokens
    return [
        f"calls      {estimate.calls:,}{cached}",
        f"rounds     {estimate.batches:,} (all calls of a round go out together)",
        f"prompts    {about}{estimate.prompt_tokens:,} tokens",
        f"answers    about {expected:,} tokens; {most:,} if each is as long as it may be, more if asked for again",
        f"cost       {_cost(estimate, plan)}",
    ]


def _cost(estimate: Estimate, plan: Plan) -> str:
    asked = _asked(plan)
    if asked is None or asked.name.startswith(("transformers:", "vllm:")):
        return "none: the weights are in this process"
    if estimate.cost is None or estimate.most_cost is None:
        return "unknown: the price of this model is not known; give it with --config 'model.price=[0.4, 1.6]'"
    return f"about ${estimate.cost:.4f}; ${estimate.most_cost:.4f} if each answer is as long as it may be"
