"""Distillation beside the other losses (stage 1 of DeAR): its value, its laws, what it reads, what it is good for."""

import dataclasses
import math
from pathlib import Path
from typing import Any

import lessons
import mimetic
import planted
import pytest
import torch
from safetensors.torch import load_file

from whyrank.errors import BadInput
from whyrank.train import card, learner, objective
from whyrank.train.examples import (
    ALL_THE_SAME,
    WITHOUT_SCORE,
    WITHOUT_SCORES,
    ListExample,
    example,
    prepare,
    read,
    require_scores,
)
from whyrank.train.loop import train
from whyrank.train.settings import DataSettings, LossSettings, LossWeights
from whyrank.types import Document

HYBRID = {"loss.weights.pairwise": 0.45, "loss.weights.listwise": 0.45, "loss.weights.distillation": 0.1}
TEACHER = (2.0, None, 0.0, 1.0)


def value(scores: list[float], teacher: tuple[float | None, ...], temperature: float = 2.0) -> float:
    return float(objective.distillation(torch.tensor(scores, dtype=torch.float64), teacher, temperature))


def one(targets: tuple[float, ...], teacher: tuple[float | None, ...]) -> ListExample:
    texts = tuple(f"text {place}" for place in range(len(targets)))
    return ListExample("query", texts, targets, (), (0,) * len(targets), teacher)


# Scores (1, 0) over T = 2 are (0.5, 0), the teacher's (2, 0) are (1, 0); softmax of two is a sigmoid of the difference.
GIVEN, WANTED = 1 / (1 + math.exp(-0.5)), 1 / (1 + math.exp(-1.0))  # 0.622459, 0.731059
# 0.731059 · ln(0.731059 / 0.622459) + 0.268941 · ln(0.268941 / 0.377541) = 0.117566 − 0.091221 = 0.026345
DIVERGENCE = WANTED * math.log(WANTED / GIVEN) + (1 - WANTED) * math.log((1 - WANTED) / (1 - GIVEN))


def test_the_teacher_comes_first_and_temperature_counts_twice() -> None:
    assert pytest.approx(0.026345, abs=1e-6) == DIVERGENCE
    assert value([1, 0], (2, 0)) == pytest.approx(4 * DIVERGENCE, abs=1e-9)
    assert value([1, 0], (2, 0)) == pytest.approx(0.105379, abs=1e-6)  # the student first would be 0.111819
    # T = 1: 0.880797 · ln(0.880797 / 0.731059) + 0.119203 · ln(0.119203 / 0.268941) = 0.164117 − 0.096986
    assert value([1, 0], (2, 0), 1.0) == pytest.approx(0.067131, abs=1e-6)


def test_the_whole_loss_of_a_list_is_the_papers() -> None:
    """α = 0.1: 0.9 · main + 0.1 · T² · KL; the hybrid main is half RankNet, half cross-entropy."""
    scores, labelled = torch.tensor([1.0, 0.0]), one((0.0, 1.0), (2.0, 0.0))
    # One positive, one negative: both are −log of the share e⁰ / (e¹ + e⁰) of the positive, log(1 + e) = 1.313262.
    main = math.log1p(math.e)
    for weights in ({"pairwise": 0.0, "listwise": 0.9}, {"pairwise": 0.45, "listwise": 0.45}):
        how = LossSettings(
            listwise="softmax_cross_entropy", weights=LossWeights(**weights, distillation=0.1, generation=0.0)
        )
        parts = objective.of_scores(scores, labelled, how)
        sums = torch.tensor([float(parts.get(part, 0.0)) for part in objective.PARTS])
        total = objective.means(sums, objective.counts([labelled]), how)["loss"]
        assert total == pytest.approx(0.9 * main + 0.1 * 4 * DIVERGENCE, abs=1e-6)
        assert total == pytest.approx(0.9 * 1.313262 + 0.1 * 0.105379, abs=1e-6)


def test_a_document_without_a_score_takes_no_part() -> None:
    assert value([1, 99, 0], (2, None, 0)) == pytest.approx(4 * DIVERGENCE, abs=1e-9)
    scores = torch.tensor([1.0, 99.0, 0.0], requires_grad=True)
    objective.distillation(scores, (2, None, 0), 2.0).backward()
    # T · (softmax(s / T) − softmax(t / T)) for the two: 2 · (0.6224593 − 0.7310586).
    assert scores.grad is not None
    assert scores.grad.tolist() == pytest.approx([-0.217199, 0.0, 0.217199], abs=1e-6)


@pytest.mark.parametrize("teacher", [(), (None, None), (3.0, None)])
def test_fewer_than_two_scores_teach_nothing(teacher: tuple[float | None, ...]) -> None:
    scores = torch.tensor([1.0, 0.0], requires_grad=True)
    found = objective.distillation(scores, teacher, 2.0)
    found.backward()
    assert scores.grad is not None
    assert (float(found.detach()), scores.grad.tolist()) == (0.0, [0.0, 0.0])
    assert not one((1.0, 0.0), teacher).is_scored


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_gradient_is_the_slope(temperature: float) -> None:
    scores = torch.tensor([0.3, -1.2, 0.7, 2.0], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda s: objective.distillation(s, TEACHER, temperature), (scores,))


