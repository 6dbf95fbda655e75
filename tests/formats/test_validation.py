from pathlib import Path

import pytest

from whyrank import formats
from whyrank.errors import MissingFile
from whyrank.formats.problems import some
from whyrank.types import Document, Hit, Query, Ranking


def made(tmp_path: Path, name: str, content: str | bytes) -> Path:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def told(report: formats.Report) -> list[tuple[str, int | None, str]]:
    return [(problem.severity, problem.line, problem.what) for problem in report.problems]


def test_a_good_file(tmp_path: Path) -> None:
    report = formats.validate(made(tmp_path, "d.jsonl", '{"id": 1, "text": "a"}\n{"id": 2, "text": "b"}\n'))
    assert (report.format, report.documents, report.ok, report.problems) == ("jsonl", 2, True, ())


def test_all_problems_of_documents_at_once(tmp_path: Path) -> None:
    lines = [
        b'{"id": 1, "text": "same"}',
        b'{"id": 2}',
        b"{",
        b'{"id": 1, "text": "other"}',
        b"\xff",
        b'{"id": 3, "text": "same"}',
        b'{"id": 4, "text": " "}',
        b'{"id": 5, "text": "' + b"x" * 100_001 + b'"}',
    ]
    report = formats.validate(made(tmp_path, "d.jsonl", b"\n".join(lines)))
    assert [(severity, line) for severity, line, _ in told(report)] == [
        ("error", 2),
        ("error", 3),
        ("error", 4),
        ("error", 5),
        ("warning", 6),
        ("warning", 7),
        ("warning", 8),
    ]
    assert [what for _, _, what in told(report)[4:]] == [
        "document '3' has the text of '1'",
        "document '4' has no text",
        "document '5' has 100,001 characters",
    ]
    assert (report.documents, report.errors, report.warnings, report.ok) == (4, 4, 3, False)
    assert all(problem.how_to_fix for problem in report.problems)
    assert str(report.problems[0]).startswith(f"{tmp_path}/d.jsonl:2: no 'text'; the keys are id; give ")


def test_the_limit_stops_keeping_but_not_counting(tmp_path: Path) -> None:
    report = formats.validate(made(tmp_path, "d.jsonl", '{"id": 1, "text": "a"}\n' + "{,\n" * 20), limit=3)
    assert (len(report.problems), report.errors) == (3, 20)


def test_a_run_against_its_collection(tmp_path: Path) -> None:
    content = (
        "q1 Q0 a 1 2 t\nq1 Q0 x 2 2 t\nq1 Q0 b 3 nan t\nq2 Q0 a 5 1 t\nq2 Q0 b 6 3 t\nq3 Q0 a 1 1 t\nq3 Q0 a 2 1 t\n"
    )
    path = made(tmp_path, "r.trec", content)
    report = formats.validate(
        path, corpus=[Document("a", ""), Document("b", "")], queries=[Query("q1", ""), Query("q2", "")]
    )
    assert told(report) == [
        ("error", 3, "score is nan"),
        ("error", 7, "document 'a' of query 'q3' is given twice (lines 6 and 7)"),
        ("warning", 1, "scores are tied in 1 query: 'q1'"),
        ("warning", 4, "ranks do not count 1, 2, 3 in 1 query: 'q2'"),
        ("warning", 4, "ranks and scores disagree in 1 query: 'q2'"),
        ("error", 6, "1 of 3 queries are not in the collection: 'q3'"),
        ("error", 2, "1 of 3 documents are not in the collection: 'x'"),
    ]
    assert (report.hits, report.format) == (5, "run")


def test_a_run_alone_counts_what_it_names(tmp_path: Path) -> None:
    report = formats.validate(made(tmp_path, "r.trec", "p Q0 a 0 2 t\np Q0 b 1 1 t\nq Q0 a 0 1 t\n"))
    assert (report.queries, report.documents, report.hits, report.problems) == (2, 2, 3, ())


