"""Reading whole files: documents, queries, rankings, runs and judgements, whatever format they are in."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TypeAlias

from whyrank.errors import BadInput
from whyrank.formats import trec
from whyrank.formats.detection import Format, Kind, detect_source, look_up
from whyrank.formats.documents import scan_queries
from whyrank.formats.files import Source, opening
from whyrank.formats.folders import open_folder
from whyrank.formats.problems import fail, some, unique
from whyrank.types import Document, Progress, Query, Ranking

Corpus: TypeAlias = str | Path | Iterable[Document]
Queries: TypeAlias = str | Path | Iterable[Query]


def iter_documents(
    path: str | Path,
    format: str | None = None,  # noqa: A002
    *,
    split: str | None = None,
    progress: Progress | None = None,
) -> Iterator[Document]:
    """The documents of a file of any size, or of a folder's corpus, one at a time.

    Args:
        path: a file, "-" for standard input, or a folder.
        format: "jsonl", "csv" or "text"; seen by the content if None.
        split: for a folder, which corpus, where splits have their own.
        progress: told (bytes read, bytes in all).

    Raises:
        MissingFile, BadInput, Corrupt: see `whyrank.formats.files.opening`.
        BadRecord: a record is wrong; the message starts with ``path:line:``.
        DuplicateId: two documents share an id; the message names both lines.
    """
    file = open_folder(path, split).need("corpus") if _is_folder(path) else path
    with opening(file, progress) as source:
        form = _format_of(source, format, "documents")
        assert form.scan is not None
        for _, document in unique(source.name, "document", form.scan(source, fail), lambda d: d.id, fail):
            yield document


def read_documents(
    path: str | Path,
    format: str | None = None,  # noqa: A002
    *,
    split: str | None = None,
    progress: Progress | None = None,
) -> list[Document]:
    """All documents of a file or of a folder's corpus; see `iter_documents`."""
    return list(iter_documents(path, format, split=split, progress=progress))


def read_queries(path: str | Path, *, split: str | None = None) -> list[Query]:
    """Queries from JSON, from lines "id, tab, text", from lines of text, or from a folder.

    Args:
        path: a file, "-", or a folder.
        split: for a folder, which queries; see `open_folder`.

    Raises:
        BadRecord: a record is wrong.
        DuplicateId: two queries share an id.
    """
    file = open_folder(path, split).need("queries") if _is_folder(path) else path
    with opening(file) as source:
        found = unique(source.name, "query", scan_queries(source, fail), lambda q: q.id, fail)
        return [query for _, query in found]


def read_qrels(path: str | Path, *, split: str | None = None) -> dict[str, dict[str, float]]:
    """Judgements, query id → document id → grade, from TREC's or BEIR's form or from a folder.

    Raises:
        BadRecord: a line is wrong.
        DuplicateId: a document is judged twice for a query.
    """
    file = open_folder(path, split).need("qrels") if _is_folder(path) else path
    with opening(file) as source:
        return trec.grouped_qrels(source.name, trec.scan_qrels(source, fail), fail)


def read_run(path: str | Path) -> dict[str, dict[str, float]]:
    """A run, query id → document id → score, best first: by score, then by rank. MS MARCO runs score the negated rank.

    Raises:
        BadRecord: a line is wrong; a score that is no finite number is.
        DuplicateId: a document stands twice under a query.
    """
    return {query: trec.scores_of(entries) for query, entries in _run_entries(path).items()}


def read_rankings(
    path: str | Path,
    *,
    corpus: Corpus | None = None,
    queries: Queries | None = None,
    query: str | Query | None = None,
    run: str | None = None,
    split: str | None = None,
    format: str | None = None,  # noqa: A002
    progress: Progress | None = None,
) -> list[Ranking]:
    """Rankings, from whatever names queries and candidates.

    - our own rankings, {query, documents} lines, RankLLM requests: as they stand.
    - a run: with `corpus`, and `queries` (or `query`, if it is a run of one). Ordered by score, then by rank.
    - a folder: its corpus, queries and the run named `run`.
    - a file of documents: with `query`; one ranking in the order of the file.

    Of a corpus only the documents that are named are kept (and all ids), so it may be larger than memory.

    Raises:
        BadInput: something needed was not given, or the run names queries or documents that are not there.
        BadRecord: a record is wrong.
        DuplicateId: a query, or a document within a query, is given twice.
    """
    if _is_folder(path):
        folder = open_folder(path, split)
        file = folder.run(run)
        corpus = folder.need("corpus") if corpus is None else corpus
        asked = folder.need("queries") if queries is None and query is None else queries
        return _joined(str(file), _run_entries(file, progress), corpus, asked, query)
    with opening(path, progress) as source:
        form = _format_of(source, format, "rankings", "run", "documents")
        assert form.scan is not None
        found = form.scan(source, fail)
        if form.kind == "rankings":
            return [ranking for _, ranking in unique(source.name, "query", found, lambda r: r.query.id, fail)]
        if form.kind == "documents":
            documents = [document for _, document in unique(source.name, "document", found, lambda d: d.id, fail)]
            return [_over(source.name, documents, query)]
        entries = trec.grouped_run(source.name, found, fail)
    return _joined(str(path), entries, corpus, queries, query)


