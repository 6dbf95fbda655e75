"""A local server that speaks OpenAI's interface and misbehaves on command."""

import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

DRIP_S = 0.05
GARBAGE = "HTTP Error 503: passage 4 covers 2 of 3 needs, see 1999"


@dataclass(frozen=True)
class Asked:
    """A request that came in."""

    path: str
    body: dict[str, Any]
    headers: dict[str, str]


Answer = str | Mapping[str, Any] | tuple[int, str | Mapping[str, Any]]
"""The name of a fault (see `FAULTS`), the text of an answer, a whole body, or a status and its message or body."""


class Faults:
    """Answers each request as `faults` says.

    Args:
        faults: number of the request, from 0 → what to answer (see `Answer`).
        retry_after: value of the header that comes with "429 with Retry-After".

    Attributes:
        url: where it is; give it to `OpenAI(url=…)`.
        requests: what came in, in order.
        models: what is answered to the question what is served; not counted among the requests.
        looks: how often that was asked.
    """

    def __init__(self, faults: Callable[[int], Answer] = lambda _: "ok", retry_after: str = "7") -> None:
        self.faults = faults
        self.retry_after = retry_after
        self.requests: list[Asked] = []
        self.models: Answer = "404"
        self.looks = 0
        self.busiest = 0
        self._busy = 0
        self.lock = threading.Lock()
        self.stopping = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.faults = self
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop, and let go of every request that still waits."""
        self.stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def enter(self, asked: Asked) -> int:
        """A request begins; its number."""
        with self.lock:
            self.requests.append(asked)
            self._busy += 1
            self.busiest = max(self.busiest, self._busy)
            return len(self.requests) - 1

    def leave(self) -> None:
        """A request has ended."""
        with self.lock:
            self._busy -= 1


def refused_url() -> str:
    """An address where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{taken.getsockname()[1]}/v1"


def answer(text: str, *, finish: str = "stop", **message: object) -> dict[str, Any]:
    """The body of a chat completion."""
    turn = {"role": "assistant", "content": text, **message}
    return {
        "id": "x",
        "object": "chat.completion",
        "created": 0,
        "model": "m",
        "choices": [{"index": 0, "message": turn, "text": text, "finish_reason": finish}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 3, "total_tokens": 13},
    }


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    faults: Faults

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that hang up are part of the test."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def log_message(self, *args: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        faults = self.server.faults
        with faults.lock:
            faults.looks += 1
        self.give(faults.models)

    def do_POST(self) -> None:
        faults = self.server.faults
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        headers = {name.lower(): value for name, value in self.headers.items()}
        number = faults.enter(Asked(self.path, body, headers))
        try:
            self.give(faults.faults(number))
        finally:
            faults.leave()

    def give(self, what: Answer) -> None:
        if isinstance(what, Mapping):
            self.say(json.dumps(what))
        elif isinstance(what, tuple):
            status, said = what
            self.fail(status, said) if isinstance(said, str) else self.say(json.dumps(said), status)
        elif what in FAULTS:
            FAULTS[what](self)
        else:
            self.say(json.dumps(answer(what)))

    def say(self, text: str, status: int = 200, kind: str = "application/json", **headers: str) -> None:
        data = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(data)

    def fail(self, status: int, message: str, **headers: str) -> None:
        self.say(json.dumps({"error": {"message": message, "type": "t", "code": None}}), status, **headers)

    def hang(self) -> None:
        self.server.faults.stopping.wait()
        self.close_connection = True

    def reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def hang_up(self) -> None:
        self.close_connection = True

    def drip(self) -> None:
        """A byte now and then, for ever: no read ever times out."""
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "100000")
        self.end_headers()
        self.close_connection = True
        while not self.server.faults.stopping.wait(DRIP_S):
            self.wfile.write(b" ")
            self.wfile.flush()

    def half(self) -> None:
        """The connection ends in the middle of the body."""
        data = json.dumps(answer("ok")).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data[: len(data) // 2])
        self.close_connection = True

    def echo_key(self) -> None:
        self.fail(401, f"Incorrect API key provided: {self.headers['Authorization']}")


FAULTS: dict[str, Callable[[_Handler], None]] = {
    "timeout": _Handler.hang,
    "reset": _Handler.reset,
    "hang up": _Handler.hang_up,
    "slow drip": _Handler.drip,
    "half a body": _Handler.half,
    "408": lambda handler: handler.fail(408, "request timeout"),
    "409": lambda handler: handler.fail(409, "conflict"),
    "429 with Retry-After": lambda handler: handler.fail(
        429, "slow down", Retry_After=handler.server.faults.retry_after
    ),
    "429 with date": lambda handler: handler.fail(
        429, "slow down", Retry_After=formatdate(time.time() + 9, usegmt=True)
    ),
    "429": lambda handler: handler.fail(429, "slow down"),
    "no quota": lambda handler: handler.say(
        json.dumps({"error": {"message": "You exceeded your quota", "code": "insufficient_quota"}}), 429
    ),
    "500": lambda handler: handler.fail(500, "internal error"),
    "503": lambda handler: handler.say("<html><body><h1>503</h1> no server</body></html>", 503, "text/html"),
    "400": lambda handler: handler.fail(400, "the prompt is\n\n too long: 9000 > 4096"),
    "401": _Handler.echo_key,
    "404": lambda handler: handler.fail(404, "no such model"),
    "413": lambda handler: handler.fail(413, "too large"),
    "422": lambda handler: handler.say('{"detail": [{"loc": ["body", "x"], "msg": "wrong"}]}', 422),
    "html": lambda handler: handler.say("<html><title>Welcome to nginx</title></html>", 200, "text/html"),
    "truncated": lambda handler: handler.say(json.dumps(answer("ok"))[:60]),
    "no choices": lambda handler: handler.say('{"choices": []}'),
    "list": lambda handler: handler.say("[1, 2]"),
    "error in body": lambda handler: handler.say('{"error": {"message": "the provider behind is gone"}}'),
    "503 in body": lambda handler: handler.say('{"error": {"message": "overloaded", "code": 503}}'),
    "empty": lambda handler: handler.say(json.dumps(answer(""))),
    "refusal": lambda handler: handler.say(json.dumps(answer("", refusal="I can not help with that."))),
    "filtered": lambda handler: handler.say(json.dumps(answer("", finish="content_filter"))),
    "cut off": lambda handler: handler.say(json.dumps(answer("[2] > [1", finish="length"))),
    "wrong ids": lambda handler: handler.say(json.dumps(answer("[98] > [99] > [97]"))),
    "repeated ids": lambda handler: handler.say(json.dumps(answer("[1] > [1] > [1]"))),
    "garbage": lambda handler: handler.say(json.dumps(answer(GARBAGE))),
}
"""Name → how the server misbehaves."""
