"""What is to be ranked: documents from files and pipes, or candidates that bring their own queries."""

import math
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from whyrank import formats
from whyrank.cli.progress import Work
from whyrank.errors import BadInput, DuplicateId
from whyrank.types import Document, Query, Ranking

STDIN = "-"
SCORE_KEYS = ("first_score", "score")
"""Where a document's own first-stage score is looked for."""


def given_files(files: Sequence[str] | None, *, query: str | None = None) -> list[str]:
    """The files that were named, or standard input if none was and something is piped in.

    Raises:
        BadInput: no file, and standard input is a terminal; or standard input is named twice.
    """
    if files:
        if list(files).count(STDIN) > 1:
            raise BadInput("standard input ('-') is named twice; it can be read once")
        return list(files)
    if sys.stdin is None or sys.stdin.isatty():
        hint = f" ({query!r} was taken as the query)" if query is not None and Path(query).exists() else ""
        raise BadInput(f"no documents{hint}; name a FILE, or pipe them in")
    return [STDIN]


def given_file(file: str) -> str:
    """The one file that was named, or standard input if something is piped in.

    Raises:
        BadInput: none was named, and standard input is a terminal.
    """
    if file == STDIN and (sys.stdin is None or sys.stdin.isatty()):
        raise BadInput("no file; name a saved result, or pipe one in")
    return file


def read_documents(files: Sequence[str], input_format: str | None, work: Work) -> list[Document]:
    """Documents of some files, one after the other. Lines of plain text are called "file:number" if there are several.

    Raises:
        DuplicateId: two files hold a document of the same id.
        BadInput, BadRecord, MissingFile, Corrupt: as the readers of `whyrank.formats`.
    """
    documents: list[Document] = []
    owners: dict[str, str] = {}
    for file in files:
        progress = work.phase("reading documents")
        is_text = len(files) > 1 and file != STDIN and (input_format or formats.detect(file)) == "text"
        for document in formats.iter_documents(file, input_format, progress=progress):
            named = replace(document, id=f"{file}:{document.id}") if is_text else document
            if (owner := owners.setdefault(named.id, file)) != file:
                raise DuplicateId(f"document id {named.id!r} is given twice (in {owner} and {file}); ids must differ")
            documents.append(named)
    return documents


def candidates(query: str, files: Sequence[str], input_format: str | None, work: Work) -> Ranking:
    """Documents for one query. A number that all of them carry as "score" is their first-stage score.

    Raises:
        BadInput: an empty query, no documents, a score that is no finite number.
    """
    if not query.strip():
        raise BadInput("the query is empty; give at least one word")
    documents = read_documents(files, input_format, work)
    if not documents:
        raise BadInput(f"{', '.join(files)}: no documents; give at least one")
    for key in SCORE_KEYS:
        scores = _own_scores(documents, key)
        if scores is not None:
            note = f"first-stage scores are the documents' own {key!r}"
            return replace(Ranking.of(query, documents, scores), notes=(note,))
    return Ranking.of(query, documents)


def run(file: str, corpus: str | None, queries: str | None, input_format: str | None, work: Work) -> list[Ranking]:
    """Candidates that bring their queries: a TREC run, rankings, RankLLM requests, or a folder with a run.

    Raises:
        BadInput: documents or judgements instead; a run without corpus or queries, or one that names what is not there.
    """
    progress = work.phase("reading candidates")
    name = input_format or ("" if file == STDIN else formats.detect(file))
    if name and formats.FORMATS.get(name) and formats.FORMATS[name].kind in {"documents", "qrels"}:
        raise BadInput(
            f"{file}: is {name!r} ({formats.FORMATS[name].description}); --run takes candidates that bring their "
            "queries. For documents, give whyrank rerank QUERY FILE"
        )
    found = formats.read_rankings(file, corpus=corpus, queries=queries, format=input_format, progress=progress)
    if not found:
        raise BadInput(f"{file}: holds no rankings; give at least one")
    return found


def search_query(text: str) -> Query:
    """The one query of a command.

    Raises:
        BadInput: it is empty.
    """
    if not text.strip():
        raise BadInput("the query is empty; give at least one word")
    return Query(id="1", text=text)


def _own_scores(documents: Sequence[Document], key: str) -> list[float | None] | None:
    """The numbers under `key`; None unless every document has one: what only some have is no first stage's score."""
    scores: list[float | None] = []
    for document in documents:
        value = document.metadata.get(key)
        if value is None or isinstance(value, bool):
            return None
        try:
            number = float(value)
        except (TypeError, ValueError):
            return None
        if not math.isfinite(number):
            raise BadInput(
                f"document {document.id!r}: its {key!r} is {value!r}; a first-stage score is a finite number, or absent"
            )
        scores.append(number)
    return scores
