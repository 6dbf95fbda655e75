"""Writing whole files; each stands complete under its name or not at all (see `files.replacing`)."""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from whyrank.errors import BadInput, DuplicateId, Unwritable, unknown
from whyrank.formats import documents as docs
from whyrank.formats import json_values, rankings, rankllm, trec
from whyrank.formats.files import replacing
from whyrank.types import Document, Qrels, Query, Ranking

RANKING_FORMATS = ("rankings", "run", "rankllm", "csv")
DOCUMENT_FORMATS = ("jsonl", "csv")


def render(
    given: Iterable[Ranking],
    format: str = "rankings",  # noqa: A002
    *,
    tag: str | None = None,
) -> Iterator[str]:
    """Rankings as lines of text without their ends: what `write_rankings` writes and a program prints.

    Args:
        given: the rankings.
        format: "rankings" (complete, read back the same), "run" (TREC), "rankllm" (a request a line), "csv".
        tag: for a run, its last column; the ranker's name if None.

    Raises:
        UnknownName: no such format.
        DuplicateId: two rankings have the same query id, which every reader refuses.
        BadInput: an id cannot stand in a run, or a score is not finite.
    """
    if format == "rankings":
        return map(rankings.to_json, _distinct(given))
    if format == "run":
        return trec.run_lines(_distinct(given), tag)
    if format == "rankllm":
        return map(json_values.dumps, rankllm.request_records(_distinct(given)))
    if format == "csv":
        return rankings.table_lines(iter(given))
    raise unknown("format to write rankings in", format, RANKING_FORMATS)


def write_rankings(
    path: str | Path,
    given: Iterable[Ranking],
    format: str = "rankings",  # noqa: A002
    *,
    tag: str | None = None,
) -> None:
    """Write rankings; see `render`. RankLLM requests become a JSON array unless the name says .jsonl.

    Raises:
        Unwritable: the file could not be written.
        UnknownName, BadInput: see `render`.
    """
    lines = render(given, format, tag=tag)
    is_array = format == "rankllm" and ".jsonl" not in Path(path).suffixes
    write_lines(path, _as_array(lines) if is_array else lines)


def write_documents(
    path: str | Path,
    given: Iterable[Document],
    format: str | None = None,  # noqa: A002
) -> None:
    """Write documents as "jsonl" (nothing is lost) or "csv"; if None, by the name of the file.

    Raises:
        Unwritable: the file could not be written.
        UnknownName: no such format.
        BadInput: metadata that the format cannot hold.
    """
    form = format or ("csv" if ".csv" in Path(path).suffixes else "jsonl")
    if form not in DOCUMENT_FORMATS:
        raise unknown("format to write documents in", form, DOCUMENT_FORMATS)
    lines = docs.csv_lines(given) if form == "csv" else map(json_values.dumps, map(docs.document_record, given))
    write_lines(path, lines)


def write_queries(path: str | Path, given: Iterable[Query]) -> None:
    """Write queries as JSON Lines.

    Raises:
        Unwritable: the file could not be written.
    """
    write_lines(path, map(json_values.dumps, map(docs.query_record, given)))


def write_qrels(path: str | Path, qrels: Qrels) -> None:
    """Write judgements: BEIR's table if the name says .tsv, else TREC's four columns.

    Raises:
        Unwritable: the file could not be written.
        BadInput: an id cannot stand in such a file.
    """
    write_lines(path, trec.qrels_lines(qrels, is_beir=".tsv" in Path(path).suffixes))


def write_folder(
    path: str | Path,
    *,
    documents: Iterable[Document],
    queries: Iterable[Query],
    qrels: Qrels | None = None,
    runs: Mapping[str, Iterable[Ranking]] | None = None,
    split: str = "test",
) -> None:
    """Write a collection in BEIR's layout, and runs beside it as <name>.trec.

    Files that stand there under other names are left alone.

    Raises:
        Unwritable: the folder or a file could not be written.
    """
    folder = Path(path)
    try:
        (folder / "qrels" if qrels else folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Unwritable(f"{path}: cannot be made a folder ({error.strerror}); name another place") from error
    write_documents(folder / "corpus.jsonl", documents)
    write_queries(folder / "queries.jsonl", queries)
    if qrels:
        write_qrels(folder / "qrels" / f"{split}.tsv", qrels)
    for name, given in (runs or {}).items():
        write_rankings(folder / f"{name}.trec", given, "run")


def write_lines(path: str | Path, lines: Iterable[str]) -> None:
    """Write lines of text, each ended.

    Raises:
        Unwritable: the file could not be written; what stood there is untouched.
        BadInput: a line holds a lone surrogate, which is no character and has no UTF-8.
    """
    with replacing(path) as stream:
        for number, line in enumerate(lines, 1):
            try:
                stream.write(line.encode() + b"\n")
            except UnicodeEncodeError as error:
                raise BadInput(
                    f"{path}: line {number} would hold {error.object[error.start]!r}, half a surrogate pair, which "
                    "UTF-8 cannot hold; write jsonl or rankings, where it is escaped"
                ) from None


def _distinct(given: Iterable[Ranking]) -> Iterator[Ranking]:
    seen: set[str] = set()
    for ranking in given:
        if ranking.query.id in seen:
            raise DuplicateId(
                f"two rankings have the query id {ranking.query.id!r}; give each its own: Query(id, text) (a query "
                "given as a mere text is called '1')"
            )
        seen.add(ranking.query.id)
        yield ranking


def _as_array(lines: Iterator[str]) -> Iterator[str]:
    first = next(lines, None)
    if first is None:
        yield json.dumps([])
        return
    yield "["
    held = first
    for line in lines:
        yield held + ","
        held = line
    yield held
    yield "]"
