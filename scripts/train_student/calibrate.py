"""Fit the curves that turn the student's scores into probabilities, on development splits.

    python scripts/train_student/calibrate.py --adapter build/student/research --name research [--write]

Reads what `score.py` wrote for the dev-* sets, with their labels; which curve is kept is decided as in
`fit_calibration.py`, on splits that it was not fitted on. Run it with the adapter in its place (`ship.py`), since
curves belong to the ranker that the name and the files make.
"""

import argparse
import sys
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scored_set import opened

sys.path.insert(0, str(Path(__file__).parents[1]))

from fit_calibration import Pairs, choose

from whyrank.encode.adapters import shipped_adapter
from whyrank.rankers.calibration import Calibration
from whyrank.rankers.distilled import DistilledRanker
from whyrank.rankers.evidence import FITTED, Weights

Array = NDArray[Any]


def pairs(found: dict[str, Array], student: Array, shipped: dict[str, float], *, first_stage: bool) -> Pairs:
    """Scores as the ranker gives them, and whether each candidate is relevant."""
    fitted = tomllib.loads(FITTED.read_text(encoding="utf-8"))
    w = Weights(**fitted["with_first_stage" if first_stage else "without_first_stage"])
    scores = found["parts"] @ np.array([w.document, w.words, w.sentence])
    scores = scores + shipped["scale"] * (student - shipped["typical"])
    if first_stage:
        scores = scores + w.first_stage * found["first"] / (w.half + np.abs(found["first"]))
    there = np.isfinite(student)
    return Pairs(scores[there], (found["grade"][there] >= 1).astype(float))


def main() -> None:
    """Print the choice; write it where the ranker looks for it."""
    parser = argparse.ArgumentParser(description="Calibrate the student.")
    parser.add_argument("--data-folder", type=Path, default=Path("build/student"))
    parser.add_argument("--adapter", type=Path, required=True)
    parser.add_argument("--name", required=True)
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    shipped = shipped_adapter(given.name).manifest["fitted"]
    sets = {
        path.stem.removeprefix("scores-dev-"): (
            opened(given.data_folder / f"{path.stem.removeprefix('scores-')}.npz"),
            np.load(path),
        )
        for path in sorted(given.adapter.glob("scores-dev-*.npy"))
    }
    curves, count = [], 0
    for first_stage in (True, False):
        by_split = {n: pairs(found, student, shipped, first_stage=first_stage) for n, (found, student) in sets.items()}
        count = sum(len(p.scores_N) for p in by_split.values())
        curves.append(choose(by_split, "with BM25's scores" if first_stage else "without"))
    if given.write:
        ranker = DistilledRanker(given.name, threads=1)
        about = f"development splits {', '.join(sets)}; BM25 candidates"
        path = FITTED.with_name(f"distilled.{given.name}.calibration.json")
        Calibration(ranker.name, curves[0], curves[1], 1.0, about, count).save(path)


if __name__ == "__main__":
    main()
