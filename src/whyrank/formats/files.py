"""Opening and replacing files: gzip is seen by its first bytes, "-" is standard input, writes are whole or absent."""

import gzip
import io
import os
import sys
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from whyrank.errors import BadInput, Corrupt, MissingFile, Unwritable, WhyrankError

GZIP_MAGIC = b"\x1f\x8b"


def read_bytes(path: str | Path) -> bytes:
    """The whole content of a file, or of standard input for "-", decompressed if it is gzip.

    Raises:
        MissingFile: there is no such file.
        BadInput: it is a folder or cannot be read.
        Corrupt: the gzip stream is damaged or ends early.
    """
    if str(path) == "-":
        raw = sys.stdin.buffer.read()
    else:
        try:
            raw = Path(path).read_bytes()
        except FileNotFoundError:
            raise MissingFile(f"{path}: no such file") from None
        except OSError as error:
            raise BadInput(f"{path}: cannot be read ({error.strerror})") from error
    if not raw.startswith(GZIP_MAGIC):
        return raw
    try:
        return gzip.decompress(raw)
    except (EOFError, OSError, zlib.error) as error:
        raise Corrupt(f"{path}: damaged gzip data ({error}); the file may be incomplete") from error


@contextmanager
def replacing(path: str | Path) -> Iterator[BinaryIO]:
    """Write a file whole or not at all: a temporary beside it, fsync, rename. A name ending in .gz is compressed.

    Raises:
        Unwritable: the folder is absent or read-only, or the disk is full. What stood at `path` is untouched.
    """
    target = Path(path)
    temporary = ""
    try:
        handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        with os.fdopen(handle, "wb") as raw:
            if target.suffix == ".gz":
                with gzip.GzipFile(fileobj=raw, mode="wb", filename="", mtime=0) as packed:
                    yield packed  # type: ignore[misc]
            else:
                yield raw
            raw.flush()
            os.fsync(raw.fileno())
        Path(temporary).chmod(0o666 & ~_umask())
        Path(temporary).replace(target)
    except WhyrankError:
        raise
    except OSError as error:
        raise Unwritable(f"{target}: cannot be written ({error.strerror or error}); nothing was changed") from error
    finally:
        if temporary:
            with suppress(OSError):
                Path(temporary).unlink()


def text_writer(binary: BinaryIO) -> io.TextIOWrapper:
    """UTF-8 text over a binary stream, with plain newlines on every system."""
    return io.TextIOWrapper(binary, encoding="utf-8", newline="\n")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
