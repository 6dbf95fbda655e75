"""`whyrank train`."""

import json
from pathlib import Path

import pytest
import tiny

from ended import Ended, Run
from whyrank.cli import app
from whyrank.teach.records import Reasons, TeacherRecord, write_records
from whyrank.types import Document, Query

CONFIG = """
model: {base: base, dtype: float32, max_tokens: 64, query_tokens: 8, reason_tokens: 8}
optimizer: {lr: 0.01, batch: 2}
output: run
"""


def record(number: int, status: str = "ok") -> TeacherRecord:
    documents = (Document("a", "the sea and the tide"), Document("b", "apple tart"))
    order, reasons = ((0, 1), (Reasons("of the sea", "nearer"), Reasons("of food"))) if status == "ok" else ((), ())
    query = Query(f"q{number}", "tide")
    return TeacherRecord(f"k{number}", query, documents, order, reasons=reasons, status=status)  # type: ignore[arg-type]


@pytest.fixture
def train(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    monkeypatch.setattr(app, "COMMANDS", {**app.COMMANDS, "train": "Train a student."})
    (tmp_path / "data").mkdir()
    write_records(tmp_path / "data" / "train.jsonl", [*map(record, range(4)), record(4, "refused")])
    (tmp_path / "config.yaml").write_text(CONFIG, encoding="utf-8")

    def called(*args: object) -> Ended:
        return run("train", *args)

    return called


def test_a_training_and_the_same_command_again(train: Run, tmp_path: Path) -> None:
    tiny.qwen3(tmp_path / "base")
    write_records(tmp_path / "data" / "dev.jsonl", [record(9)])
    code, out, err = train("--config", "config.yaml", "-c", "data.limit=3", "-c", "checkpoints.every=1")
    assert (code, out) == (0, ""), err
    assert "not learnt from: 1 record of status 'refused': the answer ranked nothing" in err
    assert "not learnt: reasons that were not given: " not in err  # the last document is compared with nothing
    assert "lists measured on whose query is also learnt from: 1\n" in err
    assert "learnt from 3 lists in 2 steps\n" in err
    assert "the student is in run/student" in err
    assert json.loads((tmp_path / "run" / "student" / "reranker.json").read_text(encoding="utf-8"))["reasons"] == "both"
    assert "limit: 3" in (tmp_path / "run" / "config.yaml").read_text(encoding="utf-8")

    again = train("--config", "config.yaml", "-c", "data.limit=3", "--quiet")
    assert (again.code, again.err) == (0, "")
    assert "in 2 steps; all were taken before\n" in train("--config", "config.yaml", "-c", "data.limit=3").err
    other = train("--config", "config.yaml", "-c", "data.limit=3", "-c", "reasons=none")
    assert other.code == 2
    assert "reasons was 'both' and is 'none'" in other.err
    anew = train("--config", "config.yaml", "-c", "data.limit=3", "-c", "reasons=none", "--overwrite")
    assert anew.code == 0, anew.err


def test_a_result_of_a_student_is_verified_with_its_folder(train: Run, run: Run, tmp_path: Path) -> None:
    tiny.qwen3(tmp_path / "base")
    assert train("--config", "config.yaml", "--quiet").code == 0
    (tmp_path / "docs.jsonl").write_text('{"text": "the sea"}\n{"text": "a tart of apples"}\n', encoding="utf-8")
    ranked = ("rerank", "tide", "docs.jsonl", "--ranker", "run/student", "-q", "-o", "result.jsonl")
    assert run(*ranked).code == 0
    code, out, _ = run("verify", "result.jsonl")
    assert code == 1
    assert "a student: name its folder with --ranker" in " ".join(out.split())
    code, out, err = run("verify", "result.jsonl", "--ranker", "run/student")
    assert code == 0, out + err
    assert "rescored" in out
    code, out, _ = run("verify", "result.jsonl", "--ranker", "bi-encoder")
    assert code == 1
    assert "and the ranker at hand is 'bi-encoder" in " ".join(out.split())
    assert run("verify", "result.jsonl", "--ranker", "run/student", "--no-rescore").code == 2


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--config", "data.limit=3"), "--config names 0 files; give one file of settings"),
        (("--config", "absent.yaml"), "absent.yaml: no such file"),
        (("--config", "config.yaml", "-c", "optimiser.lr=1"), "no setting 'optimiser', did you mean optimizer?"),
        (("--config", "config.yaml", "-c", "lora.r=0"), "'lora.r' is 0"),
        (("--config", "config.yaml", "-c", "data.path=absent"), "absent: no such file"),
        (("--config", "config.yaml"), "base"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(train: Run, arguments: tuple[str, ...], told: str) -> None:
    code, out, err = train(*arguments)
    assert (code, out) == (2, "")
    assert told in err
    assert len(err.splitlines()) == 1


def test_help_names_an_example(train: Run) -> None:
    code, out, _ = train("--help")
    assert code == 0
    assert "whyrank train --config config.yaml" in out
