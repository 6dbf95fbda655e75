"""The loss of Reason-to-Rank, piece by piece.

    loss = 0.4 · pairwise + 0.4 · listwise + 0.2 · generation

Within a step each list counts the same: the two losses of its scores are its own and are averaged over the lists, the
cross-entropy of its reasons is the mean over their tokens and is averaged over the lists that have reasons. So the
loss of a step does not depend on how its lists are spread over passes and processes. Deviates from a mean over all
pairs and tokens of a batch, in which long lists and long reasons count more.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

import torch
from torch import Tensor

from whyrank.train import losses
from whyrank.train.causal import CausalStudent
from whyrank.train.examples import ListExample
from whyrank.train.settings import LossSettings, TrainSettings

# D documents of a list
PARTS = ("pairwise", "listwise", "generation")
Sums: TypeAlias = Mapping[str, Tensor]
"""Losses by part, summed over lists."""


def pieces(student: CausalStudent, lists: Sequence[ListExample], settings: TrainSettings) -> Iterator[Sums]:
    """The losses of lists: those of their scores, then those of their reasons, a few at a time.

    Parts that weigh 0 are left out.
    Each piece has a graph of its own, so that its gradient can be taken, and its memory freed, before the next.
    """
    weights = settings.loss.weights
    if weights.pairwise or weights.listwise:
        scores = student.score([(one.query, one.documents) for one in lists], packed=settings.model.packed)
        each = [of_scores(s_D, one.targets, settings.loss) for s_D, one in zip(scores, lists, strict=True)]
        yield {part: torch.stack([parts[part] for parts in each]).sum() for part in each[0]}
    for one in lists:
        yield from ({"generation": part} for part in of_reasons(student, one, settings))


def of_scores(scores_D: Tensor, targets: Sequence[float], settings: LossSettings) -> Sums:
    """The losses of one list's scores that weigh something.

    Args:
        scores_D: of the student.
        targets: of the teacher, one a document.
        settings: which losses.
    """
    scores, wanted = scores_D[None], torch.tensor(targets, dtype=torch.float32, device=scores_D.device)[None]
    there = torch.ones_like(wanted, dtype=torch.bool)
    tempered = {"temperature": settings.temperature} if settings.listwise in ("kl", "list_net") else {}
    found = {}
    if settings.weights.pairwise:
        found["pairwise"] = getattr(losses, settings.pairwise)(scores, wanted, there)
    if settings.weights.listwise:
        found["listwise"] = getattr(losses, settings.listwise)(scores, wanted, there, **tempered)
    return found


def of_reasons(student: CausalStudent, one: ListExample, settings: TrainSettings) -> Iterator[Tensor]:
    """The cross-entropy of a list's reasons in parts that add up to the mean over tokens; none if it weighs nothing."""
    lengths = [len(student.network.renderer.told(reason.text)) for reason in one.told]
    for start in starts(one, settings):
        some = slice(start, start + settings.model.reasons_at_once)
        yield student.generation_loss(one.told[some]) * (sum(lengths[some]) / sum(lengths))


def starts(one: ListExample, settings: TrainSettings) -> range:
    """The first reason of each part that `of_reasons` makes of a list."""
    return range(0, len(one.told) if settings.loss.weights.generation else 0, settings.model.reasons_at_once)


def passes(lists: Sequence[ListExample], settings: TrainSettings) -> int:
    """How many `pieces` there are of lists that are read `optimizer.batch` at a time."""
    weights = settings.loss.weights
    scored = math.ceil(len(lists) / settings.optimizer.batch) if weights.pairwise or weights.listwise else 0
    return scored + sum(len(starts(one, settings)) for one in lists)


def counts(lists: Sequence[ListExample]) -> Mapping[str, int]:
    """Over how many lists each part of `PARTS` is averaged: those that have it."""
    with_reasons = sum(bool(one.told) for one in lists)
    return {"pairwise": len(lists), "listwise": len(lists), "generation": with_reasons}


def means(sums: Tensor, counted: Mapping[str, int], settings: LossSettings) -> Mapping[str, float]:
    """The loss and its parts; those that weigh nothing or that no list has are left out.

    Args:
        sums: of each part of `PARTS` over lists.
        counted: `counts` of these lists.
        settings: the weights.
    """
    weights = settings.weights.model_dump()
    parts = {
        part: total / counted[part]
        for part, total in zip(PARTS, sums.tolist(), strict=True)
        if weights[part] and counted[part]
    }
    return {"loss": sum(weights[part] * mean for part, mean in parts.items()), **parts}


def descend(
    student: CausalStudent, lists: Sequence[ListExample], settings: TrainSettings, counted: Mapping[str, int]
) -> Tensor:
    """Add the gradient of these lists' part of a step's loss to the parameters'.

    Args:
        student: that learns.
        lists: of one pass.
        settings: of the losses.
        counted: `counts` of all lists of the step.

    Returns:
        Each part of `PARTS`, summed over the lists.
    """
    weights = settings.loss.weights.model_dump()
    totals = torch.zeros(len(PARTS), device=student.network.device)
    for sums in pieces(student, lists, settings):
        losses.weighted_sum(sums, {part: weights[part] / counted[part] for part in sums}).backward()
        for part, value in sums.items():
            totals[PARTS.index(part)] += value.detach()
    return totals
