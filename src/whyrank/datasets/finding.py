"""From a name to a collection: a path, a known name, a folder here, the folder of WHYRANK_DATA, or ir_datasets."""

import os
from pathlib import Path
from typing import Literal, NamedTuple

from whyrank.datasets import catalogue
from whyrank.datasets.catalogue import Entry
from whyrank.datasets.collection import Dataset
from whyrank.datasets.demo.store import DEMO, DemoStore
from whyrank.datasets.local import (
    VARIABLE,
    FolderStore,
    collections_in,
    data_folder,
    holds_collection,
    open_split,
    where_it_was_looked_for,
)
from whyrank.datasets.remote import PREFIX, IrStore
from whyrank.errors import BadInput, MissingFile, UnknownName, unknown
from whyrank.formats import open_folder


class Known(NamedTuple):
    """A name that `load` knows.

    Attributes:
        name: what to give to `load`.
        about: one line.
        found: where it is: "built in", "here" (on this machine), "network" (ir_datasets would fetch it, unless it has
            done so before), "absent" (it must be got by hand).
        place: its folder, its id in ir_datasets, or what to do.
        licence: as far as known; "" where it is not.
    """

    name: str
    about: str
    found: Literal["built in", "here", "network", "absent"]
    place: str
    licence: str


def load(name_or_path: str | Path, *, split: str | None = None) -> Dataset:
    """A collection by its name. Nothing is read or fetched before it is asked for.

    Args:
        name_or_path: a folder in BEIR's layout or the plain one; "demo"; a short name (see `known`) or the name of a
            folder in the folder of WHYRANK_DATA; or "ir:" and an id of ir_datasets.
        split: "test", "dev", "train" …; if None, "test", or the only one there is, or the first that ir_datasets has.

    Raises:
        MissingFile: the folder is not there; or the collection is neither on this machine nor in ir_datasets.
        BadInput: the folder holds no collection, or not this split.
        UnknownName: no such collection; near matches are named.
        MissingExtra: ir_datasets is needed and not installed.
    """
    name = str(name_or_path)
    if not name:
        raise BadInput("the name of the dataset is empty; give a folder, or a name that `datasets.known()` lists")
    if name.startswith(PREFIX):
        return _by_identifier(name, split)
    if isinstance(name_or_path, Path) or _is_spelled_as_path(name):
        return _in_folder(Path(name).expanduser(), split)
    if name == DEMO.name:
        return _demo(split)
    entry = catalogue.find(name)
    if entry is None and holds_collection(Path(name)):
        return _in_folder(Path(name), split)
    if (folder := _in_data_folder(name, entry)) is not None:
        return _in_folder(folder, split, entry, name)
    if entry is not None:
        return _elsewhere(entry, split)
    if Path(name).exists():
        return _in_folder(Path(name), split)  # says what is wrong with it
    raise _unknown_name(name)


def known() -> list[Known]:
    """All names: the catalogue, and the other collections in the folder of WHYRANK_DATA. Nothing is fetched."""
    rows = [Known(DEMO.name, DEMO.about, "built in", "whyrank", DEMO.licence)]
    claimed = set()
    for entry in catalogue.entries().values():
        if (folder := _in_data_folder(entry.name, entry)) is not None:
            claimed.add(folder)
            rows.append(Known(entry.name, entry.about, "here", str(folder), entry.licence))
        elif entry.ir:
            rows.append(Known(entry.name, entry.about, "network", next(iter(entry.ir.values())), entry.licence))
        else:
            rows.append(Known(entry.name, entry.about, "absent", _remedy(entry), entry.licence))
    root = data_folder()
    others = [root / name for name in collections_in(root)] if root is not None else []
    return rows + [Known(_relative(p), _what_is_in(p), "here", str(p), "") for p in others if p not in claimed]


def _is_spelled_as_path(name: str) -> bool:
    return name.startswith((".", "~")) or Path(name).is_absolute() or name.endswith(("/", os.sep))


