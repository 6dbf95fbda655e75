"""Is this file right? All problems at once, each with its line and its remedy, instead of the first alone."""

from dataclasses import dataclass
from pathlib import Path

from whyrank.formats.checks import Check
from whyrank.formats.problems import Collector, Problem
from whyrank.formats.reading import Corpus, Queries, iter_documents, read_queries


@dataclass(frozen=True, slots=True)
class Report:
    """What a file holds and what is wrong with it.

    Attributes:
        path: the file or folder.
        format: its format; "" if it could not be told.
        queries: how many, as far as they could be read.
        documents: how many; for a run or judgements, how many different ids.
        hits: candidates of all rankings, lines of a run.
        judgements: lines of a judgement file.
        problems: the first of them, in the order they were found.
        errors: how many errors there are in all.
        warnings: how many warnings there are in all.
    """

    path: str
    format: str
    queries: int
    documents: int
    hits: int
    judgements: int
    problems: tuple[Problem, ...]
    errors: int
    warnings: int

    @property
    def ok(self) -> bool:
        """Whether readers accept it."""
        return self.errors == 0


def validate(
    path: str | Path,
    *,
    format: str | None = None,  # noqa: A002
    corpus: Corpus | None = None,
    queries: Queries | None = None,
    limit: int = 100,
) -> Report:
    """Read a file or folder to its end and report.

    Args:
        path: a file, "-", or a folder (all its parts are checked, and against each other).
        format: its format; seen by the content if None. A file of queries is named "queries".
        corpus: check the document ids of a run or of judgements against it.
        queries: check their query ids against these.
        limit: how many problems to keep; all are counted.

    Raises:
        MissingFile: there is nothing at `path`.
    """
    check = Check(Collector(limit))
    if str(path) != "-" and Path(path).is_dir():
        check.folder(path)
        return _report(str(path), "folder", check)
    if corpus is not None:
        documents = iter_documents(corpus) if isinstance(corpus, str | Path) else corpus
        check.known_documents = {document.id for document in documents}
    if queries is not None:
        asked = read_queries(queries) if isinstance(queries, str | Path) else queries
        check.known_queries = {query.id for query in asked}
    return _report(str(path), check.file(path, format), check)


def _report(path: str, name: str, check: Check) -> Report:
    told, counts = check.complain, check.counts
    return Report(
        path,
        name,
        queries=counts["queries"],
        documents=counts["documents"],
        hits=counts["hits"],
        judgements=counts["judgements"],
        problems=tuple(told.kept),
        errors=told.errors,
        warnings=told.warnings,
    )
