"""From the bytes of a request to what is asked, within the limits and within the time."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Sequence
from typing import Any, NoReturn, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect, Request

from whyrank.serve.problems import Refused, refused_body
from whyrank.serve.settings import Limits
from whyrank.serve.shapes import Asking, tokens_of

B = TypeVar("B", bound=BaseModel)
T = TypeVar("T")


async def read(request: Request, shape: type[B], limits: Limits) -> B:
    """The body of a request in its shape.

    Raises:
        Refused: it is too large, too slow, no JSON, or of another shape.
        ClientDisconnect: whoever sent it is gone.
    """
    try:
        async with asyncio.timeout_at(request.state.deadline):
            content = await _content(request, limits.body_bytes)
    except TimeoutError:
        raise Refused("timeout", f"the body did not arrive within {limits.seconds:g} s; send it faster") from None
    value = parsed(content)
    if not isinstance(value, dict):
        raise _unreadable(f"holds {type(value).__name__}")
    request.state.is_tei = "texts" in value
    request.state.is_infinity = "raw_scores" in value and not request.state.is_tei
    for key in ("documents", "texts", "scores"):  # before anything is made of each
        given = value.get(key)
        if isinstance(given, list) and len(given) > limits.documents:
            raise _too_large(f"{len(given):,} {key}; at most {limits.documents:,} are accepted", key)
    try:
        return shape.model_validate(value)
    except ValidationError as error:
        raise refused_body(error) from None


def parsed(content: bytes) -> Any:
    """A JSON value.

    Raises:
        Refused: it is none, or one that cannot be held.
    """
    try:
        return json.loads(content.decode(), parse_constant=_no_number)
    except UnicodeDecodeError as error:
        raise _unreadable(f"is not UTF-8 at byte {error.start:,}") from None
    except json.JSONDecodeError as error:
        raise _unreadable(f"is no JSON ({error.msg}, line {error.lineno}, column {error.colno})") from None
    except (ValueError, RecursionError):
        raise _unreadable("holds a number of too many digits, or is nested too deeply") from None


def check_size(body: Asking, limits: Limits) -> int:
    """About how many tokens there are to read.

    Raises:
        Refused: there are too many, or too many documents.
    """
    given = body.given
    if len(given) > limits.documents:
        raise _too_large(f"{len(given):,} documents; at most {limits.documents:,} are accepted", "documents")
    texts = [f"{document.title} {document.text}" if document.title else document.text for document in given]
    return check_tokens(body.query, texts, limits)


def check_tokens(query: str, texts: Sequence[str], limits: Limits) -> int:
    """About how many tokens there are to read: those of each text, and those of the query once for each.

    Raises:
        Refused: there are too many.
    """
    asked = tokens_of(query)
    if asked > limits.query_tokens:
        raise _too_large(f"about {asked:,} tokens; at most {limits.query_tokens:,} are accepted", "query")
    tokens = sum(asked + tokens_of(text) for text in texts)
    if tokens > limits.tokens:
        raise _too_large(f"about {tokens:,} tokens to read; at most {limits.tokens:,} are accepted", "documents")
    return tokens


async def attended(work: Awaitable[T], request: Request, limits: Limits) -> T:
    """What `work` gives, unless it takes too long or nobody waits for it any more; then it is given up.

    Raises:
        Refused: the time of the request is over.
        ClientDisconnect: whoever asked is gone.
    """
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_gone(request))
    try:
        done, _ = await asyncio.wait({task, gone}, timeout=left_s(request), return_when=asyncio.FIRST_COMPLETED)
        if task in done:
            return task.result()
        if gone in done:
            raise ClientDisconnect
        raise late(limits)
    finally:
        task.cancel()
        gone.cancel()


async def within(request: Request, parts: AsyncIterator[T], limits: Limits) -> AsyncIterator[T]:
    """The parts of an answer, each as it comes, until the time of the request is over.

    Raises:
        Refused: it is over, and there are more.
    """
    while True:
        try:
            async with asyncio.timeout(left_s(request)) as time:
                part = await anext(parts)
        except StopAsyncIteration:
            return
        except TimeoutError:
            if time.expired():
                raise late(limits) from None
            raise
        yield part


def left_s(request: Request) -> float:
    """Seconds that are left to answer a request."""
    deadline: float = request.state.deadline
    return max(0.0, deadline - asyncio.get_running_loop().time())


def late(limits: Limits) -> Refused:
    """The refusal of what took too long."""
    return Refused("timeout", f"no answer within {limits.seconds:g} s; give fewer or shorter documents, or wait")


async def _content(request: Request, most: int) -> bytes:
    pieces, size = [], 0
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and len(announced) < 20 and int(announced) > most:
        raise _too_large(f"{int(announced):,} bytes; at most {most:,} are accepted", None)
    async for piece in request.stream():
        size += len(piece)
        if size > most:
            raise _too_large(f"more than {most:,} bytes, which are accepted at most", None)
        pieces.append(piece)
    return b"".join(pieces)


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _no_number(name: str) -> NoReturn:
    raise _unreadable(f"holds {name}, which is no JSON")


def _unreadable(what: str) -> Refused:
    return Refused("invalid_request", f"the body {what}; send one JSON object in UTF-8")


def _too_large(what: str, param: str | None) -> Refused:
    return Refused("too_large", f"{param or 'the body'}: {what}; send less at once", param=param)
