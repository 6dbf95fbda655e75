"""From any format into any other where that makes sense."""

from pathlib import Path

from whyrank.errors import BadInput, DuplicateId, unknown
from whyrank.formats.detection import detect, look_up
from whyrank.formats.folders import open_folder
from whyrank.formats.reading import Corpus, Queries, iter_documents, read_qrels, read_queries, read_rankings
from whyrank.formats.writing import write_documents, write_folder, write_qrels, write_rankings
from whyrank.types import Document, Query, Ranking

TARGETS = ("jsonl", "csv", "rankings", "run", "rankllm", "qrels", "folder")
"""What can be written. Plain text cannot be: it would lose ids, titles and line ends."""


def convert(
    source: str | Path,
    target: str | Path,
    *,
    to: str,
    format: str | None = None,  # noqa: A002
    corpus: Corpus | None = None,
    queries: Queries | None = None,
    query: str | Query | None = None,
    run: str | None = None,
    split: str | None = None,
) -> int:
    """Read `source`, write `target`; returns how many documents, rankings or queries were written.

    Args:
        source: a file or a folder; for standard input, name the `format`.
        target: where to write.
        to: the format to write: one of `TARGETS`.
        format: the format of `source`; seen by its content if None.
        corpus: for a run, where the texts of the documents are.
        queries: for a run, where the texts of the queries are.
        query: for documents that are to become a ranking, what they are ranked for.
        run: for a folder, which of its runs.
        split: for a folder, which of its splits.

    Raises:
        UnknownName: no such format.
        BadInput: what `to` needs is not in `source`, or something it holds cannot stand in it.
        Unwritable: `target` could not be written.
    """
    if to not in TARGETS:
        raise unknown("format to write", to, TARGETS)
    if str(source) == "-" and format is None:
        raise BadInput("standard input can be read only once; name the format it is in")
    given = format or detect(source)
    kind = look_up(given).kind
    if to == "qrels" and kind in {"qrels", "folder"}:
        qrels = read_qrels(source, split=split)
        write_qrels(target, qrels)
        return len(qrels)
    if to == "folder" and kind == "folder":
        return _copy_folder(Path(source), target, split)
    if to in {"jsonl", "csv"} and kind in {"documents", "folder"} and query is None and run is None:
        documents = list(iter_documents(source, format, split=split))
        write_documents(target, documents, to)
        return len(documents)
    if kind == "qrels" or to == "qrels":
        raise BadInput(f"{source}: {given} cannot become {to}; judgements come from judgements only")
    if kind == "documents" and query is None:
        raise BadInput(f"{source}: holds documents; to become {to} they need a query, give one")
    found = read_rankings(source, corpus=corpus, queries=queries, query=query, run=run, split=split, format=format)
    return _write(found, target, to)


def pooled(rankings: list[Ranking]) -> list[Document]:
    """Every document of some rankings, once.

    Raises:
        DuplicateId: two different documents share an id.
    """
    found: dict[str, Document] = {}
    for ranking in rankings:
        for document in ranking.documents:
            if found.setdefault(document.id, document) != document:
                raise DuplicateId(
                    f"document {document.id!r} of query {ranking.query.id!r} differs from the one of that id in "
                    "another ranking; give different documents different ids"
                )
    return list(found.values())


def _write(rankings: list[Ranking], target: str | Path, to: str) -> int:
    if to == "jsonl":
        documents = pooled(rankings)
        write_documents(target, documents, to)
        return len(documents)
    if to == "folder":
        asked = [ranking.query for ranking in rankings]
        write_folder(target, documents=pooled(rankings), queries=asked, runs={"run": rankings})
    else:
        write_rankings(target, rankings, to)
    return len(rankings)


def _copy_folder(source: Path, target: str | Path, split: str | None) -> int:
    folder = open_folder(source, split)
    documents, queries = list(iter_documents(folder.need("corpus"))), read_queries(folder.need("queries"))
    qrels = None if folder.qrels is None else read_qrels(folder.qrels)
    runs = {name: read_rankings(file, corpus=documents, queries=queries) for name, file in folder.runs.items()}
    write_folder(target, documents=documents, queries=queries, qrels=qrels, runs=runs, split=folder.split)
    return len(documents)
