"""Whatever comes in: one clear line and exit code 2, or a sound answer."""

import errno
import json
from pathlib import Path

import pytest

import whyrank.api
from ended import CORPUS, Lines, Run
from whyrank.errors import Corrupt


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b'{"id": "a", "text": "x"}\n{"id": "b", "txt": "y"}\n', "f.jsonl:2: no 'text'; the keys are id, txt"),
        (b'{"id": "a", "text": "x"}\n{"id": "a", "text": "y"}\n', "document id 'a' is given twice (lines 1 and 2)"),
        (b'{"id": "a", "text": 3}\n', "f.jsonl:1: 'text' of document 'a' is int"),
        (b'{"id": "a", "text": "x"}\n{"id": \n', "f.jsonl:2: not valid JSON"),
        (b'{"id": "a", "text": "caf\xe9"}\n', "f.jsonl:1: not UTF-8: byte 0xe9"),
        (b"a\0b\n", "holds NUL bytes"),
        (b"%PDF-1.7 ...", "is a PDF"),
        (b'{"id": "a", "text": "x", "score": NaN}\n', "document 'a': its 'score' is nan"),
        (b'{"id": "a", "text": "x", "score": -Infinity}\n', "document 'a': its 'score' is -inf"),
        (b'{"whyrank": 1, "query": {"id": "1", "text": "x"}, "hits": []}\n', "f.jsonl: is 'rankings'"),
        (b"\x1f\x8b\x08\x00broken", "f.jsonl: damaged gzip data"),
    ],
)
def test_bad_documents(run: Run, tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "f.jsonl").write_bytes(content)
    code, out, err = run("rerank", "cats", "f.jsonl")
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert said in err


@pytest.mark.parametrize("query", ["", "   ", "\n\t"])
def test_an_empty_query(run: Run, query: str) -> None:
    assert run("rerank", query, CORPUS) == (2, "", "error: the query is empty; give at least one word\n")


def test_a_query_without_words_is_a_partial_result(run: Run) -> None:
    code, out, err = run("rerank", "???", CORPUS, "-f", "trec", "-k", 1)
    assert code == 3
    assert out.startswith("1 Q0 starch-recrystallises 1 ")
    assert "the query has no word" in err


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--ranker", "evidense"], "no ranker called 'evidense'; did you mean evidence?"),
        (["--format", "jsonll"], "no output format called 'jsonll'; did you mean jsonl or json?"),
        (["--input-format", "cvs"], "no format called 'cvs'; did you mean csv?"),
        (["-o", "nowhere/x.jsonl"], "nowhere does not exist"),
        (["-c", "nope.yaml"], "nope.yaml: no such file"),
        (["--corpus", "x"], "give --run FILE"),
        (["--run", "x"], "leave 'cats' out"),
    ],
)
def test_bad_arguments(run: Run, args: list[str], said: str) -> None:
    code, out, err = run("rerank", "cats", CORPUS, *args)
    assert (code, out) == (2, "")
    assert said in err


def test_missing_documents(run: Run) -> None:
    assert run("rerank", "cats", "nope.jsonl").err == "error: nope.jsonl: no such file\n"
    assert run("rerank").err.startswith("error: no query; give ")
    assert "named twice" in run("rerank", "cats", "-", "-").err
    assert run("rerank", "cats", stdin=None).err == "error: no documents; name a FILE, or pipe them in\n"
    assert "was taken as the query" in run("rerank", CORPUS, stdin=None).err
    assert run("verify", stdin=None).err == "error: no file; name a saved result, or pipe one in\n"


def test_duplicate_ids_across_files_name_the_files(run: Run, lines: Lines) -> None:
    one, two = lines("one.jsonl", [{"id": "a", "text": "x"}]), lines("two.jsonl", [{"id": "a", "text": "y"}])
    assert "document id 'a' is given twice (in one.jsonl and two.jsonl)" in run("rerank", "cats", one, two).err


def test_duplicate_and_empty_texts_and_a_single_document_are_ranked(run: Run, lines: Lines) -> None:
    texts = ["", "cats purr", "cats purr"]
    file = lines("d.jsonl", [{"id": str(i), "text": text} for i, text in enumerate(texts)])
    ended = run("rerank", "cats", file)
    scores = {hit["id"]: hit["score"] for hit in ended.rankings[0]["hits"]}
    assert ended.ids == ["1", "2", "0"]
    assert scores["1"] == scores["2"]
    assert run("rerank", "cats", lines("one.jsonl", [{"id": "a", "text": "cats"}])).ids == ["a"]


