"""`whyrank validate`, `convert`, `demo`, `methods`, `doctor`."""

import json
from pathlib import Path

import pytest

from ended import CORPUS, Lines, Run
from whyrank.errors import Corrupt
from whyrank.prompts import known, load
from whyrank.rankers import RANKERS
from whyrank.rankers.algorithms import ALGORITHMS
from whyrank.rankers.known import known_models


def test_validate_names_file_line_and_remedy(run: Run, tmp_path: Path) -> None:
    (tmp_path / "d.jsonl").write_text('{"id": "a", "text": "x"}\n{"id": "a", "text": "y"}\n{"id": "b\\u001b[31m"}\n')
    code, out, err = run("validate", "d.jsonl")
    assert (code, err) == (1, "")
    assert "d.jsonl:2: error: document id 'a' is given twice" in out
    assert "d.jsonl:3: error: no 'text'" in out
    assert "2 errors" in out
    report = json.loads(run("validate", "d.jsonl", "--json").out)
    assert [problem["line"] for problem in report["files"][0]["problems"]] == [2, 3]
    assert "… and 1 more" in run("validate", "d.jsonl", "--limit", 1).out


def test_validate_what_is_fine(run: Run) -> None:
    code, out, _ = run("validate", CORPUS)
    assert (code, "43 documents" in out, out.endswith("fine\n")) == (0, True, True)
    assert run("validate", "nope").code == 2


def test_validate_a_run_against_its_corpus(run: Run, lines: Lines, tmp_path: Path) -> None:
    (tmp_path / "r.trec").write_text("1 Q0 a 1 2.0 t\n1 Q0 zzz 2 1.0 t\n")
    code, out, _ = run("validate", "r.trec", "--corpus", lines("c.jsonl", [{"id": "a", "text": "x"}]))
    assert (code, "zzz" in out) == (1, True)


def test_convert_there_and_back(run: Run, tmp_path: Path) -> None:
    assert run("convert", CORPUS, "c.csv").err == "wrote c.csv: 43 records, as csv\n"
    assert run("convert", "c.csv", "c.jsonl", "-q") == (0, "", "")
    assert run("convert", "c.csv", "-", "--to", "jsonl").out == (tmp_path / "c.jsonl").read_text()
    run("rerank", "stale bread", CORPUS, "-o", "r.jsonl", "-q")
    assert run("convert", "r.jsonl", "r.trec", "-q").code == 0
    assert (tmp_path / "r.trec").read_text() == run("rerank", "stale bread", CORPUS, "-f", "trec").out
    assert run("convert", "r.jsonl", "again.jsonl", "-q").code == 0
    assert (tmp_path / "again.jsonl").read_text() == (tmp_path / "r.jsonl").read_text()
    assert run("convert", "r.jsonl", "folder", "-q").code == 0
    assert (tmp_path / "folder" / "corpus.jsonl").is_file()


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ([str(CORPUS), "x.foo"], "give --to"),
        ([str(CORPUS), "x", "--to", "jsonll"], "did you mean jsonl?"),
        ([str(CORPUS), "x.trec"], "they need a query"),
        ([str(CORPUS), "-", "--to", "folder"], "name a TARGET"),
        (["-", "x.csv"], "name the format"),
        (["nope", "x.csv"], "nope: no such file"),
    ],
)
def test_what_cannot_be_converted(run: Run, args: list[str], said: str) -> None:
    code, out, err = run("convert", *args)
    assert (code, out) == (2, "")
    assert said in err


def test_demo_shows_moves_both_kinds_of_reasons_and_what_to_try(run: Run) -> None:
    code, out, err = run("demo")
    assert (code, err) == (0, "")
    assert "what stops a web page from reading another" in out
    assert "1  ▲5" in out
    assert "why  “" in out
    assert out.count("above #") == 3
    assert "1 of 6" in out
    assert "6 of 6" in out
    assert "whyrank verify result.jsonl" in out


def test_demo_takes_numbers_own_questions_and_formats(run: Run) -> None:
    assert run("demo", "--query", 5, "-f", "jsonl", "-e", 0).ids[0] == "milk-treading"
    assert run("demo", "--query", "cats", "-f", "jsonl", "-e", 0).ids[0] == "milk-treading"
    assert "keeping-a-loaf" in run("demo", "--query", "how do I keep bread soft?", "-f", "jsonl").ids[:2]
    assert run("demo", "-o", "d.html").err.startswith("wrote d.html")
    assert run("demo", "--query", 7).err == "error: the demo has 6 questions; 7 is none of them\n"
    assert run("demo", "--query", " ").code == 2


def test_methods_list_every_ranker_and_algorithm(run: Run) -> None:
    code, out, _ = run("methods")
    assert code == 0
    for name in (*RANKERS, *ALGORITHMS):
        assert name in out
    listed = json.loads(run("methods", "--json").out)
    assert (set(listed["rankers"]), set(listed["algorithms"])) == (set(RANKERS), set(ALGORITHMS))


@pytest.mark.parametrize("width", [60, 80, 120])
def test_methods_never_cut_a_name(run: Run, monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    out = run("methods", "--prompts").out
    plain = run("methods").out
    assert "…" not in out + plain
    assert max(map(len, (out + plain).splitlines())) <= width
    rows = {line.split()[0] for line in (out + plain).splitlines() if line.strip()}
    assert {*known(), *known_models(), *ALGORITHMS} <= rows
    assert {word for name in known() for word in load(name).paper.split()} <= set(out.split())
    assert ("Llama 2 Community License" in out) == (width >= 100)
    assert out.count("see the model's card") == (width >= 100)


def test_methods_costs(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from whyrank.rankers import costs

    full = costs.costs
    monkeypatch.setattr(costs, "costs", lambda sizes=(10,), **options: full((10,), **options))
    out = run("methods", "--costs").out
    assert "### 10 documents, in first-stage order" in out
    assert "### 10 documents, in random order" in out
    assert "| tournament-graph | listwise |" in out


def test_doctor(run: Run) -> None:
    code, out, _ = run("doctor")
    assert (code, out.endswith("everything is fine\n")) == (0, True)
    report = json.loads(run("doctor", "--json").out)
    found = {finding["name"]: finding["ok"] for finding in report["findings"]}
    assert report["ok"] is True
    assert found["model"] is found["same bits"] is found["numpy"] is True


def test_doctor_finds_a_damaged_model(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def damaged(*_args: object) -> None:
        raise Corrupt("weights.safetensors: its sha256 is not the manifest's")

    monkeypatch.setattr("whyrank.encode.weights.read_checked", damaged)
    code, out, _ = run("doctor", "-q")
    assert code == 1
    assert "its sha256 is not the manifest's" in out
    assert "something is wrong" in out
