"""Finished work, one record a line, appended and never rewritten: what a killed experiment takes up again.

A record is there whole or not at all: it counts from its line end on, and a line that a kill has torn is cut away when
the file is next opened. A record is found by its key, the fingerprint of everything that made it, so a file may
hold results of many settings and none is mistaken for another's.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from whyrank.errors import Corrupt, Unwritable
from whyrank.formats.locks import lock


def fingerprint(*parts: object) -> str:
    """32 hex digits that name these values; a set, a list and a tuple of the same items are the same.

    >>> fingerprint("a", 1) == fingerprint("a", 1), fingerprint("a", 1) == fingerprint("a1")
    (True, False)
    """
    text = json.dumps(parts, ensure_ascii=False, sort_keys=True, default=_plain)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


class Store:
    """An append-only file of records by key, open for one process at a time.

    Args:
        path: the file; it is created, but its folder must exist.

    Raises:
        BadInput: another process has it open.
        Corrupt: a line that is not the last is no record.
        Unwritable: it cannot be created or mended.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        try:
            self._file: BinaryIO = self._path.open("a+b")
        except OSError as error:
            raise Unwritable(f"{path}: cannot be written ({error.strerror}); name another folder") from error
        try:
            lock(self._file, self._path)
            self._records = self._read()
        except BaseException:
            self._file.close()
            raise

    def __contains__(self, key: str) -> bool:
        return key in self._records

    def __len__(self) -> int:
        return len(self._records)

    def __getitem__(self, key: str) -> Any:
        return self._records[key]

    def add(self, records: Iterable[tuple[str, Any]]) -> None:
        """Append records and wait until the disk has them.

        Args:
            records: keys and values that JSON can hold.

        Raises:
            Unwritable: the disk is full or gone; records that were added before are safe.
        """
        new = dict(records)
        assert not new.keys() & self._records.keys(), "a record is written once"
        lines = [json.dumps({"key": key, "value": value}, ensure_ascii=False) + "\n" for key, value in new.items()]
        try:
            self._file.write("".join(lines).encode("utf-8", "surrogatepass"))
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise Unwritable(
                f"{self._path}: cannot be written ({error.strerror}); what was finished before is safe: make room "
                "and run the same command again"
            ) from error
        self._records.update(new)

    def close(self) -> None:
        """Let others open it. What a failed `add` could not write is not tried again."""
        with suppress(OSError):
            self._file.close()

    def __enter__(self) -> "Store":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _read(self) -> dict[str, Any]:
        self._file.seek(0)
        data = self._file.read()
        whole = data.rfind(b"\n") + 1
        records: dict[str, Any] = {}
        for number, line in enumerate(data[:whole].split(b"\n")[:-1], 1):
            record = _record(line)
            if record is None:
                raise Corrupt(
                    f"{self._path}:{number}: is no record; delete that line, and what it held is made again by the "
                    "same command"
                )
            records[record["key"]] = record["value"]
        if whole < len(data):
            self._cut(whole)
        return records

    def _cut(self, length: int) -> None:
        try:
            self._file.truncate(length)
            os.fsync(self._file.fileno())
        except OSError as error:
            raise Unwritable(f"{self._path}: cannot be mended ({error.strerror})") from error


def _record(line: bytes) -> Mapping[str, Any] | None:
    try:
        record = json.loads(line.decode("utf-8", "surrogatepass"))
    except ValueError:
        return None
    return record if isinstance(record, dict) and record.keys() == {"key", "value"} else None


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, tuple | frozenset | set):
        return sorted(value) if not isinstance(value, tuple) else list(value)
    raise TypeError(f"{type(value).__name__} has no fingerprint")
