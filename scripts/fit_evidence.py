"""Fit the weights of the default ranker, and say which parts earn their place.

    python scripts/fit_evidence.py [--queries 150]

Reads training and development splits only (WHYRANK_DATA), never a judged test set; birco-clinical-trial-dev is left
out, since nine queries move by a tenth of a point on noise alone. Similarities are computed once per split and kept
under build/fit. Weights are scored on a coarse grid by the mean nDCG@10 over the splits, first for lists without
first-stage scores, then for lists with BM25's; then each part is taken away in turn. What goes into `evidence.toml` is
the middle of the plateau, not the peak: the mean of all grid points within 0.002 of the best, since differences that
small are noise of these splits.
"""

import argparse
import itertools
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from whyrank import formats
from whyrank.rankers.evidence import EvidenceRanker
from whyrank.retrieve import BM25
from whyrank.types import Ranking

Array = NDArray[Any]
Point = tuple[tuple[float, ...], float, float]  # weights of the parts, of the first stage, its constant
DATA = Path(os.environ.get("WHYRANK_DATA", Path(__file__).parents[2] / "shared" / "data"))
CACHE = Path("build/fit")
DEPTH = 100
SEED = 0
NOISE = 0.002
PARTS = ("document", "words", "sentence")  # the fields of `evidence.Parts`
HALVES = (5.0, 10.0, 20.0, 40.0)


class Split(NamedTuple):
    """Queries, judgements and candidates to fit on; candidates are the given run, or our BM25's."""

    folder: str
    queries: str = "queries.jsonl"
    qrels: str = "qrels.trec"
    corpus: str = "corpus.jsonl"
    run: str | None = "bm25.trec"


SPLITS = {
    "nfcorpus dev": Split("train-nfcorpus", "dev-queries.jsonl", "dev-qrels.trec", run=None),
    "checkthat dev": Split("checkthat2020-task2", "dev-queries.jsonl", "dev-qrels.trec", run=None),
    "trecqa dev": Split("trecqa", "dev-queries.jsonl", "dev-qrels.trec", "dev-corpus.jsonl", run=None),
    "trecqa train": Split("trecqa", "train-queries.jsonl", "train-qrels.trec", "train-corpus.jsonl", run=None),
    "scifact train": Split("beir-scifact", "train-queries.jsonl", "train-qrels.trec", run=None),
    "whatsthatbook dev": Split("birco-whatsthatbook-dev"),
    "doris-mae dev": Split("birco-doris-mae-dev"),
    "msmarco instructir": Split("train-msmarco-instructir-1743"),
    "nq": Split("train-nq-open-gold"),
    "squad": Split("train-squad-sentences"),
    "pubmedqa": Split("train-pubmedqa-1k"),
}


class Table(NamedTuple):
    """What fitting sees of a split: Q queries, up to L candidates each, NaN where a list is shorter."""

    parts_QLP: Array
    first_QL: Array
    grades_QL: Array
    ideal_Q: Array


def existing(folder: Path, name: str) -> Path:
    """The file, plain or compressed."""
    return next(p for p in (folder / name, folder / f"{name}.gz") if p.exists())


def candidates(split: Split, limit: int) -> tuple[list[Ranking], dict[str, dict[str, float]]]:
    """A seeded sample of the split's queries that have a relevant document, with their candidates."""
    folder = DATA / split.folder
    qrels = formats.read_qrels(existing(folder, split.qrels))
    documents = formats.read_documents(existing(folder, split.corpus))
    queries = formats.read_queries(existing(folder, split.queries))
    answerable = [q for q in sorted(queries, key=lambda q: q.id) if max(qrels.get(q.id, {"": 0}).values()) > 0]
    chosen = [answerable[i] for i in np.random.default_rng(SEED).permutation(len(answerable))[:limit]]
    if split.run is None:
        return BM25.build(documents).search_many(chosen, k=DEPTH), qrels
    run = formats.read_run(existing(folder, split.run))
    kept = {q.id: dict(sorted(run.get(q.id, {}).items(), key=lambda item: -item[1])[:DEPTH]) for q in chosen}
    by_id = {d.id: d for d in documents}
    return [Ranking.of(q, [by_id[d] for d in kept[q.id]], list(kept[q.id].values())) for q in chosen], qrels


