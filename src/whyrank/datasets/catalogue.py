"""The catalogue: which collection a short name means, where it may lie, and what ir_datasets calls it."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path

from whyrank.errors import BadInput


@dataclass(frozen=True, slots=True)
class Entry:
    """One collection; the fields are those of catalogue.toml, explained there."""

    name: str
    about: str
    aliases: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    ir: Mapping[str, str] = field(default_factory=dict)
    licence: str = ""
    remedy: str = ""
    are_queries_documents: bool = False
    learnt: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def ir_split(self, split: str | None) -> tuple[str, str]:
        """The split, or the default one, and its id in ir_datasets.

        Raises:
            BadInput: ir_datasets has no such split.
        """
        chosen = next(iter(self.ir)) if split is None else split
        if chosen not in self.ir:
            raise BadInput(f"{self.name}: ir_datasets has no split {split!r} of it; it has {', '.join(self.ir)}")
        return chosen, self.ir[chosen]


@cache
def entries() -> Mapping[str, Entry]:
    """All entries by name, in the order of the catalogue."""
    table = tomllib.loads(files(__package__).joinpath("catalogue.toml").read_text(encoding="utf-8"))
    return {name: _entry(name, **fields) for name, fields in table.items()}


def find(name: str) -> Entry | None:
    """The entry of that name, alias, or folder."""
    return _by_any_name().get(name)


def find_folder(path: Path) -> Entry | None:
    """The entry one of whose folders a path ends in, the longest match first."""
    parts = path.resolve().parts
    tails = ("/".join(parts[-n:]) for n in (3, 2, 1))
    return next((found for tail in tails if (found := _by_folder().get(tail))), None)


def find_identifier(identifier: str) -> tuple[Entry | None, str]:
    """The entry an id of ir_datasets belongs to, and its split; for others None and the last part of the id."""
    return next(
        ((entry, split) for entry in entries().values() for split, there in entry.ir.items() if there == identifier),
        (None, identifier.rpartition("/")[2]),
    )


def learnt_by(name: str, split: str) -> tuple[str, ...]:
    """Families of our rankers that learnt from the queries of a split: their figures on it are no test."""
    entry = find(name)
    return entry.learnt.get(split, ()) if entry is not None else ()


@cache
def _by_folder() -> Mapping[str, Entry]:
    return {folder: entry for entry in entries().values() for folder in entry.folders}


@cache
def _by_any_name() -> Mapping[str, Entry]:
    aliases = {alias: entry for entry in entries().values() for alias in entry.aliases}
    return {**_by_folder(), **aliases, **entries()}


def _entry(
    name: str,
    about: str,
    aliases: list[str] | None = None,
    folders: list[str] | None = None,
    ir: dict[str, str] | None = None,
    licence: str = "",
    remedy: str = "",
    are_queries_documents: bool = False,
    learnt: dict[str, list[str]] | None = None,
) -> Entry:
    return Entry(
        name,
        about,
        tuple(aliases or ()),
        tuple(folders or ()),
        ir or {},
        licence,
        remedy,
        are_queries_documents,
        {split: tuple(families) for split, families in (learnt or {}).items()},
    )
