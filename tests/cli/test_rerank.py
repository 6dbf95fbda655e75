"""`whyrank rerank`: every way in and every way out."""

import gzip
import json
from itertools import pairwise
from pathlib import Path

import pytest

from ended import CORPUS, Lines, Run
from whyrank.formats import read_rankings

QUERY = "why does bread go stale"
CATS = [{"id": "a", "text": "Stocks fell."}, {"id": "b", "text": "Cats purr when content."}]


def test_a_pipe_gets_jsonl_with_reasons(run: Run) -> None:
    ended = run("rerank", QUERY, CORPUS)
    [ranking] = ended.rankings
    assert (ended.code, ended.err) == (0, "")
    assert ended.ids[0] == "starch-recrystallises"
    assert len(ended.ids) == 43
    assert len(ranking["explanations"]["direct"]) == 3
    assert len(ranking["explanations"]["comparisons"]) == 3


def test_the_order_is_the_same_with_and_without_reasons(run: Run) -> None:
    assert run("rerank", QUERY, CORPUS, "-e", 0).ids == run("rerank", QUERY, CORPUS, "-e", 3).ids


def test_documents_come_from_files_pipes_and_gzip_alike(run: Run, tmp_path: Path) -> None:
    content = CORPUS.read_bytes()
    (tmp_path / "c.jsonl.gz").write_bytes(gzip.compress(content))
    args = ("-e", 0, "-q")
    expected = run("rerank", QUERY, CORPUS, *args).ids
    assert run("rerank", QUERY, *args, stdin=content).ids == expected
    assert run("rerank", QUERY, "-", *args, stdin=gzip.compress(content)).ids == expected
    assert run("rerank", QUERY, "c.jsonl.gz", *args).ids == expected


def test_lines_of_several_text_files_are_told_apart(run: Run, tmp_path: Path) -> None:
    (tmp_path / "one.txt").write_text("cats purr\n")
    (tmp_path / "two.txt").write_text("stocks fell\ndogs bark\n")
    assert set(run("rerank", "cats", "one.txt", "two.txt").ids) == {"one.txt:1", "two.txt:1", "two.txt:2"}
    assert run("rerank", "cats", "two.txt").ids == ["2", "1"]


def test_scores_of_documents_are_first_stage_scores_and_that_is_said(run: Run, lines: Lines) -> None:
    file = lines("d.jsonl", [{**CATS[0], "score": 9.5}, {**CATS[1], "score": 1}])
    ended = run("rerank", "cats", file)
    [ranking] = ended.rankings
    assert {hit["id"]: hit["first_score"] for hit in ranking["hits"]} == {"a": 9.5, "b": 1.0}
    assert "first-stage scores are the documents' own 'score'" in ended.err
    some = lines("s.jsonl", [{**CATS[0], "score": 40}, CATS[1]])
    [ranking] = run("rerank", "cats", some, "-f", "jsonl").rankings
    assert {hit["first_score"] for hit in ranking["hits"]} == {None}
    grades = lines("e.jsonl", [{**CATS[0], "score": "A+"}, CATS[1]])
    [ranking] = run("rerank", "cats", grades).rankings
    assert {hit["first_score"] for hit in ranking["hits"]} == {None}


@pytest.mark.parametrize("name", ["out.jsonl", "out.json", "out.jsonl.gz", "out.unheard-of"])
def test_a_result_file_is_read_back_and_stands_beside_its_settings(run: Run, tmp_path: Path, name: str) -> None:
    ended = run("rerank", QUERY, CORPUS, "-o", name, "-k", 4, "-c", "depth=20")
    assert (ended.code, ended.out) == (0, "")
    assert name in ended.err
    [ranking] = read_rankings(tmp_path / name)
    assert (len(ranking), ranking.left_out) == (4, 39)
    assert ranking.explanations is not None
    assert run("verify", name, "-q") == (0, "", "")
    settings = (tmp_path / f"{name}.settings.yaml").read_text()
    assert "depth: 20\ntop_k: 4\nexplain: 3\n" in settings


