"""What results may be written over: no store of teachers' answers, which were paid for, and nothing that is read."""

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from whyrank.errors import BadInput
from whyrank.formats.folders import open_folder
from whyrank.teach.store import is_store


def require_free(targets: Iterable[str | Path], inputs: Iterable[str | Path | None] = ()) -> None:
    """Refuse to write over a store, or over an input; any other file may be written over.

    Args:
        targets: files that are about to be written.
        inputs: files and folders of a collection that are read; None and "-" (standard input) are no file.

    Raises:
        BadInput: a target begins as a store does, or is an input, be it by another path or through a link.
    """
    read = [file for given in inputs if given is not None and str(given) != "-" for file in _files(Path(given))]
    for target in map(Path, targets):
        if is_store(target):
            raise BadInput(
                f"{target}: is a store of answers, which would be lost; name another file, or add records to the "
                "store: whyrank teach import records FILE --store STORE"
            )
        if any(_is_same(target, file) for file in read):
            raise BadInput(f"{target}: is what this command reads, and would be written over; name another file")


def _files(path: Path) -> list[Path]:
    """The file itself; of a folder, the parts of the collection in it."""
    if not path.is_dir():
        return [path]
    with suppress(BadInput):  # no collection: its readers say so
        folder = open_folder(path)
        return [part for part in (folder.corpus, folder.queries, folder.qrels, *folder.runs.values()) if part]
    return []


def _is_same(target: Path, file: Path) -> bool:
    if target.exists() and not target.is_file():  # a terminal or a pipe is read and written, and keeps nothing
        return False
    try:
        return target.samefile(file)
    except (OSError, ValueError):  # one of them is not there yet
        return os.path.realpath(target) == os.path.realpath(file)
