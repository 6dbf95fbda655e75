"""`whyrank explain` and `whyrank verify`: reasons for what is saved, and whether they hold."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ended import CORPUS, Lines, Run
from whyrank.cli import main
from whyrank.cli.output import Target, concluded
from whyrank.formats import render
from whyrank.types import Direct, Evidence, Explanations, Ranking, Status

QUERY = "why does bread go stale"
UPPER, LOWER = "starch-recrystallises", "dough-in-the-fridge"


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("result") / "saved.jsonl"
    assert main(["rerank", QUERY, str(CORPUS), "-o", str(path), "-q", "-e", "2", "-d", "20"]) == 0
    return path.read_bytes()


@pytest.fixture
def saved(result: bytes, tmp_path: Path) -> str:
    (tmp_path / "saved.jsonl").write_bytes(result)
    return "saved.jsonl"


def change(path: Path, edit: Any) -> None:
    record = json.loads(path.read_text())
    edit(record)
    path.write_text(json.dumps(record))


def test_explaining_a_saved_result_gives_the_same_reasons(run: Run, saved: str, tmp_path: Path) -> None:
    [again] = run("explain", saved, "--top", 2, "-q").rankings
    before = json.loads((tmp_path / saved).read_text())
    for record in (again, before):
        del record["explanations"]["usage"]
    assert again == before


def test_explaining_documents(run: Run) -> None:
    [ranking] = run("explain", CORPUS, "--query", QUERY, "--top", 1).rankings
    assert [direct["document_id"] for direct in ranking["explanations"]["direct"]] == [UPPER]


def test_a_pair_that_are_no_neighbours(run: Run, saved: str) -> None:
    table = run("explain", saved, "--pair", UPPER, LOWER, "-f", "table").out
    assert f"above #6 {LOWER}" in table
    assert table.splitlines()[2].startswith("1")
    compared = run("explain", saved, "--pair", UPPER, LOWER).out
    [comparison] = json.loads(compared)["explanations"]["comparisons"]
    assert (comparison["upper_id"], comparison["lower_id"]) == (UPPER, LOWER)
    assert run("verify", "-q", stdin=compared.encode()).code == 0


def test_of_many_queries_one_is_chosen(run: Run, lines: Lines) -> None:
    documents = [{"id": "a", "text": "cats purr"}, {"id": "b", "text": "dogs bark"}]
    lines("in.jsonl", [{"query": {"id": i, "text": f"cats {i}"}, "documents": documents} for i in ("x", "y")])
    run("rerank", "--run", "in.jsonl", "-o", "many.jsonl", "-q")
    assert "2 of 2 rankings hold both" in run("explain", "many.jsonl", "--pair", "a", "b").err
    assert run("explain", "many.jsonl", "--pair", "a", "b", "--query-id", "y").rankings[0]["query"]["id"] == "y"
    assert "known: x, y" in run("explain", "many.jsonl", "--query-id", "xx").err
    assert len(run("explain", "many.jsonl").rankings) == 2


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["saved.jsonl", "--pair", UPPER, "nope"], "no document called 'nope'"),
        (["saved.jsonl", "--pair", LOWER, UPPER], "does not stand above"),
        (["saved.jsonl", "--query-id", "7"], "no query called '7'"),
        (["saved.jsonl", "--ranker", "evidence"], "--ranker belongs to --query"),
        ([str(CORPUS)], "no ranking"),
        ([str(CORPUS), "--query", "x", "--ranker", "bi-encoder"], "gives no reasons"),
    ],
)
def test_what_cannot_be_explained(run: Run, saved: str, args: list[str], said: str) -> None:
    code, out, err = run("explain", *args)
    assert (code, out) == (2, "")
    assert said in err


def test_lists_without_scores_cannot_be_explained(run: Run, lines: Lines) -> None:
    lines("in.jsonl", [{"query": "cats", "documents": ["cats purr"]}])
    code, _, err = run("explain", "in.jsonl")
    assert (code, "whyrank rerank --run" in err) == (2, True)


def test_a_sound_result_is_verified(run: Run, saved: str) -> None:
    code, out, err = run("verify", saved)
    assert (code, err) == (0, "")
    assert "all hold" in out
    for kind in ("quote", "sum", "counterfactual", "rescored"):
        assert f"\n{kind} " in out
    quick = run("verify", saved, "--no-rescore").out
    assert "all hold" in quick
    assert "\nrescored " not in quick


def tampered_quote(record: Any) -> None:
    record["explanations"]["direct"][0]["evidence"][0]["quote"] = "never \x1b[31m said"


def tampered_sum(record: Any) -> None:
    record["explanations"]["direct"][0]["terms"][0]["value"] += 0.01


def tampered_score(record: Any) -> None:
    record["hits"][5]["score"] += 1e-12


def tampered_text(record: Any) -> None:
    record["hits"][7]["text"] = "something else"


def tampered_order(record: Any) -> None:
    record["hits"].reverse()


def dropped(record: Any) -> None:
    del record["hits"][3]


def foreign(record: Any) -> None:
    record["ranker"] = "somebody else's"


@pytest.mark.parametrize(
    ("edit", "kind", "is_cheap"),
    [
        (tampered_quote, "quote", True),
        (tampered_sum, "sum", True),
        (tampered_order, "order", True),
        (dropped, "permutation", True),
        (tampered_score, "rescored", False),
        (tampered_text, "rescored", False),
        (foreign, "ranker", False),
    ],
)
def test_what_was_tampered_with_is_found(
    run: Run, saved: str, tmp_path: Path, edit: Any, kind: str, is_cheap: bool
) -> None:
    change(tmp_path / saved, edit)
    ended = run("verify", saved)
    assert ended.code == 1
    assert f"\n{kind}: query '1'" in ended.out
    assert "\x1b" not in ended.out
    ended = run("verify", saved, "--no-rescore", "--json")
    report = json.loads(ended.out)
    assert (ended.code, report["ok"]) == ((1, False) if is_cheap else (0, True))
    assert (kind in {failure["name"] for failure in report["failures"]}) is is_cheap


def test_results_of_other_rankers(run: Run, tmp_path: Path) -> None:
    run("rerank", QUERY, CORPUS, "--ranker", "bi-encoder", "-o", "b.jsonl", "-q", "-d", 6)
    assert "rescored" in run("verify", "b.jsonl").out
    change(tmp_path / "b.jsonl", tampered_score)
    assert run("verify", "b.jsonl").code == 1


def written(status: Status, *evidence: Evidence) -> Ranking:
    given = Ranking.of("cats", [{"id": "a", "text": "Cats purr."}])
    text = "It says so." if status in ("ok", "repaired") else "No reason was given: the request failed."
    return replace(given, explanations=Explanations((Direct("a", text, evidence, source="fake:m", status=status),)))


@pytest.mark.parametrize(
    ("status", "code"), [("ok", 0), ("repaired", 0), ("refused", 3), ("truncated", 3), ("error", 3), ("partial", 3)]
)
def test_a_reason_that_was_not_given_is_told_by_the_exit_code(
    capsys: pytest.CaptureFixture[str], status: Status, code: int
) -> None:
    ranking = replace(written(status), hits=())
    assert concluded([ranking, ranking], Target("jsonl")) == code
    assert ("2 reasons were not given" in capsys.readouterr().err) == (code == 3)
    assert concluded([ranking], Target("jsonl", quiet=True)) == code
    assert concluded([ranking], Target("table")) == code
    assert capsys.readouterr().err == ""


def test_written_reasons_are_verified_as_far_as_they_go(run: Run, tmp_path: Path) -> None:
    lost = written("repaired", Evidence("Cats bark.", None))
    (tmp_path / "w.jsonl").write_text("\n".join(render([lost])))
    code, out, _ = run("verify", "w.jsonl", "--no-rescore")
    assert code == 0
    assert re.search(r"^writer +2 +0 +a written reason names who wrote it *$", out, re.MULTILINE)
    assert "query '1', document 'a': evidence 1 is marked as not found in the document" in " ".join(out.split())
    assert "1 reason written by 'fake:m'" in " ".join(out.split())


def test_nothing_to_verify(run: Run) -> None:
    code, _, err = run("verify", stdin=b"")
    assert (code, "there is nothing to check" in err) == (2, True)
    assert run("verify", "nope.jsonl").code == 2
