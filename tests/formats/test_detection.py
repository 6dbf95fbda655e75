import io
import sys
from pathlib import Path

import pytest

from whyrank import formats
from whyrank.errors import BadInput, BadRecord, MissingFile, UnknownName
from whyrank.formats.detection import look_up

LONG = "x" * 200_000


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a", '{"_id": "1", "text": "x"}\n', "jsonl"),
        ("a.txt", '{"id": 1, "contents": "' + LONG + '"}\n{"id": 2}', "jsonl"),
        ("a.json", '[\n {\n  "id": 1,\n  "text": "x"}]', "jsonl"),
        ("a.json", '["one", "two"]', "jsonl"),
        ("a", '\ufeff{"text": "x"}', "jsonl"),
        ("a.jsonl", '{"whyrank": 1, "query": {}, "hits": []}', "rankings"),
        ("a.jsonl", '{"query": "q", "documents": ["a"]}', "rankings"),
        ("a.jsonl", '{"query": {"text": "q", "qid": 1}, "candidates": []}', "rankllm"),
        ("a.json", '[{"query": "q", "hits": [{"content": "' + LONG + '"}]}]', "rankllm"),
        ("a.json", '{\n "query": "q",\n "hits": []\n}', "rankllm"),
        ("a.json", '[{"question": "q", "answers": [], "ctxs": []}]', "dpr"),
        ("a.csv", "text\nhello", "csv"),
        ("a", "id;text\n1;hello", "csv"),
        ("a.tsv", "id\tTitle of it\ttext\n1\tT\thello", "csv"),
        ("a", "q1 Q0 d1 1 2.5 tag\n", "run"),
        ("a.trec", "q1 Q0 d1 1 nan tag\n", "run"),
        ("a", "q1 Q0 my doc 1 2.5 tag\n", "run"),
        ("run.dev.small.tsv", "q1\td1\t1\n", "run"),
        ("qrels.dev.tsv", "q1\td1\t1\n", "qrels"),
        ("a", "q1 0 d1 2\n", "qrels"),
        ("a", "q1 0 my doc -1\n", "qrels"),
        ("test.tsv", "query-id\tcorpus-id\tscore\nq\td\t1\n", "qrels"),
        ("a.txt", "An ordinary sentence.\nAnother one.", "text"),
        ("notes", "text, images and sound are media\n", "text"),
        ("notes", "[1] a reference that starts like JSON\n", "text"),
        ("notes.md", "{curly}\n", "text"),
        ("a.txt", "In 1994 there were 5 of them and 3.5 more\n", "text"),
    ],
)
def test_formats_are_seen(tmp_path: Path, name: str, content: str, expected: str) -> None:
    path = tmp_path / name
    path.write_text(content)
    assert formats.detect(path) == expected


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.tsv", b"x\ty\t1\n", "may be run or qrels; name the format"),
        ("a.jsonl", b'{"id": 1, "titel": "x"}', "not recognised .*has the keys id, titel.*name one of jsonl, csv"),
        ("a.jsonl", b'{"id": 1, "text"', "not recognised .*it starts"),
        ("a.trec", b"some words\n", "not recognised .*it starts 'some words'"),
        ("a.csv", b"id,note\n1,2\n", "not recognised .*it starts 'id,note'"),
        ("a", b"", "is empty"),
        ("a", b" \n\n", "is empty"),
        ("a.json", b"[]", "is empty"),
        ("a", b"PK\x03\x04rest", "is a zip archive; unpack"),
        ("a", b"%PDF-1.7", "is a PDF"),
        ("a", b"words \0 words", "NUL bytes"),
    ],
)
def test_what_cannot_be_told(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(BadInput, match=message) as caught:
        formats.detect(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_utf16_absent_files_and_folders(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("text", encoding="utf-16")
    with pytest.raises(BadRecord, match="UTF-16"):
        formats.detect(path)
    with pytest.raises(MissingFile):
        formats.detect(tmp_path / "absent")
    assert formats.detect(tmp_path) == "folder"


def test_detection_leaves_standard_input_to_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b'{"id": 1, "text": "x"}\n')))
    assert [document.text for document in formats.read_documents("-")] == ["x"]


def test_unknown_names_list_near_matches() -> None:
    with pytest.raises(UnknownName, match="no format called 'ranking'; did you mean rankings"):
        look_up("ranking")


def test_every_format_says_what_it_is() -> None:
    assert list(formats.FORMATS) == ["jsonl", "csv", "text", "rankings", "rankllm", "dpr", "run", "qrels", "folder"]
    assert all(10 < len(form.description) < 110 for form in formats.FORMATS.values())
