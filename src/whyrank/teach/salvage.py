"""What can still be read of a damaged store, and how much of it cannot."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import NamedTuple

from whyrank.errors import BadInput, Corrupt, MissingFile
from whyrank.formats.problems import Wrong
from whyrank.teach.records import TeacherRecord, from_json
from whyrank.teach.store import APPLICATION, foreign, is_store

MISSES = 1_000
"""Rows without a trace of them, one after the other, after which a store that does not say how many it held is taken to
be at its end."""


class Salvaged(NamedTuple):
    """What was saved.

    Attributes:
        records: what can be read, in the order in which it came.
        lost: rows that cannot be read; None where the store no longer says how many it held.
    """

    records: list[TeacherRecord]
    lost: int | None


def salvaged(path: str | Path) -> Salvaged:
    """Read a damaged store row by row; rows that cannot be read are counted and left out.

    Raises:
        MissingFile: there is no such file.
        BadInput: it is no SQLite file at all, or another program's.
        Corrupt: none of its records can be read.
    """
    if not Path(path).exists():
        raise MissingFile(f"{path}: no such store")
    if not is_store(path):
        raise BadInput(f"{path}: does not begin as a store does, so nothing can be read of it")
    uri = f"{Path(path).absolute().as_uri()}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as connection:
        connection.execute("PRAGMA writable_schema = ON")  # or a file shorter than its head says is refused as a whole
        application = _number(connection, "PRAGMA application_id")
        held = _number(connection, "SELECT count(*) FROM records")
        found = dict(_readable(connection, held or 0))
    # The number in the head may itself be what is damaged: records of ours are saved whatever it is.
    if not found and application not in (APPLICATION, None):
        raise foreign(path)
    if not found and held != 0:
        raise Corrupt(f"{path}: the store is damaged, and none of its records can be read")
    # Rows are numbered from 1 without a gap: none is ever removed.
    rows = None if held is None else max(held, *found, 0)
    return Salvaged(list(found.values()), None if rows is None else rows - len(found))


def _number(connection: sqlite3.Connection, asked: str) -> int | None:
    """A number that SQLite is asked for; None where damage keeps it from answering."""
    try:
        return int(connection.execute(asked).fetchone()[0])
    except (sqlite3.DatabaseError, ValueError):  # ValueError: a message about a damaged name is no text
        return None


def _readable(connection: sqlite3.Connection, held: int) -> Iterator[tuple[int, TeacherRecord]]:
    """Row number and record of each row that can be read, of at least the first `held`."""
    row = misses = 0
    while misses < MISSES or row < held:
        row, misses = row + 1, misses + 1
        with suppress(sqlite3.DatabaseError, ValueError, TypeError, RecursionError, Wrong):
            found = connection.execute("SELECT record FROM records WHERE rowid = ?", (row,)).fetchone()
            if found is not None:
                yield row, from_json(json.loads(found[0]))
                misses = 0
