"""Fit how much the student counts beside the parts of the evidence ranker, on development splits; then report.

    python scripts/train_student/fuse.py --data-folder build/student --adapter build/student/research

    score = evidence's own score with its shipped weights, scaled by (1 − w)  +  w · c · student

The parts of the development splits and of the judged sets are computed once by `similarities` and kept beside the
prepared sets. The weight is the middle of the plateau of mean nDCG@10 over the development splits, as in
`fit_evidence.py`. The judged sets are read after that, to report.
"""

import argparse
import json
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scored_set import ndcg, opened

from whyrank.rankers.evidence import FITTED

Array = NDArray[Any]
NOISE = 0.002
GRID = np.round(np.arange(0, 1.0001, 0.05), 2)
UNIT = 0.1  # a student's logit moves as much as a tenth of a cosine


def evidence(parts: Array, first: Array) -> Array:
    """Evidence's score from its parts, with the weights that ship."""
    fitted = tomllib.loads(FITTED.read_text(encoding="utf-8"))["with_first_stage"]
    own = parts @ np.array([fitted["document"], fitted["words"], fitted["sentence"]])
    return np.asarray(own + fitted["first_stage"] * first / (fitted["half"] + np.abs(first)))


def fused(base: Array, student: Array, weight: float) -> Array:
    """Both, weighted."""
    return (1 - weight) * base + weight * UNIT * student


def mean_ndcg(found: dict[str, Array], given: Array) -> float:
    """nDCG@10 of a set."""
    return float(np.mean(list(ndcg(found, given).values())))


def main() -> None:
    """Fit on dev-*, report test-*; only sets with parts and scores are read."""
    parser = argparse.ArgumentParser(description="Fuse student and evidence.")
    parser.add_argument("--data-folder", type=Path, default=Path("build/student"))
    parser.add_argument("--adapter", type=Path, required=True)
    given = parser.parse_args()
    sets = {}
    for path in sorted(given.data_folder.glob("parts-*.npz")):
        name = path.stem.removeprefix("parts-")
        scored = given.adapter / f"scores-{name}.npy"
        if scored.exists():
            found, known = opened(given.data_folder / f"{name}.npz"), opened(path)
            assert (found["did"] == known["did"]).all(), name
            sets[name] = found, evidence(known["parts"], found["first"]), np.load(scored)
    dev = {n: s for n, s in sets.items() if n.startswith("dev-")}
    curve = [np.mean([mean_ndcg(f, fused(b, s, w)) for f, b, s in dev.values()]) for w in GRID]
    plateau = GRID[np.array(curve) >= max(curve) - NOISE]
    weight = round(float(plateau.mean()), 2)
    print("weight | " + " | ".join(f"{w:g}: {c:.4f}" for w, c in zip(GRID, curve, strict=True)))
    print(f"chosen: {weight}\n\n| set | queries | first | evidence | student | fused |\n|---|---|---|---|---|---|")
    for name, (found, base, student) in sets.items():
        row = [mean_ndcg(found, s) for s in (found["first"], base, student, fused(base, student, weight))]
        print(f"| {name} | {len(ndcg(found, base))} | " + " | ".join(f"{v:.4f}" for v in row) + " |")
    (given.adapter / "fusion.json").write_text(json.dumps({"weight": weight, "unit": UNIT}) + "\n")


if __name__ == "__main__":
    main()
