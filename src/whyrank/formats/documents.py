"""Documents: JSON Lines or a JSON array, CSV and TSV, plain lines. Queries: the same shapes, and id, tab, text."""

import csv
import io
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from whyrank.errors import BadInput
from whyrank.formats import json_values
from whyrank.formats.files import Source
from whyrank.formats.problems import Complain, Problem, Wrong, parsed
from whyrank.types import Document, Query

ID_KEYS = ("id", "_id", "docid")
TEXT_KEYS = ("text", "segment", "contents", "content", "body", "passage")
"""Where the text is looked for, in this order: ours and BEIR's first, then those of Anserini and RankLLM."""
QUERY_ID_KEYS = ("id", "_id", "qid", "query_id", "query-id")
QUERY_TEXT_KEYS = ("text", "query", "title")
DELIMITERS = ("\t", ",", ";")

_ACCEPTED = "give {'id': …, 'text': …, 'title': … (optional)}; other keys become metadata"
_RESERVED = {*ID_KEYS, *TEXT_KEYS, "title", "metadata"}


def scan_jsonl(source: Source, complain: Complain) -> Iterator[tuple[int, Document]]:
    """Documents from JSON Lines or a JSON array, with their lines. Records without an id are numbered."""
    return parsed(source.name, json_values.values(source, complain), document_from, complain)


def scan_text(source: Source, complain: Complain) -> Iterator[tuple[int, Document]]:
    """A document a line; blank lines are skipped, the others are numbered "1", "2", …."""
    number = 0
    for line, text in source.lines(complain):
        if not text.isspace():
            number += 1
            yield line, Document(id=str(number), text=text.rstrip("\r\n"))


def scan_csv(source: Source, complain: Complain) -> Iterator[tuple[int, Document]]:
    """Documents from a table with a header. The delimiter (comma, semicolon, tab) is seen by the header."""
    return parsed(source.name, _rows(source, complain), document_from, complain)


def scan_queries(source: Source, complain: Complain) -> Iterator[tuple[int, Query]]:
    """Queries from JSON, or from lines: id, tab, text, or text alone (then numbered)."""
    head = source.peek(1 << 16).removeprefix(b"\xef\xbb\xbf").lstrip()
    if head.startswith((b"{", b"[")):
        return parsed(source.name, json_values.values(source, complain), query_from, complain)
    is_table = b"\t" in head.partition(b"\n")[0]
    filled = ((line, text.rstrip("\r\n")) for line, text in source.lines(complain) if not text.isspace())
    return parsed(source.name, filled, _query_from_row if is_table else _query_from_text, complain)


def document_from(record: Any, number: int) -> Document:
    """A document from a JSON value: an object, or a text that is given its number as id.

    Raises:
        Wrong: no text, or something of the wrong type.
    """
    if isinstance(record, str):
        return Document(id=str(number), text=record)
    if not isinstance(record, dict):
        raise Wrong(f"a document is {type(record).__name__}", _ACCEPTED)
    rest = dict(record)
    id_key = next((key for key in ID_KEYS if key in rest), None)
    text_key = next((key for key in TEXT_KEYS if key in rest), None)
    if text_key is None:
        raise Wrong(f"no 'text'; the keys are {json_values.keys_of(record)}", _ACCEPTED)
    name = identifier(rest.pop(id_key), id_key) if id_key else str(number)
    text, title = rest.pop(text_key), rest.pop("title", None)
    if not isinstance(text, str):
        raise Wrong(f"{text_key!r} of document {name!r} is {_kind(text)}, not a string", _ACCEPTED)
    if not (title is None or isinstance(title, str)):
        raise Wrong(f"'title' of document {name!r} is {_kind(title)}, not a string", _ACCEPTED)
    # BEIR and `document_record` put all of it under one key.
    if rest.keys() == {"metadata"} and isinstance(rest["metadata"], dict):
        rest = rest["metadata"]
    return Document(id=name, text=text, title=title or None, metadata=rest)


def document_record(document: Document) -> dict[str, Any]:
    """The JSON object that `document_from` reads back as the same document.

    Metadata stands beside the text where its keys are free, else under "metadata".
    """
    metadata = dict(document.metadata)
    record = {"id": document.id, "title": document.title or "", "text": document.text}
    return record | ({"metadata": metadata} if _RESERVED & metadata.keys() else metadata)