def test_rankings(tmp_path: Path) -> None:
    a, b = Document("a", "x"), Document("b", "")
    rankings = [
        Ranking(Query("1", "?"), (Hit(a, 1.0), Hit(b, 2.0))),
        Ranking(Query("2", " "), ()),
        Ranking(Query("3", "?"), (Hit(a, None, 1.0), Hit(b, None, 1.0))),
        Ranking(Query("4", "?"), (Hit(a, 2.0), Hit(b, None))),
    ]
    formats.write_rankings(tmp_path / "r.jsonl", rankings)
    report = formats.validate(tmp_path / "r.jsonl")
    assert told(report) == [
        ("warning", 1, "document 'b' has no text"),
        ("warning", 2, "query '2' has no text"),
        ("warning", 1, "scores rise along the list in 1 query: '1'"),
        ("warning", 2, "there are no documents in 1 query: '2'"),
        ("warning", 3, "scores are tied in 1 query: '3'"),
    ]
    assert (report.queries, report.documents, report.hits) == (4, 2, 6)


def test_queries_and_judgements(tmp_path: Path) -> None:
    queries = made(tmp_path, "queries.jsonl", '{"_id": 1, "text": ""}\n{"_id": 1, "text": "a"}\n{"_id": 2}\n')
    assert told(formats.validate(queries, format="queries")) == [
        ("warning", 1, "query '1' has no text"),
        ("error", 2, "query id '1' is given twice (lines 1 and 2)"),
        ("error", 3, "a query has no 'text'; the keys are _id"),
    ]
    qrels = made(tmp_path, "qrels.trec", "1 0 a 1\n1 0 b 1\n")
    report = formats.validate(qrels, corpus=[Document("a", "x")])
    assert told(report) == [("warning", 2, "1 of 2 documents are not in the collection: 'b'")]
    assert (report.judgements, report.queries, report.ok) == (2, 1, True)


def test_a_whole_folder(tmp_path: Path) -> None:
    made(tmp_path, "corpus.jsonl", '{"_id": "a", "text": "x"}\n')
    made(tmp_path, "queries.jsonl", '{"_id": "q", "text": "x"}\n')
    made(tmp_path, "train-queries.jsonl", '{"_id": "t", "text": "x"}\n')
    made(tmp_path, "qrels.trec", "q 0 a 1\n")
    made(tmp_path, "train-qrels.trec", "t 0 a\n")
    made(tmp_path, "bm25.trec", "q Q0 b 1 1 t\n")
    report = formats.validate(tmp_path)
    assert [(problem.path, problem.line) for problem in report.problems] == [
        (str(tmp_path / "train-qrels.trec"), 1),
        (str(tmp_path / "bm25.trec"), 1),
    ]
    assert (report.format, report.queries, report.documents, report.judgements, report.hits) == ("folder", 2, 1, 1, 1)


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("a", b"", "is empty"),
        ("a.gz", b"\x1f\x8b\x08\x00", "damaged gzip data"),
        ("a.tsv", b"x\ty\t1\n", "may be run or qrels"),
        ("a.json", b'[{"id": 1, "text": "a"},\n\xff]', "not UTF-8"),
    ],
)
def test_what_ends_the_reading_is_one_more_problem(tmp_path: Path, name: str, content: bytes, what: str) -> None:
    report = formats.validate(made(tmp_path, name, content))
    assert not report.ok
    [problem] = report.problems
    assert problem.what.startswith(what)
    assert str(problem).count(str(tmp_path)) == 1


def test_absent_files_raise(tmp_path: Path) -> None:
    with pytest.raises(MissingFile):
        formats.validate(tmp_path / "absent")
    (tmp_path / "empty").mkdir()
    assert not formats.validate(tmp_path / "empty").ok


def test_some_names() -> None:
    assert some(["a", "b", "c"], 2) == "'a', 'b' and 1 more"
    assert some(["a"]) == "'a'"
