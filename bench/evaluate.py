"""Speed and memory of measuring against pytrec_eval's own, and the time of significance.

    OMP_NUM_THREADS=1 python bench/evaluate.py

Both sides get the same run and judgements as dictionaries, in one process, by turns; the ratio is that of the medians.
Ours also settles ties, sets excluded documents apart, counts unjudged documents and checks what it was given.
"""

import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import version

import numpy as np
import pytrec_eval

from whyrank import evaluate

MEASURES = {
    "nDCG@10": "ndcg_cut_10",
    "AP": "map",
    "R@100": "recall_100",
    "RR": "recip_rank",
    "P@10": "P_10",
    "Success@5": "success_5",
}
ROUNDS = 5
LIMIT = 1.5

Grades = dict[str, dict[str, int]]
Scores = dict[str, dict[str, float]]


def collection(
    queries: int, depth: int = 100, judged: int = 50, *, tied: bool = False, seed: int = 0
) -> tuple[Grades, Scores]:
    """Judgements, a third of them relevant, half of them in the run; a run that is a little better than chance."""
    rng = np.random.default_rng(seed)
    qrels: Grades = {}
    run: Scores = {}
    for number in range(queries):
        ids = [f"D{number:05d}{n:03d}" for n in rng.permutation(depth + judged // 2).tolist()]
        grades = dict(zip(ids[-judged:], rng.choice(4, judged, p=[0.65, 0.2, 0.1, 0.05]).tolist(), strict=True))
        values = rng.normal(size=depth) + [0.5 * grades.get(d, 0) for d in ids[:depth]]
        values = np.sort(np.round(values, 1) if tied else values)[::-1]
        qrels[f"q{number}"] = grades
        run[f"q{number}"] = dict(zip(ids[:depth], values.tolist(), strict=True))
    return qrels, run


def theirs(qrels: Grades, run: Scores) -> dict[str, dict[str, float]]:
    """pytrec_eval, for the same measures."""
    return pytrec_eval.RelevanceEvaluator(qrels, set(MEASURES.values())).evaluate(run)


def ours(qrels: Grades, run: Scores, ties: evaluate.Ties = "rank") -> evaluate.Evaluation:
    """`evaluate.measure`."""
    return evaluate.measure("run", run, qrels, list(MEASURES), ties=ties)


def seconds(work: Callable[[], object]) -> float:
    """Wall-clock time of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def compare_speed(queries: int, *, tied: bool) -> float:
    """Print the ratios; the higher one."""
    qrels, run = collection(queries, tied=tied)
    measured = ours(qrels, run, "trec_eval")
    reference = theirs(qrels, run)
    differs: float = max(
        abs(value - reference[query][name])
        for column, name in enumerate(MEASURES.values())
        for query, value in zip(measured.queries, measured.values_QM[:, column], strict=True)
    )
    rounds = [
        (
            seconds(lambda: theirs(qrels, run)),
            seconds(lambda: ours(qrels, run)),
            seconds(lambda: ours(qrels, run, "trec_eval")),
        )
        for _ in range(ROUNDS)
    ]
    base, by_rank, by_id = (statistics.median(times) for times in zip(*rounds, strict=True))
    kind = " tied" if tied else "     "
    print(
        f"{queries:>7,} × 100{kind}  pytrec_eval {base:.2f} s   ours {by_rank:.2f} s "
        f"({by_rank / base:.2f})   --ties trec_eval {by_id:.2f} s ({by_id / base:.2f})   differs by ≤ {differs:.1e}"
    )
    return float(max(by_rank, by_id) / base)


def peak(side: str, queries: int) -> float:
    """MB by which measuring raises the peak, in a process of its own."""
    out = subprocess.run([sys.executable, __file__, side, str(queries)], check=True, capture_output=True, text=True)
    return float(json.loads(out.stdout))


def raised(side: str, queries: int) -> None:
    """What the process of `peak` does."""
    small = collection(10)
    ours(*small), theirs(*small)  # libraries are loaded
    qrels, run = collection(queries)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    kept = (ours if side == "ours" else theirs)(qrels, run)
    print(json.dumps((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024 if kept else 0))


def significance(queries: int, systems: int = 5) -> None:
    """Print the time of all tests of five runs, by measure."""
    qrels, _ = collection(queries)
    measured = []
    for system in range(systems):
        _, run = collection(queries, seed=0)
        rng = np.random.default_rng(system)
        noisy = {q: {d: s + rng.normal(0, 0.1 * system) for d, s in scores.items()} for q, scores in run.items()}
        measured.append(evaluate.measure(f"system {system}", noisy, qrels, list(MEASURES)))
    times = [seconds(lambda name=name: evaluate.compare(measured, name)) for name in MEASURES]  # type: ignore[misc]
    print(
        f"{queries:>7,} queries  {systems} runs, 10,000 permutations and resamples each: "
        f"{statistics.median(times):.2f} s a measure, {sum(times):.2f} s for {len(MEASURES)}"
    )


def main() -> None:
    """Print the figures; fail where ours takes more than 1.5 times as long."""
    packages = ", ".join(f"{p} {version(p)}" for p in ("pytrec-eval-terrier", "ir-measures", "numpy", "scipy"))
    threads = os.environ.get("OMP_NUM_THREADS", "default")
    print(f"python {platform.python_version()}, {packages}; OMP_NUM_THREADS {threads}; medians of {ROUNDS} rounds")
    print(f"measures: {', '.join(MEASURES)}")
    for queries in (10_000, 20_000, 40_000):  # first: a process starts with the peak of the one that starts it
        print(
            f"{queries:>7,} × 100  memory above run and judgements: pytrec_eval {peak('theirs', queries):.0f} MB, "
            f"ours {peak('ours', queries):.0f} MB"
        )
    worst = max(compare_speed(queries, tied=tied) for queries in (10_000, 20_000) for tied in (False, True))
    for queries in (50, 1_000, 10_000):
        significance(queries)
    print(f"worst ratio {worst:.2f} (limit {LIMIT})")
    sys.exit(worst > LIMIT)


if __name__ == "__main__":
    if len(sys.argv) == 3:
        raised(sys.argv[1], int(sys.argv[2]))
    else:
        main()
