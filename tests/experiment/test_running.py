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
    command = [sys.executable, "-m", "whyrank.cli", "evaluate", "-q", "--config", str(tmp_path / "exp.yaml")]
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
    ],
)
def test_settings_that_cannot_be_meant(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        settings(tmp_path, **{"rankers": ["evidence"], **changes})
