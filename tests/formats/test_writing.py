import errno
import os
from pathlib import Path

import pytest

from whyrank import formats
from whyrank.errors import BadInput, DuplicateId, UnknownName, Unwritable
from whyrank.types import Document, Query, Ranking


def test_a_folder_is_read_back(tmp_path: Path) -> None:
    documents, queries = [Document("a", "x", "T", {"n": [1]}), Document("b", "")], [Query("q", "?", {"lang": "de"})]
    ranking = Ranking.of(queries[0], documents, [2.0, 1.0])
    folder = tmp_path / "made" / "here"
    formats.write_folder(folder, documents=documents, queries=queries, qrels={"q": {"a": 2}}, runs={"bm25": [ranking]})
    assert formats.read_documents(folder) == documents
    assert formats.read_queries(folder) == queries
    assert formats.read_qrels(folder) == {"q": {"a": 2.0}}
    assert formats.read_rankings(folder, run="bm25") == [ranking]
    assert formats.open_folder(folder).splits == ("test",)


def test_rankings_file_is_read_back(tmp_path: Path) -> None:
    rankings = [Ranking.of("why?", ["\ud800", "b"], [None, 1.5]), Ranking.of(Query("2", "how?"), [])]
    formats.write_rankings(tmp_path / "r.jsonl.gz", rankings)
    assert formats.read_rankings(tmp_path / "r.jsonl.gz") == rankings


def test_a_failing_stream_leaves_no_file(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    bad = Ranking.of(Query("2", "q"), [{"text": "x", "when": {1}}])
    with pytest.raises(BadInput, match="JSON"):
        formats.write_rankings(path, [Ranking.of("q", ["fine"]), bad])
    assert list(tmp_path.iterdir()) == []


def test_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Unwritable, match="No space left"):
        formats.write_documents(tmp_path / "d.jsonl", [Document("a", "x")])
    with pytest.raises(OSError, match="No space left"):
        formats.write_qrels(tmp_path / "qrels.trec", {"q": {"a": 1}})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("form", ["rankings", "run", "rankllm"])
def test_queries_without_names_of_their_own_are_refused(form: str) -> None:
    with pytest.raises(DuplicateId, match=r"two rankings have the query id '1'; give each its own: Query\(id, text\)"):
        list(formats.render([Ranking.of("why?", ["a"]), Ranking.of("how?", ["a"])], form))


def test_unknown_formats() -> None:
    with pytest.raises(UnknownName, match="did you mean rankllm"):
        formats.render([], "ranklm")
    with pytest.raises(UnknownName, match="known: csv, jsonl"):
        formats.write_documents("unused", [], "text")


def test_half_a_surrogate_pair_has_no_place_outside_json(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="half a surrogate pair"):
        formats.write_documents(tmp_path / "d.csv", [Document("a", "\udc00")])
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Unwritable, match="cannot be made a folder"):
        formats.write_folder(tmp_path / "file" / "x", documents=[], queries=[])
