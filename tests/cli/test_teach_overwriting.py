"""No command of `whyrank teach` writes over a store, or over what it reads; what is lost is told."""

import json
import os
from pathlib import Path

import pytest

from ended import Lines, Run
from whyrank.teach.records import TeacherRecord, read_records, write_records
from whyrank.teach.store import Store, records_at
from whyrank.types import Document, Query

DOCUMENTS = (Document("a", "one"), Document("b", "two"))
RECORDS = [TeacherRecord(f"key{number}", Query(f"q{number}", "why"), DOCUMENTS, (1, 0)) for number in range(3)]
STORE, READ = "is a store of answers, which would be lost", "is what this command reads"
MODEL = ("-m", "openai:m", "-c", "model.url=http://127.0.0.1:9")


@pytest.fixture(autouse=True)
def there(tmp_path: Path, lines: Lines) -> None:
    """Stores, records, what others published, candidates, and a collection with a run."""
    for name in ("s.db", "b.jsonl.settings.yaml", "c.jsonl.lists.jsonl"):
        with Store(tmp_path / name) as store:
            store.renew(RECORDS)
    write_records(tmp_path / "records.jsonl", RECORDS)
    (tmp_path / "link.jsonl").symlink_to("records.jsonl")
    lines("windows.jsonl", [{"query": "why", "documents": ["one", "two"], "order": [1, 0], "reason": "[2] > [1]"}])
    lines("r.jsonl", [{"query": "why blue?", "documents": ["one", "two"]}])
    lines("corpus.jsonl", [{"id": name, "text": f"text {name}"} for name in "abc"])
    lines("queries.jsonl", [{"id": "q", "text": "why blue"}])
    (tmp_path / "qrels.trec").write_text("1 0 1 1\n1 0 2 0\n", encoding="utf-8")
    (tmp_path / "bm25.trec").write_text("q Q0 c 1 3 x\nq Q0 a 2 2 x\nq Q0 b 3 1 x\n", encoding="utf-8")


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (("export", "s.db", "s.db"), STORE),
        (("export", "--salvage", "s.db", "s.db"), STORE),
        (("filter", "s.db", "s.db", "--keep", "usable"), STORE),
        (("filter", "records.jsonl", "s.db", "--keep", "usable"), STORE),
        (("filter", "records.jsonl", "records.jsonl", "--keep", "usable"), READ),
        (("filter", "records.jsonl", "link.jsonl", "--keep", "usable"), READ),
        (("import", "windows", "windows.jsonl", "-o", "s.db"), STORE),
        (("import", "windows", "windows.jsonl", "-o", "./windows.jsonl"), READ),
        (("import", "records", "records.jsonl", "-o", "link.jsonl"), READ),
        (("import", "run", "bm25.trec", "-o", "corpus.jsonl"), READ),
        (("import", "run", ".", "-o", "queries.jsonl"), READ),
        (("score", "r.jsonl", "--ranker", "evidence", "-o", "link.jsonl", "--scores", "link.jsonl"), READ),
        (("score", "r.jsonl", "--ranker", "evidence", "-o", "r.jsonl"), READ),
        (("score", "r.jsonl", "--ranker", "evidence", "-o", "b.jsonl", "--scores", "x.db"), STORE),
        (("score", "r.jsonl", "--ranker", "evidence", "-o", "new.jsonl", "--scores", "new.jsonl"), READ),
        (("batch", "write", "r.jsonl", *MODEL, "-o", "s.db"), STORE),
        (("batch", "write", "r.jsonl", *MODEL, "-o", "r.jsonl"), READ),
        (("batch", "write", "r.jsonl", *MODEL, "-o", "qrels.trec", "--qrels", "qrels.trec"), READ),
        (("batch", "write", "r.jsonl", *MODEL, "-o", "b.jsonl"), STORE),
        (("batch", "write", "r.jsonl", *MODEL, "-o", "c.jsonl"), STORE),
        (("ask", "r.jsonl", *MODEL, "--store", "b.jsonl"), STORE),
    ],
)
def test_neither_a_store_nor_an_input_is_written_over(run: Run, command: tuple[str, ...], message: str) -> None:
    before = {path.name: path.read_bytes() for path in Path().iterdir()}
    code, out, err = run("teach", *command)
    assert (code, out) == (2, "")
    assert message in err
    assert {path.name: path.read_bytes() for path in Path().iterdir()} == before


