"""Opening and replacing files: gzip is seen by its first bytes, "-" is standard input, writes are whole or absent."""

import gzip
import io
import os
import secrets
import shutil
import stat
import sys
import zlib
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from whyrank.errors import BadInput, Corrupt, MissingFile, Unwritable, WhyrankError
from whyrank.formats.problems import Complain, Problem, fail
from whyrank.types import Progress

GZIP_MAGIC = b"\x1f\x8b"
BUFFER = 1 << 20
PROGRESS_EVERY = 1 << 22
"""Bytes between two reports of progress."""


class Source:
    """One input, opened once and read forward, so that a pipe serves as well as a file.

    Attributes:
        name: the path as it was given; what error messages start with.
    """

    def __init__(self, name: str, raw: io.BufferedReader, size: int = 0, progress: Progress | None = None) -> None:
        self.name = name
        self._raw = raw
        self._size = size
        self._progress = progress
        self._head = b""
        packed = raw.peek(2)[:2] == GZIP_MAGIC
        # GzipFile answers readline in Python; a buffer above it answers in C.
        self._stream = io.BufferedReader(gzip.GzipFile(fileobj=raw), BUFFER) if packed else raw

    def peek(self, size: int) -> bytes:
        """The first `size` bytes (fewer at the end), decompressed; they are read again by what follows."""
        while len(self._head) < size:
            with _reading(self.name):
                more = self._stream.read(size - len(self._head))
            if not more:
                break
            self._head += more
        return self._head[:size]

    def read(self) -> bytes:
        """All of it, decompressed."""
        with _reading(self.name):
            return self._head + self._stream.read()

    def text(self) -> str:
        """All of it as text.

        Raises:
            BadRecord: it is not UTF-8.
        """
        return "".join(line for _, line in self.lines())

    def lines(self, complain: Complain = fail) -> Iterator[tuple[int, str]]:
        r"""Its lines with their 1-based numbers, one at a time, with their ends; only ``\n`` ends a line.

        A line that is not UTF-8 is complained of and left out; it is never mended silently.
        """
        offset, reported = 0, 0
        with _reading(self.name):
            for number, line in enumerate(self._raw_lines(), 1):
                if number == 1 and line.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
                    complain(_utf16(self.name))
                    return
                skipped = len(BOM_UTF8) if number == 1 and line.startswith(BOM_UTF8) else 0
                try:
                    text = line[skipped:].decode()
                except UnicodeDecodeError as error:
                    complain(_not_utf8(self.name, number, offset + skipped, error))
                else:
                    yield number, text
                offset += len(line)
                if self._progress and offset - reported >= PROGRESS_EVERY:
                    reported = offset
                    self._progress(*self._position(offset))
            if self._progress and offset:
                self._progress(*self._position(offset))

    def _raw_lines(self) -> Iterator[bytes]:
        *whole, rest = self._head.split(b"\n")
        for line in whole:
            yield line + b"\n"
        if rest := rest + self._stream.readline():
            yield rest
        yield from self._stream

    def _position(self, offset: int) -> tuple[int, int]:
        return (self._raw.tell(), self._size) if self._size else (offset, 0)


@contextmanager
def opening(path: str | Path, progress: Progress | None = None) -> Iterator[Source]:
    """Open a file, or standard input for "-"; gzip is unpacked on the way.

    Args:
        path: the file.
        progress: told (bytes read, bytes in all) every few MiB, as stored on disk; the second is 0 for a pipe.

    Raises:
        MissingFile: there is no such file.
        BadInput: it is a folder or cannot be read.
        Corrupt: the gzip stream is damaged or ends early (raised while reading).
    """
    if str(path) == "-":
        yield Source("-", _peekable(sys.stdin.buffer), progress=progress)
        return
    with _open(path) as raw:
        status = os.fstat(raw.fileno())
        yield Source(str(path), raw, status.st_size if stat.S_ISREG(status.st_mode) else 0, progress)


def read_bytes(path: str | Path) -> bytes:
    """The whole content of a file, or of standard input for "-", decompressed if it is gzip.

    Raises:
        MissingFile: there is no such file.
        BadInput: it is a folder or cannot be read.
        Corrupt: the gzip stream is damaged or ends early.
    """
    with opening(path) as source:
        return source.read()


