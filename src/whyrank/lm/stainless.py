"""One call through the SDK of OpenAI or Anthropic: both come from the same generator and have the same shape."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from types import ModuleType
from typing import Any

from whyrank.lm.credentials import Key
from whyrank.lm.failures import CallFailed, bad_status, no_connection, plain, too_slow, unusable
from whyrank.lm.prices import is_loopback

LARGEST_BYTES = 64 * 1024 * 1024
NAMED = frozenset({"model", "messages", "prompt", "max_tokens"})
"""Fields that the methods insist on. Which others they know by name changes with their version, so none is used."""
Streamed = Callable[..., AbstractContextManager[Any]]


class Clients:
    """One client of an SDK for each address, made when it is first needed.

    Args:
        sdk: the module.
        make: its class of clients.
        key: sent with every call.
    """

    def __init__(self, sdk: ModuleType, make: Callable[..., Any], key: Key) -> None:
        self._sdk = sdk
        self._make = make
        self._key = key
        self._by_url: dict[str, Any] = {}
        self._lock = threading.Lock()

    def of(self, url: str) -> Any:
        """The client for an address.

        Raises:
            CallFailed: there is no key.
        """
        key = self._key.value()
        with self._lock:
            if url not in self._by_url:
                http = self._sdk.DefaultHttpxClient(trust_env=not is_loopback(url))  # no proxy to this machine
                self._by_url[url] = self._make(api_key=key, base_url=url, max_retries=0, http_client=http)
            return self._by_url[url]

    def close(self) -> None:
        """End all connections."""
        with self._lock:
            clients, self._by_url = list(self._by_url.values()), {}
        for client in clients:
            client.close()


def call(sdk: Any, streamed: Streamed, body: Mapping[str, Any], timeout_s: float, key: Key) -> dict[str, Any]:
    """Make a call and read its whole answer within the time-out, however slowly it drips.

    Args:
        sdk: the module, for its exceptions.
        streamed: a method of the SDK with a streaming response.
        body: what to send.
        timeout_s: of the whole call.
        key: which no message repeats.

    Returns:
        The JSON object that came back.

    Raises:
        CallFailed: none came back.
    """
    ends = time.monotonic() + timeout_s
    named = {field: value for field, value in body.items() if field in NAMED}
    extra = {field: value for field, value in body.items() if field not in NAMED}
    try:
        with streamed(**named, extra_body=extra, timeout=timeout_s) as response:
            text = _whole(response.iter_bytes(), ends, timeout_s)
    except sdk.APITimeoutError:
        raise too_slow(timeout_s) from None
    except sdk.APIConnectionError as error:
        cause = error.__cause__ or error
        raise no_connection(key.redact(str(cause)), was_sent=type(cause).__name__ != "ConnectError") from None
    except sdk.APIStatusError as error:
        said = key.redact(error.response.text)
        asked = str(error.request.url)
        raise bad_status(error.status_code, said, error.response.headers, time.time(), asked) from None
    return json_object(text, key)


def json_object(text: str, key: Key) -> dict[str, Any]:
    """The JSON object in a body.

    Args:
        text: the body.
        key: which no message repeats; in an answer it may stand, for it may be a word like any other.

    Raises:
        CallFailed: there is none, or it tells of an error.
    """
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        raise unusable(f"the server said 200 and sent no JSON: {plain(key.redact(text))[:100]!r}") from None
    if not isinstance(body, dict):
        raise unusable(f"the server said 200 and sent no JSON object: {plain(key.redact(text))[:100]!r}")
    if body.get("error"):
        raise _error_in(body["error"], key.redact(text))
    return body


def _error_in(error: Any, text: str) -> CallFailed:
    """Some gateways pass on the error of a provider behind them with a 200 of their own."""
    code = error.get("code") if isinstance(error, dict) else None
    if isinstance(code, int) and 400 <= code < 600:
        return bad_status(code, text, {}, time.time())
    return unusable(f"the server said 200 and sent an error: {plain(text)}")


def _whole(chunks: Iterator[bytes], ends: float, timeout_s: float) -> str:
    parts, size = [], 0
    while chunk := _next(chunks, timeout_s):
        size += len(chunk)
        if time.monotonic() > ends:
            raise too_slow(timeout_s)
        if size > LARGEST_BYTES:
            raise unusable(f"the answer has more than {LARGEST_BYTES:,} bytes")
        parts.append(chunk)
    return b"".join(parts).decode("utf-8", errors="replace")


def _next(chunks: Iterator[bytes], timeout_s: float) -> bytes:
    try:
        return next(chunks, b"")
    except Exception as error:  # noqa: BLE001 the SDKs pass on what their HTTP library raises; which one that is depends on their version
        if "Timeout" in type(error).__name__:
            raise too_slow(timeout_s) from None
        raise no_connection(str(error), was_sent=True) from None
