from pathlib import Path

import pytest

from whyrank import formats
from whyrank.errors import BadInput, MissingFile, UnknownName


def made(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("")
    return folder


def test_beir(tmp_path: Path) -> None:
    folder = made(tmp_path, "corpus.jsonl.gz", "queries.jsonl", "qrels/test.tsv", "qrels/dev.tsv")
    found = formats.open_folder(folder)
    assert (found.split, found.splits) == ("test", ("dev", "test"))
    assert (found.corpus, found.queries) == (folder / "corpus.jsonl.gz", folder / "queries.jsonl")
    assert found.qrels == folder / "qrels" / "test.tsv"
    assert formats.open_folder(folder, "dev").qrels == folder / "qrels" / "dev.tsv"


def test_plain_with_splits_and_runs(tmp_path: Path) -> None:
    folder = made(
        tmp_path,
        *("corpus.jsonl", "train-corpus.jsonl", "queries.jsonl", "train-queries.jsonl.gz"),
        *("qrels.trec", "train-qrels.trec.gz", "bm25.trec.gz", "runs/GPT-4_x.trec", "README.md", "notes.jsonl"),
    )
    test, train = formats.open_folder(folder), formats.open_folder(folder, "train")
    assert (test.split, test.splits) == ("test", ("test", "train"))
    assert dict(test.runs) == {"bm25": folder / "bm25.trec.gz", "GPT-4_x": folder / "runs" / "GPT-4_x.trec"}
    assert test.corpus == folder / "corpus.jsonl"
    assert [train.corpus, train.queries, train.qrels] == [
        folder / "train-corpus.jsonl",
        folder / "train-queries.jsonl.gz",
        folder / "train-qrels.trec.gz",
    ]


def test_the_only_split_is_taken(tmp_path: Path) -> None:
    folder = made(tmp_path, "corpus.jsonl", "dev-queries.jsonl", "dev-qrels.trec")
    assert formats.open_folder(folder).need("queries") == folder / "dev-queries.jsonl"


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingFile, match="no such folder"):
        formats.open_folder(tmp_path / "absent")
    with pytest.raises(BadInput, match="no collection in this folder; it may hold"):
        formats.open_folder(made(tmp_path, "README.md"))
    folder = made(tmp_path, "dev-queries.jsonl", "train-queries.jsonl")
    with pytest.raises(BadInput, match=r"no split 'test'; it has dev, train"):
        formats.open_folder(folder, "test")
    with pytest.raises(BadInput, match=r"has no queries for the split 'test'; it has the splits dev, train"):
        formats.read_queries(folder)
    with pytest.raises(BadInput, match="has no corpus"):
        formats.read_documents(folder)


def test_runs_are_named(tmp_path: Path) -> None:
    folder = made(tmp_path, "queries.jsonl")
    with pytest.raises(BadInput, match=r"has 0 runs; put a run"):
        formats.open_folder(folder).run(None)
    only = made(folder, "bm25.trec") / "bm25.trec"
    assert formats.open_folder(folder).run(None) == only
    made(folder, "splade.trec")
    with pytest.raises(BadInput, match="has 2 runs; name one of bm25, splade"):
        formats.open_folder(folder).run(None)
    with pytest.raises(UnknownName, match="did you mean bm25"):
        formats.open_folder(folder).run("bm52")
