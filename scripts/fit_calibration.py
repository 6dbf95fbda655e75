"""Fit the curves that turn the default ranker's scores into probabilities, and say how far they can be believed.

    python scripts/fit_calibration.py [--queries 30] [--write]

Reads the same training and development splits as `fit_evidence.py`, never a judged test set, and shares its cache of
similarities under build/fit. A document counts as relevant from grade 1 on; one without a grade as not relevant, so
where judgements are sparse a probability is one of being *judged* relevant. doris-mae dev is left out: 97 % of its
candidates have such a grade, so there it means something else. Of temperature and isotonic, the one with
the lower mean Brier score on splits that it was not fitted on is kept (leave one split out).
"""

import argparse
import sys
import tomllib
from typing import NamedTuple

import numpy as np
from fit_evidence import DATA, SPLITS, Array, Table, table

from whyrank.evaluate.calibration import FITS, probabilities, reliability
from whyrank.rankers.calibration import Calibration, Curve
from whyrank.rankers.evidence import CALIBRATED, FITTED, EvidenceRanker, Weights


class Pairs(NamedTuple):
    """What a split gives to fit on."""

    scores_N: Array
    outcomes_N: Array


def pairs(t: Table, weights: Weights, *, first_stage: bool) -> Pairs:
    """Scores of all candidates under the shipped weights, and whether each is relevant."""
    scores = t.parts_QLP @ np.array([weights.document, weights.words, weights.sentence])
    if first_stage:
        scores = scores + weights.first_stage * t.first_QL / (weights.half + np.abs(t.first_QL))
    there = ~np.isnan(t.grades_QL)
    return Pairs(scores[there], (t.grades_QL[there] >= 1).astype(float))


def joined(found: list[Pairs]) -> Pairs:
    """All pairs of several splits."""
    return Pairs(np.concatenate([p.scores_N for p in found]), np.concatenate([p.outcomes_N for p in found]))


def choose(by_split: dict[str, Pairs], label: str) -> Curve:
    """Print what each kind of curve is worth on splits it has not seen; fit the better one on all."""
    print(f"\n{label}\n\n| kind | ECE unseen | Brier unseen | Brier of the mean |\n|---|---|---|---|")
    briers = {}
    for kind, fit in FITS.items():
        rows = []
        for name, held_out in by_split.items():
            curve = fit(*joined([p for other, p in by_split.items() if other != name]))
            found = reliability(probabilities(curve, held_out.scores_N), held_out.outcomes_N)
            print(f"| {kind}, {name} | {found.ece:.4f} | {found.brier:.4f} | {found.base_brier:.4f} |")
            rows.append(found)
        briers[kind] = float(np.mean([row.brier for row in rows]))
        means = (np.mean([row.ece for row in rows]), briers[kind], np.mean([row.base_brier for row in rows]))
        print(f"| **{kind}, mean** | " + " | ".join(f"{value:.4f}" for value in means) + " |")
    best = min(briers, key=briers.__getitem__)
    curve = FITS[best](*joined(list(by_split.values())))
    print(f"\nkept: {best}, {curve}")
    return curve


def main() -> None:
    """Print the choice; write it where the ranker looks for it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--queries", type=int, default=30, help="of each split")
    parser.add_argument("--write", action="store_true", help="keep the curves beside the ranker")
    given = parser.parse_args()
    if not DATA.exists():
        sys.exit(f"no collections at {DATA}; set WHYRANK_DATA")
    ranker = EvidenceRanker()
    splits = {name: split for name, split in SPLITS.items() if name != "doris-mae dev"}
    tables = {name: table(name, split, given.queries, ranker) for name, split in splits.items()}
    fitted = tomllib.loads(FITTED.read_text(encoding="utf-8"))
    curves, count = [], 0
    for label, first_stage in (("with_first_stage", True), ("without_first_stage", False)):
        by_split = {name: pairs(t, Weights(**fitted[label]), first_stage=first_stage) for name, t in tables.items()}
        count = sum(len(p.scores_N) for p in by_split.values())
        curves.append(choose(by_split, label))
    about = f"{given.queries} queries of each of {len(tables)} splits: {', '.join(tables)}; BM25 candidates"
    if given.write:
        Calibration(ranker.name, curves[0], curves[1], 1.0, about, count).save(CALIBRATED)


if __name__ == "__main__":
    main()
