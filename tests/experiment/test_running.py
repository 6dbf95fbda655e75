"""An experiment from its file to its folder, on the demo's own documents."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from ended import Run
from whyrank import config, formats
from whyrank.errors import BadInput, MissingFile, UnknownName
from whyrank.experiment import ExperimentSettings
from whyrank.experiment import run as conduct
from whyrank.formats.locks import alone
from whyrank.rankers.calibration import Calibration
from whyrank.rankers.evidence import EvidenceRanker
from whyrank.types import Progress


def settings(folder: Path, **changes: Any) -> ExperimentSettings:
    given: dict[str, Any] = {
        "dataset": "demo",
        "rankers": [{"ranker": "evidence", "name": "shallow", "depth": 5}, "bi-encoder"],
        "depth": 12,
        "measures": ["nDCG@10", "RR@10"],
        "reasons": {"top": 1, "queries": 2, "depth": 3, "judges": ["self", "bm25"]},
        "output": str(folder / "results"),
        **changes,
    }
    (folder / "exp.yaml").write_text(yaml.safe_dump(given))
    return config.load(ExperimentSettings, folder / "exp.yaml")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("experiment")
    conduct(settings(folder))
    return folder


def test_everything_is_written(finished: Path) -> None:
    results = finished / "results"
    assert {p.name for p in (results / "runs").iterdir()} == {
        f"{name}.trec" for name in ("bm25", "shallow", "bi-encoder")
    }
    rows = list(csv.DictReader((results / "scores.csv").read_text().splitlines()))
    assert len(rows) == 3 * 6 * 2
    assert json.loads((results / "costs.json").read_text())["shallow"]["documents"] == 30
    environment = json.loads((results / "environment.json").read_text())
    assert environment["ranker shallow"] == EvidenceRanker().name
    assert "numpy" in environment
    again = config.load(ExperimentSettings, results / "settings.yaml")
    assert again == config.load(ExperimentSettings, finished / "exp.yaml")
    assert {"by-query-shallow.svg", "by-query-bi-encoder.svg", "differences.svg", "cost.svg"} == {
        file.name for file in (results / "plots").iterdir()
    }
    page = (results / "report.html").read_text()
    assert page.startswith("<!doctype html>")
    assert "shallow" in page
    assert "| shallow |" in (results / "tables.md").read_text()


def test_reasons_are_kept_and_hold(finished: Path, run: Run) -> None:
    kept = formats.read_rankings(finished / "results" / "reasons" / "shallow.jsonl")
    assert len(kept) == 2
    assert all(ranking.explanations is not None for ranking in kept)
    assert run("verify", finished / "results" / "reasons" / "shallow.jsonl").code == 0


def test_means_are_those_of_the_written_runs(finished: Path) -> None:
    from whyrank import datasets, evaluate

    qrels = datasets.load("demo").qrels
    rows = list(csv.DictReader((finished / "results" / "scores.csv").read_text().splitlines()))
    for name in ("bm25", "shallow", "bi-encoder"):
        written = formats.read_run(finished / "results" / "runs" / f"{name}.trec")
        expected = evaluate.measure(name, written, qrels, ["nDCG@10"])
        for query, value in zip(expected.queries, expected.of("nDCG@10"), strict=True):
            [found] = [r for r in rows if (r["system"], r["query"], r["measure"]) == (name, query, "nDCG@10")]
            assert float(found["value"]) == pytest.approx(value, abs=1e-12)


def test_run_again_nothing_is_done_twice(finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: object, **__: object) -> None:
        raise AssertionError("paid for twice")

    for name in ("rerank_many", "decompose", "score"):
        monkeypatch.setattr(EvidenceRanker, name, forbidden)
    before = {p: p.read_bytes() for p in (finished / "results").rglob("*") if p.is_file()}
    conduct(config.load(ExperimentSettings, finished / "exp.yaml"))
    assert {p: p.read_bytes() for p in (finished / "results").rglob("*") if p.is_file()} == before


def test_more_queries_pay_for_the_new_ones_only(tmp_path: Path) -> None:
    phases: list[tuple[str, int]] = []

    def phase(name: str) -> Progress:
        return lambda done, _total: phases.append((name, done))

    conduct(settings(tmp_path, queries=2, rankers=["evidence"], reasons=None))
    conduct(settings(tmp_path, queries=4, rankers=["evidence"], reasons=None), phase)
    assert ("reranking: evidence", 2) in phases  # two of four are there at the start
    assert phases[[name for name, _ in phases].index("reranking: evidence")] == ("reranking: evidence", 2)


@pytest.mark.slow
def test_killed_and_run_again_the_results_are_the_same(finished: Path, tmp_path: Path) -> None:
    given = settings(tmp_path)
    command = [sys.executable, "-m", "whyrank", "evaluate", "-q", "--config", str(tmp_path / "exp.yaml")]
    for wait in (1.2, 2.0):
        killed = subprocess.Popen(command, stdout=subprocess.DEVNULL, env={**os.environ, "OMP_NUM_THREADS": "1"})
        time.sleep(wait)
        killed.send_signal(signal.SIGKILL)
        killed.wait()
    conduct(given)
    for name in ("scores.csv", "runs/shallow.trec", "runs/bi-encoder.trec"):
        assert (tmp_path / "results" / name).read_bytes() == (finished / "results" / name).read_bytes()


def test_calibration_is_fitted_on_one_half_and_measured_on_the_other(tmp_path: Path) -> None:
    outcome = conduct(settings(tmp_path, rankers=["evidence"], reasons=None, calibrate="temperature"))
    kept = Calibration.load(tmp_path / "results" / "evidence.calibration.json")
    assert kept == outcome.calibrations["evidence"].calibration
    assert kept.of(EvidenceRanker().name).probability(0.9, 10.0) > kept.probability(0.1, 10.0)
    fitted, measured = kept.pairs, outcome.calibrations["evidence"].reliability.pairs
    assert fitted + measured == sum(len(ranking) for ranking in outcome.systems["evidence"])


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"dataset": "demmo"}, UnknownName, "demo"),
        ({"rankers": ["evidenze"]}, UnknownName, "did you mean evidence"),
        ({"measures": ["nDGC@10", "R@"]}, UnknownName, "nDCG@10"),
        ({"first_stage": "splade"}, MissingFile, "neither a file nor a run of demo"),
        ({"runs": ["tasb"]}, MissingFile, "neither a file nor a run of demo"),
        ({"reasons": {"judges": ["bm52"]}}, UnknownName, "did you mean bm25.*known: bi-encoder, bm25, evidence, self"),
    ],
)
def test_what_is_not_there_is_said_before_the_work(
    tmp_path: Path, changes: dict[str, Any], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        conduct(settings(tmp_path, **changes))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"rankers": ["evidence", "evidence"]}, "two systems are called 'evidence'"),
        ({"baseline": "splade"}, "the baseline 'splade' is none of the systems bm25, evidence"),
        ({"depht": 3}, "did you mean depth"),
        ({"reasons": {"cheks": []}}, "did you mean checks"),
        ({"reasons": {"checks": ["vibes"]}}, "'statements', 'counterfactuals'"),
        ({"measures": []}, "measures"),
        ({"depth": 0}, "depth"),
        ({"seed": -1}, "seed"),
        ({"runs": ["a/run.trec", "b/run.trec"]}, "two runs are called 'run'"),
        ({"runs": [{"a": "b"}]}, "is no name and no file"),
        ({"rankers": [{"ranker": "evidence", "name": "../../out"}]}, "names become names of files"),
        ({"rankers": [{"ranker": "evidence", "name": "a/b"}]}, "names become names of files"),
    ],
)
def test_settings_that_cannot_be_meant(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        settings(tmp_path, **{"rankers": ["evidence"], **changes})


def collection(folder: Path, texts: list[str]) -> str:
    """A collection of one relevant document a query."""
    folder.mkdir(exist_ok=True)
    lines = {
        "corpus.jsonl": [json.dumps({"_id": f"d{i}", "text": text}) for i, text in enumerate(texts)],
        "queries.jsonl": [json.dumps({"_id": f"q{i}", "text": text.split(".")[0]}) for i, text in enumerate(texts)],
        "qrels.trec": [f"q{i} 0 d{i} 1" for i in range(len(texts))],
    }
    for name, content in lines.items():
        (folder / name).write_text("\n".join(content) + "\n")
    return str(folder)


ONE_SENTENCE = [
    "Blue whales eat krill.",
    "Whales breathe air.",
    "Krill eat algae in blue water.",
    "Air is mostly nitrogen.",
]


def test_a_text_that_changed_is_searched_and_ranked_anew(tmp_path: Path) -> None:
    own: dict[str, Any] = {"dataset": collection(tmp_path / "own", ONE_SENTENCE), "rankers": ["bi-encoder"]}
    before = conduct(settings(tmp_path, **own, reasons=None))
    collection(tmp_path / "own", [text.replace("Whales", "Sharks") for text in ONE_SENTENCE])
    after = conduct(settings(tmp_path, **own, reasons=None))
    texts = [{hit.document.text for r in o.systems["bm25"] for hit in r} for o in (before, after)]
    assert "Whales breathe air." in texts[0]
    assert not any("Whales breathe" in text for text in texts[1])


def test_measures_that_are_undefined_everywhere_are_left_out(tmp_path: Path) -> None:
    own = collection(tmp_path / "own", ONE_SENTENCE)
    reasons = {"top": 1, "queries": 2, "depth": 3, "checks": ["erasure"], "judges": ["bm25"]}
    outcome = conduct(settings(tmp_path, dataset=own, rankers=["evidence"], reasons=reasons))
    assert outcome.reasons[0].faithfulness["bm25"][0].measures
    assert (tmp_path / "results" / "report.html").is_file()


def test_a_curve_that_cannot_be_fitted_is_a_note_and_costs_nothing_else(tmp_path: Path) -> None:
    outcome = conduct(settings(tmp_path, rankers=["bi-encoder"], reasons=None, queries=1, calibrate="isotonic"))
    [note] = outcome.notes
    assert note.startswith("bi-encoder was not calibrated: no scored document")
    assert (tmp_path / "results" / "report.html").is_file()


def test_a_run_of_another_collection_is_said_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "foreign.trec").write_text("cookies Q0 x1 1 1.0 r\ncookies Q0 x2 2 0.5 r\n")
    given = settings(tmp_path, rankers=["bi-encoder"], reasons=None, runs=[str(tmp_path / "foreign.trec")])
    with pytest.raises(BadInput, match="no document that is judged"):
        conduct(given)
    (tmp_path / "foreign.trec").write_text("q9 Q0 x1 1 1.0 r\n")
    with pytest.raises(BadInput, match="no query in common"):
        conduct(given)
    assert not (tmp_path / "results").exists()


def test_one_process_at_a_time_and_results_of_these_settings_only(tmp_path: Path) -> None:
    conduct(settings(tmp_path, rankers=["bi-encoder"], reasons=None, queries=2))
    assert (tmp_path / "results" / "runs" / "bi-encoder.trec").is_file()
    given = settings(tmp_path, rankers=[{"ranker": "bi-encoder", "name": "other"}], reasons=None, queries=2)
    with alone(tmp_path / "results" / "work"), pytest.raises(BadInput, match="another process is working"):
        conduct(given)
    conduct(given)
    assert {file.name for file in (tmp_path / "results" / "runs").iterdir()} == {"bm25.trec", "other.trec"}


def test_equal_scores_of_the_first_stage_are_settled_like_those_of_any_run(tmp_path: Path) -> None:
    own = Path(collection(tmp_path / "own", ONE_SENTENCE))
    lines = [f"q{q} Q0 d{d} {r} 1.0 t" for q in range(4) for r, d in enumerate((1, 0, 3, 2), 1)]
    (own / "tied.trec").write_text("\n".join(lines) + "\n")
    given = {"dataset": str(own), "first_stage": "tied", "runs": {"same": "tied"}, "rankers": ["bi-encoder"]}
    for ties in ("rank", "trec_eval"):
        outcome = conduct(settings(tmp_path, **given, ties=ties, reasons=None))
        first, reranked, same = outcome.evaluations
        assert first.values_QM.tolist() == same.values_QM.tolist()
        assert (first.ties, reranked.ties, same.ties) == (ties, "rank", ties)
