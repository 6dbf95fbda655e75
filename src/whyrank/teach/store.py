"""The file in which what teachers said is kept while they are asked: SQLite, one row a record.

A record that `Store.add` has acknowledged is on the disk: each is a transaction of its own in a write-ahead log with
synchronous=FULL, so neither a kill nor a power failure loses it, and what was half-written when the power went is not
there. The request's hash is the primary key, so nothing is stored twice whoever writes.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import RLock
from types import TracebackType
from typing import Any, Self

from whyrank.errors import BadInput, Corrupt, MissingFile, Unwritable
from whyrank.formats import json_values
from whyrank.formats.problems import Wrong
from whyrank.teach.records import USABLE, TeacherRecord, from_json, read_records, to_json

MAGIC = b"SQLite format 3\0"
APPLICATION = 0x77_68_79_74
"""Stands in the head of the file, so that no other program's is taken for ours: "whyt"."""
VERSION = 1
BUSY_S = 30.0
"""How long one process waits for another to finish writing; a write takes some milliseconds."""
CHECKPOINT_PAGES = 1_000
"""Pages of the log after which they are moved into the file."""
SCHEMA = """
CREATE TABLE records (
    key TEXT NOT NULL PRIMARY KEY,
    query TEXT NOT NULL,
    model TEXT NOT NULL,
    mode TEXT NOT NULL,
    status TEXT NOT NULL,
    documents INTEGER NOT NULL,
    cost REAL,
    record TEXT NOT NULL
)
"""
ADD = "INSERT INTO records (key, query, model, mode, status, documents, cost, record) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
REPLACE = (
    "UPDATE records SET query = ?2, model = ?3, mode = ?4, status = ?5, documents = ?6, cost = ?7, record = ?8 "
    "WHERE key = ?1"
)
RENEW = (
    f"{ADD} ON CONFLICT (key) DO UPDATE SET query = excluded.query, model = excluded.model, mode = excluded.mode, "
    "status = excluded.status, documents = excluded.documents, cost = excluded.cost, record = excluded.record"
)


class Store:
    """Teacher records by key, in the order in which they came. Threads may share it, and so may processes.

    Args:
        path: the file.
        create: make it where it does not exist; its folder must exist.

    Raises:
        MissingFile: it does not exist and is not to be made.
        BadInput: it is no store of teacher records, or one of another version.
        Corrupt: it is damaged.
        Unwritable: it cannot be created or opened.
    """

    def __init__(self, path: str | Path, *, create: bool = True) -> None:
        self.path = Path(path)
        self._lock = RLock()
        if not self.path.exists():
            if not create:
                raise MissingFile(f"{path}: no such store")
            if not self.path.parent.is_dir():
                raise Unwritable(f"{path}: the folder {self.path.parent} does not exist; create it first")
        with _explained(self.path):
            self._connection = _connected(self.path)

    def add(self, record: TeacherRecord, *, again: bool = False) -> bool:
        """Keep a record. When this returns, it is on the disk.

        A record without a usable order gives way to one with such an order, which then also bears what it cost.

        Args:
            record: what a teacher said.
            again: whether the teacher was asked once more, so that the record also takes the place, and bears the cost,
                of one without a usable order if it has none itself.

        Returns:
            Whether it was kept: False where there is one of its key already.

        Raises:
            Unwritable: the disk is full, or others were writing for too long; records kept before are safe.
            Corrupt: the file is damaged.
        """
        with self._using() as connection, transaction(connection):
            return self._put(record, again)

    def renew(self, records: Iterable[TeacherRecord]) -> int:
        """Keep records that were computed, each in the place of an older one of its key: all of them, or none.

        Returns:
            How many there were.

        Raises:
            Unwritable, Corrupt: as `add`.
        """
        rows = [_row(record) for record in records]
        with self._using() as connection, transaction(connection):
            connection.executemany(RENEW, rows)
        return len(rows)

    def records(self) -> Iterator[TeacherRecord]:
        """All records, in the order in which they came.

        Raises:
            Corrupt: a record is damaged.
        """
        with self._using() as connection:
            rows = connection.execute("SELECT key, record FROM records ORDER BY rowid").fetchall()
        for key, text in rows:
            yield _record(self.path, key, text)

    def keys(self, *, usable: bool = False) -> set[str]:
        """The keys of all records, or of those with a usable order."""
        where = f" WHERE status IN ({', '.join('?' * len(USABLE))})" if usable else ""
        with self._using() as connection:
            return {key for (key,) in connection.execute(f"SELECT key FROM records{where}", USABLE if usable else ())}  # noqa: S608 - of our own constants

    def __len__(self) -> int:
        with self._using() as connection:
            (count,) = connection.execute("SELECT count(*) FROM records").fetchone()
        return int(count)

    def close(self) -> None:
        """Close the file; the log is moved into it."""
        with self._lock:
            self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _put(self, record: TeacherRecord, again: bool = False) -> bool:
        found = self._connection.execute("SELECT record FROM records WHERE key = ?", (record.key,)).fetchone()
        if found is None:
            self._connection.execute(ADD, _row(record))
            return True
        old = _record(self.path, record.key, found[0])
        if old.is_usable or not (record.is_usable or again):
            return False
        self._connection.execute(REPLACE, _row(replace(record, usage=old.usage + record.usage)))
        return True

    @contextmanager
    def _using(self) -> Iterator[sqlite3.Connection]:
        with self._lock, _explained(self.path):
            yield self._connection


