"""What a student does on lists that it has not learnt from: the parts of its loss, and nDCG@10."""

from collections.abc import Mapping, Sequence

import torch

from whyrank import evaluate
from whyrank.train.distributed import Group, keep_pace
from whyrank.train.examples import ListExample
from whyrank.train.learning_student import LearningStudent
from whyrank.train.objective import PARTS, counts, means, of_reasons, of_scores, starts
from whyrank.train.settings import TrainSettings

MEASURE = "nDCG@10"


def measured(
    student: LearningStudent, lists: Sequence[ListExample], settings: TrainSettings, group: Group
) -> Mapping[str, float]:
    """Mean figures over lists, without dropout; the processes of the group share the work.

    nDCG@10 is by the lists' grades: judgements where there are any, else the teacher's order.
    """
    student.train(False)
    sums = torch.zeros(len(PARTS) + 1, device=student.network.device)
    parts = group.parts(lists)
    for one in parts[group.rank]:
        with torch.no_grad():
            [scores_D] = student.score([(one.query, one.documents)], packed=settings.model.packed)
            for part, value in of_scores(scores_D, one, settings.loss).items():
                sums[PARTS.index(part)] += value
            for value in of_reasons(student, one, settings):
                sums[PARTS.index("generation")] += value
        sums[-1] += _ndcg(scores_D.tolist(), one.grades)
    if settings.model.shard == "fsdp":
        with torch.no_grad():
            each = [len(part) + sum(len(starts(one, settings)) for one in part) for part in parts]
            keep_pace(student, group, each)
    group.add_up([sums])
    figures = {**means(sums[:-1], counts(lists), settings.loss), MEASURE: float(sums[-1]) / len(lists)}
    return {f"dev/{name}": value for name, value in figures.items()}


def _ndcg(scores: Sequence[float], grades: Sequence[int]) -> float:
    run = {"q": {str(place): score for place, score in enumerate(scores)}}
    judged = {"q": {str(place): float(grade) for place, grade in enumerate(grades)}}
    return evaluate.measure("student", run, judged, [MEASURE]).mean(MEASURE)