@pytest.mark.parametrize(
    ("scores", "teacher"),
    [
        ([2.0, 0.7, 0.3, -1.2], (1.0, 0.0, 2.0, None)),  # other order
        ([0.3, -1.2, 0.7, 2.0, 7.0, 8.0], (*TEACHER, None, None)),  # more documents that have no score
        ([10.3, 8.8, 10.7, 12.0], TEACHER),  # all scores 10 higher
        ([0.3, -1.2, 0.7, 2.0], (-98.0, None, -100.0, -99.0)),  # all of the teacher's 100 lower
    ],
)
def test_only_differences_within_the_list_count(scores: list[float], teacher: tuple[float | None, ...]) -> None:
    assert value(scores, teacher) == pytest.approx(value([0.3, -1.2, 0.7, 2.0], TEACHER), abs=1e-6)


def test_a_step_averages_over_the_lists_that_the_teacher_has_scored() -> None:
    lists = [one((0.0, 1.0), (2.0, 0.0)), one((0.0, 1.0), ()), one((0.0, 1.0), (1.0, None)), one((1.0, 0.0), (0, 0))]
    counted = objective.counts(lists)
    assert counted == {"pairwise": 4, "listwise": 4, "distillation": 2, "generation": 0}
    how = LossSettings(weights=LossWeights(pairwise=0.0, listwise=0.0, distillation=0.5))
    sums = torch.zeros(len(objective.PARTS))
    for each in lists:
        parts = objective.of_scores(torch.tensor([1.0, 0.0]), each, how)
        assert parts.keys() == {"distillation"}
        sums[objective.PARTS.index("distillation")] += parts["distillation"]
    # The fourth: 4 · (0.5 · ln(0.5 / 0.622459) + 0.5 · ln(0.5 / 0.377541)) = 4 · 0.030928.
    means = objective.means(sums, counted, how)
    assert means["distillation"] == pytest.approx((0.105379 + 0.123720) / 2, abs=1e-5)
    assert means["loss"] == pytest.approx(0.5 * means["distillation"])


def test_a_distillation_alone_is_something_to_learn(tmp_path: Path) -> None:
    alone = {"loss.weights": {"pairwise": 0, "listwise": 0, "distillation": 1}, "reasons": "none"}
    how = lessons.settings("tiny", "data", tmp_path, alone)
    assert objective.passes([one((0.0, 1.0), (2.0, 0.0))] * 3, how) == 3
    with pytest.raises(BadInput, match="nothing would be learnt"):
        lessons.settings("tiny", "data", tmp_path, {**alone, "loss.weights.distillation": 0})


def scored(number: int, scores: tuple[float | None, ...] = (0.0, 2.0, 1.0), **more: Any) -> Any:
    labels = {} if "labels" in more else {"labels": {"d1": 1.0}}
    return lessons.record(number, documents=3, has_reasons=False, scores=scores, **labels, **more)


def test_scores_stand_beside_the_documents_that_are_read() -> None:
    record = scored(1, (0.5, None, 2.0))
    found = example(record, DataSettings(), (), is_judged=False, is_distilled=True)
    assert found.teacher == (0.5, None, 2.0)
    documents = (Document("empty", " "), *record.documents[1:])
    found = example(
        dataclasses.replace(record, documents=documents), DataSettings(), (), is_judged=False, is_distilled=True
    )
    assert (len(found.documents), found.teacher) == (2, (None, 2.0))
    assert example(record, DataSettings(), (), is_judged=False).teacher == ()


def test_what_is_not_distilled_is_counted_and_the_lists_stay() -> None:
    records = [scored(1), scored(2, (1.0, None, 0.0)), scored(3, (1.0, None, None)), scored(4, ())]
    found = prepare(records, DataSettings(), (), seed=1, is_distilled=True)
    assert len(found.examples) == 4
    assert found.left_out == {WITHOUT_SCORE: 1, WITHOUT_SCORES: 2}
    plain = prepare(records, DataSettings(), (), seed=1)
    assert plain.left_out == {}
    assert plain.digest != found.digest


def test_targets_are_labels_and_an_unjudged_document_is_worth_nothing() -> None:
    records = [
        scored(1, labels={"d2": 2.0, "d0": 0.0}),
        scored(2, labels={}),
        scored(3, labels={"another": 1.0}),
        scored(4, labels={"d0": 0.0}),
    ]
    found = prepare(records, DataSettings(targets="labels"), (), seed=1)
    assert [one.targets for one in found.examples] == [(0.0, 0.0, 2.0), (0.0, 0.0, 0.0)]
    assert found.skipped == {"without a label of any document (data.targets: labels)": 2}
    assert found.left_out == {ALL_THE_SAME: 1}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return lessons.base(tmp_path_factory.mktemp("models") / "tiny")


