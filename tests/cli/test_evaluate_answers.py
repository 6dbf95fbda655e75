"""`whyrank evaluate --answers` from outside."""

import csv
import json
from pathlib import Path

import pytest

from ended import Ended, Lines, Run

CORPUS = [
    {"_id": "a", "title": "Rome", "text": "A dog barks."},
    {"_id": "b", "title": "", "text": "The cat purrs."},
    {"_id": "c", "title": "", "text": "In Rome, cats sleep."},
]
ANSWERS = [
    {"_id": "q1", "answers": ["Rome"]},
    {"_id": "q2", "answers": ["cat", "kitten"]},
    {"_id": "q3", "answers": []},
]
GOOD = "q1 Q0 c 1 3.0 x\nq1 Q0 a 2 2.0 x\nq2 Q0 b 1 2.0 x\nq3 Q0 b 1 2.0 x\n"
BAD = "q1 Q0 a 1 3.0 x\nq1 Q0 c 2 2.0 x\nq2 Q0 a 1 2.0 x\nq2 Q0 c 2 1.0 x\nq3 Q0 b 1 2.0 x\n"
RESULTS = [
    {"question": "Where?", "answers": ["Rome"], "ctxs": [{"text": "A dog."}, {"text": "Rome it is."}]},
    {"question": "Who?", "answers": ["art"], "ctxs": [{"text": "A party."}, {"text": "Nobody."}]},
]


@pytest.fixture
def here(tmp_path: Path, lines: Lines) -> Path:
    lines("corpus.jsonl", CORPUS)
    lines("answers.jsonl", ANSWERS)
    for name, text in (("good.trec", GOOD), ("bad.trec", BAD), ("qrels.trec", "q1 0 c 1\nq3 0 b 1\n")):
        (tmp_path / name).write_text(text)
    return tmp_path


def means(ended: Ended) -> dict[str, dict[str, float]]:
    assert ended.code == 0, ended.err
    rows = csv.DictReader(ended.out.splitlines())
    return {row["system"]: {name: float(row[name]) for name in row if "@" in name and " " not in name} for row in rows}


def test_runs_are_compared_by_the_texts_of_the_corpus(run: Run, here: Path) -> None:
    asked = ("evaluate", "bad.trec", "good.trec", "--answers", "answers.jsonl", "--corpus", "corpus.jsonl")
    ended = run(*asked, "-f", "csv")
    assert means(ended) == {
        "bad": {"Answer@1": 0.0, "Answer@5": 0.5, "Answer@10": 0.5},
        "good": {"Answer@1": 1.0, "Answer@5": 1.0, "Answer@10": 1.0},
    }
    assert "note: 1 query without an answer left out of the measures of answers: 'q3'" in ended.err
    table = run(*asked, "-m", "Answer@1", "-f", "table")
    assert "1.0000   +1.0000" in table.out
    assert "bad, the baseline" in table.out
    assert "Queries: 2." in table.out


def test_beside_judgements(run: Run, here: Path) -> None:
    asked = ("--qrels", "qrels.trec", "--answers", "answers.jsonl", "--corpus", "corpus.jsonl")
    ended = run("evaluate", "bad.trec", *asked, "-m", "Answer@1", "-m", "RR@10", "-f", "json")
    [system] = json.loads(ended.out)[0]["systems"]
    assert system["per_query"] == {
        "RR@10": {"q1": 0.5, "q3": 1.0, "q2": None},
        "Answer@1": {"q1": 0.0, "q3": None, "q2": 0.0},
    }
    usual = means(run("evaluate", "bad.trec", *asked, "-f", "csv"))
    assert list(usual["bad"]) == ["nDCG@10", "RR@10", "R@100", "Answer@1", "Answer@5", "Answer@10"]


def test_results_of_dpr_need_no_other_file_and_keep_their_answers_when_reranked(run: Run, here: Path) -> None:
    (here / "nq.json").write_text(json.dumps(RESULTS))
    found = means(run("evaluate", "nq.json", "-m", "Answer@1", "-m", "Answer@2", "-f", "csv"))
    assert found == {"nq": {"Answer@1": 0.0, "Answer@2": 0.5}}
    patterns = means(run("evaluate", "nq.json", "-m", "Answer(regex=True)@2", "-f", "csv"))
    assert patterns == {"nq": {"Answer(regex=True)@2": 1.0}}
    assert run("rerank", "--run", "nq.json", "--ranker", "evidence", "-e", "0", "-o", "re.jsonl").code == 0
    ended = run("evaluate", "re.jsonl", "-m", "Answer@2", "-o", "page.html")
    assert ended.code == 0, ended.err
    assert "Answer@2" in (here / "page.html").read_text()


def test_a_collection_gives_texts_and_its_queries_answers(
    run: Run, here: Path, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WHYRANK_DATA", str(here / "data"))
    folder = here / "data" / "nq"
    folder.mkdir(parents=True)
    (folder / "corpus.jsonl").write_text((here / "corpus.jsonl").read_text())
    (folder / "qrels.trec").write_text("q1 0 c 1\n")
    queries = [{"_id": "q1", "text": "Where do cats sleep?", "answers": ["Rome"]}, {"_id": "q2", "text": "Who?"}]
    (folder / "queries.jsonl").write_text("".join(json.dumps(query) + "\n" for query in queries))
    (folder / "bm25.trec").write_text("q1 Q0 a 1 2.0 x\nq1 Q0 c 2 1.0 x\n")
    ended = run("evaluate", "bm25", "bad.trec", "--dataset", "nq", "-m", "Answer@1", "-m", "Answer@2", "-f", "csv")
    assert means(ended) == {name: {"Answer@1": 0.0, "Answer@2": 1.0} for name in ("bm25", "bad")}
    assert "learnt" not in ended.err
    assert run("rerank", "--run", folder, "--ranker", "evidence", "-e", "0", "-o", "ours.jsonl").code == 0
    warned = run("evaluate", "bm25", "ours.jsonl", "--dataset", "nq", "-m", "Answer@1", "-f", "csv")
    assert "note: ours: evidence-" in warned.err
    assert "learnt from questions of beir/nq (test); its figures here are no test of it" in warned.err


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--answers", "answers.jsonl"], "documents come without texts"),
        (["--answers", "answers.jsonl"], "--corpus FILE"),
        (
            ["--answers", "answers.jsonl", "-m", "nDCG@10"],
            "either --qrels FILE or --dataset NAME; or, for Answer@k alone",
        ),
        (["--qrels", "qrels.trec", "--corpus", "corpus.jsonl", "-m", "RR@10"], "none was asked for; add -m Answer@5"),
        (["--qrels", "qrels.trec", "--answers", "answers.jsonl", "-m", "RR@10"], "none was asked for"),
        (["-m", "Answer@5"], "Answer@5 needs answers, and the queries bring none; give --answers FILE"),
        (["--answers", "answers.jsonl", "-m", "answer@5"], "did you mean Answer@5?"),
        (["--answers", "absent.jsonl"], "absent.jsonl: no such file"),
        (["--answers", "corpus.jsonl", "--corpus", "corpus.jsonl"], "corpus.jsonl:1: no 'answers'"),
        (["--answers", "answers.jsonl", "-c", "exp.yaml"], "everything else stands in the experiment file"),
    ],
)
def test_what_cannot_be_meant(run: Run, here: Path, args: list[str], said: str) -> None:
    ended = run("evaluate", "good.trec", *args)
    assert ended.code == 2
    assert said in ended.err
    assert "Traceback" not in ended.err