@contextmanager
def replacing(path: str | Path) -> Iterator[BinaryIO]:
    """Write a file whole or not at all: a temporary beside it, fsync, rename. A name ending in .gz is compressed.

    A link is followed, permissions of what stood there are kept, and what is no regular file (a device, a named
    pipe) is written to directly: it cannot be replaced.

    Raises:
        Unwritable: the folder is absent or read-only, or the disk is full. What stood at `path` is untouched.
    """
    target = Path(os.path.realpath(path))
    temporary: Path | None = None
    try:
        mode = target.stat().st_mode if target.exists() else None
        if mode is not None and not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
            with target.open("wb") as device:
                yield device
            return
        if not target.parent.is_dir():
            raise Unwritable(f"{path}: the folder {target.parent} does not exist; create it first")
        temporary = target.with_name(f".whyrank-{secrets.token_hex(8)}.tmp")
        with temporary.open("xb") as raw:
            with _packing(raw, target) as stream:
                yield stream
            raw.flush()
            os.fsync(raw.fileno())
        if mode is not None:
            temporary.chmod(stat.S_IMODE(mode))
        temporary.replace(target)
        _sync_folder(target.parent)
    except WhyrankError:
        raise
    except OSError as error:
        raise Unwritable(f"{path}: cannot be written ({error.strerror or error}); nothing was changed") from error
    finally:
        if temporary is not None:
            with suppress(OSError):
                temporary.unlink()


def text_writer(binary: BinaryIO) -> io.TextIOWrapper:
    """UTF-8 text over a binary stream, with plain newlines on every system."""
    return io.TextIOWrapper(binary, encoding="utf-8", newline="\n")


def _open(path: str | Path) -> io.BufferedReader:
    try:
        return _peekable(Path(path).open("rb", buffering=BUFFER))
    except FileNotFoundError:
        raise MissingFile(f"{path}: no such file") from None
    except IsADirectoryError:
        raise BadInput(f"{path}: is a folder; name a file in it") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise BadInput(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from error


def _peekable(stream: Any) -> io.BufferedReader:
    return stream if isinstance(stream, io.BufferedReader) else io.BufferedReader(stream, BUFFER)


@contextmanager
def _reading(name: str) -> Iterator[None]:
    try:
        yield
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise Corrupt(f"{name}: damaged gzip data ({error}); the file may be incomplete") from error
    except WhyrankError:
        raise
    except OSError as error:
        raise BadInput(f"{name}: cannot be read ({error.strerror or error})") from error


@contextmanager
def _packing(raw: BinaryIO, target: Path) -> Iterator[BinaryIO]:
    if target.suffix != ".gz":
        yield raw
        return
    # No name and no time inside, so that the same content is the same bytes.
    with gzip.GzipFile(fileobj=raw, mode="wb", filename="", mtime=0) as packed:
        yield packed  # type: ignore[misc]


def _sync_folder(folder: Path) -> None:
    with suppress(OSError):  # Windows opens no folders; the rename itself has happened
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _utf16(name: str) -> Problem:
    return Problem(
        name,
        1,
        "starts with the byte order mark of UTF-16",
        f"save it as UTF-8 (iconv -f UTF-16 -t UTF-8 {name} > {name}.utf8)",
    )


def _not_utf8(name: str, line: int, offset: int, error: UnicodeDecodeError) -> Problem:
    byte = error.object[error.start]
    return Problem(
        name,
        line,
        f"not UTF-8: byte 0x{byte:02x} at offset {offset + error.start} ({error.reason})",
        "save the file as UTF-8; nothing is replaced silently",
    )


def put_folder(temporary: Path, target: Path) -> None:
    """Give a finished folder its name; what stood there goes once the new one has it, and comes back if it cannot."""
    if not target.exists():
        temporary.rename(target)
        return
    old = target.with_name(f"{temporary.name}.old")
    target.rename(old)
    try:
        temporary.rename(target)
    except OSError:
        old.rename(target)
        raise
    shutil.rmtree(old, ignore_errors=True)
