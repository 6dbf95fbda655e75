"""Running an application under uvicorn: told to stop, it answers what was begun and refuses what is new."""

import socket
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING

import uvicorn

from whyrank.errors import BadInput
from whyrank.serve.connections import Connection
from whyrank.serve.settings import ServeSettings

if TYPE_CHECKING:
    from fastapi import FastAPI

    from whyrank.serve.guard import Drain

BACKLOG = 2048
"""Connections that wait to be taken up."""
CLOSING_S = 1
"""Seconds that connections have to close when everything is answered."""


def listening(settings: ServeSettings) -> socket.socket:
    """A socket that listens where the settings say.

    Raises:
        BadInput: it cannot be listened there.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, settings.port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise BadInput(
            f"{settings.host}:{settings.port} cannot be listened at ({error.strerror}); name another --host or --port, "
            "or stop what listens there"
        ) from error


def address(listener: socket.socket) -> str:
    """The address of a socket that listens, for a browser."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class Server(uvicorn.Server):
    """Drains on the first signal, and stops at once on the second.

    Args:
        app: what `create_app` made.
        settings: of the app.
        on_started: called when it serves.
    """

    def __init__(self, app: "FastAPI", settings: ServeSettings, on_started: Callable[[], None]) -> None:
        config = uvicorn.Config(
            app,
            http=Connection,
            log_config=None,
            access_log=False,  # ours names routes; uvicorn's would quote what stands behind a question mark
            server_header=False,
            timeout_graceful_shutdown=CLOSING_S,
        )
        super().__init__(config)
        self._on_started = on_started
        self._drain: Drain = app.state.drain
        self._drain_s = settings.limits.drain_s

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to serve; from here on signals are heeded, and whoever waits for the server may be told."""
        await super().startup(sockets)
        self._on_started()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to drain; on the second signal stop at once."""
        if self._drain.is_begun:
            self._drain.end()
            super().handle_exit(sig, frame)
            return
        self._drain.begin(self._drain_s)

    async def on_tick(self, counter: int) -> bool:
        """Stop when nothing is under way any more, or the time for it is over; then what is left is refused."""
        if self._drain.is_over:
            self._drain.give_up()
        if self._drain.is_begun and (self._drain.under_way == 0 or self._drain.is_over):
            self.should_exit = True
        return await super().on_tick(counter)
