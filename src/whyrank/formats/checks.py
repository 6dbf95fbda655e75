"""The checks behind `validate`: one for each kind of file, all telling one collector."""

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

from whyrank.errors import MissingFile, WhyrankError
from whyrank.formats import trec
from whyrank.formats.detection import Kind, detect_source, look_up
from whyrank.formats.documents import scan_queries
from whyrank.formats.files import Source, opening
from whyrank.formats.folders import open_folder
from whyrank.formats.problems import Collector, Problem, some, unique
from whyrank.types import Document, Query, Ranking

LONG_CHARACTERS = 100_000
"""A document above this is reported: rankers read long documents slowly, and may cut them."""

TIED = "scores are tied", "evaluators break ties differently; writing the run with whyrank breaks them"
RISING = "scores rise along the list", "the order of the list is kept; check that it is best first"
RAGGED = "ranks do not count 1, 2, 3", "ranks are read only where scores tie; number them"
DISAGREE = "ranks and scores disagree", "scores are trusted, as by trec_eval; correct one of the two"
EMPTY = "there are no documents", "the result will be empty"

Located = Iterator[tuple[int, Any]]


class Check:
    """Reads files to their ends, counts what they hold and tells `complain` what is wrong.

    Attributes:
        complain: where problems go.
        counts: "queries", "documents", "hits", "judgements" so far.
        known_documents: ids that runs and judgements may name; None if that is not to be checked.
        known_queries: likewise for queries.
    """

    def __init__(self, complain: Collector) -> None:
        self.complain = complain
        self.counts: Counter[str] = Counter()
        self.known_documents: set[str] | None = None
        self.known_queries: set[str] | None = None
        self._seen_texts: dict[int, str] = {}
        self._notes: dict[tuple[str, str], dict[str, int]] = {}

    def folder(self, path: str | Path) -> None:
        """Check every part of a folder, for every split, and each against the others."""
        with self._guarded(str(path)):
            whole = open_folder(path)
            splits = [open_folder(path, name) for name in whole.splits] or [whole]
            for file in _present(split.corpus for split in splits):
                self.known_documents = self.known_documents or set()
                self.file(file, "jsonl")
            for file in _present(split.queries for split in splits):
                self.known_queries = self.known_queries or set()
                self.file(file, "queries")
            for file in _present(split.qrels for split in splits):
                self.file(file, "qrels")
            for file in whole.runs.values():
                self.file(file, "run")

    def file(self, path: str | Path, name: str | None) -> str:
        """Check one file; returns the name of its format, "" if it cannot be told."""
        found = name or ""
        with self._guarded(str(path)), opening(path) as source:
            if name == "queries":
                self._queries(source, scan_queries(source, self.complain))
                return name
            found = name or detect_source(source)
            form = look_up(found)
            checks: dict[Kind, Callable[[Source, Located], None]] = {
                "documents": self._documents,
                "rankings": self._rankings,
                "run": self._run,
                "qrels": self._qrels,
            }
            if form.scan is not None:
                checks[form.kind](source, form.scan(source, self.complain))
        return found

    def _queries(self, source: Source, found: Iterator[tuple[int, Query]]) -> None:
        for line, query in unique(source.name, "query", found, lambda q: q.id, self.complain):
            self.counts["queries"] += 1
            if self.known_queries is not None:
                self.known_queries.add(query.id)
            self._query(source.name, line, query)

    def _query(self, path: str, line: int, query: Query) -> None:
        if not query.text.strip():
            self._warn(path, line, f"query {query.id!r} has no text", "rankers have nothing to go by; give one")

    def _documents(self, source: Source, found: Located) -> None:
        for line, document in unique(source.name, "document", found, lambda d: d.id, self.complain):
            self.counts["documents"] += 1
            if self.known_documents is not None:
                self.known_documents.add(document.id)
            self._document(source.name, line, document)

    def _document(self, path: str, line: int, document: Document) -> None:
        text, name = document.full_text, f"document {document.id!r}"
        if not text.strip():
            self._warn(path, line, f"{name} has no text", "it will rank last; give a text or leave it out")
            return
        if len(text) > LONG_CHARACTERS:
            self._warn(path, line, f"{name} has {len(text):,} characters", "split documents this long into passages")
        if (first := self._seen_texts.setdefault(hash(text), document.id)) != document.id:
            self._warn(path, line, f"{name} has the text of {first!r}", "equal texts get equal scores; leave one out")

    def _rankings(self, source: Source, found: Iterator[tuple[int, Ranking]]) -> None:
        seen: set[str] = set()
        for line, ranking in unique(source.name, "query", found, lambda r: r.query.id, self.complain):
            self.counts["queries"] += 1
            self.counts["hits"] += len(ranking)
            self._query(source.name, line, ranking.query)
            if not ranking.hits:
                self._note(EMPTY, line, ranking.query.id)
            for document in ranking.documents:
                if document.id not in seen:
                    seen.add(document.id)
                    self._document(source.name, line, document)
            scores = [hit.score for hit in ranking if hit.score is not None]
            scores = scores or [hit.first_score for hit in ranking if hit.first_score is not None]
            self._order(line, ranking.query.id, scores)
        self.counts["documents"] += len(seen)
        self._tell_notes(source.name)

    def _run(self, source: Source, found: Iterator[tuple[int, trec.RunLine]]) -> None:
        run = trec.grouped_run(source.name, found, self.complain)
        first = {query: next(iter(entries.values())).line for query, entries in run.items()}
        for query, entries in run.items():
            self.counts["hits"] += len(entries)
            ranks = sorted(entry.rank for entry in entries.values())
            if ranks[0] not in {0, 1} or ranks != list(range(ranks[0], ranks[0] + len(ranks))):
                self._note(RAGGED, first[query], query)
            if trec.ranks_disagree(entries):
                self._note(DISAGREE, first[query], query)
            self._order(first[query], query, list(trec.scores_of(entries).values()))
        documents = {document: entry.line for entries in run.values() for document, entry in entries.items()}
        self._count_named(first, documents)
        self._tell_notes(source.name)
        self._unknown(source.name, "queries", first, self.known_queries, is_fatal=True)
        self._unknown(source.name, "documents", documents, self.known_documents, is_fatal=True)

    def _qrels(self, source: Source, found: Iterator[tuple[int, trec.Grade]]) -> None:
        queries: dict[str, int] = {}
        documents: dict[str, int] = {}

        def noted() -> Iterator[tuple[int, trec.Grade]]:
            for line, grade in found:
                queries.setdefault(grade.query, line)
                documents.setdefault(grade.document, line)
                yield line, grade

        qrels = trec.grouped_qrels(source.name, noted(), self.complain)
        self.counts["judgements"] += sum(map(len, qrels.values()))
        self._count_named(queries, documents)
        # Pools are judged by other systems too, so judgements beyond the collection at hand are common.
        self._unknown(source.name, "queries", queries, self.known_queries, is_fatal=False)
        self._unknown(source.name, "documents", documents, self.known_documents, is_fatal=False)

    def _order(self, line: int, query: str, scores: list[float]) -> None:
        pairs = list(pairwise(scores))
        if any(above < below for above, below in pairs):
            self._note(RISING, line, query)
        elif any(above == below for above, below in pairs):
            self._note(TIED, line, query)

    def _note(self, what: tuple[str, str], line: int, query: str) -> None:
        """Gather what is the same for many queries, so that it is told once a file."""
        self._notes.setdefault(what, {})[query] = line

    def _tell_notes(self, path: str) -> None:
        for (what, fix), queries in self._notes.items():
            many = f"{len(queries)} queries" if len(queries) > 1 else "1 query"
            self._warn(path, next(iter(queries.values())), f"{what} in {many}: {some(queries)}", fix)
        self._notes.clear()

    def _count_named(self, queries: Collection[str], documents: Collection[str]) -> None:
        """Where no file of them is at hand, what is named is all that is known."""
        self.counts["queries"] += 0 if self.known_queries else len(queries)
        self.counts["documents"] += 0 if self.known_documents else len(documents)

    def _unknown(
        self, path: str, kind: str, named: Mapping[str, int], known: Collection[str] | None, *, is_fatal: bool
    ) -> None:
        if known is None or not (lost := [name for name in named if name not in known]):
            return
        what = f"{len(lost)} of {len(named)} {kind} are not in the collection: {some(lost)}"
        fix = f"give the {kind} this file was made for"
        self.complain(Problem(path, named[lost[0]], what, fix, severity="error" if is_fatal else "warning"))

    def _warn(self, path: str, line: int | None, what: str, how_to_fix: str) -> None:
        self.complain(Problem(path, line, what, how_to_fix, severity="warning"))

    @contextmanager
    def _guarded(self, path: str) -> Iterator[None]:
        """What ends the reading of a file becomes one more problem, and the check of a folder goes on."""
        try:
            yield
        except MissingFile:
            raise
        except WhyrankError as error:
            told = re.sub(rf"^{re.escape(path)}(:\d+)?: ", "", str(error))
            line = re.match(rf"{re.escape(path)}:(\d+): ", str(error))
            what, _, fix = told.rpartition("; ")
            self.complain(Problem(path, int(line[1]) if line else None, what or told, fix if what else "mend the file"))


def _present(files: Iterator[Path | None]) -> list[Path]:
    """Each file once, in order."""
    return list(dict.fromkeys(file for file in files if file is not None))
