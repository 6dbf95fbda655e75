"""Evaluations with numbers made up for tests of how they look."""

import numpy as np

from whyrank.evaluate.results import Contrast, Coverage, Evaluation
from whyrank.types import Usage

HOSTILE = "<script>alert('x')</script> $x^2$ a_b & 50% | \\end{table} \x1b[31m"
QUERIES = ("q1", "q2", "q3", "q4")


def evaluation(name: str, *values: tuple[float, ...], usage: Usage | None = None, **coverage: object) -> Evaluation:
    """One column a measure: nDCG@10, then RR@10."""
    return Evaluation(
        name=name,
        measures=("nDCG@10", "RR@10")[: len(values)],
        queries=QUERIES[: len(values[0])],
        values_QM=np.array(values, dtype=np.float64).T,
        coverage=Coverage(**coverage),  # type: ignore[arg-type]
        usage=usage,
        gain="linear",
        ties="rank",
    )


def contrast(
    system: Evaluation,
    baseline: Evaluation,
    measure: str = "nDCG@10",
    *,
    p: float = 0.01,
    queries: tuple[str, ...] = (),
) -> Contrast:
    """The deltas are those of the values; the tests are as given."""
    deltas = system.of(measure) - baseline.of(measure)
    return Contrast(
        system=system.name,
        baseline=baseline.name,
        measure=measure,
        queries=queries or system.queries,
        deltas_Q=deltas,
        delta=float(deltas.mean()),
        low=float(deltas.mean()) - 0.05,
        high=float(deltas.mean()) + 0.05,
        p_t=p / 2,
        p_randomisation=p / 2,
        holm_t=2 * p,
        holm_randomisation=p,
        wins=int((deltas > 0).sum()),
        ties=int((deltas == 0).sum()),
        losses=int((deltas < 0).sum()),
    )


BASE = evaluation("bm25", (0.5, 0.25, 0.125, 0.5), (1.0, 0.5, 0.25, 0.5), usage=Usage(seconds=1.5))
GOOD = evaluation(
    "evidence",
    (0.75, 0.5, 0.125, 0.25),
    (1.0, 1.0, 0.5, 0.25),
    usage=Usage(calls=3, documents=400, prompt_tokens=12_345, seconds=61.25, cost=None),
    unjudged_at={10: 0.125},
    without_results=("q9",),
)
CONTRASTS = (contrast(GOOD, BASE), contrast(GOOD, BASE, "RR@10", p=0.2))
INTERVALS = {("evidence", "nDCG@10"): (0.3, 0.5), ("bm25", "nDCG@10"): (0.25, 0.45)}
