"""What every request passes: identity, time, the token, the drain, the count; and what no error gets past."""

import asyncio
import math
import time
from collections.abc import Callable
from contextlib import suppress
from hmac import compare_digest
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from whyrank.serve.answers import Json
from whyrank.serve.observing import LOG, Metrics, log_defect
from whyrank.serve.problems import Refused
from whyrank.serve.settings import Limits

OPEN = frozenset({"/health", "/livez", "/readyz", "/", "/favicon.ico"})
"""Paths that need no token: they tell nothing. The page's own files are beside them, under /static/."""
ALWAYS = frozenset({"/health", "/livez", "/readyz", "/metrics"})
"""Paths that are answered while the server drains."""
BODY_S = 1.0
"""Seconds that a request which is turned away has to send its body."""
GONE = 499
"""How a request is counted whose client did not wait for the answer."""


class Drain:
    """Whether the server is stopping, and how many requests are under way.

    Args:
        give_up: ends what is still under way when the time for it is over.
    """

    def __init__(self, give_up: Callable[[], None] = lambda: None) -> None:
        self.give_up = give_up
        self._until = math.inf
        self.is_begun = False
        self.under_way = 0

    def begin(self, limit_s: float) -> None:
        """Stop; what was begun has so many seconds, from the first call."""
        if not self.is_begun:
            self.is_begun = True
            self._until = time.monotonic() + limit_s

    def end(self) -> None:
        """Wait for nothing any more."""
        self.is_begun, self._until = True, 0.0

    @property
    def is_over(self) -> bool:
        """Whether the time for what was begun is over."""
        return time.monotonic() > self._until


class Guard:
    """The outermost layer, as an ASGI application around another.

    Args:
        app: what is guarded.
        drain: shared with what runs the server.
        metrics: where requests are counted.
        token: what a request must bring; nothing if None.
        hosts: names that a request must come under; any if None.
        limits: how many requests may be under way, and for how long.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        drain: Drain,
        metrics: Metrics,
        token: str | None,
        hosts: frozenset[str] | None,
        limits: Limits,
    ) -> None:
        self._app, self._drain, self._metrics, self._limits, self._hosts = app, drain, metrics, limits, hosts
        self._token = None if token is None else token.strip().encode()
        self._taken = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        state = scope.setdefault("state", {})
        state |= {
            "id": uuid4().hex,
            "is_tei": False,
            "is_infinity": False,
            "deadline": asyncio.get_running_loop().time() + self._limits.seconds,
        }
        status = GONE

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", state["id"].encode())]
            await send(message)

        self._drain.under_way += 1
        self._metrics.under_way.inc()
        try:
            await self._guarded(scope, receive, noted)
        except ClientDisconnect:
            status = GONE
        except Exception as error:  # noqa: BLE001 - the end of every road
            log_defect(error)
            if status == GONE:
                refused = Refused("internal", f"a defect of whyrank; please report it with the id {state['id']}")
                await _answer(refused, scope, receive, noted)
        finally:
            self._drain.under_way -= 1
            self._metrics.under_way.dec()
            self._count(scope, status, time.perf_counter() - started)

    async def _guarded(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        if self._drain.is_begun and path not in ALWAYS:
            refused = Refused("unavailable", "the server is stopping; ask another", retry_s=1)
            await self._turned_away(refused, scope, receive, send)
        elif not self._is_from_here(scope):
            refused = Refused(
                "forbidden", "asked under a name that is not this server's; the setting 'hosts' allows it"
            )
            await self._turned_away(refused, scope, receive, send)
        elif not (path in OPEN or path.startswith("/static/") or self._is_known(scope)):
            refused = Refused("unauthorized", "no token, or a wrong one; send Authorization: Bearer TOKEN")
            await self._turned_away(refused, scope, receive, send)
        elif self._taken >= self._limits.under_way and path not in ALWAYS:
            message = f"{self._limits.under_way:,} requests are under way, and no more may; try again in a second"
            await self._turned_away(Refused("overloaded", message, retry_s=1), scope, receive, send)
        else:
            self._taken += 1
            try:
                await self._app(scope, receive, send)
            finally:
                self._taken -= 1

    async def _turned_away(self, refused: Refused, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer and close, when the body is there: to close before it is read would reset the client's connection."""
        if b"expect" not in dict(scope["headers"]):  # who asks first whether it may send has sent nothing
            with suppress(TimeoutError):
                async with asyncio.timeout(BODY_S):
                    await _discard(receive, self._limits.body_bytes)
        await _answer(refused, scope, receive, send)

    def _is_from_here(self, scope: Scope) -> bool:
        """Whether host and, where a browser names one, origin are names of this server."""
        if self._hosts is None:
            return True
        headers = dict(scope["headers"])
        named = [b"//" + headers.get(b"host", b""), headers.get(b"origin", b"")]
        try:
            return all(urlsplit(name.decode("latin-1")).hostname in self._hosts for name in named if name)
        except ValueError:
            return False

    def _is_known(self, scope: Scope) -> bool:
        if self._token is None:
            return True
        brought = dict(scope["headers"]).get(b"authorization", b"")
        scheme, _, token = brought.partition(b" ")
        return compare_digest(token.strip(), self._token) and scheme.lower() == b"bearer"

    def _count(self, scope: Scope, status: int, seconds: float) -> None:
        route: Any = scope.get("route")
        path = getattr(route, "path", None) or "other"
        self._metrics.requests.labels(path, str(status)).inc()
        self._metrics.seconds.labels(path).observe(seconds)
        LOG.info("%s %s %d %.3f s %s", scope["method"], path, status, seconds, scope["state"]["id"])


async def _discard(receive: Receive, most: int) -> None:
    """Read a body, and forget it; no more than `most` bytes."""
    read, is_more = 0, True
    while is_more and read <= most:
        message = await receive()
        read += len(message.get("body", b""))
        is_more = message.get("more_body", False)


async def _answer(refused: Refused, scope: Scope, receive: Receive, send: Send) -> None:
    headers = refused.headers | {"Connection": "close"}
    state = scope["state"]
    body = refused.body(tei=state["is_tei"], infinity=state["is_infinity"])
    await Json(body, refused.status, headers)(scope, receive, send)