def table(name: str, split: Split, limit: int, ranker: EvidenceRanker) -> Table:
    """Similarities of a split, from the cache if it holds them."""
    path = CACHE / f"{name.replace(' ', '-')}-{limit}-{ranker.body}.npz"
    if path.exists():
        return Table(*(np.load(path)[field] for field in Table._fields))
    rankings, qrels = candidates(split, limit)
    longest = max(len(r) for r in rankings)
    shape = (len(rankings), longest)
    parts, first, grades = np.full((*shape, len(PARTS)), np.nan), np.full(shape, np.nan), np.full(shape, np.nan)
    ideal = np.zeros(len(rankings))
    for q, (ranking, found) in enumerate(zip(rankings, ranker.similarities(rankings), strict=True)):
        judged = {d: max(g, 0.0) for d, g in qrels[ranking.query.id].items()}
        ideal[q] = gain(np.array(sorted(judged.values(), reverse=True)))
        for i, (hit, similar) in enumerate(zip(ranking, found, strict=True)):
            parts[q, i], first[q, i] = similar, hit.first_score
            grades[q, i] = judged.get(hit.document.id, 0.0)
    CACHE.mkdir(parents=True, exist_ok=True)
    np.savez(path, parts_QLP=parts, first_QL=first, grades_QL=grades, ideal_Q=ideal)
    print(f"{name}: {len(rankings)} queries", file=sys.stderr, flush=True)
    return Table(parts, first, grades, ideal)


def gain(grades: Array) -> Any:
    """Discounted gain of the first ten, linear in the grade."""
    top = grades[..., :10]
    return (top / np.log2(np.arange(2, 2 + top.shape[-1]))).sum(axis=-1)


def ndcg(t: Table, weights: tuple[float, ...], first: float, half: float) -> float:
    """Mean nDCG@10 of the split under these weights; ties keep the first stage's order."""
    scores = t.parts_QLP @ np.array(weights) + first * t.first_QL / (half + np.abs(t.first_QL))
    order = np.argsort(-np.where(np.isnan(t.grades_QL), -np.inf, scores), axis=1, kind="stable")
    ranked = np.nan_to_num(np.take_along_axis(t.grades_QL, order, axis=1))
    return float((gain(ranked) / t.ideal_Q).mean())


def grid(first_stage: bool) -> Iterator[Point]:
    """Eighths that sum to one over the parts, and the first stage's share of the whole where there is one."""
    shares = [s for s in itertools.product(range(9), repeat=len(PARTS)) if sum(s) == 8]
    for share in shares:
        weights = tuple(s / 8 for s in share)
        if not first_stage:
            yield weights, 0.0, 1.0
            continue
        for first, half in itertools.product((0.125, 0.25, 0.5, 0.75, 1.0), HALVES):
            yield weights, first, half


def main() -> None:
    """Print the choice, the parts alone, and what each part is worth."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--queries", type=int, default=150)
    given = parser.parse_args()
    if not DATA.exists():
        sys.exit(f"no collections at {DATA}; set WHYRANK_DATA")
    ranker = EvidenceRanker()
    tables = {name: table(name, split, given.queries, ranker) for name, split in SPLITS.items()}

    def mean(weights: tuple[float, ...], first: float, half: float) -> float:
        return float(np.mean([ndcg(t, weights, first, half) for t in tables.values()]))

    print("| setting | " + " | ".join(tables) + " | mean |\n" + "|---" * (len(tables) + 2) + "|")

    def row(label: str, weights: tuple[float, ...], first: float, half: float) -> None:
        values = [ndcg(t, weights, first, half) for t in tables.values()]
        print(f"| {label} | " + " | ".join(f"{v:.4f}" for v in values) + f" | {np.mean(values):.4f} |")

    row("first stage", (0.0,) * len(PARTS), 1.0, 1.0)
    for i, part in enumerate(PARTS):
        row(part, tuple(float(i == j) for j in range(len(PARTS))), 0.0, 1.0)
    for first_stage in (False, True):
        scored = sorted(((mean(*point), point) for point in grid(first_stage)), reverse=True)
        best = scored[0][0]
        weights, first, half = middle([point for value, point in scored if value >= best - NOISE])
        named = ", ".join(f"{p} {w:g}" for p, w in zip(PARTS, weights, strict=True))
        row(f"{named}, first stage {first:g}, half {half:g}" if first_stage else named, weights, first, half)
        print(f"  best of {len(scored)} grid points: {best:.4f} {scored[0][1]}")
        for i, part in enumerate(PARTS):
            value, point = next(s for s in scored if s[1][0][i] == 0)
            print(f"  best without {part}: {value:.4f} {point}")


def middle(points: list[Point]) -> Point:
    """The mean of grid points, to two decimals; geometric for the constant."""
    weights = np.mean([w for w, _, _ in points], axis=0)
    first = float(np.mean([f for _, f, _ in points]))
    half = float(np.exp(np.mean([np.log(h) for _, _, h in points])))
    return tuple(round(float(w), 2) for w in weights), round(first, 2), round(half)


if __name__ == "__main__":
    main()
