"""A task whose truth is known: how likely each document of a list is to be the one that answers.

A document is four words: the query's word in up to two places, one of five words of quality, and others. Its utility
is 1.5 a place plus its quality, −1 to 1. Relevance is drawn from the sigmoid of the utility and lists with exactly one
relevant document are kept, as DeAR trains on one positive and negatives: the relevant one is then a draw from the
softmax of the utilities, whatever is added to them all. The teacher's score is the utility with a little noise.

So softmax of a student's scores over a list is a probability that can be right or wrong, and so is the sigmoid of a
difference of two scores: that the one is relevant, given that one of the two is.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import lessons
import mimetic
import numpy as np
import numpy.typing as npt
import torch

from whyrank.evaluate.calibration import reliability
from whyrank.teach.records import TeacherRecord
from whyrank.train.causal import CausalStudent
from whyrank.train.settings import TrainSettings
from whyrank.types import Document, Query

WORDS = tuple(f"w{number}" for number in range(20))
QUALITIES: Mapping[str, float] = {f"q{number}": number / 2 - 1 for number in range(5)}
DOCUMENTS, LENGTH = 8, 4
A_PLACE, NOISE = 1.5, 0.3
BINS = 15
HEAD = mimetic.WIDTH // mimetic.HEADS
Values = npt.NDArray[np.float64]


class Planted(NamedTuple):
    """A list and its truth.

    Attributes:
        record: what a student learns from.
        utilities_D: planted.
    """

    record: TeacherRecord
    utilities_D: Values


class Found(NamedTuple):
    """How near the scores of a student come to the truth on lists that it has not learnt from.

    Attributes:
        order: pairs of a list in the planted order less those against it, over both.
        lists: ECE of softmax(scores) over a list, 15 bins of equal mass.
        pairs: ECE of sigmoid(score_i − score_j) over pairs with one relevant document, likewise.
        off: mean |softmax(scores) − softmax(utilities)|.
    """

    order: float
    lists: float
    pairs: float
    off: float


def planted(number: int) -> Planted:
    """One list; the same number gives the same."""
    lots = np.random.default_rng(number)
    asked = int(lots.integers(len(WORDS)))
    others = [word for place, word in enumerate(WORDS) if place != asked]
    texts, utilities = [], []
    for _ in range(DOCUMENTS):
        places, quality = int(lots.integers(3)), str(lots.choice(list(QUALITIES)))
        words = [*[WORDS[asked]] * places, quality, *lots.choice(others, LENGTH - 1 - places)]
        texts.append(" ".join(lots.permutation(words)))
        utilities.append(A_PLACE * places + QUALITIES[quality])
    utilities_D = np.array(utilities)
    scores = utilities_D + NOISE * lots.standard_normal(DOCUMENTS)
    relevant = int(lots.choice(DOCUMENTS, p=softmax(utilities_D[None])[0]))
    record = TeacherRecord(
        key=f"k{number}",
        query=Query(f"q{number}", WORDS[asked]),
        documents=tuple(Document(f"d{place}", text) for place, text in enumerate(texts)),
        order=tuple(int(place) for place in np.argsort(-scores)),
        scores=tuple(scores.tolist()),
        labels={f"d{relevant}": 1.0},
        model="planted",
    )
    return Planted(record, utilities_D)


def base(folder: Path, *, seed: int = 0, width: int = mimetic.WIDTH) -> str:
    """A tiny Llama that can learn the task; gives its folder."""
    with patch.multiple(mimetic, WIDTH=width, HEADS=width // HEAD):
        return mimetic.llama(folder, [*WORDS, *QUALITIES], seed=seed)


def settings(model: str, data: str, output: Path, values: Mapping[str, Any]) -> TrainSettings:
    """A training of scores alone; `values` by dotted names say by which loss."""
    fixed = {
        "model.layout": "document-first",
        "model.max_tokens": 40,
        "model.query_tokens": 2,
        "model.reason_tokens": 1,
        "lora.targets": "all-linear",
        "lora.r": 32,
        "lora.alpha": 64,
        "lora.dropout": 0.0,
        "loss.weights": {"pairwise": 0.0, "listwise": 0.0, "distillation": 0.0, "generation": 0.0},
        "loss.listwise": "softmax_cross_entropy",
        "optimizer.lr": 0.003,
        "optimizer.batch": 8,
        "optimizer.schedule": "linear",
        "optimizer.warmup": 0.1,
        "optimizer.weight_decay": 0.0,
        "checkpoints.every": 10_000,
        "threads": 1,
    }
    return lessons.settings(model, data, output, {**fixed, **values})


def parameters(folder: Path) -> int:
    """How many a saved student has: of model, adapter and head."""
    network = CausalStudent.load(folder).network
    return sum(parameter.numel() for module in (network.causal, network.head) for parameter in module.parameters())


def scored(folder: Path, lists: Sequence[Planted]) -> Values:
    """Scores of a saved student, [lists, documents]."""
    student = CausalStudent.load(folder)
    student.train(False)
    with torch.no_grad():
        rows = [student.score([(one.record.query.text, [d.text for d in one.record.documents])])[0] for one in lists]
    return torch.stack(rows).double().numpy()


def found(scores_QD: Values, lists: Sequence[Planted]) -> Found:
    """What scores are worth."""
    truth_QD = np.stack([one.utilities_D for one in lists])
    relevant_QD = np.array([[d.id in one.record.labels for d in one.record.documents] for one in lists])
    given_QD = softmax(scores_QD)
    apart_QDD, wanted_QDD = (x[:, :, None] - x[:, None, :] for x in (scores_QD, truth_QD))
    above = wanted_QDD > 0
    first_of_two = relevant_QD[:, :, None] & ~relevant_QD[:, None, :]
    one_of_two = first_of_two | first_of_two.transpose(0, 2, 1)
    chosen_QDD = 1 / (1 + np.exp(-apart_QDD))
    return Found(
        order=float(np.sign(apart_QDD[above]).mean()),
        lists=reliability(given_QD.ravel(), relevant_QD.ravel(), bins=BINS, by="mass").ece,
        pairs=reliability(chosen_QDD[one_of_two], first_of_two[one_of_two], bins=BINS, by="mass").ece,
        off=float(np.abs(given_QD - softmax(truth_QD)).mean()),
    )


def softmax(values_QD: Values) -> Values:
    """Over the last axis."""
    raised = np.exp(values_QD - values_QD.max(axis=1, keepdims=True))
    shares: Values = raised / raised.sum(axis=1, keepdims=True)
    return shares
