"""Fit the curves that turn the student's scores into probabilities, on development splits.

    python scripts/train_student/calibrate.py --adapter RUN --name research --evidence RUN [--write]

Reads what `score.py` wrote for the dev-* sets, with their labels; which curve is kept is decided as in
`fit_calibration.py`, on splits that it was not fitted on. Run it with the adapter in its place (`ship.py`), since
curves belong to the ranker that the name and the files make.
"""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scored_set import credit, evidence, is_short, opened, weights

sys.path.insert(0, str(Path(__file__).parents[1]))

from fit_calibration import Pairs, choose

from whyrank.encode.adapters import shipped_adapter
from whyrank.rankers.calibration import Calibration
from whyrank.rankers.distilled import DistilledRanker
from whyrank.rankers.evidence import FITTED

Array = NDArray[Any]


def pairs(found: dict[str, Array], parts: Array, student: Array, fitted: Mapping[str, Any], *, first: bool) -> Pairs:
    """Scores as the ranker gives them, and whether each candidate is relevant."""
    scores = evidence(parts, fitted.get("evidence", weights()), found["first"] if first else None)
    scores = scores + fitted["scale"] * credit(student, fitted["bend"]) * is_short(found)
    there = np.isfinite(student)
    return Pairs(scores[there], (found["grade"][there] >= 1).astype(float))


def main() -> None:
    """Print the choice; write it where the ranker looks for it."""
    parser = argparse.ArgumentParser(description="Calibrate the student.")
    parser.add_argument("--data-folder", type=Path, default=Path("build/student"))
    parser.add_argument("--adapter", type=Path, required=True)
    parser.add_argument("--evidence", type=Path, help="where `evidence_parts.py` wrote; the plain body's if not given")
    parser.add_argument("--name", required=True)
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    shipped = shipped_adapter(given.name).manifest["fitted"]
    if ("evidence" in shipped) != bool(given.evidence):
        parser.error("--evidence goes with a student whose evidence has weights of its own, and with no other")
    names = [path.stem.removeprefix("scores-") for path in sorted(given.adapter.glob("scores-dev-*.npy"))]
    found = {name: opened(given.data_folder / f"{name}.npz") for name in names}
    parts = {n: np.load(given.evidence / f"parts-{n}.npy") if given.evidence else found[n]["parts"] for n in names}
    student = {name: np.load(given.adapter / f"scores-{name}.npy") for name in names}
    curves, count = [], 0
    for first in (True, False):
        by_split = {n: pairs(found[n], parts[n], student[n], shipped, first=first) for n in names}
        count = sum(len(p.scores_N) for p in by_split.values())
        curves.append(choose(by_split, "with BM25's scores" if first else "without"))
    if given.write:
        ranker = DistilledRanker(given.name, threads=1)
        about = f"development splits {', '.join(n.removeprefix('dev-') for n in names)}; BM25 candidates"
        path = FITTED.with_name(f"distilled.{given.name}.calibration.json")
        Calibration(ranker.name, curves[0], curves[1], 1.0, about, count).save(path)


if __name__ == "__main__":
    main()
