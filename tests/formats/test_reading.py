import tracemalloc
from pathlib import Path

import pytest

from whyrank import formats
from whyrank.errors import BadInput, UnknownName
from whyrank.types import Document, Query

CORPUS = [Document("d1", "one"), Document("d2", "two"), Document("d 3", "three"), Document("d4", "four")]
QUERIES = [Query("q1", "first?"), Query("q2", "second?"), Query("q3", "never asked")]


def run_at(tmp_path: Path, content: str, name: str = "bm25.trec") -> Path:
    path = tmp_path / name
    path.write_text(content)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    formats.write_folder(tmp_path, documents=CORPUS, queries=QUERIES, qrels={"q1": {"d1": 1}})
    run_at(tmp_path, "q2 Q0 d1 1 9.5 t\nq1 Q0 d 3 2 1.5 t\nq1 Q0 d2 1 2.5 t\n")
    return tmp_path


def test_a_run_with_its_texts(folder: Path) -> None:
    second, first = formats.read_rankings(
        folder / "bm25.trec", corpus=folder / "corpus.jsonl", queries=folder / "queries.jsonl"
    )
    assert (first.query, second.query) == (QUERIES[0], QUERIES[1])
    assert [(h.document.text, h.first_score, h.first_rank, h.score) for h in first] == [
        ("two", 2.5, 1, None),
        ("three", 1.5, 2, None),
    ]
    assert first.notes == ()


def test_folder_run_and_objects_give_the_same(folder: Path) -> None:
    by_folder = formats.read_rankings(folder)
    assert by_folder == formats.read_rankings(folder, run="bm25")
    assert [r.ids for r in by_folder] == [
        r.ids for r in formats.read_rankings(folder / "bm25.trec", corpus=iter(CORPUS), queries=QUERIES)
    ]
    assert formats.read_documents(folder) == CORPUS
    assert formats.read_queries(folder) == QUERIES
    assert formats.read_qrels(folder) == {"q1": {"d1": 1.0}}


def test_ranks_that_disagree_are_noted(tmp_path: Path) -> None:
    path = run_at(tmp_path, "q1 Q0 d1 1 1 t\nq1 Q0 d2 2 5 t\nq2 Q0 d1 1 5 t\nq2 Q0 d2 2 5 t\n")
    first, second = formats.read_rankings(path, corpus=CORPUS, queries=QUERIES)
    assert first.ids == ("d2", "d1")
    assert first.notes == (f"{path}: the rank column disagrees with the scores; ordered by score, as trec_eval does",)
    assert second.ids == ("d1", "d2")
    assert second.notes == ()


def test_ranks_alone_leave_first_scores_empty(tmp_path: Path) -> None:
    path = run_at(tmp_path, "q1\td2\t2\nq1\td1\t1\n", "run.tsv")
    [ranking] = formats.read_rankings(path, corpus=CORPUS, queries=QUERIES)
    assert [(h.document.id, h.first_score) for h in ranking] == [("d1", None), ("d2", None)]


def test_unknown_documents_and_queries_are_listed(tmp_path: Path) -> None:
    path = run_at(tmp_path, "".join(f"q1 Q0 x{i} {i} {-i} t\n" for i in range(7)) + "q1 Q0 d1 9 -9 t\n")
    with pytest.raises(
        BadInput, match=r"7 of 8 documents .* not in the corpus: 'x0', 'x1', 'x2', 'x3', 'x4' and 2 more"
    ):
        formats.read_rankings(path, corpus=CORPUS, queries=QUERIES)
    with pytest.raises(BadInput, match=r"1 queries of the run have no text: 'q1'; give the queries"):
        formats.read_rankings(path, corpus=CORPUS, queries=QUERIES[1:])


def test_a_corpus_may_be_larger_than_memory(tmp_path: Path) -> None:
    path = run_at(tmp_path, "q1 Q0 7 1 1 t\n")
    tracemalloc.start()
    try:
        corpus = (Document(str(i), f"{i} " * 2000) for i in range(2000))
        [ranking] = formats.read_rankings(path, corpus=corpus, queries=QUERIES)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert ranking.ids == ("7",)
    assert peak < 3_000_000


def test_what_a_run_needs(tmp_path: Path) -> None:
    one = run_at(tmp_path, "q7 Q0 d1 1 1 t\n", "one.trec")
    two = run_at(tmp_path, "q7 Q0 d1 1 1 t\nq8 Q0 d1 1 1 t\n", "two.trec")
    with pytest.raises(BadInput, match="documents by id only; give the corpus"):
        formats.read_rankings(one, queries=QUERIES)
    with pytest.raises(BadInput, match="queries by id only; give the queries"):
        formats.read_rankings(one, corpus=CORPUS)
    with pytest.raises(BadInput, match="has 2 queries and one text"):
        formats.read_rankings(two, corpus=CORPUS, query="why?")
    [ranking] = formats.read_rankings(one, corpus=CORPUS, query="why?")
    assert ranking.query == Query("q7", "why?")


def test_documents_and_a_query(tmp_path: Path) -> None:
    path = tmp_path / "d.txt"
    path.write_text("one\ntwo\n")
    [ranking] = formats.read_rankings(path, query=Query("q", "why?"))
    assert ranking.query.id == "q"
    assert [hit.first_rank for hit in ranking] == [1, 2]
    with pytest.raises(BadInput, match="holds documents and no query; give the query"):
        formats.read_rankings(path)


def test_the_wrong_kind_names_the_right_reader(folder: Path) -> None:
    with pytest.raises(BadInput, match=r"is 'run' .* here documents is read, use read_rankings"):
        formats.read_documents(folder / "bm25.trec")
    with pytest.raises(BadInput, match=r"is 'qrels' .* use read_qrels"):
        formats.read_rankings(folder / "qrels" / "test.tsv")
    with pytest.raises(UnknownName, match="did you mean jsonl"):
        formats.read_documents(folder / "corpus.jsonl", "json")


def test_progress_is_told(folder: Path) -> None:
    told: list[tuple[int, int]] = []
    formats.read_documents(folder, progress=lambda done, total: told.append((done, total)))
    size = (folder / "corpus.jsonl").stat().st_size
    assert told == [(size, size)]


def test_documents_come_one_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "d.jsonl"
    path.write_text('{"id": 1, "text": "a"}\nnot json\n')
    documents = formats.iter_documents(path)
    assert next(documents) == Document("1", "a")
