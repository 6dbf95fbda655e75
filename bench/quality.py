"""nDCG@10 of the default ranker, BM25 and the plain bi-encoder on the nine judged sets, reranking the given runs.

    python bench/quality.py [--depth 100] [--sets trec-dl19-passage cisi] [--bare]

Reads the judged collections (WHYRANK_DATA). These sets are read only to report: no part, weight or constant was chosen
on them (`scripts/fit_evidence.py` names what was). Queries with at least one relevant document; linear gain; ties as
ranked. Prints Markdown: the table in docs/methods.md is this output.
"""

import argparse
import os
import platform
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
    parser.add_argument("--bare", action="store_true", help="also rerank without the first stage's scores")
    given = parser.parse_args()
    if not DATA.exists():
        sys.exit(f"no judged collections at {DATA}; set WHYRANK_DATA")
    rankers = {name: load(name) for name in ("bi-encoder", "evidence")}
    print(f"python {platform.python_version()}, onnxruntime {version('onnxruntime')}; BM25 top {given.depth}\n")
    columns = ["BM25", "bi-encoder", "evidence", *(["no first stage"] if given.bare else []), "seconds"]
    print("| set | queries | " + " | ".join(columns) + " |\n" + "|---" * (len(columns) + 2) + "|")
    rows = []
    for name in given.sets:
        folder = DATA / name
        qrels = formats.read_qrels(folder / "qrels.trec")
        run = next(p for p in (folder / "bm25.trec", folder / "bm25.trec.gz") if p.exists())
        first = [r.top(given.depth) for r in formats.read_rankings(run, corpus=folder, queries=folder)]
        started = time.perf_counter()
        evidence = rankers["evidence"].rerank_many(first)
        seconds = time.perf_counter() - started
        lists = [first, rankers["bi-encoder"].rerank_many(first), evidence]
        if given.bare:
            lists.append(rankers["evidence"].rerank_many([Ranking.of(r.query, r.documents) for r in first]))
        rows.append([ndcg(rankings, qrels) for rankings in lists])
        print(
            f"| {name} | {len(first)} | " + " | ".join(f"{v:.4f}" for v in rows[-1]) + f" | {seconds:.0f} |", flush=True
        )
    means = [sum(column) / len(rows) for column in zip(*rows, strict=True)]
    print("| **mean** | | " + " | ".join(f"**{v:.4f}**" for v in means) + " | |")


if __name__ == "__main__":
    main()
