"""`whyrank evaluate` from outside."""

import csv
import json
from pathlib import Path

import pytest

from ended import Lines, Run

QRELS = "q1 0 a 2\nq1 0 b 0\nq1 0 c 1\nq2 0 a 0\nq2 0 b 1\n"
GOOD = "q1 Q0 a 1 3.0 x\nq1 Q0 c 2 2.0 x\nq1 Q0 b 3 1.0 x\nq2 Q0 b 1 2.0 x\nq2 Q0 a 2 1.0 x\n"
BAD = "q1 Q0 b 1 3.0 x\nq1 Q0 c 2 2.0 x\nq1 Q0 a 3 1.0 x\nq2 Q0 a 1 2.0 x\nq2 Q0 b 2 1.0 x\n"


@pytest.fixture
def here(tmp_path: Path) -> Path:
    for name, text in (("qrels.trec", QRELS), ("good.trec", GOOD), ("bad.trec", BAD)):
        (tmp_path / name).write_text(text)
    return tmp_path


def test_two_runs(run: Run, here: Path) -> None:
    ended = run("evaluate", "bad.trec", "good.trec", "--qrels", "qrels.trec", "-m", "RR@10", "-f", "table")
    assert ended.code == 0
    assert "good" in ended.out
    assert "1.0000   +0.5000" in ended.out
    assert "bad, the baseline" in ended.out
    assert "Queries: 2." in ended.out


def test_means_by_hand_in_csv_and_json(run: Run, here: Path) -> None:
    ended = run("evaluate", "bad.trec", "good.trec", "--qrels", "qrels.trec", "-m", "RR@10", "-m", "P@1", "-f", "csv")
    rows = {row["system"]: row for row in csv.DictReader(ended.out.splitlines())}
    assert float(rows["bad"]["RR@10"]) == 0.5
    assert float(rows["good"]["P@1"]) == 1.0
    found = json.loads(run("evaluate", "bad.trec", "--qrels", "qrels.trec", "-m", "RR@10", "-f", "json").out)
    assert found[0]["systems"][0]["per_query"] == {"RR@10": {"q1": 0.5, "q2": 0.5}}


@pytest.mark.parametrize(
    ("name", "starts"),
    [
        ("t.md", "**Effectiveness**"),
        ("t.tex", r"\begin{table}"),
        ("t.html", "<!doctype html>"),
        ("t.txt", "Effectiveness"),
    ],
)
def test_the_name_of_the_file_says_the_format(run: Run, here: Path, name: str, starts: str) -> None:
    ended = run("evaluate", "good.trec", "bad.trec", "--qrels", "qrels.trec", "-m", "nDCG@10", "-o", name)
    assert ended.code == 0
    assert ended.err.startswith(f"wrote {name}: 2 systems, as ")
    assert (here / name).read_text().startswith(starts)


def test_a_single_reranked_list_is_compared_with_the_order_it_was_given(run: Run, here: Path, lines: Lines) -> None:
    lines("d.jsonl", [{"id": "a", "text": "Cats purr."}, {"id": "b", "text": "Rain falls from clouds."}])
    assert run("rerank", "why does rain fall?", "d.jsonl", "--explain", "1", "-o", "re.jsonl").code == 0
    (here / "rain.trec").write_text("1 0 b 1\n1 0 a 0\n")
    ended = run("evaluate", "re.jsonl", "--qrels", "rain.trec", "-m", "RR@10", "-f", "json")
    effectiveness, cost, stated = json.loads(ended.out)
    assert [s["name"] for s in effectiveness["systems"]] == ["first stage", "re"]
    assert [s["per_query"]["RR@10"]["1"] for s in effectiveness["systems"]] == [0.5, 1.0]
    assert "what its reasons state" in stated["title"]
    assert cost["title"] == "Cost"


def test_ties_and_excluded_documents(run: Run, here: Path) -> None:
    (here / "tied.trec").write_text("q1 Q0 a 1 1.0 x\nq1 Q0 b 2 1.0 x\n")
    (here / "out.trec").write_text("q1 0 a 1\n")

    def rr(*more: str) -> float:
        ended = run("evaluate", "tied.trec", "--qrels", "qrels.trec", "-m", "RR@10", "-f", "json", *more)
        value: float = json.loads(ended.out)[0]["systems"][0]["per_query"]["RR@10"]["q1"]
        return value

    assert rr() == 1.0
    assert rr("--ties", "trec_eval") == 0.5
    assert rr("--excluded", "out.trec") == 0.0


def test_a_named_collection(run: Run, here: Path) -> None:
    assert "demo" in run("evaluate", "--datasets").out
    ended = run("evaluate", "mine=good.trec", "--dataset", "demo")
    assert ended.code == 2
    assert "no query in common" in ended.err