def test_labels_that_are_nowhere_are_told(tmp_path: Path) -> None:
    data = lessons.written(tmp_path / "data", [scored(n, labels={}) for n in range(3)])
    how = lessons.settings("tiny", data, tmp_path / "run", {"data.targets": "labels"})
    with pytest.raises(BadInput, match=r"none of 3 records can be learnt from: 3 without a label of any document"):
        read(tmp_path / "data" / "train.jsonl", how)


def test_scores_that_are_nowhere_are_told_before_a_model_is_loaded(tmp_path: Path) -> None:
    data = lessons.written(tmp_path / "data", [scored(1, (1.0, None, None)), scored(2, ())])
    how = lessons.settings("nowhere", data, tmp_path / "run", {**HYBRID, "loss.weights.generation": 0})
    with pytest.raises(BadInput, match=r"none of its 2 lists holds a teacher's scores of two documents") as caught:
        train(how)
    assert "'loss.weights.distillation'" in str(caught.value)
    path = tmp_path / "data" / "train.jsonl"
    without = lessons.settings("nowhere", data, tmp_path / "run", {"loss.weights.generation": 0})
    require_scores(path, read(path, without), without)


class Interrupted(Exception):
    pass


def interrupted(monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    real = learner.Learner.step

    def step(self: learner.Learner, number: int, *rest: Any) -> Any:
        if number == after:
            raise Interrupted
        return real(self, number, *rest)

    monkeypatch.setattr(learner.Learner, "step", step)


def test_an_interrupted_distillation_ends_in_the_same_bits(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # One list a pass: those of lists 3 and 4 have nothing to distil.
    records = [*(scored(n) for n in range(3)), scored(3, ()), scored(4, (1.0, None, None)), scored(5, (1.0, None, 0.0))]
    data = lessons.written(tmp_path / "data", records, [scored(6), scored(7, ())])
    values = {
        **HYBRID,
        "loss.weights.generation": 0,
        "loss.listwise": "softmax_cross_entropy",
        "data.targets": "labels",
        "optimizer.epochs": 2,
        "checkpoints.every": 2,
    }
    whole = train(lessons.settings(model, data, tmp_path / "whole", values))
    how = lessons.settings(model, data, tmp_path / "parts", values)
    with monkeypatch.context() as patched:
        interrupted(patched, 7)
        with pytest.raises(Interrupted):
            train(how)
    torch.manual_seed(123)
    again = train(how)
    assert (whole.begun, again.begun, again.steps) == (0, 6, 12)
    for path in whole.folder.rglob("*.safetensors"):
        bits = load_file(path), load_file(again.folder / path.relative_to(whole.folder))
        assert bits[0].keys() == bits[1].keys()
        assert all(torch.equal(value, bits[1][name]) for name, value in bits[0].items())
    rows = lessons.log(tmp_path / "whole")
    distilled = [row for row in rows if "train/distillation" in row]
    assert len(distilled) == 8  # in two epochs, four of six lists
    assert all(row["dev/distillation"] > 0 for row in rows if "dev/loss" in row)
    told = (whole.folder / "README.md").read_text(encoding="utf-8")
    learnt = "which documents were judged relevant, a teacher's scores by distillation, and no reasons"
    for line in (
        f"It learnt {learnt}, as in [DeAR, stage 1]({card.DISTILLATION})",
        "| lists with a teacher's scores to distil | 4 |",
        f"| left out: {WITHOUT_SCORE} | 1 |",
        f"| left out: {WITHOUT_SCORES} | 2 |",
        "| train/distillation |",
    ):
        assert line in told


def test_what_a_student_learns_with_the_teacher_can_be_believed(tmp_path: Path) -> None:
    """The small form of bench/calibrated_distillation.py: RankNet finds the planted order and is too sure of it."""
    lists = [planted.planted(10**6 + number) for number in range(150)]
    data = lessons.written(tmp_path / "data", [planted.planted(number).record for number in range(1_200)])
    base = planted.base(tmp_path / "base", width=mimetic.WIDTH)
    ways = {
        "RankNet": {"loss.weights.pairwise": 1.0, "data.targets": "scores"},
        "hybrid": {**HYBRID, "data.targets": "labels"},
    }
    found = {}
    for name, values in ways.items():
        done = train(planted.settings(base, data, tmp_path / name, values))
        found[name] = planted.found(planted.scored(done.folder, lists), lists)
    assert found["RankNet"].order > 0.8
    assert found["hybrid"].order > 0.5  # not by knowing nothing
    assert found["hybrid"].lists < 0.8 * found["RankNet"].lists
    assert found["hybrid"].pairs < 0.8 * found["RankNet"].pairs