def query_from(record: Any, number: int) -> Query:
    """A query from a JSON value: an object, or a text that is given its number as id.

    Raises:
        Wrong: no text, or something of the wrong type.
    """
    accepted = "give {'id': …, 'text': …}; other keys become metadata"
    if isinstance(record, str):
        return Query(id=str(number), text=record)
    if not isinstance(record, dict):
        raise Wrong(f"a query is {type(record).__name__}", accepted)
    rest = dict(record)
    id_key = next((key for key in QUERY_ID_KEYS if key in rest), None)
    text_key = next((key for key in QUERY_TEXT_KEYS if key in rest), None)
    if text_key is None:
        raise Wrong(f"a query has no 'text'; the keys are {json_values.keys_of(record)}", accepted)
    name = identifier(rest.pop(id_key), id_key) if id_key else str(number)
    text = rest.pop(text_key)
    if not isinstance(text, str):
        raise Wrong(f"{text_key!r} of query {name!r} is {_kind(text)}, not a string", accepted)
    if rest.keys() == {"metadata"} and isinstance(rest["metadata"], dict):
        rest = rest["metadata"]
    return Query(id=name, text=text, metadata=rest)


def query_record(query: Query) -> dict[str, Any]:
    """The JSON object that `query_from` reads back as the same query."""
    metadata = dict(query.metadata)
    collides = {*QUERY_ID_KEYS, *QUERY_TEXT_KEYS, "metadata"} & metadata.keys()
    return {"id": query.id, "text": query.text} | ({"metadata": metadata} if collides else metadata)


def identifier(value: Any, key: str) -> str:
    """An id as text; whole numbers are accepted.

    Raises:
        Wrong: it is neither, or empty.
    """
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise Wrong(f"{key!r} is {_kind(value)}", "give a string or a whole number")
    if value == "":
        raise Wrong(f"{key!r} is empty", "give every document and query a name, or leave the key out")
    return str(value)


def header_of(line: str) -> tuple[str, list[str]] | None:
    """The delimiter and the columns of a header line that names a text column; None if it names none.

    >>> header_of("id;Text;year")
    (';', ['id', 'text', 'year'])
    """
    found = []
    for delimiter in DELIMITERS:
        cells = next(csv.reader([line.rstrip("\r\n")], delimiter=delimiter), [])
        names = [_column(cell) for cell in cells]
        if any(key in names for key in TEXT_KEYS):
            found.append((delimiter, names))
    # A comma inside a name of a semicolon table would split it too: the most columns win.
    return max(found, key=lambda pair: len(pair[1])) if found else None


def csv_lines(documents: Iterable[Document]) -> Iterator[str]:
    """A table: id, title, text, then every metadata key. What is no string is written as JSON.

    Raises:
        BadInput: a metadata key collides with a column.
    """
    kept = list(documents)
    extra = list(dict.fromkeys(str(key) for document in kept for key in document.metadata))
    if clash := _RESERVED.intersection(map(_column, extra)):
        raise BadInput(f"metadata keys {sorted(clash)} collide with columns of the table; write jsonl instead")
    yield table_row(["id", "title", "text", *extra])
    for document in kept:
        values = (document.metadata.get(key, "") for key in extra)
        cells = (value if isinstance(value, str) else json_values.dumps(value) for value in values)
        yield table_row([document.id, document.title or "", document.text, *cells])


def table_row(cells: Sequence[object]) -> str:
    """One row of a comma-separated table (RFC 4180), without its end."""
    out = io.StringIO()
    # What is in the line terminator is quoted, so both line ends must be.
    csv.writer(out, lineterminator="\r\n").writerow(cells)
    return out.getvalue()[:-2]


def _column(cell: str) -> str:
    name = cell.strip()
    return name.lower() if name.lower() in _RESERVED else name


def _rows(source: Source, complain: Complain) -> Iterator[tuple[int, dict[str, str]]]:
    lines = (text for _, text in source.lines(complain))
    first = next(lines, "")
    header = header_of(first)
    if header is None:
        columns = first.strip()[:80]
        raise_at = Wrong(
            f"no text column in the header {columns!r}",
            f"name one of {', '.join(TEXT_KEYS)} in the first line, separated by comma, semicolon or tab",
        )
        complain(raise_at.at(source.name, 1))
        return
    delimiter, names = header
    if len(set(names)) != len(names):
        complain(Problem(source.name, 1, "two columns have the same name", f"rename one of {', '.join(names)}"))
        return
    # The module's own limit, 128 KiB a field, is shorter than a long document; it can only be set for all.
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        start = reader.line_num + 2
        try:
            row = next(reader, None)
        except csv.Error as error:
            complain(Problem(source.name, start, f"not a table row ({error})", 'quote as "…", with " doubled inside'))
            return
        if row is None:
            return
        if row and len(row) != len(names):
            fix = f"the header has {len(names)}; quote a text that holds the delimiter"
            complain(Problem(source.name, start, f"{len(row)} columns", fix))
        elif row:
            yield start, dict(zip(names, row, strict=True))


def _query_from_row(line: Any, _number: int) -> Query:
    name, tab, text = line.partition("\t")
    if not tab:
        raise Wrong("no tab between id and text", "give id, tab, text on every line")
    return Query(id=identifier(name.strip(), "id"), text=text)


def _query_from_text(line: Any, number: int) -> Query:
    return Query(id=str(number), text=line)


def _kind(value: object) -> str:
    return "null" if value is None else type(value).__name__
