"""Files for a provider's batch interface, which answers within a day at a lower price, and what comes back.

    write_batch({record.key: request, …}, "batch.jsonl", model="gpt-4.1-mini")
    # upload it as a batch for /v1/chat/completions; download its output file and its error file
    results = read_batch(["output.jsonl", "errors.jsonl"], {record.key: request, …})

A line of OpenAI's batch files holds the very body that our OpenAI backend sends in a live call; other providers take
the same files. Limits and layout: OpenAI's reference of its Batch API, 2026-11.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from whyrank.errors import BadInput, ModelError, ModelUnavailable, unknown
from whyrank.formats import json_values
from whyrank.formats.documents import identifier
from whyrank.formats.files import opening, replacing
from whyrank.formats.problems import Complain, Wrong, fail, parsed
from whyrank.lm.base import Reply, Request
from whyrank.lm.failures import CallFailed, bad_status
from whyrank.lm.openai import CHANGES, CONTINUED
from whyrank.lm.openai_format import body_of, prefilled, reply_of
from whyrank.lm.prices import Price
from whyrank.teach.targets import require_free
from whyrank.types import Usage

MOST_REQUESTS = 50_000
MOST_BYTES = 200_000_000
"""Of one file; what is more goes into further files."""
CHAT = "/v1/chat/completions"
TEXT = "/v1/completions"
_ACCEPTED = "give the output or error file of a batch: {'custom_id', 'response': {'status_code', 'body'}, 'error'}"


@dataclass(frozen=True, slots=True)
class Results:
    """What a batch came to.

    Attributes:
        answers: one reply or error a request; `ModelUnavailable` for those that the files say nothing of.
        missing: keys of the latter: ask them again.
        repeated: keys that several lines are about: the first reply counts, or else the first error.
        unknown: ids that no request has: files of another batch.
    """

    answers: Mapping[str, Reply | ModelError]
    missing: tuple[str, ...] = ()
    repeated: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


def write_batch(
    requests: Mapping[str, Request],
    path: str | Path,
    *,
    model: str,
    extra_body: Mapping[str, Any] | None = None,
    has_schema: bool = True,
    adapted: Sequence[str] = (),
    inputs: Sequence[str | Path | None] = (),
) -> list[Path]:
    """Write requests as batch files: one, or as many as the provider's limits ask for; each whole or not at all.

    Args:
        requests: key → request; all conversations, or all texts.
        path: of the first file; further ones are called "batch-2.jsonl", "batch-3.jsonl" ….
        model: as the provider names it.
        extra_body: further fields of every request.
        has_schema: the model holds answers to a schema; `schema_mode="none"` of the live backend is False.
        adapted: fields that the model refuses, sent as the live backend sends them once it was told
            (`whyrank.lm.openai.CHANGES`): reasoning models of OpenAI want "max_tokens" and "temperature" here.
        inputs: what the requests were made of; no file is written over it, nor over a store.

    Returns:
        The files, in order; none where there are no requests.

    Raises:
        BadInput: conversations and texts are mixed, one request is larger than a file may be, or a file is a store or
            an input; files before it are whole.
        UnknownName: a field in `adapted` has no other way to be sent.
        Unwritable: a file cannot be written; those before it are whole.
    """
    for field in adapted:
        if field not in CHANGES:
            raise unknown("field with another way to be sent", field, CHANGES)
    urls = {TEXT if isinstance(request.prompt, str) else CHAT for request in requests.values()}
    if len(urls) > 1:
        raise BadInput("conversations and plain texts in one batch; a batch is for one of them, so write two")
    lines = (
        _line(key, request, model, dict(extra_body or {}), has_schema=has_schema, adapted=adapted)
        for key, request in requests.items()
    )
    files = []
    for number, part in enumerate(_parts(lines), 1):
        file = Path(path) if number == 1 else _numbered(Path(path), number)
        require_free([file], inputs)
        with replacing(file) as written:
            written.writelines(part)
        files.append(file)
    return files


def read_batch(
    paths: Sequence[str | Path],
    requests: Mapping[str, Request],
    *,
    price: Price | None = None,
    complain: Complain = fail,
) -> Results:
    """Read what came back: output files and error files of one batch or of several, in any order.

    Args:
        paths: the files.
        requests: key → request, as they were written.
        price: of a batch's tokens, which may be half of a live call's; None leaves the cost unknown.
        complain: told every line that is no line of such a file.

    Raises:
        BadRecord: a line is none, named by path and line.
        MissingFile: there is no such file.
    """
    found: dict[str, Reply | ModelError] = {}
    repeated, strangers = dict[str, None](), dict[str, None]()
    for path in paths:
        for row in _rows(path, complain):
            if row.key not in requests:
                strangers[row.key] = None
                continue
            answer = _answer(row, requests[row.key], price)
            if row.key in found:
                repeated[row.key] = None
            if row.key not in found or (isinstance(answer, Reply) and not isinstance(found[row.key], Reply)):
                found[row.key] = answer
    missing = tuple(key for key in requests if key not in found)
    answers = {key: found[key] if key in found else _absent() for key in requests}
    return Results(answers, missing, tuple(repeated), tuple(strangers))


# Writing


def _line(
    key: str,
    request: Request,
    model: str,
    extra_body: dict[str, Any],
    *,
    has_schema: bool,
    adapted: Sequence[str],
) -> bytes:
    body = body_of(request, model)
    if not has_schema:
        body.pop("response_format", None)
    body |= extra_body | (CONTINUED if prefilled(request.prompt) else {})
    for field in adapted:
        if field in body:
            body = CHANGES[field].apply(body)
    url = TEXT if isinstance(request.prompt, str) else CHAT
    line = json_values.dumps({"custom_id": key, "method": "POST", "url": url, "body": body})
    return f"{line}\n".encode()


def _parts(lines: Iterator[bytes]) -> Iterator[list[bytes]]:
    """Lines in groups that a file may hold."""
    part, size = list[bytes](), 0
    for line in lines:
        if len(line) > MOST_BYTES:
            raise BadInput(f"a request of {len(line):,} bytes; a batch file holds at most {MOST_BYTES:,}: shorten it")
        if part and (len(part) == MOST_REQUESTS or size + len(line) > MOST_BYTES):
            yield part
            part, size = [], 0
        part.append(line)
        size += len(line)
    if part:
        yield part


def _numbered(path: Path, number: int) -> Path:
    stem, dot, rest = path.name.partition(".")
    return path.with_name(f"{stem}-{number}{dot}{rest}")


# Reading


class _Row(NamedTuple):
    """A line: whose it is, and the response or the error that it holds."""

    key: str
    response: Mapping[str, Any] | None
    error: Mapping[str, Any] | None


def _rows(path: str | Path, complain: Complain) -> list[_Row]:
    with opening(path) as source:
        return [row for _, row in parsed(source.name, json_values.values(source, complain), _row, complain)]


def _row(value: Any, _number: int) -> _Row:
    if not isinstance(value, dict) or "custom_id" not in value:
        keys = json_values.keys_of(value) if isinstance(value, dict) else type(value).__name__
        raise Wrong(f"no 'custom_id'; the keys are {keys}", _ACCEPTED)
    key = identifier(value["custom_id"], "custom_id")
    response, error = value.get("response"), value.get("error")
    if not isinstance(response, dict | None) or not isinstance(error, dict | None) or not (response or error):
        raise Wrong(f"{key!r} has neither a response nor an error", _ACCEPTED)
    return _Row(key, response, error)


def _answer(row: _Row, request: Request, price: Price | None) -> Reply | ModelError:
    if row.response is None:
        return _failed(row.error or {})
    status, body = row.response.get("status_code"), row.response.get("body")
    try:
        if status != 200:
            code = status if type(status) is int else 500
            raise bad_status(code, json.dumps(body, ensure_ascii=False), {}, 0.0)
        reply = reply_of(body if isinstance(body, dict) else {}, request)
    except CallFailed as failure:
        failure.error.usage = Usage(calls=1, cost=None if failure.may_have_cost else 0.0)
        return failure.error
    is_priced = price is not None and reply.usage.prompt_tokens > 0
    cost = price.of(reply.usage) if price is not None and is_priced else None
    return replace(reply, usage=replace(reply.usage, calls=1, cost=cost))


def _failed(error: Mapping[str, Any]) -> ModelError:
    """What the provider did not ask its model: the batch expired or was cancelled."""
    told = ": ".join(str(error[key]) for key in ("code", "message") if error.get(key))
    return _unanswered(f"the batch gave no answer ({told or 'it does not say why'})")


def _absent() -> ModelError:
    return _unanswered("the files of the batch hold no answer to this request; ask it again")


def _unanswered(what: str) -> ModelError:
    failure = ModelUnavailable(what)
    failure.usage = Usage()
    return failure
