"""Work that no two processes may do at once: a file that one of them holds."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from whyrank.errors import BadInput, Unwritable


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Work in a folder as the only process that does.

    Raises:
        BadInput: another process is at work there.
        Unwritable: the folder cannot be written to.
    """
    path = folder / "lock"
    try:
        file = path.open("a+b")
    except OSError as error:
        raise Unwritable(f"{path}: cannot be written ({error.strerror}); name another folder") from error
    with file:
        lock(file, path)
        yield


def lock(file: BinaryIO, path: Path) -> None:
    """Take an open file for this process; the system lets it go when the process ends, however it ends.

    Args:
        file: it must be open for writing; it is free again when it is closed.
        path: its name in messages.

    Raises:
        BadInput: another process has it.
        Unwritable: its file system knows no locks.
    """
    try:
        if sys.platform == "win32":
            import msvcrt

            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError) as error:
        raise BadInput(f"{path}: another process is working here; wait for it, or name another folder") from error
    except OSError as error:
        raise Unwritable(f"{path}: cannot be locked ({error.strerror}); name a folder on another disk") from error
