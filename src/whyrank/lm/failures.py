"""What can go wrong with a call to a server, and which error each thing is.

408, 409, 429, 5xx, no connection, too slow    asked again, then ModelUnavailable
401, 404, a quota that is used up              AccessDenied at once
every other 4xx                                ModelRejected at once, with the server's words
200 and no answer in it                        asked once more, then UnusableReply
"""

import json
import math
import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

from whyrank.errors import AccessDenied, ModelError, ModelRejected, ModelUnavailable, UnusableReply

RETRIED = frozenset({408, 409, 429})
DENIED = 401
NOT_FOUND = 404
NO_QUOTA = "insufficient_quota"
"""OpenAI's code for an account without money: a 429 that no waiting helps."""
LONGEST_MESSAGE = 300
LONGEST_RETRY_AFTER_S = 60.0
TELL_CONTEXT = "; tell the context: --config model.context=N"
_OF_CONTEXT = re.compile(
    r"context.?(length|size|window)|maximum context|too many (input |prompt )?tokens|prompt is too long", re.IGNORECASE
)
_VERSION = re.compile(r"/v\d")
_TAG = re.compile(r"<[^<>]{0,200}>")
_UNPRINTABLE = re.compile(r"[\s\x00-\x1f\x7f-\x9f]+")


class CallFailed(Exception):
    """One call failed: what a transport raises.

    Attributes:
        error: what the caller of `ask` gets if this was the last try.
        is_retried: another try may help.
        is_down: the server seems broken, as opposed to busy or unwilling; a circuit breaker counts these.
        is_for_all: every other request would fail the same way.
        may_have_cost: the model may have answered, unseen.
        retry_after_s: the server asked to be left alone this long.
    """

    def __init__(
        self,
        error: ModelError,
        *,
        is_retried: bool = False,
        is_down: bool = False,
        is_for_all: bool = False,
        may_have_cost: bool = False,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(str(error))
        self.error = error
        self.is_retried = is_retried
        self.is_down = is_down
        self.is_for_all = is_for_all
        self.may_have_cost = may_have_cost
        self.retry_after_s = retry_after_s


def too_slow(timeout_s: float) -> CallFailed:
    """No whole answer within the time-out."""
    error = ModelUnavailable(f"no answer within {timeout_s:.3g} s")
    return CallFailed(error, is_retried=True, is_down=True, may_have_cost=True)


def no_connection(reason: str, *, was_sent: bool) -> CallFailed:
    """The server could not be reached, or the connection to it broke."""
    what = "the connection broke" if was_sent else "no connection"
    error = ModelUnavailable(f"{what}: {plain(reason)}")
    return CallFailed(error, is_retried=True, is_down=True, may_have_cost=was_sent)


def unusable(what: str) -> CallFailed:
    """The server said 200, and what came with it is no answer."""
    return CallFailed(UnusableReply(plain(what)), is_retried=True, may_have_cost=True)


def bad_status(status: int, body: str, headers: Mapping[str, str], wall_s: float, url: str = "") -> CallFailed:
    """The server answered with an error.

    Args:
        status: of the HTTP response.
        body: of the HTTP response.
        headers: of the HTTP response, in lower case.
        wall_s: seconds since 1970, against which a date in Retry-After is read.
        url: that was asked, where known; it is looked at, and not repeated.
    """
    said = server_message(body)
    words = f"{status}: {said}" if said else f"{status}"
    if status == NOT_FOUND:
        advice = "" if not url or _VERSION.search(url) else "; the address of a server usually ends in /v1"
        return CallFailed(AccessDenied(f"no such address or model ({words}){advice}"), is_for_all=True)
    if status == DENIED or (status == 429 and NO_QUOTA in body):
        return CallFailed(AccessDenied(f"the server denies access, {words}"), is_for_all=True)
    if status in RETRIED or status >= 500:
        return CallFailed(
            ModelUnavailable(f"the server answered {words}"),
            is_retried=True,
            is_down=status >= 500 or status == 408,
            retry_after_s=retry_after(headers.get("retry-after", ""), wall_s),
        )
    advice = TELL_CONTEXT if _OF_CONTEXT.search(said) else ""
    return CallFailed(ModelRejected(f"the server does not take this request, {words}{advice}"))


def server_message(body: str) -> str:
    """What a server says about an error, in one short line."""
    try:
        said = _message_in(json.loads(body))
    except (ValueError, RecursionError):
        said = _TAG.sub(" ", body)
    return plain(said)


def plain(text: str) -> str:
    """In one line, without control characters, and short."""
    line = _UNPRINTABLE.sub(" ", text).strip()
    return line if len(line) <= LONGEST_MESSAGE else line[: LONGEST_MESSAGE - 1] + "…"


def retry_after(header: str, wall_s: float) -> float | None:
    """Seconds that a Retry-After header asks for, at most a minute; None where it says nothing readable."""
    try:
        seconds = float(header)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(header).timestamp() - wall_s
        except ValueError:
            return None
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER_S) if math.isfinite(seconds) else None


def _message_in(body: Any) -> str:
    """The forms in use: {error: {message}}, {error: text}, {message}, {detail}; else the whole."""
    if isinstance(body, dict):
        for key in ("error", "message", "detail"):
            if body.get(key):
                return _message_in(body[key])
    return body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)