def test_other_files_are_written_over_as_before(run: Run) -> None:
    for command in (
        ("export", "s.db", "out.jsonl"),
        ("filter", "records.jsonl", "out.jsonl", "--keep", "usable"),
        ("import", "records", "s.db", "-o", "out.jsonl"),
    ):
        Path("out.jsonl").write_text("old", encoding="utf-8")
        assert run("teach", *command).code == 0
        assert read_records("out.jsonl") == RECORDS
    assert run("teach", "import", "records", "records.jsonl", "--store", "s.db").code == 0
    assert records_at("s.db") == RECORDS


def test_a_budget_of_nothing_names_its_flag(run: Run) -> None:
    ask = ("teach", "ask", "r.jsonl", *MODEL, "--store", "t.db")
    for command in (ask, ("teach", "score", "r.jsonl", *MODEL, "-o", "t.db"), ("rerank", "q", "r.jsonl", *MODEL)):
        for dollars in ("0", "-1", "nan"):
            code, _, err = run(*command, "--max-cost", dollars)
            assert code == 2
            assert f"--max-cost {dollars}: nothing could be asked; give dollars above 0" in err


# What is lost


def test_a_salvage_that_loses_records_ends_with_3(run: Run, tmp_path: Path) -> None:
    with Store(tmp_path / "s.db") as store, store._using() as connection:
        connection.execute("UPDATE records SET record = '{' WHERE key = 'key1'")
    code, _, err = run("teach", "export", "--salvage", "s.db", "out.jsonl", "-q")
    assert code == 3
    assert "note: s.db: is damaged; 1 of its 3 records cannot be read" in err
    assert read_records("out.jsonl") == [RECORDS[0], RECORDS[2]]


def test_a_salvage_that_cannot_count_says_so(run: Run, tmp_path: Path) -> None:
    many = [TeacherRecord(f"{number:064}", Query("q", "why"), DOCUMENTS, (1, 0)) for number in range(500)]
    with Store(tmp_path / "many.db") as store:
        store.renew(many)
    os.truncate("many.db", Path("many.db").stat().st_size // 2)
    code, _, err = run("teach", "export", "--salvage", "many.db", "out.jsonl")
    assert code == 3
    assert "many.db: is damaged, and how many records it held can no longer be known" in err
    assert 0 < len(read_records("out.jsonl")) < 500


def test_a_salvage_that_loses_nothing_is_fine(run: Run) -> None:
    code, _, err = run("teach", "export", "--salvage", "s.db", "out.jsonl")
    assert (code, err) == (0, "wrote out.jsonl: 3 records\n")


def test_a_salvage_that_saves_nothing_writes_nothing(run: Run) -> None:
    os.truncate("s.db", 4096)
    Path("out.jsonl").write_text("of last week", encoding="utf-8")
    code, _, err = run("teach", "export", "--salvage", "s.db", "out.jsonl")
    assert code == 2
    assert "s.db: the store is damaged, and none of its records can be read" in err
    assert Path("out.jsonl").read_text(encoding="utf-8") == "of last week"


def test_lists_of_a_run_that_are_cut_are_counted(run: Run) -> None:
    code, _, err = run("teach", "import", "run", "bm25.trec", "--depth", "2", "-o", "out.jsonl")
    assert code == 0
    assert "note: queries with more documents than are kept (--depth) are cut to the best: 1" in err
    [record] = read_records("out.jsonl")
    assert [document.id for document in record.documents] == ["a", "c"]
    assert "cut" not in run("teach", "import", "run", "bm25.trec", "-o", "out.jsonl").err
    for kind, file in (("records", "records.jsonl"), ("windows", "windows.jsonl")):
        code, _, err = run("teach", "import", kind, file, "--depth", "2", "-o", "out.jsonl")
        assert code == 2
        assert "kept whole" in err


# A batch with a prompt of its own


def test_a_batch_asks_with_the_prompt_that_is_named(run: Run) -> None:
    pytest.importorskip("openai")
    assert run("teach", "batch", "write", "r.jsonl", *MODEL, "--prompt", "dear", "-o", "d.jsonl").code == 0
    [sent] = [json.loads(line) for line in Path("d.jsonl").read_text(encoding="utf-8").splitlines()]
    body = {"choices": [{"message": {"content": "Two.\n### Final Reranking: [2] > [1]"}, "finish_reason": "stop"}]}
    came = {"custom_id": sent["custom_id"], "response": {"status_code": 200, "body": body}}
    Path("back.jsonl").write_text(json.dumps(came), encoding="utf-8")
    assert run("teach", "batch", "read", "d.jsonl", "back.jsonl", "--store", "t.db").code == 0
    [record] = records_at("t.db")
    assert (record.prompt, record.order, record.thought) == ("dear", (1, 0), "Two.")
