"""Connections whose client has ended its own side: the answer is still sent, unless nobody is there to read it."""

import asyncio
from socket import SO_ERROR, SOL_SOCKET

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

LOOK_S = 0.1
"""Seconds between two looks at whether the other side has reset the connection."""


class Connection(H11Protocol):
    """HTTP/1.1 for clients that close their side after the request, as well as for those that wait.

    A client that is gone altogether looks the same until something is sent to it. So an interim response is sent, which
    every client of HTTP/1.1 passes over (RFC 9110, 15.2); it is reset where nobody reads any more, and the request is
    given up then. To a client of HTTP/1.0 there is nothing to send: it is taken to be gone.
    """

    def eof_received(self) -> bool:  # type: ignore[override]
        """Whether the connection stays open for the answer."""
        cycle = self.cycle
        if cycle is None:  # before the first request, whatever uvicorn declares
            return False
        if cycle.response_complete or cycle.more_body or self.scope["http_version"] != "1.1":
            return False
        cycle.keep_alive = False
        if self.conn.our_state is h11.SEND_RESPONSE:
            interim = h11.InformationalResponse(status_code=100, headers=[], reason=b"Continue")
            self.transport.write(self.conn.send(interim))
        self._look()
        return True

    def _look(self) -> None:
        if self.transport.is_closing() or self.cycle.response_complete:
            return
        if self.transport.get_extra_info("socket").getsockopt(SOL_SOCKET, SO_ERROR):
            self.transport.abort()
            return
        asyncio.get_running_loop().call_later(LOOK_S, self._look)
