"""The shared collections, as they are: every folder reads, and holds what its README counts."""

import re
from pathlib import Path

import pytest

from whyrank import formats

pytestmark = pytest.mark.data

COUNTS = re.compile(
    r"queries (?P<queries>\d+), documents (?P<documents>\d+), judged queries (?P<judged>\d+), "
    r"judgements (?P<grades>\d+)"
)


def collections(data: Path) -> list[Path]:
    return sorted(
        path for path in data.iterdir() if (path / "queries.jsonl").exists() and (path / "README.md").exists()
    )


def test_counts_are_those_of_the_readmes(data: Path) -> None:
    wrong = []
    for path in collections(data):
        counts = COUNTS.search((path / "README.md").read_text())
        assert counts, path
        folder = formats.open_folder(path)
        qrels = formats.read_qrels(path) if folder.qrels else {}
        found = {
            "queries": len(formats.read_queries(path)),
            "documents": len(formats.read_documents(path)),
            "judged": len(qrels),
            "grades": sum(map(len, qrels.values())),
        }
        if found != {name: int(count) for name, count in counts.groupdict().items()}:
            wrong.append((path.name, found, counts.groupdict()))
    assert wrong == []
    assert len(collections(data)) >= 20


@pytest.mark.slow
def test_every_run_joins_its_collection(data: Path) -> None:
    joined = 0
    for path in collections(data):
        documents, queries = formats.read_documents(path), formats.read_queries(path)
        for name in formats.open_folder(path).runs:
            if (path.name, name) == ("trec-dl19-passage", "repllama"):  # its README: some documents without text
                continue
            rankings = formats.read_rankings(path, run=name, corpus=documents, queries=queries)
            assert all(len(ranking) for ranking in rankings), (path, name)
            joined += 1
    assert joined >= 50


def test_bright_runs_with_spaces_in_ids(data: Path) -> None:
    tasks = sorted(path for path in (data / "bright-queries-qrels-runs").iterdir() if path.is_dir())
    queries, with_spaces = 0, set()
    for task in tasks:
        asked = {query.id for query in formats.read_queries(task)}
        queries += len(asked)
        assert formats.read_qrels(task).keys() <= asked
        for file in formats.open_folder(task).runs.values():
            run = formats.read_run(file)
            assert run.keys() <= asked
            with_spaces |= {document for entries in run.values() for document in entries if " " in document}
    assert (len(tasks), queries) == (12, 1384)
    assert len(with_spaces) == 5
    assert all(document.endswith(".txt") for document in with_spaces)


def test_a_written_run_is_the_same_order(data: Path, tmp_path: Path) -> None:
    [*rankings] = formats.read_rankings(data / "trec-dl19-passage", run="bm25")
    formats.write_rankings(tmp_path / "again.trec", rankings, "run")
    again = formats.read_rankings(
        tmp_path / "again.trec",
        corpus=data / "trec-dl19-passage" / "corpus.jsonl.gz",
        queries=data / "trec-dl19-passage" / "queries.jsonl",
    )
    assert [ranking.ids for ranking in again] == [ranking.ids for ranking in rankings]