def test_html_and_table_files(run: Run, tmp_path: Path) -> None:
    assert run("rerank", QUERY, CORPUS, "-o", "out.html").code == 0
    assert (tmp_path / "out.html").read_text().startswith("<!doctype html>")
    assert run("rerank", QUERY, CORPUS, "-o", "out.txt", "-k", 2).code == 0
    page = (tmp_path / "out.txt").read_text()
    assert "starch-recrystallises" in page
    assert "2 of 43 hits" in page
    assert "\x1b" not in page


def test_trec_decreases_and_has_no_reasons(run: Run) -> None:
    rows = [line.split() for line in run("rerank", QUERY, CORPUS, "-f", "trec", "-k", 5).out.splitlines()]
    assert [row[3] for row in rows] == ["1", "2", "3", "4", "5"]
    scores = [float(row[4]) for row in rows]
    assert all(upper > lower for upper, lower in pairwise(scores))


def test_json_is_one_document(run: Run) -> None:
    [ranking] = json.loads(run("rerank", QUERY, CORPUS, "-f", "json", "-e", 0).out)
    assert ranking["whyrank"] == 1


def test_a_run_of_many_queries(run: Run, lines: Lines, tmp_path: Path) -> None:
    lines("c.jsonl", CATS)
    lines("q.jsonl", [{"_id": "q1", "text": "cats"}, {"_id": "q2", "text": "stock market"}])
    (tmp_path / "r.trec").write_text("q1 Q0 a 1 2.5 t\nq1 Q0 b 2 1.5 t\nq2 Q0 b 1 2 t\nq2 Q0 a 2 1 t\n")
    ended = run("rerank", "--run", "r.trec", "--corpus", "c.jsonl", "--queries", "q.jsonl")
    first, second = ended.rankings
    assert [hit["id"] for hit in first["hits"]] == ["b", "a"]
    assert [hit["id"] for hit in second["hits"]] == ["a", "b"]
    assert first["hits"][1]["first_score"] == 2.5
    assert first["explanations"] is None
    table = run("rerank", "--run", "r.trec", "--corpus", "c.jsonl", "--queries", "q.jsonl", "-f", "table").out
    assert table.count("why  ") == 4


def test_a_result_can_be_reranked(run: Run, lines: Lines) -> None:
    lines("c.jsonl", CATS)
    run("rerank", "cats", "c.jsonl", "-o", "r.jsonl", "--ranker", "bi-encoder", "-q")
    assert run("rerank", "--run", "r.jsonl").ids == ["b", "a"]


def test_settings_from_file_overrides_and_flags_in_that_order(run: Run, tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text("depth: 5\ntop_k: 4\nexplain: 1\n")
    [ranking] = run("rerank", QUERY, CORPUS, "-c", "s.yaml", "-c", "top_k=3", "-k", 2).rankings
    assert len(ranking["hits"]) == 2
    assert sum(hit["score"] is not None for hit in ranking["hits"]) == 2
    assert len(ranking["explanations"]["direct"]) == 1
    code, _, err = run("rerank", QUERY, CORPUS, "-c", "dept=3")
    assert (code, "did you mean depth?" in err) == (2, True)
    assert run("rerank", QUERY, CORPUS, "-c", "s.yaml", "-c", "t.yaml").code == 2


def test_what_was_not_read_is_said_unless_quiet(run: Run) -> None:
    ended = run("rerank", QUERY, CORPUS, "-d", 10)
    assert (ended.code, "33 candidates below depth 10 were not read" in ended.err) == (0, True)
    assert run("rerank", QUERY, CORPUS, "-d", 10, "-q").err == ""


def test_the_bi_encoder_ranks_and_gives_no_reasons(run: Run, lines: Lines) -> None:
    file = lines("c.jsonl", CATS)
    assert run("rerank", "cats", file, "--ranker", "bi-encoder").ids == ["b", "a"]
    code, _, err = run("rerank", "cats", file, "--ranker", "bi-encoder", "-e", 1)
    assert (code, "bi-encoder gives no reasons" in err) == (2, True)
