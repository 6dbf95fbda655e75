"""The loss of permutations, and what a listwise student does on lists that it has not learnt from.

    loss = - 1/A · sum of log p(token | prompt, tokens before it)

over the A tokens that are written in a step, ends included. A token counts the same wherever it stands, so that the
loss of a step does not depend on how its lists are spread over passes and processes.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from whyrank import evaluate
from whyrank.train.distributed import Group
from whyrank.train.examples import ListExample
from whyrank.train.permutation_student import PermutationStudent, ranking_of
from whyrank.train.permutations import PermutationExample
from whyrank.train.settings import LossSettings, TrainSettings

MEASURE = "nDCG@10"
PART = "generation"


def counts(lists: Sequence[ListExample]) -> Mapping[str, int]:
    """Tokens that are learnt of these lists."""
    return {PART: sum(one.learnt for one in _permutations(lists))}


def means(sums: Tensor, counted: Mapping[str, int], _settings: LossSettings) -> Mapping[str, float]:
    """The loss.

    Args:
        sums: its sum over tokens.
        counted: `counts` of these lists.
    """
    return {"loss": sums.tolist()[0] / counted[PART]}


def descend(
    student: PermutationStudent, lists: Sequence[ListExample], settings: TrainSettings, counted: Mapping[str, int]
) -> Tensor:
    """Add the gradient of these lists' part of a step's loss to the parameters'.

    Args:
        student: that learns.
        lists: of one pass.
        settings: whether they are packed.
        counted: `counts` of all lists of the step.

    Returns:
        The sum of the loss over tokens, as the only one of its kind.
    """
    loss = student.loss(_permutations(lists), is_packed=settings.model.packed)
    (loss / counted[PART]).backward()
    return loss.detach().float()[None]


def measured(
    student: PermutationStudent, lists: Sequence[ListExample], settings: TrainSettings, group: Group
) -> Mapping[str, float]:
    """Figures over lists, without dropout; the processes of the group share the work.

    The loss is over all lists. The first `data.answers` of them are answered, by the likeliest words: "parsed" is the
    share of answers that need no repair, "tau" Kendall's of the order against the teacher's, and nDCG@10 is by
    judgements where there are any, else by the teacher's order.
    """
    student.train(False)
    own = group.parts(_permutations(lists))[group.rank]
    sums = torch.zeros(4, device=student.network.device)
    for one in own:
        with torch.no_grad():
            sums[0] += student.loss([one], is_packed=settings.model.packed)
    answered = _permutations(lists)[: settings.data.answers]
    for one, found in _answers(student, group.parts(answered)[group.rank]):
        sums[1] += found is not None
        order = found or tuple(range(len(one.documents)))
        sums[2] += tau(order, one.order)
        sums[3] += _ndcg(order, one.grades)
    group.add_up([sums])
    figures = {"loss": float(sums[0]) / counts(lists)[PART]}
    if answered:
        shares = (sums[1:] / len(answered)).tolist()
        figures |= dict(zip(("parsed", "tau", MEASURE), shares, strict=True))
    return {f"dev/{name}": value for name, value in figures.items()}


def _answers(
    student: PermutationStudent, lists: Sequence[PermutationExample]
) -> list[tuple[PermutationExample, tuple[int, ...] | None]]:
    """The order that the student writes of each list; None where its answer states none without repair."""
    ranked = student.ranker.rerank_many([ranking_of(one) for one in lists])
    orders = [tuple(int(name) - 1 for name in ranking.ids) if ranking.status == "ok" else None for ranking in ranked]
    return list(zip(lists, orders, strict=True))


def tau(order: Sequence[int], wanted: Sequence[int]) -> float:
    """Kendall's tau of two orders of the same places; 1 for lists of one.

    >>> tau([0, 1, 2], [0, 2, 1])
    0.3333333333333333
    """
    rank = {place: at for at, place in enumerate(order)}
    pairs = [(first, second) for at, first in enumerate(wanted) for second in wanted[at + 1 :]]
    agreed = sum(rank[first] < rank[second] for first, second in pairs)
    return 2 * agreed / len(pairs) - 1 if pairs else 1.0


def _ndcg(order: Sequence[int], grades: Sequence[int]) -> float:
    run = {"q": {str(place): -float(at) for at, place in enumerate(order)}}
    judged = {"q": {str(place): float(grade) for place, grade in enumerate(grades)}}
    return evaluate.measure("student", run, judged, [MEASURE]).mean(MEASURE)


def _permutations(lists: Sequence[ListExample]) -> list[PermutationExample]:
    return [one for one in lists if isinstance(one, PermutationExample)]
