"""Reasons on the worker of a model: each its own turn, so that lists of others are ranked between two of them."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import zip_longest
from typing import NamedTuple

from whyrank import reason
from whyrank.errors import unknown
from whyrank.rankers.dual_stage import DualStage
from whyrank.reason.giving import with_reasons
from whyrank.reason.told import Teller
from whyrank.serve.cutting import cut
from whyrank.serve.models import Model
from whyrank.serve.problems import Refused
from whyrank.serve.shapes import tokens_of
from whyrank.types import Comparison, Direct, Explanations, Hit, Ranking, Scorer, Usage


class Reasons(NamedTuple):
    """What is said of one hit, or a part of it where two stages have each a reason for it.

    Attributes:
        place: of the hit in the ranking, from 0.
        direct: why it answers.
        comparison: why it stands above the next.
        usage: what it cost to find out.
    """

    place: int
    direct: Direct | None
    comparison: Comparison | None
    usage: Usage


def gives_reasons(model: Model) -> bool:
    """Whether there is who can give reasons for what the model ranks."""
    return model.writer is not None or isinstance(model.ranker, Scorer | Teller | DualStage)


def check_gives_reasons(model: Model, param: str) -> None:
    """Refuse to ask for reasons where there are none.

    Raises:
        Refused: the model can give none.
    """
    if not gives_reasons(model):
        message = f"{param}: the model {model.name} gives no reasons; leave it out, or name another model"
        raise Refused("invalid_request", message, param=param)


async def each_reason(model: Model, ranking: Ranking, top: int) -> AsyncIterator[Reasons]:
    """The reasons for the best `top` hits, in rank order, each as soon as it is there.

    They are those that `whyrank.explain` gives for the ranking. Those that a model writes in one go come together.
    """
    if not top:
        return
    if not model.is_taken_apart:
        told = await model.batcher.call(
            lambda: with_reasons(ranking, model.ranker, top, model.writer), _tokens(ranking.hits)
        )
        for reasons in _by_hit(ranking, told.explanations or Explanations()):
            yield reasons
        return
    for place in range(min(top, len(ranking))):
        pair = replace(ranking, hits=ranking.hits[place : place + 2])
        found = await model.batcher.call(partial(with_reasons, pair, model.ranker, 1), _tokens(pair.hits))
        for reasons in _by_hit(pair, found.explanations or Explanations()):
            yield reasons._replace(place=place)


async def explained(model: Model, ranking: Ranking, top: int) -> Explanations:
    """The reasons of the best `top` hits, all at once."""
    found = [own async for own in each_reason(model, ranking, top)]
    return Explanations(
        direct=tuple(own.direct for own in found if own.direct),
        comparisons=tuple(own.comparison for own in found if own.comparison),
        usage=sum((own.usage for own in found), Usage()),
    )


def check_points(model: Model) -> Scorer:
    """The ranker of a model that points at sentences.

    Raises:
        Refused: its scores cannot be taken apart.
    """
    if isinstance(model.ranker, Scorer):
        return model.ranker
    message = f"relevant_spans: the model {model.name} points at no sentences; leave it out"
    raise Refused("invalid_request", message, param="relevant_spans")


async def spans_of(model: Model, ranking: Ranking) -> Sequence[Direct]:
    """Direct reasons of all hits of a ranking, without comparisons; a long list takes several turns.

    Raises:
        Refused: the scores of the model cannot be taken apart.
    """
    scorer = check_points(model)
    found: list[Direct] = []
    for piece, tokens in cut(ranking, model.batcher.turn_tokens):
        told = partial(reason.explain, piece, scorer, top=len(piece), counterfactuals=False)
        found += (await model.batcher.call(told, tokens)).direct
    return found


def check_compares(model: Model, ids: Sequence[str], one: str, other: str) -> Scorer:
    """The ranker of a model, where it can say why one of two documents stands above the other.

    Raises:
        Refused: its scores cannot be taken apart, or it is one document twice.
        UnknownName: a document that was not given.
    """
    if not isinstance(model.ranker, Scorer):
        message = f"model: the scores of {model.name} cannot be taken apart; name another model"
        raise Refused("invalid_request", message, param="model")
    if one == other:
        raise Refused("invalid_request", f"lower: is {one!r}, as is upper; name two documents", param="lower")
    for identifier in (one, other):
        if identifier not in ids:
            raise unknown("document", identifier, ids)
    return model.ranker


async def compared(model: Model, ranking: Ranking, one: str, other: str) -> Comparison:
    """Why the higher of two documents stands above the lower.

    Raises:
        Refused: the scores of the model cannot be taken apart, or it is one document twice.
        UnknownName: a document that is not in the ranking.
        BadInput: a document that was not read.
    """
    scorer = check_compares(model, ranking.ids, one, other)
    upper, lower = sorted((one, other), key=ranking.ids.index)
    hits = [hit for hit in ranking if hit.document.id in (one, other)]
    return await model.batcher.call(lambda: reason.explain_pair(ranking, scorer, upper, lower), _tokens(hits))


def _by_hit(ranking: Ranking, found: Explanations) -> list[Reasons]:
    """Reasons sorted by hit, several of one hit one after another; the first bears the cost."""
    usage = found.usage
    sorted_by_hit = []
    for place, identifier in enumerate(ranking.ids):
        direct = [own for own in found.direct if own.document_id == identifier]
        above = [own for own in found.comparisons if own.upper_id == identifier]
        for both in zip_longest(direct, above):
            sorted_by_hit.append(Reasons(place, *both, usage))
            usage = Usage()
    return sorted_by_hit


def _tokens(hits: Sequence[Hit]) -> int:
    return sum(tokens_of(hit.document.full_text) for hit in hits)
