"""Scores of teachers, kept beside records in the same file: computed once for a query, a document and a model.

A score belongs to the id and the text of its query, to the id, title and text of its document, and to the name of the
model, which holds its fingerprint. Another text or another model is another key: a score cannot meet a document that
was not scored. Scores that `ScoreStore.keep` has acknowledged are on the disk, as records are (`whyrank.teach.store`).
"""

import hashlib
import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

from whyrank.teach.store import Store, transaction
from whyrank.types import Document, Query, Usage

SCHEMA = (
    "CREATE TABLE IF NOT EXISTS models (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE)",
    """CREATE TABLE IF NOT EXISTS scores (
        model INTEGER NOT NULL, pair BLOB NOT NULL, score REAL NOT NULL, PRIMARY KEY (model, pair)
    ) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS spent (
        model INTEGER NOT NULL, query BLOB NOT NULL, usage TEXT NOT NULL, PRIMARY KEY (model, query)
    ) WITHOUT ROWID""",
)
MANY = 500
"""Keys in one question to SQLite."""


class Scored(NamedTuple):
    """What a model made of documents of one query.

    Attributes:
        query: what was asked.
        documents: those that were scored.
        scores: one each; finite.
        usage: what it cost.
    """

    query: Query
    documents: tuple[Document, ...]
    scores: tuple[float, ...]
    usage: Usage


class ScoreStore(Store):
    """A store of records that also holds scores. Threads may share it, and so may processes.

    Args:
        path: the file; any store of teacher records will do.

    Raises:
        BadInput, Corrupt, Unwritable: as `Store`.
    """

    def __init__(self, path: str | Path) -> None:
        super().__init__(path)
        with self._writing() as connection:
            for statement in SCHEMA:
                connection.execute(statement)

    def scores(self, model: str, query: Query, documents: Sequence[Document]) -> dict[str, float]:
        """Document id → its score, of those that the model has scored for this query.

        Raises:
            Corrupt: the file is damaged.
        """
        ids = {pair_key(query, document): document.id for document in documents}
        pairs = list(ids)
        found: dict[str, float] = {}
        with self._using() as connection:
            number = _number(connection, model)
            for start in range(0, len(pairs), MANY):
                some = pairs[start : start + MANY]
                asked = f"SELECT pair, score FROM scores WHERE model = ? AND pair IN ({', '.join('?' * len(some))})"  # noqa: S608 - of our own constants
                found.update((ids[pair], score) for pair, score in connection.execute(asked, (number, *some)))
        return found

    def keep(self, model: str, scored: Sequence[Scored]) -> None:
        """Keep scores and what they cost: all of them, or none. When this returns, they are on the disk.

        A score that is there already stays.

        Args:
            model: its name with its fingerprint.
            scored: what it scored.

        Raises:
            Unwritable: the disk is full, or others were writing for too long; what was kept before is safe.
            Corrupt: the file is damaged.
        """
        with self._writing() as connection:
            connection.execute("INSERT OR IGNORE INTO models (name) VALUES (?)", (model,))
            number = _number(connection, model)
            for one in scored:
                rows = [(number, pair_key(one.query, d), s) for d, s in zip(one.documents, one.scores, strict=True)]
                connection.executemany("INSERT OR IGNORE INTO scores (model, pair, score) VALUES (?, ?, ?)", rows)
                usage = json.dumps(asdict(_spent(connection, number, one.query) + one.usage))
                connection.execute(
                    "INSERT OR REPLACE INTO spent (model, query, usage) VALUES (?, ?, ?)",
                    (number, query_key(one.query), usage),
                )

    def spent(self, model: str, query: Query) -> Usage:
        """What scoring documents for this query has cost, whenever that was."""
        with self._using() as connection:
            return _spent(connection, _number(connection, model), query)

    def models(self) -> Mapping[str, int]:
        """Model → how many of its scores are kept."""
        asked = "SELECT name, (SELECT count(*) FROM scores WHERE model = number) FROM models ORDER BY number"
        with self._using() as connection:
            return dict(connection.execute(asked).fetchall())

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._using() as connection, transaction(connection):
            yield connection


def query_key(query: Query) -> bytes:
    """The sha256 of a query's id and text."""
    return _digest(query.id, query.text)


def pair_key(query: Query, document: Document) -> bytes:
    """The sha256 of what a score belongs to besides the model: ids and texts of query and document."""
    return _digest(query.id, query.text, document.id, document.title, document.text)


def _digest(*parts: str | None) -> bytes:
    return hashlib.sha256(json.dumps(parts, ensure_ascii=True).encode()).digest()


def _number(connection: sqlite3.Connection, model: str) -> int | None:
    found = connection.execute("SELECT number FROM models WHERE name = ?", (model,)).fetchone()
    return None if found is None else found[0]


def _spent(connection: sqlite3.Connection, number: int | None, query: Query) -> Usage:
    asked = "SELECT usage FROM spent WHERE model = ? AND query = ?"
    found = connection.execute(asked, (number, query_key(query))).fetchone()
    return Usage() if found is None else Usage(**json.loads(found[0]))
