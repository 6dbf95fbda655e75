"""Collections in folders: BEIR's layout and the plain one, as `formats.open_folder` sees them."""

import os
from collections.abc import Collection, Iterator
from contextlib import closing
from functools import cached_property
from pathlib import Path
from typing import Any

from whyrank.datasets.collection import Entries, Judged, Part, judgements
from whyrank.errors import BadInput, WhyrankError
from whyrank.formats import Folder, iter_documents, json_values, open_folder, read_qrels, read_queries
from whyrank.formats.files import opening
from whyrank.formats.problems import Wrong, fail, parsed
from whyrank.formats.trec import grouped_run, scan_run
from whyrank.types import Document, Query

VARIABLE = "WHYRANK_DATA"
EXCLUDED_IDS = ("excluded_ids.jsonl", "excluded_ids.jsonl.gz")


class FolderStore:
    """A folder opened for one split.

    Args:
        folder: what it holds.
        are_queries_documents: in BEIR's layout, the document of a query's own id is excluded.
    """

    def __init__(self, folder: Folder, *, are_queries_documents: bool = False) -> None:
        self._folder = folder
        self._is_beir = folder.qrels is not None and folder.qrels.parent != folder.path
        self._excludes_itself = are_queries_documents and self._is_beir

    @property
    def parts(self) -> tuple[Part, ...]:
        """What the folder holds for its split."""
        held: dict[Part, object] = {
            "queries": self._folder.queries,
            "documents": self._folder.corpus,
            "judgements": self._folder.qrels,
            "runs": self._folder.runs or None,
        }
        return tuple(part for part, there in held.items() if there is not None)

    def queries(self) -> tuple[Query, ...]:
        """All queries of the file; in BEIR's layout, whose file serves all splits, those that are judged."""
        found = read_queries(self._folder.need("queries"))
        return tuple(q for q in found if not self._is_beir or q.id in self._grades)

    def judged(self) -> Judged:
        """Judgements and excluded documents; without a judgement file, only the latter."""
        excluded = self._excluded_ids()
        if self._excludes_itself:
            for query in self._grades:
                excluded.setdefault(query, []).append(query)
        return judgements(self._grades, excluded)

    def documents(self) -> Iterator[Document]:
        """The corpus, streamed."""
        return iter_documents(self._folder.need("corpus"))

    def texts(self, ids: Collection[str]) -> dict[str, Document]:
        """One pass over the corpus that ends when all are found."""
        wanted = set(ids)
        found: dict[str, Document] = {}
        with closing(iter_documents(self._folder.need("corpus"))) as documents:  # type: ignore[type-var]
            for document in documents:
                if document.id in wanted:
                    found[document.id] = document
                    if len(found) == len(wanted):
                        break
        return found

    def runs(self) -> tuple[str, ...]:
        """Names of run files."""
        return tuple(sorted(self._folder.runs))

    def entries(self, run: str) -> Entries:
        """A run file, with its ranks."""
        with opening(self._folder.run(run)) as source:
            return grouped_run(source.name, scan_run(source, fail), fail)

    @cached_property
    def _grades(self) -> dict[str, dict[str, float]]:
        return read_qrels(self._folder.qrels) if self._folder.qrels is not None else {}

    def _excluded_ids(self) -> dict[str, list[str]]:
        file = next((self._folder.path / name for name in EXCLUDED_IDS if (self._folder.path / name).is_file()), None)
        if file is None:
            return {}
        with opening(file) as source:
            return dict(row for _, row in parsed(source.name, json_values.values(source, fail), _excluded_row, fail))


def open_split(path: Path, split: str | None) -> Folder:
    """The folder for one split. A folder of one nameless split answers to that split's default name, too.

    Raises:
        MissingFile: no such folder.
        BadInput: no collection in it, or not this split; where there are several and none is "test", one must be named.
    """
    folder = open_folder(path)
    if split is not None and (folder.splits or split != folder.split):
        folder = open_folder(path, split)
    if folder.splits and folder.split not in folder.splits:
        raise BadInput(f"{path}: has no split {folder.split!r}; it has {', '.join(folder.splits)}: name one")
    return folder


def data_folder() -> Path | None:
    """The folder of WHYRANK_DATA; None where the variable is not set or names no folder that can be read."""
    given = os.environ.get(VARIABLE)
    folder = Path(given).expanduser() if given else None
    return folder if folder is not None and folder.is_dir() and _is_open(folder) else None


def where_it_was_looked_for() -> str:
    """For messages: the folder of WHYRANK_DATA, or what is wrong with it."""
    given = os.environ.get(VARIABLE)
    if not given:
        return f"the folder of {VARIABLE}, which is not set"
    return f"{given} ({VARIABLE})" + ("" if data_folder() else ", which is no folder that can be read")


def holds_collection(path: Path) -> bool:
    """Whether the folder is there and holds any part of a collection."""
    try:
        open_folder(path)
    except (WhyrankError, OSError):
        return False
    return True


def collections_in(root: Path) -> list[str]:
    """Names of all collections in a folder, to the second level: "cisi", "bright/biology"."""
    found = []
    for folder in sorted(p for p in root.iterdir() if p.is_dir()):
        if holds_collection(folder):
            found.append(folder.name)
        else:
            inner = sorted(p for p in folder.iterdir() if p.is_dir()) if _is_open(folder) else []
            found += [f"{folder.name}/{p.name}" for p in inner if holds_collection(p)]
    return found


def _is_open(folder: Path) -> bool:
    return os.access(folder, os.R_OK | os.X_OK)


def _excluded_row(value: Any, _number: int) -> tuple[str, list[str]]:
    accepted = "give {'_id': query, 'excluded_ids': [document, …]}"
    if not isinstance(value, dict):
        raise Wrong(f"a list of excluded ids is {type(value).__name__}", accepted)
    query, ids = value.get("_id", value.get("id")), value.get("excluded_ids")
    if not isinstance(query, str | int) or not isinstance(ids, list):
        raise Wrong(f"the keys are {json_values.keys_of(value)}", accepted)
    return str(query), [str(document) for document in ids if document not in (None, "N/A")]
