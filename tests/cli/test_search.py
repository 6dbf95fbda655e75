"""`whyrank index` and `whyrank search`."""

import shutil
from pathlib import Path

import pytest

from ended import CORPUS, Run
from whyrank.cli import main


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "demo.index"
    assert main(["index", str(CORPUS), "-o", str(folder), "-q"]) == 0
    return folder


@pytest.fixture
def index(made: Path, tmp_path: Path) -> str:
    shutil.copytree(made, tmp_path / "demo.index")
    return "demo.index"


def test_making_an_index_says_what_comes_next(run: Run) -> None:
    code, out, err = run("index", CORPUS, "-o", "new.index")
    assert (code, out) == (0, "")
    assert "indexed 43 documents into new.index" in err
    assert "whyrank search QUERY --index new.index" in err


def test_bm25_alone_and_reranked(run: Run, index: str) -> None:
    query = "why does bread go stale faster in the fridge?"
    plain = run("search", query, "-i", index, "-k", 3)
    assert plain.ids[0] == "bread-pudding"
    assert len(plain.ids) == 3
    reranked = run("search", query, "-i", index, "--rerank", "-k", 3)
    assert reranked.ids[0] == "starch-recrystallises"
    [ranking] = reranked.rankings
    assert ranking["left_out"] > 0
    assert all(hit["first_score"] is not None for hit in ranking["hits"])
    assert len(ranking["explanations"]["direct"]) == 3


def test_tables_show_the_score_that_there_is(run: Run, index: str) -> None:
    table = run("search", "stale bread", "-i", index, "-f", "table").out
    assert "not read" not in table
    assert "bm25" in table


def test_a_saved_search_is_verified(run: Run, index: str) -> None:
    found = run("search", "stale bread", "-i", index, "-r", "-k", 4).out.encode()
    assert run("verify", "-q", stdin=found) == (0, "", "")


def test_a_query_that_matches_nothing(run: Run, index: str) -> None:
    code, out, err = run("search", "the", "-i", index, "-r", "-f", "trec")
    assert (code, out) == (0, "")
    assert "no document shares a word with the query" in err


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["search", "", "-i", "demo.index"], "the query is empty"),
        (["search", "x", "-i", "nope"], "nope: no such index"),
        (["search", "x", "-i", "demo.index", "-e", "3"], "need --rerank"),
        (["search", "x", "-i", "demo.index", "-r", "--ranker", "evidense"], "did you mean evidence?"),
        (["index", str(CORPUS), "-o", "demo.index"], "give --overwrite"),
        (["index", str(CORPUS), "-o", "new", "-l", "xx"], "no language called 'xx'"),
        (["index", "nope.jsonl", "-o", "new"], "nope.jsonl: no such file"),
        (["index", str(CORPUS), "-o", "nowhere/new"], "nowhere does not exist"),
    ],
)
def test_bad_input(run: Run, index: str, args: list[str], said: str) -> None:
    code, out, err = run(*args)
    assert (code, out) == (2, "")
    assert said in err


def test_overwriting(run: Run, index: str) -> None:
    assert run("index", "-o", index, "--overwrite", "-q", stdin=b"a line about cats\n") == (0, "", "")
    assert run("search", "cats", "-i", index).ids == ["1"]


@pytest.mark.parametrize("name", ["documents.jsonl", "weights.f32", "terms.utf8", "manifest.json"])
@pytest.mark.parametrize("damage", ["flip", "truncate", "remove"])
def test_a_damaged_index_is_told(run: Run, index: str, tmp_path: Path, name: str, damage: str) -> None:
    file = tmp_path / index / name
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 4
    if damage == "remove":
        file.unlink()
    else:
        file.write_bytes(content if damage == "flip" else content[: len(content) // 2])
    code, out, err = run("search", "stale bread", "-i", index)
    assert (code, out) == (2, "")
    assert name in err
    code, out, err = run("verify", index)
    assert (code, out) == (1, "")
    assert name in err


def test_a_whole_index_is_verified(run: Run, index: str) -> None:
    assert run("verify", index) == (0, "demo.index: 43 documents, every byte as it was written\n", "")
