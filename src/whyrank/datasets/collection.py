"""A judged collection: queries, documents, judgements and runs, each read when it is first asked for."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from typing import Literal, NamedTuple, Protocol, TypeAlias

from whyrank.errors import BadInput, unknown
from whyrank.formats import join
from whyrank.formats.problems import some
from whyrank.formats.trec import Entry, best_first, scores_of
from whyrank.types import Document, Qrels, Query, Ranking, Run

EXCLUDED = -100
"""The grade by which BRIGHT marks a document that must be taken out of a query's results before they are scored."""

Part: TypeAlias = Literal["queries", "documents", "judgements", "runs"]
Excluded: TypeAlias = Mapping[str, frozenset[str]]
Entries: TypeAlias = Mapping[str, Mapping[str, Entry]]
"""A run with its ranks: query id → document id → score and rank."""


class Judged(NamedTuple):
    """Judgements, and what is to be taken out before scoring: query id → document ids."""

    qrels: Qrels
    excluded: Excluded


class Store(Protocol):
    """Where a collection lies. Each method reads anew and raises BadInput where the part is not there."""

    def queries(self) -> tuple[Query, ...]:
        """The queries of the split."""
        ...

    def judged(self) -> Judged:
        """Judgements of the split and excluded documents; the corpus is not read."""
        ...

    def documents(self) -> Iterator[Document]:
        """All documents, one at a time."""
        ...

    def texts(self, ids: Collection[str]) -> dict[str, Document]:
        """The documents with these ids; those that are not there are left out."""
        ...

    def runs(self) -> tuple[str, ...]:
        """Names of runs."""
        ...

    def entries(self, run: str) -> Entries:
        """A run by its name."""
        ...


@dataclass(frozen=True, eq=False)
class Dataset:
    """A collection by its name. What it lacks is an error when it is asked for, not before.

    Attributes:
        name: the short name, or the name of its folder.
        split: which queries and judgements: "test", "dev", "train" …
        source: where it comes from: a folder, an id of ir_datasets, or "built in".
        parts: what it holds.
        licence: as far as known; "" where it is not.
    """

    name: str
    split: str
    source: str
    parts: tuple[Part, ...]
    licence: str
    _store: Store = field(repr=False)
    _advice: str = field(default="", repr=False)

    @cached_property
    def queries(self) -> tuple[Query, ...]:
        """The queries of the split, judged or not; in BEIR's layout, where all splits share a file, the judged ones.

        Raises:
            BadInput: it has none.
        """
        return self._store.queries()

    @property
    def qrels(self) -> Qrels:
        """Judgements: query id → document id → grade, as they were given, without those that exclude a document.

        Raises:
            BadInput: it has none.
        """
        self._need("judgements", "no system can be measured on it")
        return self._judged.qrels

    @property
    def excluded(self) -> Excluded:
        """Documents to take out of a query's results before they are scored; queries without any are left out.

        From grades of -100 and from a file of excluded ids (both BRIGHT's), and in the BEIR sets whose queries are
        themselves documents (ArguAna, Quora) the document of the query's own id, as BEIR's evaluation does.
        """
        return self._judged.excluded

    @property
    def runs(self) -> tuple[str, ...]:
        """Names of the runs that come with it."""
        return self._store.runs()

    def documents(self) -> Iterator[Document]:
        """The documents, one at a time, so that a corpus may be larger than memory.

        Raises:
            BadInput: it has none.
        """
        self._need("documents", "its runs can be measured, and neither reranked nor explained")
        return self._store.documents()

    def run(self, name: str) -> Run:
        """A run: query id → document id → score, ordered by descending score, ties by the given rank.

        Raises:
            UnknownName: no run of that name.
        """
        return {query: scores_of(found) for query, found in self._entries(name).items()}

    def rankings(
        self, run: str | None = None, *, depth: int | None = None, queries: Collection[str] | None = None
    ) -> list[Ranking]:
        """The candidates of a run with their texts, best first; queries of other splits are left out.

        Args:
            run: its name; may be None where there is only one.
            depth: how many candidates a query; all if None.
            queries: ids of the queries that are wanted; all if None.

        Raises:
            BadInput: several runs and none named, no query of the run in this split, documents without a text.
            UnknownName: no run of that name.
        """
        if depth is not None and depth < 1:
            raise BadInput(f"depth is {depth}; give 1 or more, or None for all candidates")
        self._need("documents", "its runs can be measured, and neither reranked nor explained")
        name = self._only_run() if run is None else run
        asked = {query.id: query for query in self.queries if queries is None or query.id in queries}
        entries = {q: _best(found, depth) for q, found in self._entries(name).items() if q in asked}
        if not entries:
            raise BadInput(
                f"{self.name}: run {name!r} shares no query with the split {self.split!r}; name the split it is for"
            )
        wanted = list(dict.fromkeys(document for found in entries.values() for document in found))
        texts = self._store.texts(wanted)
        if lost := [document for document in wanted if document not in texts]:
            raise BadInput(
                f"{self.name}: {len(lost):,} of {len(wanted):,} documents of run {name!r} have no text in "
                f"{self.source}: {some(lost)}; name another run or a smaller depth, or add the documents to the corpus"
            )
        return join(f"{self.name}/{name}", entries, asked, texts.values())

    @cached_property
    def _judged(self) -> Judged:
        return self._store.judged()

    def _need(self, part: Part, consequence: str) -> None:
        if part not in self.parts:
            held = ", ".join(self.parts) or "nothing"
            advice = self._advice or f"add the {part} to it"
            raise BadInput(f"{self.name} ({self.source}) has no {part}, only {held}: {consequence}; {advice}")

    def _only_run(self) -> str:
        if len(self.runs) == 1:
            return self.runs[0]
        known = f"name one of {', '.join(sorted(self.runs))}" if self.runs else "retrieve candidates first"
        raise BadInput(f"{self.name}: has {len(self.runs)} runs; {known}")

    def _entries(self, name: str) -> Entries:
        if name not in self.runs:
            raise unknown("run", name, self.runs)
        return self._store.entries(name)


def judgements(grades: Qrels, excluded: Mapping[str, Iterable[str]] | None = None) -> Judged:
    """Grades without those of -100, whose documents join the excluded ones.

    >>> judgements({"q": {"a": 1.0, "b": -100.0}}, {"q": ["c"]}).qrels
    {'q': {'a': 1.0}}
    """
    out: dict[str, set[str]] = {query: set(documents) for query, documents in (excluded or {}).items()}
    kept: dict[str, dict[str, float]] = {}
    for query, given in grades.items():
        kept[query] = {document: grade for document, grade in given.items() if grade != EXCLUDED}
        if len(kept[query]) < len(given):
            out.setdefault(query, set()).update(given.keys() - kept[query].keys())
    return Judged(kept, {query: frozenset(documents) for query, documents in out.items() if documents})


def _best(entries: Mapping[str, Entry], depth: int | None) -> dict[str, Entry]:
    return {document: entries[document] for document in islice(best_first(entries), depth)}