def join(
    name: str,
    run: Mapping[str, Mapping[str, trec.Entry]],
    queries: Mapping[str, Query],
    documents: Iterable[Document],
) -> list[Ranking]:
    """Put the texts to a run.

    Args:
        name: of the run, for messages.
        run: query id → document id → entry.
        queries: by id; those the run does not name are left out.
        documents: may be many more than the run names, and larger than memory.

    Raises:
        BadInput: a query or document that the run names is not there; the first few are listed, and how many.
    """
    if lost := [query for query in run if query not in queries]:
        raise BadInput(f"{name}: {len(lost)} queries of the run have no text: {some(lost)}; give the queries it is for")
    wanted = {document for entries in run.values() for document in entries}
    texts = {document.id: document for document in documents if document.id in wanted}
    if lost := [document for document in dict.fromkeys(d for e in run.values() for d in e) if document not in texts]:
        raise BadInput(
            f"{name}: {len(lost)} of {len(wanted)} documents of the run are not in the corpus: {some(lost)}; "
            "give the corpus it is for"
        )
    note = f"{name}: the rank column disagrees with the scores; ordered by score, as trec_eval does"
    rankings = []
    for query, entries in run.items():
        order = trec.best_first(entries)
        ranking = Ranking.of(queries[query], [texts[d] for d in order], [entries[d].score for d in order])
        notes = (note,) if trec.ranks_disagree(entries) else ()
        rankings.append(Ranking(ranking.query, ranking.hits, notes=notes))
    return rankings


def _is_folder(path: str | Path) -> bool:
    return str(path) != "-" and Path(path).is_dir()


def _format_of(source: Source, name: str | None, *kinds: Kind) -> Format:
    found = name or detect_source(source)
    form = look_up(found)
    if form.kind not in kinds:
        hint = {"documents": "iter_documents", "qrels": "read_qrels", "folder": "open_folder"}
        use = hint.get(form.kind, "read_rankings")
        raise BadInput(
            f"{source.name}: is {found!r} ({form.description}); here {' or '.join(kinds)} is read, use {use}"
        )
    return form


def _run_entries(path: str | Path, progress: Progress | None = None) -> dict[str, dict[str, trec.Entry]]:
    with opening(path, progress) as source:
        return trec.grouped_run(source.name, trec.scan_run(source, fail), fail)


def _over(name: str, documents: list[Document], query: str | Query | None) -> Ranking:
    if query is None:
        raise BadInput(f"{name}: holds documents and no query; give the query they are to be ranked for")
    return Ranking.of(query, documents)


def _joined(
    name: str,
    run: dict[str, dict[str, trec.Entry]],
    corpus: Corpus | None,
    queries: Queries | None,
    query: str | Query | None,
) -> list[Ranking]:
    if corpus is None:
        raise BadInput(f"{name}: a run names documents by id only; give the corpus with their texts")
    documents = iter_documents(corpus) if isinstance(corpus, str | Path) else corpus
    return join(name, run, _queries_of(name, run, queries, query), documents)


def _queries_of(
    name: str, run: dict[str, dict[str, trec.Entry]], queries: Queries | None, query: str | Query | None
) -> dict[str, Query]:
    if queries is not None:
        found = read_queries(queries) if isinstance(queries, str | Path) else queries
        return {q.id: q for q in found}
    if query is None:
        raise BadInput(f"{name}: a run names queries by id only; give the queries with their texts")
    if len(run) > 1:
        raise BadInput(f"{name}: has {len(run)} queries and one text was given; give a file of queries")
    text = query.text if isinstance(query, Query) else query
    return {name: Query(id=name, text=text) for name in run}