def _in_folder(path: Path, split: str | None, entry: Entry | None = None, name: str | None = None) -> Dataset:
    if path.is_file():
        raise BadInput(f"{path}: is a file; give the folder that holds corpus.jsonl, queries.jsonl and qrels.trec")
    folder = open_split(path, split)
    entry = entry or catalogue.find_folder(path)
    store = FolderStore(folder, are_queries_documents=entry is not None and entry.are_queries_documents)
    called = entry.name if entry and name else name or path.resolve().name
    licence, advice = (entry.licence, _advice(entry, folder.split)) if entry else ("", "")
    return Dataset(called, folder.split, str(path), store.parts, licence, store, advice)


def _in_data_folder(name: str, entry: Entry | None) -> Path | None:
    root = data_folder()
    if root is None or ".." in Path(name).parts or not name:
        return None
    names = entry.folders if entry else (name, name.replace("/", "-"))
    return next((root / n for n in names if holds_collection(root / n)), None)


def _by_identifier(name: str, split: str | None) -> Dataset:
    identifier = name.removeprefix(PREFIX)
    if split is not None:
        raise BadInput(
            f"{name}: an id of ir_datasets names its split itself; leave split={split!r} out, or add it there"
        )
    entry, found = catalogue.find_identifier(identifier)
    store = IrStore(identifier, are_queries_documents=entry is not None and entry.are_queries_documents)
    return Dataset(name, found, f"ir_datasets: {identifier}", store.parts, entry.licence if entry else "", store)


def _elsewhere(entry: Entry, split: str | None) -> Dataset:
    folder = f"no folder {entry.folders[0]!r} in {where_it_was_looked_for()}"
    absent = f"{entry.name} ({entry.about}) is not on this machine: {folder}; "
    if not entry.ir:
        raise MissingFile(f"{absent}{_remedy(entry)}{_licence(entry)}")
    chosen, identifier = entry.ir_split(split)
    store = IrStore(
        identifier,
        absent=absent,
        remedy=f"{_remedy(entry)}{_licence(entry)}",
        are_queries_documents=entry.are_queries_documents,
    )
    return Dataset(entry.name, chosen, f"ir_datasets: {identifier}", store.parts, entry.licence, store)


def _demo(split: str | None) -> Dataset:
    if split not in (None, "test"):
        raise BadInput(f"demo: has no split {split!r}; its only one is 'test'")
    store = DemoStore()
    return Dataset(DEMO.name, "test", "built in", ("queries", "documents", "judgements"), DEMO.licence, store)


def _remedy(entry: Entry) -> str:
    put = f"put corpus.jsonl, queries.jsonl and qrels.trec into a folder {entry.folders[0]!r} of {VARIABLE}"
    return entry.remedy or put


def _advice(entry: Entry, split: str) -> str:
    if split in entry.ir:
        return f"ir_datasets has all of it: load '{PREFIX}{entry.ir[split]}'"
    return entry.remedy


def _licence(entry: Entry) -> str:
    return f" (licence: {entry.licence})" if entry.licence else ""


def _relative(path: Path) -> str:
    root = data_folder()
    assert root is not None
    return path.relative_to(root).as_posix()


def _what_is_in(path: Path) -> str:
    folder = open_folder(path)
    held = "queries and judgements" if folder.splits else "no judgements"
    splits = f", splits {', '.join(folder.splits)}" if folder.splits else ""
    return f"a folder: {held}{splits}; runs: {len(folder.runs)}"


def _unknown_name(name: str) -> UnknownName:
    names = {row.name for row in known()} | {alias for e in catalogue.entries().values() for alias in e.aliases}
    looked = f"looked for a folder {name!r} here and in {where_it_was_looked_for()}"
    return UnknownName(f"{unknown('dataset', name, names)}; {looked}; 'ir:<id>' names any set of ir_datasets")
