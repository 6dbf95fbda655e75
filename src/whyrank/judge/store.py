"""What judges said, kept in SQLite: one row a sheet, appended and never changed.

A sheet that `put` has acknowledged is on the disk: each is a transaction of its own in a write-ahead log with
synchronous=FULL. A judge's newest row for an item is what counts; a row without answers is one that was taken back. So
a correction wins, and what was said before stays to be read. Several processes may have the store open.
"""

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from types import TracebackType
from typing import Any, Self

from whyrank.errors import BadInput, Corrupt, MissingFile, Unwritable
from whyrank.formats import json_values
from whyrank.formats.plain import plain, restore
from whyrank.formats.problems import Wrong
from whyrank.judge.records import Answer, Sheet
from whyrank.teach.store import is_store, transaction

APPLICATION = 0x77_68_79_6A
"""Stands in the head of the file, so that no other program's is taken for ours: "whyj"."""
VERSION = 1
BUSY_S = 30.0
"""How long one process waits for another to finish writing; a write takes some milliseconds."""
SCHEMA = """
CREATE TABLE fixed (name TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE sheets (
    number INTEGER PRIMARY KEY,
    item TEXT NOT NULL,
    judge TEXT NOT NULL,
    answers TEXT
);
CREATE INDEX newest ON sheets (judge, item, number);
"""
COUNTING = """
SELECT number, item, judge, answers FROM sheets AS own
WHERE answers IS NOT NULL AND number = (SELECT max(number) FROM sheets WHERE judge = own.judge AND item = own.item)
"""


class Judgements:
    """The sheets of one experiment. Threads may share it, and so may processes.

    Args:
        path: the file; it is created, but its folder must exist.
        fixed: what answers rest on, by name (`Study.fixed`).
        create: make it where it does not exist.

    Raises:
        MissingFile: it does not exist and is not to be made.
        BadInput: it is no store of judgements, one of another version, or of another experiment: what differs is named.
        Corrupt: it is damaged.
        Unwritable: it cannot be created or opened.
    """

    def __init__(self, path: str | Path, fixed: Mapping[str, str], *, create: bool = True) -> None:
        self.path = Path(path)
        self._lock = RLock()
        if not create and not self.path.exists():
            raise MissingFile(f"{path}: no such store; nobody has judged yet: whyrank judge FILE")
        if not self.path.parent.is_dir():
            raise Unwritable(f"{path}: the folder {self.path.parent} does not exist; create it first")
        with self._explained():
            file = self.path.absolute()  # SQLite takes some names, such as :memory:, for no file at all
            self._connection = sqlite3.connect(file, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
            try:
                self._open(fixed)
            except BaseException:
                self._connection.close()
                raise

    def put(self, sheet: Sheet) -> None:
        """Keep a sheet; when this returns, it is on the disk. One of the same item and judge is corrected by it.

        Raises:
            Unwritable: the disk is full, or others were writing for too long; sheets kept before are safe.
            Corrupt: the file is damaged.
        """
        self._append(sheet.item, sheet.judge, json_values.dumps([plain(answer) for answer in sheet.answers]))

    def take_back(self, judge: str) -> Sheet | None:
        """Take back what a judge said last, if anything; the sheet, so that it can be mended.

        Raises:
            Unwritable, Corrupt: as `put`.
        """
        with self._transaction() as connection:
            found = connection.execute(f"{COUNTING} AND judge = ? ORDER BY number DESC LIMIT 1", (judge,)).fetchone()
            if found is None:
                return None
            number, item, _, answers = found
            connection.execute("INSERT INTO sheets (item, judge, answers) VALUES (?, ?, NULL)", (item, judge))
        return Sheet(item, judge, self._answers(number, answers))

    def sheets(self) -> list[Sheet]:
        """What counts of what was said, in the order in which it was said.

        Raises:
            Corrupt: a row is damaged.
        """
        with self._using() as connection:
            rows = connection.execute(f"{COUNTING} ORDER BY number").fetchall()
        return [Sheet(item, judge, self._answers(number, answers)) for number, item, judge, answers in rows]

    def answers(self) -> list[Answer]:
        """The same, answer by answer.

        Raises:
            Corrupt: a row is damaged.
        """
        return [answer for sheet in self.sheets() for answer in sheet.answers]

    def done(self) -> dict[str, set[str]]:
        """Judge → the items that the judge is done with, in no order."""
        with self._using() as connection:
            found: dict[str, set[str]] = {}
            for _, item, judge, _ in connection.execute(COUNTING):
                found.setdefault(judge, set()).add(item)
        return found

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

    def _append(self, item: str, judge: str, answers: str) -> None:
        with self._transaction() as connection:
            connection.execute("INSERT INTO sheets (item, judge, answers) VALUES (?, ?, ?)", (item, judge, answers))

    def _open(self, fixed: Mapping[str, str]) -> None:
        connection = self._connection
        connection.execute("PRAGMA synchronous = FULL")
        if connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (
            0,
        ):  # what is not ours is left alone
            connection.execute("PRAGMA journal_mode = WAL").fetchall()
        with transaction(connection):  # another process may be laying it out
            self._check_ours(fixed)

    def _check_ours(self, fixed: Mapping[str, str]) -> None:
        """Lay out what is empty; refuse what is not ours, or of another experiment."""
        connection = self._connection
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if (application, version, tables) == (0, 0, 0):
            for statement in filter(str.strip, SCHEMA.split(";")):
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {APPLICATION}")
            connection.execute(f"PRAGMA user_version = {VERSION}")
            connection.executemany("INSERT INTO fixed (name, value) VALUES (?, ?)", fixed.items())
            return
        if application != APPLICATION:
            raise BadInput(
                f"{self.path}: is a database of another program, and no store of judgements; name another file: "
                "store: judgements.sqlite"
            )
        if version != VERSION:
            raise BadInput(f"{self.path}: is a store of version {version}; this whyrank reads version {VERSION}")
        self._check_same(fixed)

    def _check_same(self, fixed: Mapping[str, str]) -> None:
        known = dict(self._connection.execute("SELECT name, value FROM fixed"))
        if known == dict(fixed):
            return
        changed = [name for name in {**known, **fixed} if known.get(name) != fixed.get(name)]
        told = [f"{name} was {known.get(name)!r} and is {fixed.get(name)!r}" for name in changed]
        raise BadInput(
            f"{self.path}: holds answers to another experiment: {'; '.join(told)}; judge this one into a store of its "
            "own (store: FILE), or put the settings and results back as they were"
        )

    def _answers(self, number: int, text: str) -> tuple[Answer, ...]:
        try:
            return restore(tuple[Answer, ...], json.loads(text), "answers")
        except (ValueError, RecursionError, Wrong) as error:
            raise Corrupt(f"{self.path}: sheet {number} is damaged ({error}); restore the file from a copy") from error

    @contextmanager
    def _using(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._explained():
            yield self._connection

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """All that is written within is on the disk at its end, or nothing of it is there."""
        with self._using() as connection, transaction(connection):
            yield connection

    @contextmanager
    def _explained(self) -> Iterator[Any]:
        """Errors of SQLite as ours."""
        try:
            yield
        except sqlite3.OperationalError as error:
            raise Unwritable(
                f"{self.path}: the store cannot be used ({error}); what was kept before is safe: make room there or "
                "name another file, store: FILE"
            ) from error
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:  # of a damaged name, the message is no text
            if not is_store(self.path):
                raise BadInput(f"{self.path}: is no store of judgements; name another file: store: FILE") from error
            raise Corrupt(f"{self.path}: the store is damaged ({error}); restore the file from a copy") from error
