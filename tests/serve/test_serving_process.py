"""What only a real server shows: sockets that misbehave, and the way it ends."""

import json
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import NamedTuple

import httpx
import pytest
from serving import QUERY, TEXTS

import whyrank

BODY = {"query": QUERY, "documents": TEXTS}
PAYLOAD = json.dumps(BODY).encode()
HEAD = b"POST /rerank HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\n\r\n"
START_S = 120


class Running(NamedTuple):
    """A server of its own, and where it is."""

    process: "subprocess.Popen[str]"
    url: str
    port: int

    def open(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=START_S)


@pytest.fixture
def server() -> Iterator[Running]:
    args = [sys.executable, "-m", "whyrank", "serve", "--port", "0", "--ranker", "evidence", "-c", "limits.seconds=300"]
    process = subprocess.Popen([*args, "-c", "limits.drain_s=300", "--threads", "1"], stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    told = re.search(r"serving evidence at (http://127\.0\.0\.1:(\d+));", process.stderr.readline())
    assert told is not None
    yield Running(process, told[1], int(told[2]))
    if process.poll() is None:
        process.kill()
    process.communicate()


def answer_of(connection: socket.socket) -> bytes:
    """All that comes until the other side closes."""
    found = b""
    while piece := connection.recv(1 << 16):
        found += piece
    return found


def test_sigterm_answers_what_was_begun_and_refuses_what_is_new(server: Running) -> None:
    many = {"query": QUERY, "documents": [f"{text} {place}" for place in range(60) for text in TEXTS[:3]]}
    found: list[httpx.Response] = []

    def asked() -> None:
        found.append(httpx.post(f"{server.url}/rerank", json=many, timeout=START_S))

    askers = [threading.Thread(target=asked) for _ in range(3)]
    for asker in askers:
        asker.start()
    while _figure(server, "whyrank_requests_under_way") < 4:  # these three, and the one that asks for the figure
        pass
    server.process.send_signal(signal.SIGTERM)
    while httpx.get(f"{server.url}/readyz", timeout=START_S).status_code == 200:
        pass
    refused = httpx.post(f"{server.url}/rerank", json=BODY, timeout=START_S)
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    for asker in askers:
        asker.join()
    assert server.process.wait(START_S) == 0
    ours = whyrank.rerank(many["query"], many["documents"], ranker="evidence")  # type: ignore[arg-type]
    for answer in found:
        assert answer.status_code == 200
        assert [result["score"] for result in answer.json()["results"]] == [hit.score for hit in ours]


def test_an_idle_server_ends_at_once_with_0(server: Running) -> None:
    with server.open():  # a connection that asks for nothing
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(START_S) == 0
    assert server.process.stderr is not None
    assert "Traceback" not in server.process.stderr.read()


def test_sockets_that_misbehave_harm_no_other(server: Running) -> None:
    head = HEAD % len(PAYLOAD)
    with server.open() as slow, server.open() as half, server.open() as gone, server.open() as rude:
        slow.sendall(head + PAYLOAD[:10])
        gone.sendall(head + PAYLOAD)
        gone.close()
        rude.sendall(b"\x00\xff nonsense\r\n\r\n")
        half.sendall(head + PAYLOAD)
        half.shutdown(socket.SHUT_WR)
        answer_of(half)
        assert answer_of(rude).startswith(b"HTTP/1.1 400")
        assert httpx.post(f"{server.url}/rerank", json=BODY, timeout=START_S).status_code == 200
        slow.sendall(PAYLOAD[10:])
        assert slow.recv(1 << 16).startswith(b"HTTP/1.1 200")
    while _figure(server, "whyrank_requests_under_way") > 1:  # nothing is left but the one that asks
        pass
    assert _figure(server, 'whyrank_waiting_requests{model="evidence"}') == 0


def test_a_body_that_does_not_end_is_given_up(server: Running) -> None:
    announced = HEAD % 50_000_000
    with server.open() as large:
        large.sendall(announced)
        assert large.recv(1 << 16).startswith(b"HTTP/1.1 413")


def test_a_place_that_is_taken_is_told(server: Running) -> None:
    args = [sys.executable, "-m", "whyrank", "serve", "--port", str(server.port), "--ranker", "evidence", "-q"]
    ended = subprocess.run(args, capture_output=True, text=True, check=False, timeout=START_S)
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
    assert f"127.0.0.1:{server.port} cannot be listened at" in ended.stderr


def _figure(server: Running, name: str) -> float:
    lines = httpx.get(f"{server.url}/metrics", timeout=START_S).text.splitlines()
    return next(float(line.rpartition(" ")[2]) for line in lines if line.startswith(f"{name} "))
