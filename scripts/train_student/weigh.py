"""Fit the weights of the evidence's parts where its body has an adapter, beside the student, on development splits.

    python scripts/train_student/weigh.py --adapter RUN --evidence RUN --scale 0.045 --bend -2

By the rule of `fit_evidence.py` for the plain body: the middle of the plateau of the mean nDCG@10 over the dev-* sets,
without clinical trials, whose nine queries move by a tenth of a point on noise alone; for candidates with a first
stage's scores and without. Writes weights.toml beside the evidence's adapter, for `fuse.py` and `ship.py`.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scored_set import credit, gain, is_short, opened

sys.path.insert(0, str(Path(__file__).parents[1]))

from fit_evidence import NOISE, PARTS, Point, grid, middle

Array = NDArray[Any]
LEFT_OUT = "dev-clinical-trial-dev"


class Table(NamedTuple):
    """A set: of each candidate its parts, first-stage score, student's part, grade; of each query places, best gain."""

    parts_N3: Array
    first_N: Array
    added_N: Array
    grades_N: Array
    queries: list[tuple[Array, float]]


def table(found: dict[str, Array], parts: Array, added: Array) -> Table:
    """A prepared set as it is weighed."""
    ideal = json.loads(str(found["ideal"]))
    queries = [(np.flatnonzero(found["qid"] == q), gain(np.array(grades))) for q, grades in ideal.items()]
    return Table(parts, found["first"], added, np.maximum(found["grade"], 0), queries)


def mean_ndcg(given: Table, point: Point) -> float:
    """nDCG@10 under these weights."""
    weights, first, half = point
    own = given.parts_N3 @ np.array(weights) + given.added_N
    scores = own + first * given.first_N / (half + np.abs(given.first_N))
    orders = [(places[np.argsort(-scores[places], kind="stable")], best) for places, best in given.queries]
    return float(np.mean([gain(given.grades_N[order]) / best for order, best in orders]))


def main() -> None:
    """Print the choices, write them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-folder", type=Path, default=Path("build/student-dev"))
    parser.add_argument("--adapter", type=Path, required=True)
    parser.add_argument("--evidence", type=Path, required=True)
    parser.add_argument("--scale", type=float, required=True)
    parser.add_argument("--bend", type=float, required=True)
    given = parser.parse_args()
    tables = {}
    for path in sorted(given.evidence.glob("parts-dev-*.npy")):
        name = path.stem.removeprefix("parts-")
        found = opened(given.data_folder / f"{name}.npz")
        added = given.scale * credit(np.load(given.adapter / f"scores-{name}.npy"), given.bend) * is_short(found)
        if name != LEFT_OUT:
            tables[name] = table(found, np.load(path), added)
    lines = ['version = "1"']
    for label, first_stage in (("with_first_stage", True), ("without_first_stage", False)):
        points = list(grid(first_stage))
        mean = [float(np.mean([mean_ndcg(t, point) for t in tables.values()])) for point in points]
        plateau = [point for point, value in zip(points, mean, strict=True) if value >= max(mean) - NOISE]
        chosen = middle(plateau)
        reached = {name: mean_ndcg(t, chosen) for name, t in tables.items()}
        print(f"{label}: {len(plateau)} of {len(points)} points within {NOISE} of {max(mean):.4f}")
        print(f"  best {points[int(np.argmax(mean))]}; middle {chosen}: {np.mean(list(reached.values())):.4f}")
        print("  " + ", ".join(f"{name} {value:.4f}" for name, value in reached.items()))
        weights, first, half = chosen
        values = dict(zip(PARTS, weights, strict=True)) | ({"first_stage": first, "half": half} if first_stage else {})
        lines += ["", f"[{label}]", *(f"{key} = {value}" for key, value in values.items())]
    (given.evidence / "weights.toml").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
