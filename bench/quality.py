"""nDCG@10 of our rankers and of BM25 on the nine judged sets, reranking the given runs.

    python bench/quality.py [--depth 100] [--sets trec-dl19-passage cisi] [--rankers student evidence] [--bare]

Reads the judged collections (WHYRANK_DATA). These sets are read only to report: nothing was trained and no weight was
chosen on them (`scripts/fit_evidence.py` and `scripts/train_student/` name what was). Queries with at least one
relevant document; linear gain; ties as ranked. Prints Markdown: the table in docs/methods.md is this output.
"""

import argparse
import os
import platform
import random
import sys
import time
from importlib.metadata import version
from pathlib import Path

from whyrank import evaluate, formats
from whyrank.rankers import load
from whyrank.types import Qrels, Ranking

DATA = Path(os.environ.get("WHYRANK_DATA", Path(__file__).parents[2] / "shared" / "data"))
NINE = (
    "trec-dl19-passage",
    "beir-scifact",
    "beir-dbpedia-50q-5k",
    "cranfield",
    "cisi",
    "medline-med",
    "trecqa",
    "wikiqa-dev",
    "birco-arguana",
)
MEASURE = "nDCG@10"


def ndcg(rankings: list[Ranking], qrels: Qrels) -> float:
    """Mean nDCG@10 over queries with a relevant document."""
    return evaluate.measure("", rankings, qrels, [MEASURE], only_relevant=True).mean(MEASURE)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--depth", type=int, default=100)
    parser.add_argument("--sets", nargs="+", default=list(NINE))
    parser.add_argument("--queries", type=int, help="of each set at most, drawn with seed 0")
    parser.add_argument("--rankers", nargs="+", default=["bi-encoder", "evidence", "student", "student-open"])
    parser.add_argument("--bare", action="store_true", help="without the first stage's scores")
    parser.add_argument("--threads", type=int, help="of each ranker")
    given = parser.parse_args()
    if not DATA.exists():
        sys.exit(f"no judged collections at {DATA}; set WHYRANK_DATA")
    rankers = {name: load(name, threads=given.threads) for name in given.rankers}
    print(f"python {platform.python_version()}, onnxruntime {version('onnxruntime')}; BM25 top {given.depth}\n")
    print("| set | queries | BM25 | " + " | ".join(given.rankers) + " | seconds |")
    print("|---" * (len(rankers) + 4) + "|")
    rows = []
    for name in given.sets:
        folder = DATA / name
        qrels = formats.read_qrels(folder / "qrels.trec")
        run = next(p for p in (folder / "bm25.trec", folder / "bm25.trec.gz") if p.exists())
        first = [r.top(given.depth) for r in formats.read_rankings(run, corpus=folder, queries=folder)]
        first = [r for r in first if max(qrels.get(r.query.id, {"": 0}).values()) > 0]
        if given.queries is not None:
            first = random.Random(0).sample(first, min(given.queries, len(first)))
            qrels = {r.query.id: qrels[r.query.id] for r in first}
        shown = [Ranking.of(r.query, r.documents) for r in first] if given.bare else first
        row, seconds = [ndcg(first, qrels)], []
        for ranker in rankers.values():
            started = time.perf_counter()
            row.append(ndcg(ranker.rerank_many(shown), qrels))
            seconds.append(f"{time.perf_counter() - started:.0f}")
        rows.append(row)
        cells = " | ".join(f"{value:.4f}" for value in row)
        print(f"| {name} | {len(first)} | {cells} | {' / '.join(seconds)} |", flush=True)
    means = [sum(column) / len(rows) for column in zip(*rows, strict=True)]
    print("| **mean** | | " + " | ".join(f"**{v:.4f}**" for v in means) + " | |")


if __name__ == "__main__":
    main()
