"""The loss of a student, piece by piece.

    Reason-to-Rank    0.4 · pairwise + 0.4 · listwise + 0.2 · generation
    DeAR, stage 1     0.9 · listwise + 0.1 · distillation, or 0.45 · pairwise + 0.45 · listwise + 0.1 · distillation

Within a step each list counts the same: the losses of its scores are its own and are averaged over the lists (those of
the distillation over the lists that a teacher has scored), the cross-entropy of its reasons is the mean over their
tokens and is averaged over the lists that have reasons. So the loss of a step does not depend on how its lists are
spread over passes and processes. Deviates from a mean over all pairs and tokens of a batch, in which long lists and
long reasons count more.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

import torch
from torch import Tensor

from whyrank.train import losses
from whyrank.train.causal import CausalStudent
from whyrank.train.examples import ListExample
from whyrank.train.learning_student import LearningStudent
from whyrank.train.settings import LossSettings, TrainSettings

# D documents of a list
PARTS = ("pairwise", "listwise", "distillation", "generation")
Sums: TypeAlias = Mapping[str, Tensor]
"""Losses by part, summed over lists."""


def pieces(student: LearningStudent, lists: Sequence[ListExample], settings: TrainSettings) -> Iterator[Sums]:
    """The losses of lists: those of their scores, then those of their reasons, a few at a time.

    Parts that weigh 0 are left out.
    Each piece has a graph of its own, so that its gradient can be taken, and its memory freed, before the next.
    """
    if settings.loss.weights.scored:
        scores = student.score([(one.query, one.documents) for one in lists], packed=settings.model.packed)
        each = [of_scores(s_D, one, settings.loss) for s_D, one in zip(scores, lists, strict=True)]
        yield {part: torch.stack([parts[part] for parts in each]).sum() for part in each[0]}
    for one in lists:
        yield from ({"generation": part} for part in of_reasons(student, one, settings))


def of_scores(scores_D: Tensor, one: ListExample, settings: LossSettings) -> Sums:
    """The losses of one list's scores that weigh something; a distillation without a teacher's scores is 0.

    Args:
        scores_D: of the student.
        one: the list, with its targets and the teacher's scores.
        settings: which losses.
    """
    scores, wanted = scores_D[None], torch.tensor(one.targets, dtype=torch.float32, device=scores_D.device)[None]
    there = torch.ones_like(wanted, dtype=torch.bool)
    tempered = {"temperature": settings.temperature} if settings.listwise in ("kl", "list_net") else {}
    found = {}
    if settings.weights.pairwise:
        found["pairwise"] = getattr(losses, settings.pairwise)(scores, wanted, there)
    if settings.weights.listwise:
        found["listwise"] = getattr(losses, settings.listwise)(scores, wanted, there, **tempered)
    if settings.weights.distillation:
        found["distillation"] = distillation(scores_D, one.teacher, settings.distillation_temperature)
    return found


def distillation(scores_D: Tensor, teacher: Sequence[float | None], temperature: float) -> Tensor:
    """T² · KL(softmax(teacher / T) ‖ softmax(student / T)) over the documents of a list that the teacher has scored.

    Abdallah et al., 2025 (DeAR), as its code has it: the teacher's distribution first (its text writes the student's
    first), the sum over documents. Deviates: the softmax is over the documents that have a score.

    Args:
        scores_D: of the student.
        teacher: its score of each document, None where it gave none; empty if it gave none at all.
        temperature: T.

    Returns:
        Zero, with zero gradient, if the teacher has scored fewer than two.
    """
    known = teacher or [None] * len(scores_D)
    wanted = torch.tensor([score or 0.0 for score in known], dtype=torch.float32, device=scores_D.device)
    there = torch.tensor([score is not None for score in known], dtype=torch.bool, device=scores_D.device)
    return losses.kl(scores_D[None], wanted[None], there[None], temperature=temperature)


def of_reasons(student: LearningStudent, one: ListExample, settings: TrainSettings) -> Iterator[Tensor]:
    """The cross-entropy of a list's reasons in parts that add up to the mean over tokens; none if it weighs nothing."""
    if not starts(one, settings):
        return
    assert isinstance(student, CausalStudent)  # the settings teach reasons to no other
    lengths = [len(student.network.renderer.told(reason.text)) for reason in one.told]
    for start in starts(one, settings):
        some = slice(start, start + settings.model.reasons_at_once)
        yield student.generation_loss(one.told[some]) * (sum(lengths[some]) / sum(lengths))


def starts(one: ListExample, settings: TrainSettings) -> range:
    """The first reason of each part that `of_reasons` makes of a list."""
    return range(0, len(one.told) if settings.loss.weights.generation else 0, settings.model.reasons_at_once)


def passes(lists: Sequence[ListExample], settings: TrainSettings) -> int:
    """How many `pieces` there are of lists that are read `optimizer.batch` at a time."""
    scored = math.ceil(len(lists) / settings.optimizer.batch) if settings.loss.weights.scored else 0
    return scored + sum(len(starts(one, settings)) for one in lists)


def counts(lists: Sequence[ListExample]) -> Mapping[str, int]:
    """Over how many lists each part of `PARTS` is averaged: those that have it."""
    return {
        "pairwise": len(lists),
        "listwise": len(lists),
        "distillation": sum(one.is_scored for one in lists),
        "generation": sum(bool(one.told) for one in lists),
    }


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
    student: LearningStudent, lists: Sequence[ListExample], settings: TrainSettings, counted: Mapping[str, int]
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
        # Where the teacher has scored no list of the step, its distillation is 0 and is averaged over none.
        losses.weighted_sum(sums, {part: weights[part] / max(1, counted[part]) for part in sums}).backward()
        for part, value in sums.items():
            totals[PARTS.index(part)] += value.detach()
    return totals
