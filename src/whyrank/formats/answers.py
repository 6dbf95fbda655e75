"""Answers to queries: {"_id", "answers": ["…", …]} a line or in an array; DPR's files of results serve as well."""

from pathlib import Path
from typing import Any

from whyrank.formats import json_values
from whyrank.formats.documents import QUERY_ID_KEYS, identifier
from whyrank.formats.files import opening
from whyrank.formats.problems import Wrong, fail, parsed, unique

_ACCEPTED = "give {'_id': query, 'answers': ['…', …]}; an empty list says that the query has no answer"


def read_answers(path: str | Path) -> dict[str, tuple[str, ...]]:
    """Answers by query id. Records without an id are numbered, as `read_rankings` numbers those of DPR.

    Args:
        path: a file of JSON Lines or a JSON array, "-" for standard input; other keys are passed over.

    Raises:
        BadRecord: a record is wrong, or an answer is blank: it would be in every passage, or in none.
        DuplicateId: two records are for one query.
    """
    with opening(path) as source:
        rows = parsed(source.name, json_values.values(source, fail), answers_from, fail)
        return dict(row for _, row in unique(source.name, "query", rows, lambda row: row[0], fail))


def answers_from(record: Any, number: int) -> tuple[str, tuple[str, ...]]:
    """A query's id and answers from a JSON object; a single answer may stand as text. Repeated ones once.

    Raises:
        Wrong: no answers, or something of the wrong type.
    """
    if not isinstance(record, dict):
        raise Wrong(f"a record of answers is {type(record).__name__}", _ACCEPTED)
    key = next((key for key in QUERY_ID_KEYS if key in record), None)
    query = identifier(record[key], key) if key else str(number)
    given = record.get("answers", record.get("answer"))
    if given is None:
        raise Wrong(f"no 'answers'; the keys are {json_values.keys_of(record)}", _ACCEPTED)
    listed = [given] if isinstance(given, str) else given
    if not isinstance(listed, list) or not all(isinstance(answer, str) for answer in listed):
        raise Wrong(f"the answers of query {query!r} are no list of texts", _ACCEPTED)
    if any(not answer.strip() for answer in listed):
        raise Wrong(f"an answer of query {query!r} is blank", "leave it out, or give []: the query has no answer")
    return query, tuple(dict.fromkeys(listed))
