"""The file of a cache: answers of language models in SQLite, shared by threads and processes.

Prompts are not in it: an answer is found by a hash of its request. Replies are, so the file is the user's alone.

Every answer is a transaction of its own in a write-ahead log with synchronous=NORMAL: a process that is killed loses
nothing that was written; a power failure may lose the last answers, which are then asked for again, and never damages
the file. Full synchrony would make each answer wait for the disk to guard against that alone.
"""

import json
import math
import os
import sqlite3
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import RLock
from typing import Literal, NamedTuple
from weakref import WeakSet

from whyrank.errors import Corrupt, Unwritable
from whyrank.lm.base import Reply
from whyrank.lm.records import reply_of, reply_record

VARIABLE = "WHYRANK_CACHE"
FILE = "answers.sqlite"
APPLICATION = 0x77_68_79_72
"""Stands in the head of the file, so that no other program's is taken for ours: "whyr"."""
VERSION = 1
BUSY_S = 30.0
"""How long one process waits for another to finish writing; a write takes well under a millisecond."""
DAY_S = 86_400
SCHEMA = """
CREATE TABLE answers (
    key BLOB NOT NULL PRIMARY KEY,
    model TEXT NOT NULL,
    kind TEXT NOT NULL,
    reply TEXT NOT NULL,
    prompt_tokens INTEGER NOT NULL,
    generated_tokens INTEGER NOT NULL,
    cost REAL,
    created REAL NOT NULL,
    used REAL NOT NULL,
    hits INTEGER NOT NULL DEFAULT 0
)
"""
PUT = """
INSERT INTO answers (key, model, kind, reply, prompt_tokens, generated_tokens, cost, created, used)
VALUES (:key, :model, :kind, :reply, :prompt_tokens, :generated_tokens, :cost, :now, :now)
ON CONFLICT (key) DO UPDATE SET reply = :reply, prompt_tokens = :prompt_tokens,
    generated_tokens = :generated_tokens, cost = :cost, created = :now, used = :now
"""
SUMMARY = """
SELECT model, count(*), sum(length(CAST(reply AS BLOB))), sum(hits), sum(hits * (prompt_tokens + generated_tokens)),
    coalesce(sum(hits * cost), 0.0), coalesce(sum(hits) FILTER (WHERE cost IS NULL), 0), min(created), max(used)
FROM answers GROUP BY model ORDER BY model
"""


class Kept(NamedTuple):
    """What a cache holds of one model, and what that has saved.

    Attributes:
        model: its name.
        answers: how many.
        bytes: of the answers.
        hits: requests that were answered from here.
        tokens_saved: tokens of prompts and answers that these would have cost.
        cost_saved: US dollars that these would have cost, where the price was known.
        hits_unpriced: of `hits`, those whose price is unknown.
        oldest: when the oldest answer was stored, in seconds since 1970.
        used: when an answer was last used.
    """

    model: str
    answers: int
    bytes: int
    hits: int
    tokens_saved: int
    cost_saved: float
    hits_unpriced: int
    oldest: float
    used: float


def default_path() -> Path:
    """The file that WHYRANK_CACHE names, or answers.sqlite in whyrank's folder among the user's caches.

    Where WHYRANK_CACHE names a folder, the file is in it.
    """
    if named := os.environ.get(VARIABLE):
        path = Path(named).expanduser()
        return path / FILE if path.is_dir() else path
    if sys.platform == "win32":
        folder = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "whyrank" / "Cache"
    elif sys.platform == "darwin":
        folder = Path.home() / "Library" / "Caches" / "whyrank"
    else:
        shared = Path(os.environ.get("XDG_CACHE_HOME", ""))
        folder = (shared if shared.is_absolute() else Path.home() / ".cache") / "whyrank"
    return folder / FILE


