"""Fit how much the student counts beside the evidence, on development splits.

    python scripts/train_student/fuse.py --data-folder build/student --adapter build/student/research

    score = evidence with its shipped weights  +  scale · student

The scale is the middle of the plateau of the mean over the dev-* sets that `score.py` scored (nDCG@10) and the held-out
teacher lists (nDCG@5 with the teacher's order as grades), as in `fit_evidence.py`; it is given to `ship.py`.
"""

import argparse
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from learning import Data
from numpy.typing import NDArray
from score import restored
from scored_set import ndcg, opened

from whyrank.rankers.evidence import FITTED
from whyrank.train.body import Student

Array = NDArray[Any]
NOISE = 0.002
GRID = (0.0, 0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.08, 0.1, 0.15, 0.2, 0.3, 0.5)


def evidence(parts: Array, first: Array) -> Array:
    """Evidence's score from its parts, with the weights that ship."""
    fitted = tomllib.loads(FITTED.read_text(encoding="utf-8"))["with_first_stage"]
    own = parts @ np.array([fitted["document"], fitted["words"], fitted["sentence"]])
    return np.asarray(own + fitted["first_stage"] * first / (fitted["half"] + np.abs(first)))


def mean_ndcg(found: dict[str, Array], given: Array) -> float:
    """nDCG@10 of a set."""
    return float(np.mean(list(ndcg(found, given).values())))


def on_held_out_lists(data: Data, student: Student) -> list[float]:
    """Mean nDCG@5 of the teacher's own lists at every scale; there is no first stage in them."""
    discounts = 1 / np.log2(np.arange(2, 102))
    rows = []
    for group in data.of("dual-reasons", held_out=True):
        pairs = list(data.pairs(group))
        with torch.no_grad():
            read = student.read(data.batch(pairs), dtype=torch.bfloat16).scores_P.numpy()
        grades, known = data.columns["target"][pairs], data.columns["known"][pairs]
        grades = grades - grades.min()
        ideal = np.sort(grades)[::-1] @ discounts[: len(grades)]
        orders = [np.argsort(-(known + scale * read), kind="stable") for scale in GRID]
        rows.append([grades[order] @ discounts[: len(order)] / ideal for order in orders])
    return [float(value) for value in np.mean(rows, axis=0)]


def main() -> None:
    """Print every scale's figures and the choice."""
    parser = argparse.ArgumentParser(description="Fuse student and evidence.")
    parser.add_argument("--data-folder", type=Path, default=Path("build/student"))
    parser.add_argument("--groups", type=Path, help="where groups.npz is, if not there")
    parser.add_argument("--adapter", type=Path, required=True)
    given = parser.parse_args()
    curves = {}
    for scored in sorted(given.adapter.glob("scores-dev-*.npy")):
        name = scored.stem.removeprefix("scores-")
        found, student = opened(given.data_folder / f"{name}.npz"), np.load(scored)
        base, read = (
            evidence(found["parts"], found["first"]),
            np.where(np.isfinite(student), student, student[np.isfinite(student)].min()),
        )
        curves[name] = [mean_ndcg(found, base + scale * read) for scale in GRID]
    curves["held-out teacher lists"] = on_held_out_lists(
        Data((given.groups or given.data_folder) / "groups.npz"), restored(given.adapter)
    )
    print("| set | " + " | ".join(f"{scale:g}" for scale in GRID) + " |\n|" + "---|" * (len(GRID) + 1))
    mean = np.mean(list(curves.values()), axis=0)
    for name, curve in {**curves, "**mean**": mean}.items():
        print(f"| {name} | " + " | ".join(f"{value:.4f}" for value in curve) + " |")
    plateau = [scale for scale, value in zip(GRID, mean, strict=True) if value >= max(mean) - NOISE]
    print(f"\nplateau: {plateau}; middle {np.mean(plateau):.3f}")


if __name__ == "__main__":
    main()
