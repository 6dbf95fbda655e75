"""Documents and terms on disk, each found without reading the others."""

import json
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from whyrank.errors import BadInput, Corrupt
from whyrank.retrieve.index_folder import REBUILD, open_array, open_bytes, write_array
from whyrank.types import Document

DOCUMENTS, DOCUMENT_STARTS = "documents.jsonl", "document_starts.i64"
TERMS, TERM_STARTS, TERM_COLUMNS = "terms.utf8", "term_starts.i64", "term_columns.i32"


def write_documents(folder: Path, documents: Iterable[Document]) -> None:
    """Write documents one a line, and where each line starts.

    Raises:
        BadInput: metadata that JSON would not bring back as it is.
    """
    starts = array("q", [0])
    with (folder / DOCUMENTS).open("wb") as file:
        for document in documents:
            starts.append(starts[-1] + file.write(_line(document)))
    write_array(folder / DOCUMENT_STARTS, starts, "<i8")


class StoredDocuments:
    """The documents of a folder by position."""

    def __init__(self, folder: Path, count: int) -> None:
        self._path = folder / DOCUMENTS
        self._starts = open_array(folder / DOCUMENT_STARTS, "<i8", count + 1)
        self._lines = open_bytes(self._path)

    def __len__(self) -> int:
        return len(self._starts) - 1

    def __getitem__(self, position: int) -> Document:
        line = self._lines[int(self._starts[position]) : int(self._starts[position + 1])]
        try:
            identifier, title, text, metadata = json.loads(line.decode("utf-8", "surrogatepass"))
            strings = (identifier, text) if title is None else (identifier, text, title)
            if not (all(isinstance(s, str) for s in strings) and isinstance(metadata, dict)):
                raise ValueError("not a document")
        except (ValueError, TypeError, RecursionError) as error:
            raise Corrupt(f"{self._path}: line {position + 1} is damaged ({error}); {REBUILD}") from error
        return Document(identifier, text, title, metadata)


def write_terms(folder: Path, columns: Mapping[str, int]) -> None:
    """Write the vocabulary in the order of its bytes, with the column of each term."""
    terms = sorted((term.encode("utf-8", "surrogatepass"), column) for term, column in columns.items())
    starts = np.zeros(len(terms) + 1, np.int64)
    np.cumsum([len(term) for term, _ in terms], out=starts[1:])
    (folder / TERMS).write_bytes(b"".join(term for term, _ in terms))
    write_array(folder / TERM_STARTS, starts, "<i8")
    write_array(folder / TERM_COLUMNS, [column for _, column in terms], "<i4")


class StoredTerms:
    """The vocabulary of a folder: term → column, by bisection."""

    def __init__(self, folder: Path, count: int) -> None:
        self._starts = open_array(folder / TERM_STARTS, "<i8", count + 1)
        self._columns = open_array(folder / TERM_COLUMNS, "<i4", count)
        self._bytes = open_bytes(folder / TERMS)

    def get(self, term: str) -> int | None:
        """The column of `term`, None where no document holds it."""
        wanted = term.encode("utf-8", "surrogatepass")
        place = bisect_left(range(len(self._columns)), wanted, key=self._term)
        if place == len(self._columns) or self._term(place) != wanted:
            return None
        return int(self._columns[place])

    def _term(self, place: int) -> bytes:
        return self._bytes[int(self._starts[place]) : int(self._starts[place + 1])]


def _line(document: Document) -> bytes:
    metadata = dict(document.metadata)
    if (path := _not_json(metadata)) is not None:
        raise BadInput(
            f"document {document.id!r}: metadata{path} would not come back from an index as it is; use only "
            "None, bool, int, float, str, list, and dict with str keys"
        )
    record = [document.id, document.title, document.text, metadata]
    # Escapes could not tell two lone surrogates from the one character they would make.
    return json.dumps(record, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n"


def _not_json(value: Any) -> str | None:
    """Where in `value` something is that JSON would change, as a path; None where nothing is."""
    if value is None or type(value) in (bool, int, float, str):
        return None
    children: Iterable[tuple[Any, Any]]
    if type(value) is dict:
        children = value.items()
        if bad := next((key for key in value if type(key) is not str), None):
            return f"[{bad!r}]"
    elif type(value) is list:
        children = enumerate(value)
    else:
        return f" (a {type(value).__name__})"
    for key, child in children:
        if (path := _not_json(child)) is not None:
            return f"[{key!r}]{path}"
    return None
