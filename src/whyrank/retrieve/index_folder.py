"""A saved index: a folder of plain files and a manifest that says what they must be. Nothing in it is code."""

import hashlib
import json
import mmap
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from whyrank.errors import Corrupt, MissingFile, Unwritable, WhyrankError
from whyrank.formats.files import put_folder

MANIFEST = "manifest.json"
REBUILD = "rebuild with whyrank index"
_BLOCK = 1 << 20


@contextmanager
def creating(folder: Path, *, overwrite: bool) -> Iterator[Path]:
    """Create a folder whole or not at all: written beside its place, synced to disk, then renamed.

    Yields:
        The folder to write into.

    Raises:
        Unwritable: something stands at `folder` already and `overwrite` is False or it is no index; its parent is
            absent or read-only; the disk is full. What stood there is untouched.
    """
    target = folder.resolve()
    _reject_occupied(folder, overwrite=overwrite)
    if not target.parent.is_dir():
        raise Unwritable(f"{folder}: the folder {target.parent} does not exist; create it first")
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(8)}.tmp")
    try:
        temporary.mkdir()
        yield temporary
        for path in (*temporary.iterdir(), temporary):
            _sync(path)
        put_folder(temporary, target)
        _sync(target.parent)
    except WhyrankError:
        raise
    except OSError as error:
        raise Unwritable(f"{folder}: cannot be written ({error.strerror or error}); nothing was changed") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_manifest(folder: Path, kind: str, version: int, facts: Mapping[str, Any]) -> None:
    """Describe the files of a folder: sizes and sha256 of each, and `facts` about the whole."""
    files = {
        path.name: {"bytes": path.stat().st_size, "sha256": _sha256(path)}
        for path in sorted(folder.iterdir())
        if path.name != MANIFEST
    }
    content = {"kind": kind, "format": version, **facts, "files": files}
    text = json.dumps({**content, "sha256": _checksum(content)}, indent=2)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")


def read_manifest(folder: Path, kind: str, version: int, files: Sequence[str]) -> dict[str, Any]:
    """The manifest of a folder, after checks that do not depend on its size: presence, format, length of each file.

    Raises:
        MissingFile: there is no such folder.
        Corrupt: no manifest, a damaged one, another kind or format, a file that is absent, strange or of the wrong
            length.
    """
    if not folder.exists():
        raise MissingFile(f"{folder}: no such index; build one with whyrank index")
    path = folder / MANIFEST
    if not path.is_file():
        raise Corrupt(f"{folder}: has no {MANIFEST}, so it is no index or an incomplete one; {REBUILD}")
    try:
        manifest = json.loads(path.read_bytes())
        checksum = manifest.pop("sha256")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Corrupt(f"{path}: damaged ({error}); {REBUILD}") from error
    if checksum != _checksum(manifest):
        raise Corrupt(f"{path}: does not match its own checksum, so it was changed or damaged; {REBUILD}")
    if (manifest["kind"], manifest["format"]) != (kind, version):
        raise Corrupt(
            f"{path}: is a {manifest['kind']} of format {manifest['format']}; "
            f"this version of whyrank reads a {kind} of format {version}; {REBUILD}"
        )
    if strange := sorted(set(manifest["files"]) - set(files)):
        raise Corrupt(f"{path}: names {strange[0]!r}, which is no file of an index; {REBUILD}")
    for name in files:
        _check_length(folder / name, manifest["files"].get(name))
    return dict(manifest)


def verify_files(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Read every file and compare its sha256.

    Raises:
        Corrupt: a file is absent or differs; the message names it.
    """
    for name, expected in manifest["files"].items():
        path = folder / name
        _check_length(path, expected)
        if _sha256(path) != expected["sha256"]:
            raise Corrupt(f"{path}: its sha256 is not the manifest's, so it was changed or damaged; {REBUILD}")


def copy_files(source: Path, target: Path) -> None:
    """Copy an index's files and manifest into a folder that exists."""
    manifest = json.loads((source / MANIFEST).read_bytes())
    for name in (*manifest["files"], MANIFEST):
        shutil.copyfile(source / name, target / name)


def write_array(path: Path, values: npt.ArrayLike, dtype: str) -> None:
    """Write the bare values: a header would be one more thing to parse, and to be damaged."""
    np.ascontiguousarray(values, dtype).tofile(path)


def open_array(path: Path, dtype: str, length: int) -> npt.NDArray[Any]:
    """Map an array into memory, read-only.

    Raises:
        Corrupt: it is not `length` values long.
    """
    mapped = np.frombuffer(open_bytes(path), np.uint8)
    if len(mapped) != length * np.dtype(dtype).itemsize:
        raise Corrupt(f"{path}: has {len(mapped)} bytes, not {length} values of type {dtype}; {REBUILD}")
    return mapped.view(dtype)


def open_bytes(path: Path) -> "mmap.mmap | bytes":
    """Map a file into memory, read-only."""
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_size == 0:  # which cannot be mapped
            return b""
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def _reject_occupied(folder: Path, *, overwrite: bool) -> None:
    if not folder.exists() and not folder.is_symlink():
        return
    if not folder.is_dir():
        raise Unwritable(f"{folder}: is a file; name a folder for the index")
    if not any(folder.iterdir()):
        return
    if not (folder / MANIFEST).is_file():
        raise Unwritable(f"{folder}: is a folder with other files in it; name a new one for the index")
    if not overwrite:
        raise Unwritable(f"{folder}: holds an index already; choose another folder, or overwrite it on purpose")


def _check_length(path: Path, expected: Mapping[str, Any] | None) -> None:
    if expected is None:
        raise Corrupt(f"{path}: is not in the manifest; {REBUILD}")
    try:
        found = path.stat().st_size
    except OSError as error:
        raise Corrupt(f"{path}: is missing ({error.strerror}); {REBUILD}") from error
    if found != expected["bytes"]:
        raise Corrupt(f"{path}: has {found} bytes, the manifest says {expected['bytes']}; {REBUILD}")


def _checksum(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _sync(path: Path) -> None:
    try:
        handle = os.open(path, os.O_RDONLY)
    except PermissionError:  # Windows opens no folders
        if path.is_dir():
            return
        raise
    try:
        os.fsync(handle)
    finally:
        with suppress(OSError):
            os.close(handle)
