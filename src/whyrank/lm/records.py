"""Requests and replies as JSON values: what a recording holds, what a cache stores and what its keys are made of."""

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any, get_args, get_type_hints

from whyrank import errors
from whyrank.errors import ModelError
from whyrank.lm.base import Choose, Generate, Likelihood, Message, Reply, Request
from whyrank.types import Usage

KINDS: Mapping[str, type[Request]] = {"generate": Generate, "choose": Choose, "likelihood": Likelihood}
"""Name of a kind of request → its class."""
FINISHES = get_args(get_type_hints(Reply)["finish"])
FAILURES: Mapping[str, type[ModelError]] = {
    kind.__name__: kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, ModelError)
}
"""Name of a kind of failure → its class."""


def kind_of(request: Request) -> str:
    """Its kind, in lower case."""
    return type(request).__name__.lower()


def request_record(request: Request) -> dict[str, Any]:
    """A request as JSON values: its kind and every field but the tag, so that none is forgotten."""
    record = {"kind": kind_of(request), **asdict(request)}
    del record["tag"]
    return record


def request_of(record: Mapping[str, Any], tag: str = "") -> Request:
    """The request that `request_record` made this of.

    Raises:
        ValueError: it is no request.
    """
    values = dict(record)
    kind = KINDS.get(values.pop("kind", ""))
    if kind is None:
        raise ValueError(f"a request of the kind {record.get('kind')!r}; known: {', '.join(KINDS)}")
    if isinstance(values.get("prompt"), list):
        values["prompt"] = tuple(Message(turn["role"], turn["text"]) for turn in values["prompt"])
    values.update({name: tuple(value) for name, value in values.items() if isinstance(value, list)})
    try:
        return kind(**values, tag=tag)
    except TypeError as error:
        raise ValueError(f"not a request: {error}") from error


def reply_record(reply: Reply) -> dict[str, Any]:
    """A reply as JSON values; what has its default value is left out."""
    record = _without_defaults(reply)
    if "usage" in record:
        record["usage"] = _without_defaults(reply.usage)
    return record


def reply_of(record: Any) -> Reply:
    """The reply that `reply_record` made this of, equal to it in every field.

    Raises:
        ValueError: it is no reply.
    """
    if not isinstance(record, dict):
        raise ValueError(f"a reply is an object, not {type(record).__name__}")
    values = dict(record)
    for name, kind in (("text", str), ("reasoning", str), ("others", list), ("logprobs", list), ("usage", dict)):
        if not isinstance(values.get(name, kind()), kind):
            raise ValueError(f"the {name!r} of a reply is {type(values[name]).__name__}, not {kind.__name__}")
    if values.get("finish", "stop") not in FINISHES:
        raise ValueError(f"the 'finish' of a reply is {values['finish']!r}; known: {', '.join(FINISHES)}")
    for name in ("others", "logprobs"):
        values[name] = tuple(values.get(name, ()))
    try:
        return Reply(**{**values, "usage": Usage(**values.get("usage", {}))})
    except TypeError as error:
        raise ValueError(f"not a reply: {error}") from error


def failure_record(failure: ModelError) -> dict[str, str]:
    """A failure as JSON values: its kind, one of `FAILURES`, and what it says."""
    kind = next(kind for kind in type(failure).__mro__ if FAILURES.get(kind.__name__) is kind)
    return {"kind": kind.__name__, "message": str(failure)}


def failure_of(record: Any) -> ModelError:
    """The failure that `failure_record` made this of.

    Raises:
        ValueError: it is no failure.
    """
    if not isinstance(record, dict) or record.get("kind") not in FAILURES:
        raise ValueError(f"not a failure: {record!r}; its 'kind' is one of {', '.join(FAILURES)}")
    return FAILURES[record["kind"]](str(record.get("message", "")))


def _without_defaults(value: Reply | Usage) -> dict[str, Any]:
    return {f.name: getattr(value, f.name) for f in fields(value) if getattr(value, f.name) != f.default}