def test_strange_characters_come_out_as_they_went_in(run: Run, lines: Lines) -> None:
    texts = ["مرحبا cats \u202e evil", "🐈‍⬛ cats", "x \ud83d cats", "ca\0ts", "\x1b[31m cats"]
    file = lines("d.jsonl", [{"id": f"d{i}\ud800", "text": text} for i, text in enumerate(texts)])
    ended = run("rerank", "cats 🐈", file)
    assert ended.code == 0
    assert {hit["text"] for hit in ended.rankings[0]["hits"]} == set(texts)
    for name in ("table", "html"):
        assert run("rerank", "cats 🐈", file, "-f", name).code == 0
    code, _, err = run("rerank", "cats", file, "-f", "trec")
    assert (code, "half a surrogate pair" in err) == (2, True)
    assert "\x1b" not in run("rerank", "cats", file, "-f", "html").out


def test_bad_runs(run: Run, lines: Lines, tmp_path: Path) -> None:
    lines("c.jsonl", [{"id": "a", "text": "cats"}])
    lines("q.jsonl", [{"id": "1", "text": "cats"}])
    (tmp_path / "r.trec").write_text("1 Q0 a 1 2.0 t\n1 Q0 zzz 2 1.0 t\n")
    (tmp_path / "nan.trec").write_text("1 Q0 a 1 nan t\n")
    lines("nan.jsonl", [{"query": "cats", "documents": ["a", "b"], "scores": [1, float("nan")]}])
    given = ("--corpus", "c.jsonl", "--queries", "q.jsonl")
    assert "1 of 2 documents of the run are not in the corpus: 'zzz'" in run("rerank", "--run", "r.trec", *given).err
    assert "nan.trec:1: score is nan" in run("rerank", "--run", "nan.trec", *given).err
    assert "nan.jsonl:1: 'scores' is nan" in run("rerank", "--run", "nan.jsonl").err
    assert "give the corpus" in run("rerank", "--run", "r.trec").err
    assert "give whyrank rerank QUERY FILE" in run("rerank", "--run", "c.jsonl").err


def test_a_very_long_document_is_cut_and_that_is_said(run: Run, lines: Lines, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("whyrank.rankers.matching.MAX_DOCUMENT_CHARS", 1_000)
    file = lines("d.jsonl", [{"id": "long", "text": "Cats purr. " * 1_000}, {"id": "short", "text": "Stocks fell."}])
    ended = run("rerank", "cats", file, "-e", 0)
    [ranking] = ended.rankings
    cuts = {hit["id"]: hit["cut"] for hit in ranking["hits"]}
    assert ended.code == 0
    assert cuts["short"] == 0
    assert cuts["long"] >= 10_000
    assert "read only in part: long" in ended.err


def test_many_documents_are_read_to_the_depth_and_all_come_back(run: Run, lines: Lines) -> None:
    file = lines("d.jsonl", ({"id": f"d{i}", "text": f"document {i}"} for i in range(20_000)))
    ended = run("rerank", "document 7", file, "-d", 20, "-e", 0)
    [ranking] = ended.rankings
    assert len(set(ended.ids)) == 20_000
    assert sum(hit["score"] is not None for hit in ranking["hits"]) == 20
    assert "19,980 candidates below depth 20 were not read" in ended.err


def test_a_damaged_model_is_one_line(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def damaged(*_args: object, **_more: object) -> None:
        raise Corrupt("weights.safetensors: its sha256 is not the manifest's; the file is damaged")

    monkeypatch.setattr(whyrank.api, "load", damaged)
    code, out, err = run("rerank", "cats", CORPUS)
    assert (code, out) == (2, "")
    assert err == "error: weights.safetensors: its sha256 is not the manifest's; the file is damaged\n"


def test_an_unwritable_output_leaves_what_stood_there(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, _, err = run("rerank", "cats", CORPUS, "-o", "/dev/full")
    assert (code, "No space left" in err) == (2, True)

    def full(_handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    (tmp_path / "keep.jsonl").write_text("old")
    monkeypatch.setattr("os.fsync", full)
    code, _, err = run("rerank", "cats", CORPUS, "-o", "keep.jsonl")
    assert (code, "No space left" in err) == (2, True)
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == {"keep.jsonl": "old"}


def test_a_defect_is_no_failed_check(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_args: object, **_more: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(whyrank.api, "load", broken)
    code, _, err = run("rerank", "cats", CORPUS)
    assert code == 70
    assert "defect" in err
    assert "Traceback" in err


def test_errors_show_their_origin_only_when_asked(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "Traceback" not in run("rerank", "cats", "nope").err
    monkeypatch.setenv("WHYRANK_DEBUG", "1")
    assert "Traceback" in run("rerank", "cats", "nope").err


def test_messages_are_harmless_on_a_terminal(run: Run) -> None:
    assert "\x1b" not in run("rerank", "cats", "no\x1b[31m.jsonl").err


def test_json_of_any_result_has_no_raw_control_characters(run: Run, lines: Lines) -> None:
    file = lines("d.jsonl", [{"id": "a\x1b", "text": "cats \x1b]0;title\x07"}])
    out = run("rerank", "cats", file).out
    assert "\x1b" not in out
    assert json.loads(out)["hits"][0]["id"] == "a\x1b"