def is_store(path: str | Path) -> bool:
    """Whether a file begins as SQLite's do; False where there is none."""
    try:
        with Path(path).open("rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except OSError:
        return False


def records_at(path: str | Path) -> list[TeacherRecord]:
    """The records of a store, or of a file of JSON Lines.

    Raises:
        MissingFile: there is no such file.
        BadInput, BadRecord, Corrupt: it is neither, or damaged.
    """
    if not is_store(path):
        return read_records(path)
    with Store(path, create=False) as store:
        return list(store.records())


def foreign(path: str | Path) -> BadInput:
    """The error for a database that is not ours."""
    return BadInput(f"{path}: is a database of another program, and no store of teacher records; name another file")


def _connected(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
    try:
        if _is_new(connection, path):
            _lay_out(connection)
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}").fetchall()
    except BaseException:
        connection.close()
        raise
    return connection


def _is_new(connection: sqlite3.Connection, path: Path) -> bool:
    """Whether nothing is in the file yet.

    Raises:
        BadInput: what is in it is not ours, or of another version.
    """
    connection.execute("BEGIN")  # all as of one moment: another process may be laying it out
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    connection.execute("COMMIT")
    if (application, version, tables) == (0, 0, 0):
        return True
    if application != APPLICATION:
        raise foreign(path)
    if version != VERSION:
        raise BadInput(
            f"{path}: is a store of version {version}, and this whyrank reads version {VERSION}; export it with the "
            "whyrank that wrote it (whyrank teach export), and import that (whyrank teach import)"
        )
    return False


def _lay_out(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA journal_mode = WAL").fetchall()
    connection.execute("BEGIN IMMEDIATE")
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if not tables:
        connection.execute(SCHEMA)
        connection.execute(f"PRAGMA application_id = {APPLICATION}")
        connection.execute(f"PRAGMA user_version = {VERSION}")
    connection.execute("COMMIT")


def _row(record: TeacherRecord) -> tuple[Any, ...]:
    return (
        record.key,
        *(name.encode(errors="replace").decode() for name in (record.query.id, record.model)),
        record.mode,
        record.status,
        len(record.documents),
        record.usage.cost,
        json_values.dumps(to_json(record)),
    )


def _record(path: Path, key: str, text: Any) -> TeacherRecord:
    try:
        return from_json(json.loads(text))
    except (ValueError, TypeError, RecursionError, Wrong) as error:
        raise _corrupt(path, f"the record {key} is damaged: {error}") from error


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All that is written within is on the disk at its end, or nothing of it is there."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Errors of SQLite as ours."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise Unwritable(f"{path}: the store cannot be used ({error}); what was kept before is safe") from error
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:  # of a damaged name, the message is no text
        if not is_store(path):
            raise BadInput(
                f"{path}: is no store of teacher records; name another file, or make one of it: whyrank teach import"
            ) from error
        raise _corrupt(path, str(error)) from error


def _corrupt(path: Path, what: str) -> Corrupt:
    return Corrupt(
        f"{path}: the store is damaged ({what}); write what can be read of it: whyrank teach export --salvage {path} "
        "OUT.jsonl, and import that into a new store"
    )
