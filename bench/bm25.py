"""How fast BM25 indexes and searches, beside bm25s with its own tokenizer, in one run.

    python bench/bm25.py [collection]

Data: the judged collections named by WHYRANK_DATA (default: ../shared/data from the project's root).
"""

import gzip
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from importlib import metadata, util
from pathlib import Path
from typing import Any

import bm25s
import numpy as np
import Stemmer

from whyrank.retrieve import BM25
from whyrank.types import Document, Query

ROOT = Path(__file__).parents[1]
DATA = Path(os.environ.get("WHYRANK_DATA", ROOT.parent / "shared" / "data"))
K = 100
REPEATS = 3


def main() -> None:
    """Measure one collection and print rates and ratios."""
    name = sys.argv[1] if len(sys.argv) > 1 else "beir-scifact"
    folder = DATA / name
    if not folder.is_dir():
        sys.exit(f"no collection {name!r} in {DATA}; set WHYRANK_DATA to the folder of judged collections")
    with gzip.open(folder / "corpus.jsonl.gz", "rt", encoding="utf-8") as lines:
        documents = [Document(r["_id"], r["text"], r["title"] or None) for r in map(json.loads, lines)]
    with (folder / "queries.jsonl").open(encoding="utf-8") as lines:
        queries = [Query(r["_id"], r["text"]) for r in map(json.loads, lines)]
    print(f"{name}: {len(documents)} documents, {len(queries)} queries, k = {K}, best of {REPEATS}")
    versions = [f"{package} {metadata.version(package)}" for package in ("bm25s", "numpy", "PyStemmer")]
    numba = f"numba {metadata.version('numba')}" if util.find_spec("numba") else "no numba"
    threads = os.environ.get("OMP_NUM_THREADS", "unset")
    print(f"Python {platform.python_version()}, {', '.join(versions)}, {numba}; OMP_NUM_THREADS {threads}")
    index_ours, index = seconds(lambda: BM25.build(documents))
    index_theirs, peer = seconds(lambda: build_bm25s(documents, "numpy"))
    report("index", "documents/s", len(documents), {"whyrank": index_ours, "bm25s": index_theirs})
    with tempfile.TemporaryDirectory() as parent:
        stored = Path(parent) / "index"
        saving, _ = seconds(lambda: index.save(stored, overwrite=True))
        loading, loaded = seconds(lambda: BM25.load(stored))
        print(f"save {saving:.3f} s, load {1000 * loading:.2f} ms")
        searches = {
            "whyrank": seconds(lambda: index.search_many(queries, k=K))[0],
            "whyrank, from disk": seconds(lambda: loaded.search_many(queries, k=K))[0],
            "bm25s": seconds(lambda: search_bm25s(peer, queries))[0],
        }
    if util.find_spec("numba"):
        compiled = build_bm25s(documents, "numba")
        search_bm25s(compiled, queries)  # compiles
        searches["bm25s, numba"] = seconds(lambda: search_bm25s(compiled, queries))[0]
    report("search", "queries/s", len(queries), searches)


def seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    """The shortest of several runs, and the last result."""
    times = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        result = work()
        times.append(time.perf_counter() - started)
    return min(times), result


def report(title: str, unit: str, count: int, times: dict[str, float]) -> None:
    """Rates, and how often the time of bm25s each takes."""
    for name, taken in times.items():
        print(f"{title:7}{name:20}{count / taken:10.0f} {unit:12} {taken / times['bm25s']:6.2f} × the time of bm25s")


def build_bm25s(documents: list[Document], backend: str) -> Any:
    """What bm25s does on its own: its tokenizer, its English stop words, the same stemmer and settings."""
    scorer = bm25s.BM25(k1=0.9, b=0.4, method="lucene", backend=backend)
    scorer.index(bm25s_tokens([d.full_text for d in documents]), show_progress=False)
    return scorer


def search_bm25s(scorer: Any, queries: list[Query]) -> "np.ndarray[Any, Any]":
    """Positions of the best K documents for each query."""
    found = scorer.retrieve(bm25s_tokens([q.text for q in queries]), k=K, show_progress=False, n_threads=0)
    return np.asarray(found.documents)


def bm25s_tokens(texts: list[str]) -> Any:
    """Terms by bm25s's own tokenizer."""
    return bm25s.tokenize(texts, stopwords="en", stemmer=Stemmer.Stemmer("porter"), show_progress=False)


if __name__ == "__main__":
    main()