class Answers:
    """Answers by key. Opened at once; threads may share it, and so may a process and its forked children.

    Args:
        path: the file; created, with its folder, where it does not exist.

    Raises:
        Corrupt: it is damaged, another program's, or of a newer version of whyrank.
        Unwritable: it does not exist and cannot be created, or cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = RLock()
        self._connection: sqlite3.Connection | None = None
        with self._using():
            pass
        _OPEN.add(self)

    def get(self, key: bytes) -> Reply | None:
        """The answer of that key.

        Raises:
            Corrupt: the file is damaged.
            Unwritable: it cannot be read.
        """
        with self._using() as connection:
            row = connection.execute("SELECT reply FROM answers WHERE key = ?", (key,)).fetchone()
        if row is None:
            return None
        try:
            return reply_of(json.loads(row[0]))
        except (ValueError, TypeError) as error:
            raise _corrupt(self.path, f"an answer in it is damaged: {error}") from error

    def put(self, key: bytes, model: str, kind: str, reply: Reply) -> None:
        """Store an answer; one of the same key is replaced.

        Raises:
            Corrupt: the file is damaged.
            Unwritable: the file is read-only, the disk is full, or others were writing for too long.
        """
        values = {
            "key": key,
            "model": model,
            "kind": kind,
            "reply": json.dumps(reply_record(reply), separators=(",", ":")),
            "prompt_tokens": reply.usage.prompt_tokens,
            "generated_tokens": reply.usage.generated_tokens,
            "cost": reply.usage.cost,
            "now": time.time(),
        }
        with self._using() as connection:
            connection.execute(PUT, values)

    def used(self, times: Mapping[bytes, int]) -> None:
        """Note how often answers were used just now.

        Raises:
            Corrupt: the file is damaged.
            Unwritable: the file is read-only, the disk is full, or others were writing for too long.
        """
        now = time.time()
        rows = [(count, now, key) for key, count in times.items()]
        with self._using() as connection, _transaction(connection):
            connection.executemany("UPDATE answers SET hits = hits + ?, used = ? WHERE key = ?", rows)

    def summary(self) -> list[Kept]:
        """What it holds, by model.

        Raises:
            Corrupt: the file is damaged.
            Unwritable: it cannot be read.
        """
        with self._using() as connection:
            return [Kept(*row) for row in connection.execute(SUMMARY)]

    def remove(self, *, unused_days: float | None = None, model: str | None = None) -> int:
        """Remove answers and give their space back.

        Args:
            unused_days: only those that were not used for so long.
            model: only those of this model.

        Returns:
            How many answers were removed.

        Raises:
            Corrupt: the file is damaged.
            Unwritable: the file is read-only, or others were writing for too long.
        """
        before = math.inf if unused_days is None else time.time() - unused_days * DAY_S
        with self._using() as connection:
            removed = connection.execute(
                "DELETE FROM answers WHERE used <= ? AND (? IS NULL OR model = ?)", (before, model, model)
            ).rowcount
            with suppress(sqlite3.OperationalError):  # others are at work: the space is used again, if not given back
                connection.execute("VACUUM")
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        return removed

    def close(self) -> None:
        """Close the file. It is opened again when it is next needed."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def __del__(self) -> None:
        self.close()  # who forgets to is not warned of a connection that he never saw

    @contextmanager
    def _using(self) -> Iterator[sqlite3.Connection]:
        with self._lock, _explained(self.path):
            if self._connection is None:
                self._connection = _opened(self.path)
            yield self._connection

    def _before_fork(self) -> None:
        self._lock.acquire()
        self.close()

    def _after_fork(self) -> None:
        self._lock.release()


_OPEN: WeakSet[Answers] = WeakSet()
_FORKING: list[Answers] = []


def _close_all() -> None:
    """No connection may be carried into a child: SQLite's locks would not hold there."""
    _FORKING.extend(_OPEN)
    for answers in _FORKING:
        answers._before_fork()


def _go_on() -> None:
    while _FORKING:
        _FORKING.pop()._after_fork()


if sys.platform != "win32":
    os.register_at_fork(before=_close_all, after_in_parent=_go_on, after_in_child=_go_on)


def _opened(path: Path) -> sqlite3.Connection:
    _create(path)
    try:
        return _connected(path, "mode=rw")
    except sqlite3.OperationalError:
        # A log beside the file cannot be made in a read-only folder. Where there is none, nobody is writing either.
        if not path.is_file() or Path(f"{path}-wal").exists():
            raise
        return _connected(path, "mode=ro&immutable=1")


def _create(path: Path) -> None:
    """Make the file, for this user alone.

    An existing file is not opened here: closing it again would drop the locks that SQLite holds on it.
    """
    try:
        if not path.parent.is_dir():
            path.parent.parent.mkdir(parents=True, exist_ok=True)
            path.parent.mkdir(mode=0o700, exist_ok=True)
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except OSError as error:
        raise Unwritable(f"{path}: the cache cannot be created ({error.filename}: {error.strerror})") from error


def _connected(path: Path, mode: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?{mode}", uri=True, timeout=BUSY_S, isolation_level=None, check_same_thread=False
    )
    try:
        if _is_new(connection, path):
            _lay_out(connection)
        connection.execute("PRAGMA synchronous = NORMAL")
    except BaseException:
        connection.close()
        raise
    return connection


def _is_new(connection: sqlite3.Connection, path: Path) -> bool:
    """Whether nothing is in the file yet.

    Raises:
        Corrupt: what is in it is not ours, or of a newer version.
    """
    with _transaction(connection, "DEFERRED"):  # all as of one moment: another process may be laying it out
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if (application, version, tables) == (0, 0, 0):
        return True
    if application != APPLICATION:
        raise _corrupt(path, "it is a database of another program")
    if version != VERSION:
        raise _corrupt(path, f"its version is {version}, and this whyrank reads version {VERSION}")
    return False


def _lay_out(connection: sqlite3.Connection) -> None:
    deadline = time.monotonic() + BUSY_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL").fetchall()
            break
        except sqlite3.OperationalError as error:
            # Another process is laying it out; SQLite does not wait by itself for a change of the journal.
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
    with _transaction(connection):
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if not tables:
            connection.execute(SCHEMA)
            connection.execute(f"PRAGMA application_id = {APPLICATION}")
            connection.execute(f"PRAGMA user_version = {VERSION}")


@contextmanager
def _transaction(
    connection: sqlite3.Connection, kind: Literal["IMMEDIATE", "DEFERRED"] = "IMMEDIATE"
) -> Iterator[None]:
    connection.execute(f"BEGIN {kind}")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Errors of SQLite as ours."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise Unwritable(f"{path}: the cache cannot be used ({error})") from error
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:  # of a damaged name, the message is no text
        raise _corrupt(path, str(error)) from error


def _corrupt(path: Path, what: str) -> Corrupt:
    return Corrupt(
        f"{path}: this is no cache that can be used: {what}; move or delete the file, or name another in {VARIABLE}"
    )
