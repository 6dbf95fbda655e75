"""BM25 on judged collections: retrieval of 1000 documents a query, as in the published figures.

Measured by ir_measures over all judged queries, linear gain. The interval around a collection's value is there
for other versions of bm25s and of the stemmer; the figures are those of docs/decisions/0002-bm25.md.
"""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from whyrank.retrieve import BM25
from whyrank.types import Document, Query

ir_measures = pytest.importorskip("ir_measures")

pytestmark = pytest.mark.data


def records(path: Path) -> list[dict[str, Any]]:
    raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return [json.loads(line) for line in raw.decode().split("\n") if line]


def measure(folder: Path) -> tuple[float, float]:
    documents = [Document(r["_id"], r["text"], r["title"] or None) for r in records(folder / "corpus.jsonl.gz")]
    queries = [Query(r["_id"], r["text"]) for r in records(folder / "queries.jsonl")]
    rankings = BM25.build(documents).search_many(queries, k=1000)
    run = {ranking.query.id: {hit.document.id: hit.first_score for hit in ranking} for ranking in rankings}
    measures = [ir_measures.nDCG @ 10, ir_measures.R @ 100]
    values = ir_measures.calc_aggregate(measures, ir_measures.read_trec_qrels(str(folder / "qrels.trec")), run)
    return values[measures[0]], values[measures[1]]


def test_scifact_has_its_published_value(data: Path) -> None:
    ndcg, recall = measure(data / "beir-scifact")
    assert ndcg == pytest.approx(0.6789, abs=0.003)  # Anserini's BEIR regression, flat index
    assert recall == pytest.approx(0.9253, abs=0.003)


@pytest.mark.parametrize(
    ("name", "ndcg"),
    [("cranfield", 0.3427), ("cisi", 0.3665), ("medline-med", 0.6643), ("npl-vaswani", 0.4384)],
)
def test_classics(data: Path, name: str, ndcg: float) -> None:
    assert measure(data / name)[0] == pytest.approx(ndcg, abs=0.002)
