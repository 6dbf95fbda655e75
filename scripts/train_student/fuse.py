"""Fit how much the student counts beside the evidence, on development splits.

    python scripts/train_student/fuse.py --data-folder build/student-dev --adapter RUN [--evidence RUN]

    score = evidence with its weights  +  scale · softplus(student's logit − bend)

The student's part is absent where the query is longer than it reads. The scale is the middle of the plateau of the mean
over the dev-* sets that `score.py` scored (nDCG@10) and the held-out teacher lists (nDCG@5 with the teacher's order as
grades); it and the bend whose middle is best are given to `ship.py`.
"""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from interaction import parts, texts_of, wordless
from learning import Data
from numpy.typing import NDArray
from score import restored
from scored_set import credit, evidence, gain, is_short, ndcg, opened, weights

from whyrank.train.body import Student

Array = NDArray[Any]
NOISE = 0.002
GRID = (0.0, 0.01, 0.015, 0.02, 0.025, 0.03, 0.04, 0.05, 0.06, 0.08, 0.1, 0.15, 0.2)
BENDS = (-20.0, -8.0, -6.0, -4.0, -2.0, 0.0)


def mean_ndcg(found: dict[str, Array], given: Array) -> float:
    """nDCG@10 of a set."""
    return float(np.mean(list(ndcg(found, given).values())))


def on_held_out_lists(data: Data, student: Student, body: Student, fitted: Mapping[str, Any]) -> list[list[float]]:
    """Mean nDCG of the teacher's own lists of five, at every bend and scale; there is no first stage in them.

    Args:
        data: with the lists.
        student: reads pairs.
        body: reads texts apart, for the evidence.
        fitted: the evidence's weights.
    """
    mute = wordless()
    rows = []
    for group in data.of("dual-reasons", held_out=True):
        pairs = list(data.pairs(group))
        with torch.no_grad():
            read = student.read(data.batch(pairs), dtype=torch.bfloat16).scores_P.numpy()
            base = evidence(parts(body, texts_of(data, [group]), mute, torch.float32).numpy(), fitted)
        grades = data.columns["target"][pairs]
        grades = grades - grades.min()
        ideal = gain(np.sort(grades)[::-1])
        orders = [[np.argsort(-(base + s * credit(read, bend)), kind="stable") for s in GRID] for bend in BENDS]
        rows.append([[gain(grades[order]) / ideal for order in of_bend] for of_bend in orders])
    return [[float(value) for value in curve] for curve in np.mean(rows, axis=0)]


def main() -> None:
    """Print every scale's figures and the choice."""
    parser = argparse.ArgumentParser(description="Fuse student and evidence.")
    parser.add_argument("--data-folder", type=Path, default=Path("build/student-dev"))
    parser.add_argument("--groups", type=Path, help="where groups.npz is, if not there")
    parser.add_argument("--adapter", type=Path, required=True)
    parser.add_argument("--evidence", type=Path, help="where `evidence_parts.py` wrote; the plain body's if not given")
    parser.add_argument("--weights", type=Path, help="of the evidence; the plain body's if not given")
    given = parser.parse_args()
    fitted = weights(given.weights)
    curves: dict[float, dict[str, list[float]]] = {bend: {} for bend in BENDS}
    for scored in sorted(given.adapter.glob("scores-dev-*.npy")):
        name = scored.stem.removeprefix("scores-")
        found, student = opened(given.data_folder / f"{name}.npz"), np.load(scored)
        compared = np.load(given.evidence / f"parts-{name}.npy") if given.evidence else found["parts"]
        base, short = evidence(compared, fitted, found["first"]), is_short(found)
        for bend in BENDS:
            part = credit(student, bend) * short
            curves[bend][name] = [mean_ndcg(found, base + scale * part) for scale in GRID]
    data = Data((given.groups or given.data_folder) / "groups.npz")
    lists = on_held_out_lists(data, restored(given.adapter), restored(given.evidence), fitted)
    for bend, curve in zip(BENDS, lists, strict=True):
        curves[bend]["held-out teacher lists"] = curve
    for bend, by_set in curves.items():
        print(f"| bend {bend:g} | " + " | ".join(f"{scale:g}" for scale in GRID) + " |\n|" + "---|" * (len(GRID) + 1))
        mean = np.mean(list(by_set.values()), axis=0)
        for name, curve in {**by_set, "**mean**": mean}.items():
            print(f"| {name} | " + " | ".join(f"{value:.4f}" for value in curve) + " |")
        plateau = [scale for scale, value in zip(GRID, mean, strict=True) if value >= max(mean) - NOISE]
        middle = float(np.mean(plateau))
        print(f"\nplateau: {plateau}; middle {middle:.3f}: {np.interp(middle, GRID, mean):.4f}\n")


if __name__ == "__main__":
    main()