def test_an_experiment(run: Run, here: Path) -> None:
    (here / "exp.yaml").write_text("dataset: demo\nrankers: [bi-encoder]\ndepth: 5\noutput: results\n")
    ended = run("evaluate", "-c", "exp.yaml", "-c", "queries=2", "-f", "table")
    assert ended.code == 0
    assert "bi-encoder" in ended.out
    assert "note: bi-encoder gives no reasons; none were checked" in ended.err
    assert "the page to read is results/report.html" in ended.err
    assert (here / "results" / "report.html").is_file()


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ([], "no run; give"),
        (["good.trec"], "either --qrels FILE or --dataset NAME"),
        (["good.trec", "--qrels", "qrels.trec", "--dataset", "demo"], "either --qrels FILE or --dataset NAME"),
        (["good.trec", "good.trec", "--qrels", "qrels.trec"], "two runs are called 'good'"),
        (["absent.trec", "--qrels", "qrels.trec"], "no such file"),
        (["good.trec", "--qrels", "good.trec"], "good.trec"),
        (["good.trec", "--qrels", "qrels.trec", "--ties", "random"], "known: rank, trec_eval"),
        (["good.trec", "--qrels", "qrels.trec", "-m", "nDGC@10", "-m", "mapp"], "nDCG@10"),
        (["good.trec", "--qrels", "qrels.trec", "-f", "pdf"], "no output format called 'pdf'"),
        (["good.trec", "--qrels", "qrels.trec", "--baseline", "god"], "did you mean good"),
        (["good.trec", "--dataset", "dmeo"], "demo"),
        (["good.trec", "-c", "exp.yaml"], "everything else stands in the experiment file"),
        (["-c", "depth=3"], "names 0 files"),
        (["-c", "absent.yaml"], "no such file"),
    ],
)
def test_what_cannot_be_meant(run: Run, here: Path, args: list[str], said: str) -> None:
    ended = run("evaluate", *args)
    assert ended.code == 2
    assert said in ended.err
    assert "Traceback" not in ended.err


def test_a_document_given_twice_is_an_error(run: Run, here: Path) -> None:
    (here / "twice.trec").write_text(GOOD + "q1 Q0 a 4 0.5 x\n")
    ended = run("evaluate", "twice.trec", "--qrels", "qrels.trec")
    assert ended.code == 2
    assert "twice.trec:6" in ended.err
    assert "given twice" in ended.err


def test_a_calibration_of_ones_own_decides_what_is_kept(run: Run, here: Path, lines: Lines) -> None:
    from whyrank.rankers import load
    from whyrank.rankers.calibration import Calibration, Temperature

    lines("d.jsonl", [{"id": "a", "text": "Rain falls from clouds."}, {"id": "b", "text": "Cats purr."}])
    strict = Temperature(0.001, 5.0)
    Calibration(load().name, strict, strict).save(here / "strict.json")
    asked = ("rerank", "why does rain fall?", "d.jsonl", "-f", "jsonl", "-e", "0", "-c", "min_probability=0.5")
    assert run(*asked).ids == ["a"]
    assert run(*asked, "-c", "calibration=strict.json").ids == []
    Calibration("another@1", strict, strict).save(here / "other.json")
    ended = run(*asked, "-c", "calibration=other.json")
    assert ended.code == 2
    assert "fitted to the scores of 'another@1'" in ended.err


def test_excluded_documents_take_their_reasons_with_them(run: Run, here: Path, lines: Lines) -> None:
    lines("d.jsonl", [{"id": "a", "text": "Rain falls from clouds."}, {"id": "b", "text": "Cats purr at night."}])
    assert run("rerank", "why does rain fall?", "d.jsonl", "--explain", "2", "-o", "re.jsonl").code == 0
    (here / "rain.trec").write_text("1 0 b 1\n")
    (here / "out.trec").write_text("1 0 a 1\n")
    asked = ("evaluate", "re.jsonl", "--qrels", "rain.trec", "--excluded", "out.trec", "-m", "RR@10", "-f", "json")
    ended = run(*asked)
    assert ended.code == 0
    assert [s["per_query"]["RR@10"]["1"] for s in json.loads(ended.out)[0]["systems"]] == [1.0, 1.0]


def test_a_list_that_nothing_reranked_has_no_first_stage(run: Run, here: Path, lines: Lines) -> None:
    name = lines("plain.jsonl", [{"query": {"id": "q1", "text": "x"}, "documents": [{"id": "a", "text": "y"}]}])
    found = json.loads(run("evaluate", name, "--qrels", "qrels.trec", "-m", "RR@10", "-f", "json").out)
    assert [s["name"] for s in found[0]["systems"]] == ["plain"]


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["good.trec", "--qrels", "qrels.trec", "-o", "x.pdf"], "no output format by the name called '.pdf'"),
        (["-c", "exp.yaml", "--ties", "trec_eval"], "everything else stands in the experiment file"),
        (["=good.trec", "--qrels", "qrels.trec"], "names no run"),
        (["bm52", "--dataset", "demo"], "called 'bm52'"),
    ],
)
def test_what_would_be_ignored_is_refused(run: Run, here: Path, args: list[str], said: str) -> None:
    ended = run("evaluate", *args)
    assert ended.code == 2
    assert said in ended.err
