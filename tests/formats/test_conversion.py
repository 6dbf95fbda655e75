from pathlib import Path

import pytest

from whyrank import formats
from whyrank.errors import BadInput, DuplicateId, UnknownName
from whyrank.types import Document, Hit, Query, Ranking

DOCUMENTS = [Document("a", "one", "T"), Document("b", "two")]
QUERIES = [Query("q", "why?")]
RANKING = Ranking.of(QUERIES[0], DOCUMENTS, [2.0, 1.0])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "collection"
    formats.write_folder(path, documents=DOCUMENTS, queries=QUERIES, qrels={"q": {"a": 1}}, runs={"bm25": [RANKING]})
    return path


def test_between_documents(tmp_path: Path) -> None:
    formats.write_documents(tmp_path / "d.jsonl", DOCUMENTS)
    assert formats.convert(tmp_path / "d.jsonl", tmp_path / "d.csv", to="csv") == 2
    assert formats.convert(tmp_path / "d.csv", tmp_path / "e.jsonl", to="jsonl") == 2
    assert formats.read_documents(tmp_path / "e.jsonl") == DOCUMENTS


@pytest.mark.parametrize("to", ["rankings", "rankllm"])
def test_between_rankings(tmp_path: Path, folder: Path, to: str) -> None:
    assert formats.convert(folder, tmp_path / "r.jsonl", to=to, run="bm25") == 1
    assert formats.read_rankings(tmp_path / "r.jsonl") == [RANKING]
    formats.convert(tmp_path / "r.jsonl", tmp_path / "r.trec", to="run")
    assert formats.read_run(tmp_path / "r.trec") == {"q": {"a": 2.0, "b": 1.0}}
    formats.convert(tmp_path / "r.trec", tmp_path / "s.jsonl", to=to, corpus=DOCUMENTS, queries=QUERIES)
    assert formats.read_rankings(tmp_path / "s.jsonl") == [RANKING]
    formats.convert(tmp_path / "s.jsonl", tmp_path / "d.jsonl", to="jsonl")
    assert formats.read_documents(tmp_path / "d.jsonl") == DOCUMENTS
    formats.convert(tmp_path / "s.jsonl", tmp_path / "table.csv", to="csv")
    assert (tmp_path / "table.csv").read_text().startswith("query_id,query,rank,id,")


def test_texts_become_a_ranking_with_a_query(tmp_path: Path) -> None:
    (tmp_path / "d.txt").write_text("one\ntwo\n")
    with pytest.raises(BadInput, match="to become run they need a query, give one"):
        formats.convert(tmp_path / "d.txt", tmp_path / "r.trec", to="run")
    assert formats.convert(tmp_path / "d.txt", tmp_path / "r.trec", to="run", query="why?") == 1
    assert formats.read_run(tmp_path / "r.trec") == {"1": {"1": 2.0, "2": 1.0}}


def test_folder_to_folder_and_parts(tmp_path: Path, folder: Path) -> None:
    formats.convert(folder, tmp_path / "copy", to="folder")
    assert formats.read_rankings(tmp_path / "copy") == [RANKING]
    assert formats.read_qrels(tmp_path / "copy") == {"q": {"a": 1.0}}
    formats.convert(folder, tmp_path / "q.trec", to="qrels")
    assert (tmp_path / "q.trec").read_text() == "q 0 a 1\n"
    formats.convert(tmp_path / "q.trec", tmp_path / "q.tsv", to="qrels")
    assert (tmp_path / "q.tsv").read_text() == "query-id\tcorpus-id\tscore\nq\ta\t1\n"
    formats.convert(folder, tmp_path / "d.csv", to="csv")
    assert formats.read_documents(tmp_path / "d.csv") == DOCUMENTS


def test_a_split_with_its_own_corpus(tmp_path: Path, folder: Path) -> None:
    formats.write_documents(folder / "train-corpus.jsonl", DOCUMENTS[:1])
    formats.write_queries(folder / "train-queries.jsonl", QUERIES)
    assert formats.convert(folder, tmp_path / "d.jsonl", to="jsonl", split="train") == 1
    assert formats.convert(folder, tmp_path / "d.jsonl", to="jsonl") == 2


def test_rankings_to_folder(tmp_path: Path) -> None:
    formats.write_rankings(tmp_path / "r.jsonl", [RANKING])
    formats.convert(tmp_path / "r.jsonl", tmp_path / "made", to="folder")
    assert formats.read_rankings(tmp_path / "made") == [RANKING]
    clash = Ranking(Query("p", "?"), (Hit(Document("a", "another text")),))
    formats.write_rankings(tmp_path / "r.jsonl", [RANKING, clash])
    with pytest.raises(DuplicateId, match="document 'a' of query 'p' differs"):
        formats.convert(tmp_path / "r.jsonl", tmp_path / "made", to="folder")


def test_what_makes_no_sense(tmp_path: Path, folder: Path) -> None:
    qrels = folder / "qrels" / "test.tsv"
    with pytest.raises(BadInput, match="qrels cannot become run; judgements come from judgements only"):
        formats.convert(qrels, tmp_path / "x", to="run")
    with pytest.raises(BadInput, match="jsonl cannot become qrels"):
        formats.convert(folder / "corpus.jsonl", tmp_path / "x", to="qrels")
    with pytest.raises(BadInput, match="give the corpus"):
        formats.convert(folder / "bm25.trec", tmp_path / "x", to="rankings")
    with pytest.raises(UnknownName, match="no format to write called 'text'"):
        formats.convert(folder, tmp_path / "x", to="text")
    with pytest.raises(BadInput, match="name the format"):
        formats.convert("-", tmp_path / "x", to="csv")
    assert not (tmp_path / "x").exists()
