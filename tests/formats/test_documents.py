import csv
import io
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whyrank import formats
from whyrank.errors import BadInput, BadRecord, DuplicateId
from whyrank.formats.documents import csv_lines, document_from, document_record, header_of, query_from, query_record
from whyrank.formats.problems import Wrong
from whyrank.types import Document, Query

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
KEYS = TEXT | st.sampled_from(["id", "_id", "text", "title", "metadata", "contents", "qid", "query"])
METADATA = st.dictionaries(KEYS, JSON, max_size=3)
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)


def written(tmp_path: Path, name: str, content: str | bytes) -> Path:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_jsonl(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "d.jsonl",
        '{"id": 7, "text": "sieben", "year": 1990}\n\n{"_id": "b", "title": "B", "text": ""}\n'
        '{"_id": "c", "title": "", "text": "c", "metadata": {"url": "u"}}\n',
    )
    assert formats.read_documents(path) == [
        Document("7", "sieben", metadata={"year": 1990}),
        Document("b", "", "B"),
        Document("c", "c", metadata={"url": "u"}),
    ]


def test_json_array_of_objects_and_texts(tmp_path: Path) -> None:
    path = written(tmp_path, "d.json", '[{"contents": "a", "docid": "x"},\n "plain", {"text": "third"}]')
    assert formats.read_documents(path) == [Document("x", "a"), Document("2", "plain"), Document("3", "third")]


def test_unusual_characters_survive(tmp_path: Path) -> None:
    path = written(tmp_path, "d.jsonl", r'{"id": "شعر", "text": "\ud800 \u0000 😀 עברית \ud83d\ude00"}')
    [document] = formats.read_documents(path)
    assert document == Document("شعر", "\ud800 \0 😀 עברית 😀")
    formats.write_documents(tmp_path / "again.jsonl", [document])
    assert formats.read_documents(tmp_path / "again.jsonl") == [document]


def test_plain_lines(tmp_path: Path) -> None:
    path = written(tmp_path, "d.txt", "\ufeffone\n\n  two\0 \r\n \t\nthree")
    assert formats.read_documents(path, "text") == [
        Document("1", "one"),
        Document("2", "  two\0 "),
        Document("3", "three"),
    ]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_tables_in_each_delimiter(tmp_path: Path, delimiter: str) -> None:
    rows = ["id,Title,text,year", 'a,T,"say ""hi"", then', 'go; on\tnow",1990', "", "b,,plain,"]
    content = "\r\n".join(rows)
    if delimiter != ",":
        rows = [f"id{delimiter}Title{delimiter}text{delimiter}year", f'a{delimiter}T{delimiter}"say ""hi"", then']
        rows += [f'go; on\tnow"{delimiter}1990', "", f"b{delimiter}{delimiter}plain{delimiter}"]
        content = "\r\n".join(rows)
    assert formats.read_documents(written(tmp_path, "d.csv", content)) == [
        Document("a", 'say "hi", then\r\ngo; on\tnow', "T", {"year": "1990"}),
        Document("b", "plain", None, {"year": ""}),
    ]


def test_a_table_without_ids_is_numbered(tmp_path: Path) -> None:
    path = written(tmp_path, "d.csv", "text\nfirst\nsecond\n")
    assert [document.id for document in formats.read_documents(path)] == ["1", "2"]


def test_a_table_cell_may_be_long(tmp_path: Path) -> None:
    path = written(tmp_path, "d.csv", "id,text\na," + "x" * 300_000)
    assert len(formats.read_documents(path)[0].text) == 300_000


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("id,text\na,b\nc,d,e\n", r"d\.csv:3: 3 columns; the header has 2"),
        ('id,text\na,"x\ny"\nb\n', r"d\.csv:4: 1 columns"),
        ('id,text\na,"open\nend', r"d\.csv:2: not a table row"),
        ("id,body,Text,text\n1,2,3,4", r"d\.csv:1: two columns have the same name"),
        ("id,note\n1,2", r"d\.csv:1: no text column in the header 'id,note'"),
        ("id,text\n,b", r"d\.csv:2: 'id' is empty"),
    ],
)
def test_tables_that_are_wrong(tmp_path: Path, content: str, message: str) -> None:
    path = written(tmp_path, "d.csv", content)
    with pytest.raises(BadRecord, match=message):
        formats.read_documents(path, "csv")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"id": "a", "titel": "x"}', r"d\.jsonl:2: no 'text'; the keys are id, titel; give .*'id': …, 'text': …"),
        ('{"id": "a", "text": 3}', "'text' of document 'a' is int, not a string"),
        ('{"id": "a", "text": null}', "'text' of document 'a' is null"),
        ('{"id": "a", "text": "x", "title": []}', "'title' of document 'a' is list"),
        ('{"id": 1.5, "text": "x"}', "'id' is float; give a string or a whole number"),
        ('{"id": null, "text": "x"}', "'id' is null"),
        ('{"id": true, "text": "x"}', "'id' is bool"),
        ('{"id": "", "text": "x"}', "'id' is empty"),
        ("[1]", "a document is list"),
        ("3", "a document is int"),
    ],
)
def test_records_that_are_wrong(tmp_path: Path, line: str, message: str) -> None:
    path = written(tmp_path, "d.jsonl", f'{{"id": "ok", "text": "fine"}}\n{line}\n')
    with pytest.raises(BadRecord, match=r"d\.jsonl:2: ") as caught:
        formats.read_documents(path)
    with pytest.raises(BadRecord, match=message):
        raise caught.value


