"""What only a real server shows: sockets that misbehave, and the way it ends."""

import json
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
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


@contextmanager
def running(*args: str) -> Iterator[Running]:
    """A server that a command runs, until the block ends."""
    pipe = subprocess.PIPE
    process = subprocess.Popen([sys.executable, *args], stdin=pipe, stderr=pipe, text=True)
    assert process.stderr is not None
    told = re.search(r"serving \w+ at (http://127\.0\.0\.1:(\d+));", process.stderr.readline())
    assert told is not None
    try:
        yield Running(process, told[1], int(told[2]))
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture
def server() -> Iterator[Running]:
    args = ["-m", "whyrank", "serve", "--port", "0", "--ranker", "evidence", "--threads", "1"]
    with running(*args, "-c", "limits.seconds=300", "-c", "limits.drain_s=300") as started:
        yield started


def held(**limits: float) -> AbstractContextManager[Running]:
    """A server whose turns end when a line is written to it."""
    given = [part for name, value in limits.items() for part in ("-c", f"limits.{name}={value}")]
    return running(str(Path(__file__).with_name("held_server.py")), *given)


def told_by(server: Running) -> str:
    """The next line on its standard error."""
    assert server.process.stderr is not None
    return server.process.stderr.readline()


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
        assert b"HTTP/1.1 200" in answer_of(half)
        assert answer_of(rude).startswith(b"HTTP/1.1 400")
        assert httpx.post(f"{server.url}/rerank", json=BODY, timeout=START_S).status_code == 200
        slow.sendall(PAYLOAD[10:])
        assert slow.recv(1 << 16).startswith(b"HTTP/1.1 200")
    while _figure(server, "whyrank_requests_under_way") > 1:  # nothing is left but the one that asks
        pass
    assert _figure(server, 'whyrank_waiting_requests{model="evidence"}') == 0


def test_who_ends_his_side_is_answered_and_who_is_gone_is_forgotten() -> None:
    request = HEAD % len(PAYLOAD) + PAYLOAD
    with held(seconds=300) as server, server.open() as half, server.open() as gone:
        assert server.process.stdin is not None
        half.sendall(request)
        assert told_by(server) == "begun\n"
        half.shutdown(socket.SHUT_WR)
        assert half.recv(1 << 16).startswith(b"HTTP/1.1 100 ")  # it looks whether anybody is there
        gone.sendall(request)
        while _figure(server, "whyrank_requests_under_way") < 3:  # these two, and the one that asks
            pass
        gone.close()
        while _figure(server, "whyrank_requests_under_way") > 2:
            pass
        server.process.stdin.write("\n")
        server.process.stdin.flush()
        assert answer_of(half).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("end", [b"", b"HTTP/1.0"], ids=["in its body", "by HTTP/1.0"])
def test_who_ends_his_side_too_early_is_let_go(server: Running, end: bytes) -> None:
    request = (HEAD % len(PAYLOAD)).replace(b"HTTP/1.1", end) + PAYLOAD if end else HEAD % len(PAYLOAD) + b"{"
    with server.open() as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        assert b"HTTP/1.1 100 " not in answer_of(connection)
    while _figure(server, "whyrank_requests_under_way") > 1:
        pass


def test_a_turn_that_outlasts_the_drain_ends_the_server_with_a_word() -> None:
    found: list[httpx.Response] = []
    with held(seconds=300, drain_s=0.1) as server:
        asker = threading.Thread(
            target=lambda: found.append(httpx.post(f"{server.url}/rerank", json=BODY, timeout=START_S))
        )
        asker.start()
        assert told_by(server) == "begun\n"
        server.process.send_signal(signal.SIGTERM)
        asker.join()
        assert server.process.wait(START_S) == 3
        assert told_by(server).startswith("POST /rerank 503 ")
        assert told_by(server) == "error: ended in a turn of held; limits.drain_s is how long one is waited for\n"
    assert [answer.status_code for answer in found] == [503]


def test_a_turn_that_nobody_waits_for_ends_before_the_server() -> None:
    with held(seconds=0.1, drain_s=300) as server:
        assert server.process.stdin is not None
        assert httpx.post(f"{server.url}/rerank", json=BODY, timeout=START_S).status_code == 504
        server.process.send_signal(signal.SIGTERM)
        _wait_until_closed(server)
        server.process.stdin.write("\n")
        server.process.stdin.flush()
        assert server.process.wait(START_S) == 0


def test_a_second_signal_ends_it_at_once() -> None:
    with held(seconds=0.1, drain_s=300) as server:
        assert httpx.post(f"{server.url}/rerank", json=BODY, timeout=START_S).status_code == 504
        server.process.send_signal(signal.SIGTERM)
        _wait_until_closed(server)
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(START_S) == -signal.SIGTERM


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


def _wait_until_closed(server: Running) -> None:
    """A connection that is still in the queue of the closing socket is reset, not refused."""
    with suppress(httpx.NetworkError):
        while True:
            httpx.get(f"{server.url}/livez", timeout=START_S)


def _figure(server: Running, name: str) -> float:
    lines = httpx.get(f"{server.url}/metrics", timeout=START_S).text.splitlines()
    return next(float(line.rpartition(" ")[2]) for line in lines if line.startswith(f"{name} "))
