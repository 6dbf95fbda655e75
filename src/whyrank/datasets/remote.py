"""Collections of `ir_datasets` (extra "datasets"), which fetches what is not yet on the machine.

Its caches are whole or absent: downloads and stores are written beside and renamed, or rolled back.
"""

import logging
import os
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from itertools import chain, islice
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

from whyrank._extras import require
from whyrank.datasets.collection import Entries, Judged, Part, judgements
from whyrank.errors import BadInput, Corrupt, MissingExtra, MissingFile, Unwritable, WhyrankError, unknown
from whyrank.formats.trec import Entry
from whyrank.types import Document, Query

PREFIX = "ir:"
RUN = "scoreddocs"
"""The candidates that come with some sets of ir_datasets, as the name of a run."""
BOUNDS = {"IR_DATASETS_DL_TRIES": "2", "IR_DATASETS_DL_TIMEOUT": "10"}
"""What ir_datasets reads before it downloads, unless the user has set it: tries a source, seconds without an answer."""
AGREEMENT = "agreement"
"""What ir_datasets says about terms of use is let through; each failed try and each step is not."""


class IrStore:
    """A set of ir_datasets.

    Args:
        identifier: its id there.
        absent: for messages, what was looked for on this machine and not found; may be "".
        remedy: for messages, what to do without the network.
        are_queries_documents: the document of a query's own id is excluded.

    Raises:
        MissingExtra: ir_datasets is not installed.
        UnknownName: it has no such id.
    """

    def __init__(
        self, identifier: str, *, absent: str = "", remedy: str = "", are_queries_documents: bool = False
    ) -> None:
        self._identifier = identifier
        self._absent = absent
        self._remedy = remedy
        self._excludes_itself = are_queries_documents
        self._set = _registered(_module(f"{absent}fetching {identifier!r}"), identifier)

    @property
    def parts(self) -> tuple[Part, ...]:
        """What the set offers."""
        held: dict[Part, bool] = {
            "queries": self._set.has_queries(),
            "documents": self._set.has_docs(),
            "judgements": self._set.has_qrels(),
            "runs": self._set.has_scoreddocs(),
        }
        return tuple(part for part, is_there in held.items() if is_there)

    def queries(self) -> tuple[Query, ...]:
        """The queries; what else they carry becomes metadata."""
        if not self._set.has_queries():
            raise BadInput(f"{self._identifier} of ir_datasets has no queries; name one of its subsets")
        return tuple(query_of(record) for record in self._read(lambda: self._set.queries_iter()))

    def judged(self) -> Judged:
        """Judgements, with grades of -100 as exclusions."""
        grades: dict[str, dict[str, float]] = {}
        for record in self._read(lambda: self._set.qrels_iter()) if self._set.has_qrels() else ():
            judged = grades.setdefault(record.query_id, {})
            grade = float(record.relevance)
            if judged.setdefault(record.doc_id, grade) != grade:
                raise BadInput(
                    f"{self._identifier} of ir_datasets judges document {record.doc_id!r} for query "
                    f"{record.query_id!r} more than once, as {judged[record.doc_id]:g} and {grade:g}; "
                    "choose a set with one grade a document"
                )
        return judgements(grades, {query: [query] for query in grades} if self._excludes_itself else None)

    def documents(self) -> Iterator[Document]:
        """The documents, in the order of ir_datasets."""
        return (document_of(record) for record in self._read(lambda: self._set.docs_iter()))

    def texts(self, ids: Collection[str]) -> dict[str, Document]:
        """Looked up in the store of ir_datasets, which is built when it is first used."""
        with self._translated(), _bounded():
            found = self._set.docs_store().get_many(list(ids))
        return {identifier: document_of(record) for identifier, record in found.items()}

    def runs(self) -> tuple[str, ...]:
        """`RUN`, where the set comes with candidates."""
        return (RUN,) if self._set.has_scoreddocs() else ()

    def entries(self, run: str) -> Entries:  # noqa: ARG002  # there is one
        """The candidates; ranks are their places, so that sets without scores (all 0) keep their order."""
        found: dict[str, dict[str, Entry]] = {}
        for record in self._read(lambda: self._set.scoreddocs_iter()):
            entries = found.setdefault(record.query_id, {})
            place = len(entries) + 1
            entries.setdefault(record.doc_id, Entry(float(record.score), place, place))
        return found

    def _read(self, records: Any) -> Iterator[Any]:
        """Downloads happen before the first record, so only that one is waited for under `BOUNDS`."""
        with self._translated(), _bounded():
            iterator = iter(records())
            first = list(islice(iterator, 1))
        with self._translated():
            yield from chain(first, iterator)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Errors of ir_datasets as ours: one line that says what was looked for, where, and what to do."""
        what = f"{self._absent}ir_datasets would fetch {self._identifier!r}"
        try:
            yield
        except WhyrankError:
            raise
        except ImportError as error:
            raise MissingExtra(f"{what}, and needs another package for it: {error}") from error
        except Exception as error:
            if hosts := _unreachable(error):
                raise MissingFile(f"{what}, and had no answer from {', '.join(hosts)}; {self._offline}") from error
            if isinstance(error, FileNotFoundError):
                raise MissingFile(f"{what}, but this set must be got by hand and put there: {error}") from error
            if isinstance(error, PermissionError):
                raise Unwritable(f"{what}, and cannot write: {error}; set IR_DATASETS_HOME") from error
            raise Corrupt(f"{what}, and failed: {type(error).__name__}: {error}") from error

    @property
    def _offline(self) -> str:
        return "connect to the network, or " + (self._remedy or "copy the folder of IR_DATASETS_HOME from where it is")


def document_of(record: Any) -> Document:
    """A document of ir_datasets: its text and title; other fields that are filled become metadata."""
    rest = record._asdict()
    name = rest.pop("doc_id")
    text = rest.pop("text") if isinstance(rest.get("text"), str) else record.default_text()
    title = next((rest.pop(key) for key in ("title", "document_title") if isinstance(rest.get(key), str)), None)
    return Document(id=str(name), text=text, title=title or None, metadata=_filled(rest))


def query_of(record: Any) -> Query:
    """A query of ir_datasets: its text (of a TREC topic, the title); other fields that are filled become metadata."""
    rest = record._asdict()
    name = rest.pop("query_id")
    text = rest.pop("text") if isinstance(rest.get("text"), str) else record.default_text()
    return Query(id=str(name), text=text, metadata=_filled(rest))


def _filled(fields: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if value not in (None, "", (), [])}


def _module(purpose: str) -> ModuleType:
    try:
        return require("ir_datasets", extra="datasets", purpose=purpose)
    except OSError as error:  # it makes its folder when it is imported
        raise Unwritable(f"ir_datasets cannot make its folder: {error}; set IR_DATASETS_HOME") from error


def _registered(module: ModuleType, identifier: str) -> Any:
    try:
        return module.load(identifier)
    except KeyError:
        family = identifier.partition("/")[0]
        tops = dict.fromkeys(name.partition("/")[0] for name in module.registry)
        near = [name for name in module.registry if name.partition("/")[0] == family] or tops
        raise unknown(f"set of ir_datasets {module.__version__}", identifier, near) from None


def _unreachable(error: Exception) -> list[str]:
    """The hosts that gave no answer; empty where the network was not what failed."""
    request_error = require("requests", extra="datasets", purpose="fetching").exceptions.RequestException
    sources: Iterable[Any] = chain.from_iterable(arg for arg in error.args if isinstance(arg, list))
    failures = [error, *(pair[1] for pair in sources if isinstance(pair, tuple) and len(pair) == 2)]
    urls = [getattr(failure.request, "url", None) for failure in failures if isinstance(failure, request_error)]
    return list(dict.fromkeys(urlsplit(url).hostname or url if url else "the network" for url in urls))


@contextmanager
def _bounded() -> Iterator[None]:
    """Set `BOUNDS` for a while and keep the log of ir_datasets off the screen: a failure is told once, by us."""
    added = {name: value for name, value in BOUNDS.items() if name not in os.environ}
    logger = logging.getLogger("ir_datasets")

    def is_wanted(record: logging.LogRecord) -> bool:
        return AGREEMENT in record.getMessage()

    os.environ.update(added)
    logger.addFilter(is_wanted)
    try:
        yield
    finally:
        logger.removeFilter(is_wanted)
        for name in added:
            os.environ.pop(name, None)