def test_duplicate_ids_name_both_lines(tmp_path: Path) -> None:
    path = written(
        tmp_path, "d.jsonl", '{"id": 1, "text": "a"}\n\n{"id": "2", "text": "b"}\n{"_id": "1", "text": "c"}\n'
    )
    with pytest.raises(DuplicateId, match=r"d\.jsonl:4: document id '1' is given twice \(lines 1 and 4\)"):
        formats.read_documents(path)


def test_empty_and_single(tmp_path: Path) -> None:
    empty = written(tmp_path, "d.jsonl", "")
    assert formats.read_documents(empty, "jsonl") == []
    with pytest.raises(BadInput, match="is empty"):
        formats.read_documents(empty)
    assert formats.read_documents(written(tmp_path, "one.txt", "only")) == [Document("1", "only")]


def test_time_grows_with_the_number_of_lines(tmp_path: Path) -> None:
    def seconds(n: int) -> float:
        path = written(tmp_path, "d.jsonl", "".join(f'{{"id": {i}, "text": "text {i}"}}\n' for i in range(n)))
        start = time.process_time()
        assert len(formats.read_documents(path)) == n
        return time.process_time() - start

    seconds(1000)
    assert seconds(100_000) < 40 * max(seconds(10_000), 0.01)


def test_header_with_most_columns_wins() -> None:
    assert header_of("id;text;a,b") == (";", ["id", "text", "a,b"])
    assert header_of("docid\tBody") == ("\t", ["docid", "body"])
    assert header_of("no,such") is None


@given(NAMES, TEXT, st.none() | NAMES, METADATA)
def test_record_and_back(name: str, text: str, title: str | None, metadata: dict[str, Any]) -> None:
    document = Document(name, text, title, metadata)
    assert document_from(document_record(document), 1) == document


@given(NAMES, TEXT, METADATA)
def test_query_record_and_back(name: str, text: str, metadata: dict[str, Any]) -> None:
    query = Query(name, text, metadata)
    assert query_from(query_record(query), 1) == query


@given(st.lists(st.builds(Document, NAMES, TEXT, st.none() | NAMES), unique_by=lambda d: d.id, max_size=4))
def test_table_and_back(documents: list[Document]) -> None:
    table = "\n".join(csv_lines(documents)) + "\n"
    rows = list(csv.DictReader(io.StringIO(table, newline="")))
    assert [Document(row["id"], row["text"], row["title"] or None) for row in rows] == documents


def test_table_of_metadata(tmp_path: Path) -> None:
    documents = [Document("a", "x", metadata={"n": 1, "s": "t"}), Document("b", "y", metadata={"l": [True, None]})]
    formats.write_documents(tmp_path / "d.csv", documents)
    assert (tmp_path / "d.csv").read_text() == 'id,title,text,n,s,l\na,,x,1,t,\nb,,y,,,"[true, null]"\n'
    with pytest.raises(BadInput, match="collide"):
        formats.write_documents(tmp_path / "d.csv", [Document("a", "x", metadata={"Text": 1})])


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (
            '{"_id": 1, "text": "a", "lang": "en"}\n{"qid": "x", "query": "b"}',
            [Query("1", "a", {"lang": "en"}), Query("x", "b")],
        ),
        ('["a", {"text": "b"}]', [Query("1", "a"), Query("2", "b")]),
        ("q1\tfirst one\nq2\tsecond\twith tab\n", [Query("q1", "first one"), Query("q2", "second\twith tab")]),
        ("first\n\nsecond\n", [Query("1", "first"), Query("2", "second")]),
        ('{"_id": "1", "text": "a", "metadata": {}}', [Query("1", "a")]),
    ],
)
def test_queries(tmp_path: Path, content: str, expected: list[Query]) -> None:
    assert formats.read_queries(written(tmp_path, "queries", content)) == expected


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"_id": 1}', "a query has no 'text'; the keys are _id"),
        ('{"_id": 1, "text": 5}', "'text' of query '1' is int"),
        ('{"_id": []}', "no 'text'"),
        ("q1\ta\nq2 b\n", ":2: no tab between id and text"),
        ('["a", 3]', "a query is int"),
    ],
)
def test_queries_that_are_wrong(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(BadRecord, match=message):
        formats.read_queries(written(tmp_path, "q.jsonl", content))


def test_query_ids_differ(tmp_path: Path) -> None:
    with pytest.raises(DuplicateId, match=r"query id 'a' is given twice \(lines 1 and 2\)"):
        formats.read_queries(written(tmp_path, "q.tsv", "a\tx\na\ty\n"))


def test_a_nameless_document_takes_its_number() -> None:
    assert document_from("x", 3) == Document("3", "x")
    with pytest.raises(Wrong):
        document_from(None, 1)
