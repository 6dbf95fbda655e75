"""Values that others published, out of the files they published, by our code."""

import gzip
import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from whyrank import formats
from whyrank.evaluate import Evaluation, Ties, measure

pytest.importorskip("ir_measures")

pytestmark = pytest.mark.data

BRIGHT = [
    "biology", "earth_science", "economics", "psychology", "robotics", "stackoverflow", "sustainable_living",
    "leetcode", "pony", "aops", "theoremqa_questions", "theoremqa_theorems",
]  # fmt: skip


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def read_lines(folder: Path, name: str) -> list[Any]:
    [path] = folder.glob(f"{name}*")
    text = (gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()).decode()
    return [json.loads(line) for line in text.split("\n") if line]


@cache
def dl19(data: Path) -> dict[str, dict[str, float]]:
    return formats.read_qrels(data / "trec-dl19-passage" / "qrels.trec")


def ndcg(run: Path, data: Path, ties: Ties) -> float:
    return measure(run.name, formats.read_run(run), dl19(data), ["nDCG@10"], ties=ties).mean("nDCG@10")


@pytest.mark.parametrize(
    ("run", "published"),
    [
        ("bm25", 0.5058),
        ("bm25_rm3", 0.5216),
        ("splade", 0.7308),
        ("tasb", 0.7210),
        ("ada2", 0.7035),
        ("repllama", 0.7384),
    ],
)
def test_dl19(data: Path, run: str, published: float) -> None:
    assert round(ndcg(data / "trec-dl19-passage" / f"{run}.trec", data, "trec_eval"), 4) == published


def test_repllama_has_ties_that_matter(data: Path) -> None:
    assert round(ndcg(data / "trec-dl19-passage" / "repllama.trec", data, "rank"), 4) == 0.7439


@pytest.mark.parametrize("ties", ["trec_eval", "rank"])
def test_rankllm(data: Path, ties: Ties) -> None:
    folder = data / "llm-outputs-rankllm"
    rows = [row for row in read_json(folder / "runs_table.json") if row["ndcg10_reported_by_rank_llm"] is not None]
    assert len(rows) == 9
    found = {row["run"]: round(ndcg(folder / row["run"], data, ties), 4) for row in rows}
    assert found == {row["run"]: row["ndcg10_reported_by_rank_llm"] for row in rows}


def bright(data: Path, task: str, planted: str = "") -> Evaluation:
    """The task's measured run; `planted`: an excluded document at rank 1 of its query, by "list" or by "grade"."""
    folder = data / "bright-queries-qrels-runs" / task
    run, qrels = formats.read_run(folder / "xrr2_rr.trec.gz"), formats.read_qrels(folder / "qrels.trec")
    excluded = {row["_id"]: row["excluded_ids"] for row in read_lines(folder, "excluded_ids.jsonl")}
    for query, documents in excluded.items() if planted else ():
        out = [document for document in documents if document not in run.get(query, {})][:1]
        run[query] = {**dict.fromkeys(out, 1e9), **run.get(query, {})}
        if planted == "grade":
            qrels[query] |= dict.fromkeys(out, -100.0)
    return measure(task, run, qrels, ["nDCG@10"], ties="trec_eval", excluded={} if planted == "grade" else excluded)


def published(data: Path, task: str) -> float:
    return float(read_json(data / "bright-queries-qrels-runs" / "expected.json")["published"][task])


@pytest.mark.parametrize("task", BRIGHT)
def test_bright(data: Path, task: str) -> None:
    found = bright(data, task)
    assert found.mean("nDCG@10") == pytest.approx(published(data, task), abs=5e-5)
    assert found.coverage.excluded == 0


@pytest.mark.parametrize("planted", ["list", "grade"])
def test_bright_with_excluded_documents_planted(data: Path, planted: str) -> None:
    plain, found = bright(data, "leetcode"), bright(data, "leetcode", planted)
    assert found.coverage.excluded > 100
    assert found.values_QM.tolist() == plain.values_QM.tolist()


def test_bright_has_document_ids_with_blanks(data: Path) -> None:
    folder = data / "bright-queries-qrels-runs"
    run = formats.read_run(folder / "pony" / "xrr2_rr.trec.gz")
    runs = [run, *(formats.read_run(folder / task / "xrr2_rr.trec.gz") for task in BRIGHT[:7])]
    assert any(" " in document for each in runs for documents in each.values() for document in documents)
