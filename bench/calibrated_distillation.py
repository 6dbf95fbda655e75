"""Can the scores of a student be believed? RankNet, DeAR's hybrid, and each with the KL of a teacher's scores.

    OMP_NUM_THREADS=1 python bench/calibrated_distillation.py [--seeds 3] [--lists 2000] [--processes 2]

The task is planted (tests/train/planted.py): how likely each document is to be the relevant one of its list is known.
A Llama of 1.0 million parameters, made at random for each seed, with an adapter of 0.25 million, learns from lists of
eight documents, once each, by `whyrank.train`; about 20 seconds of one processor a student. Ways differ in the loss
and its targets only. Measured on 500 lists that no student has seen:

    order   pairs of a list in the planted order, less those against it, over both
    ECE     |mean probability − share of relevant documents| over 15 bins of equal mass. A loss over lists says nothing
            of a score as such (add 5 to all: the same loss), so a probability is a softmax over the list; of a pair
            with one relevant document it is the sigmoid of the difference, which is RankNet's own model
    off     mean |softmax(scores) − softmax(planted utilities)|, without bins and without the luck of drawn labels

RankNet here is Burges' with the target probability 1, which asks for ever larger margins. DeAR's public code takes the
sigmoid of the teacher's difference for its target; over a list of two that has the gradient of the KL at T = 1.
Two comparisons must be kept apart: the hybrid differs from RankNet on scores in its targets as well, and labels alone
already keep RankNet honest; what the KL does is seen between ways of the same targets.
"""

import argparse
import platform
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from scipy.stats import t
from transformers.utils import logging

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "lm"))
sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "train"))
import lessons
import planted

from whyrank.train.loop import train

WIDTH = 224
HELD_OUT, APART = 500, 10**6
FIGURES = planted.Found._fields
FIRST, SECOND = "RankNet, scores", "hybrid, labels, + KL"


def way(targets: str, **weights: float) -> dict[str, Any]:
    """Settings of a way to learn."""
    return {"data.targets": targets, **{f"loss.weights.{part}": weight for part, weight in weights.items()}}


WAYS: Mapping[str, Mapping[str, Any]] = {
    FIRST: way("scores", pairwise=1.0),
    "RankNet, labels": way("labels", pairwise=1.0),
    "hybrid, labels": way("labels", pairwise=0.5, listwise=0.5),
    SECOND: way("labels", pairwise=0.45, listwise=0.45, distillation=0.1),
    "RankNet, scores, + KL": way("scores", pairwise=0.9, distillation=0.1),
}


class Learnt(NamedTuple):
    """A student.

    Attributes:
        found: how near the truth it comes.
        parameters: of model, adapter and head.
        seconds: of one processor, for training alone.
    """

    found: planted.Found
    parameters: int
    seconds: float


def drawn(seed: int, count: int, *, is_held_out: bool = False) -> list[planted.Planted]:
    """Lists of a seed; no two of different seeds or purposes are the same draw."""
    first = APART * (2 * seed + is_held_out)
    return [planted.planted(first + number) for number in range(count)]


def learnt(name: str, seed: int, count: int) -> Learnt:
    """Train one student, and measure it."""
    torch.set_num_threads(1)
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    held_out = drawn(seed, HELD_OUT, is_held_out=True)
    with tempfile.TemporaryDirectory() as made:
        base = planted.base(Path(made, "base"), seed=seed, width=WIDTH)
        data = lessons.written(Path(made, "data"), [one.record for one in drawn(seed, count)])
        values = {**WAYS[name], "optimizer.lr": 0.002, "seed": seed}
        began = time.process_time()
        done = train(planted.settings(base, data, Path(made, "run"), values))
        seconds = time.process_time() - began
        parameters = planted.parameters(done.folder)
        return Learnt(planted.found(planted.scored(done.folder, held_out), held_out), parameters, seconds)


def interval(values: Sequence[float], digits: int) -> str:
    """Mean and the half width of its 95 % interval over seeds (Student's t)."""
    if len(values) < 2:
        return f"{values[0]:.{digits}f}"
    half = t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / len(values) ** 0.5
    return f"{np.mean(values):.{digits}f} ± {half:.{digits}f}"


def row(name: str, cells: Sequence[str]) -> str:
    """A line of the table."""
    return f"{name:<24}" + "".join(f"{cell:>18}" for cell in cells)


def main() -> None:
    """Train every student and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--lists", type=int, default=2_000, help="to learn from")
    parser.add_argument("--processes", type=int, default=1, help="students that learn at the same time")
    asked = parser.parse_args()
    jobs = [(name, seed) for seed in range(asked.seeds) for name in WAYS]
    with ProcessPoolExecutor(asked.processes, mp_context=get_context("spawn")) as pool:
        done = dict(zip(jobs, pool.map(learnt, *zip(*jobs, strict=True), [asked.lists] * len(jobs)), strict=True))

    of = {name: [done[name, seed] for seed in range(asked.seeds)] for name in WAYS}
    versions = ", ".join(f"{name} {version(name)}" for name in ("whyrank", "torch", "transformers", "peft"))
    print(f"{versions}, Python {platform.python_version()}, {platform.machine()}, 1 thread")
    parameters = of[FIRST][0].parameters
    print(f"{parameters:,} parameters, {asked.lists:,} lists of 8, {asked.seeds} seeds, mean ± 95 % interval (t)\n")
    print(row("learnt by", ["order", "ECE over lists", "ECE over pairs", "off", "CPU seconds"]))
    lists = [drawn(seed, HELD_OUT, is_held_out=True) for seed in range(asked.seeds)]
    ideal = [planted.found(np.stack([one.utilities_D for one in some]), some) for some in lists]
    print(row("the planted utilities", [interval([getattr(f, name) for f in ideal], 4) for name in FIGURES]))
    for name, students in of.items():
        cells = [interval([getattr(one.found, figure) for one in students], 4) for figure in FIGURES]
        print(row(name, [*cells, interval([one.seconds for one in students], 0)]))
    print(f"\n{SECOND!r} less {FIRST!r}, seed by seed:")
    both = [(one.found, two.found) for one, two in zip(of[FIRST], of[SECOND], strict=True)]
    apart = [[getattr(two, figure) - getattr(one, figure) for one, two in both] for figure in FIGURES]
    print(row("", [interval(values, 4) for values in apart]))


if __name__ == "__main__":
    main()
