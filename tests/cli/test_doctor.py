"""`whyrank doctor`: what it finds wrong, what it only mentions, and whom it asks."""

import json
import sys
import threading
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

import whyrank
from ended import Run
from whyrank.cli import doctor_checks as checks
from whyrank.cli.doctor_checks import Finding
from whyrank.errors import AccessDenied, ModelError
from whyrank.lm.base import Capability, Choose, Generate, Reply, Request

REQUIRES = [
    "numpy>=1.26",
    'fastapi>=0.115; extra == "serve"',
    "uvicorn[standard]>=0.30,<1; extra == 'serve'",
    'ruff>=0.8; extra == "check"',
    'whyrank[serve]; extra == "all"',
]


class Server(BaseHTTPRequestHandler):
    """A server of whyrank, as doctor sees it."""

    answers: ClassVar[dict[str, tuple[int, str]]] = {}
    token: ClassVar[str | None] = None

    def do_GET(self) -> None:
        status, text = self.answers.get(self.path, (404, ""))
        wanted = None if self.token is None else f"Bearer {self.token}"
        if self.path.startswith("/v1") and self.headers.get("Authorization") != wanted:
            status, text = 401, "no"
        self.send_response(status)
        self.send_header("Location", "/v1/models")
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the standard library
        pass


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    listed = '{"object": "list", "data": [{"id": "student"}, {"id": "fast\\u001b[31m"}]}'
    monkeypatch.setattr(Server, "answers", {"/readyz": (200, "{}"), "/v1/models": (200, listed)})
    monkeypatch.setattr(Server, "token", None)
    server = HTTPServer(("127.0.0.1", 0), Server)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def little(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out what takes time and depends on the machine."""
    monkeypatch.setattr(checks, "all_here", list)


class Asked:
    """A language model that answers what a test says."""

    name = "fake:model"
    context = 4_096

    def __init__(self, text: str | ModelError, *abilities: Capability) -> None:
        self.text, self.capabilities = text, frozenset(abilities)
        self.seen: list[Request] = []

    def ask(self, requests: Sequence[Request], on_reply: object = None) -> list[Reply | ModelError]:
        self.seen += requests
        if isinstance(self.text, ModelError):
            return [self.text]
        return [
            Reply(text=self.text) if isinstance(own, Generate) else Reply(logprobs=(-1.0, -2.0)) for own in requests
        ]


def findings(run: Run, *args: object) -> tuple[int, dict[str, dict[str, Any]]]:
    ended = run("doctor", "--json", *args)
    report = json.loads(ended.out)
    assert report["ok"] is (ended.code == 0)
    return ended.code, {found["name"]: found for found in report["findings"]}


def by_name(found: Iterator[Finding]) -> dict[str, Finding]:
    return {finding.name: finding for finding in found}


@pytest.mark.parametrize(
    ("version", "bounds", "fits"),
    [
        ("2.10.1", [(">=", "2.4")], True),
        ("2.3.9", [(">=", "2.4")], False),
        ("2.13.0+cpu", [(">=", "2.4"), ("<", "3")], True),
        ("3.0", [(">=", "2.4"), ("<", "3")], False),
        ("1.0.0", [("==", "1.0")], True),
        ("1.0.1", [("==", "1.0")], False),
        ("1.0", [(">", "1.0.0")], False),
        ("1.0", [("<=", "1.0.0")], True),
        ("anything", [], True),
    ],
)
def test_versions_are_compared_by_their_numbers(version: str, bounds: list[tuple[str, str]], fits: bool) -> None:
    assert checks.is_within(version, bounds) is fits


def test_packages_and_extras_are_compared_with_what_whyrank_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    versions: dict[str, str] = {"numpy": "1.20", "fastapi": "0.115.2"}
    monkeypatch.setattr("importlib.metadata.requires", lambda _name: REQUIRES)
    monkeypatch.setattr(checks, "installed", versions.get)
    numpy = by_name(checks.installation())["numpy"]
    assert (numpy.status, numpy.detail) == ("broken", "1.20; needed is numpy>=1.26")
    assert numpy.advice == "pip install 'numpy>=1.26'"
    assert list(checks.extras()) == [
        Finding("extras", "serve", "told", "not installed: uvicorn", "pip install 'whyrank[serve]'")
    ]
    versions["uvicorn"] = "1.2"
    [old] = checks.extras()
    assert (old.status, old.detail) == ("warning", "uvicorn 1.2, needed is uvicorn>=0.30,<1")
    versions |= {"uvicorn": "0.31", "numpy": "2.0"}
    assert [found.status for found in checks.extras()] == ["fine"]
    assert by_name(checks.installation())["numpy"].status == "fine"
    del versions["numpy"]
    assert by_name(checks.installation())["numpy"].detail == "not installed"


def test_disks_are_looked_at_where_things_will_be(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WHYRANK_CACHE", str(tmp_path / "yet" / "to" / "be.sqlite"))
    found = by_name(checks.disks())
    assert {own.status for own in found.values()} == {"fine"}
    assert str(tmp_path / "yet" / "to") in found["disk for answers"].detail
    monkeypatch.setattr(checks, "ENOUGH_MB", 1e12)
    assert {own.status for own in checks.disks()} == {"warning"}
    monkeypatch.setattr("os.access", lambda *_args: False)
    assert {own.advice for own in checks.disks()} == {"make it writable, or use another"}


def test_a_gpu_that_torch_cannot_use_is_worth_a_word(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    smi = tmp_path / "nvidia-smi"
    smi.write_text("#!/bin/sh\necho 'NVIDIA H200, 143771 MiB'\n", encoding="utf-8")
    smi.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(checks, "installed", {"torch": "2.13.0+cpu"}.get)
    [gpu] = checks.gpus()
    assert (gpu.status, gpu.detail) == ("warning", "NVIDIA H200, 143771 MiB; torch 2.13.0+cpu cannot use it")
    monkeypatch.setattr(checks, "installed", {"torch": "2.13.0+cu128"}.get)
    assert [found.status for found in checks.gpus()] == ["fine"]
    smi.write_text("#!/bin/sh\nexit 9\n", encoding="utf-8")
    assert [found.status for found in checks.gpus()] == ["told"]


def test_torch_is_not_imported(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    code, found = findings(run)
    assert code == 0
    assert found["model"]["group"] == found["students"]["group"] == found["same bits"]["group"] == "model"
    assert found["whyrank"]["detail"].startswith(whyrank.__version__)


def test_scores_that_depend_on_their_neighbours_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    class Leaning:
        """Scores by how many documents it is shown."""

        name = "leaning"

        def score(self, _query: object, documents: Sequence[object], _first: object) -> list[float]:
            return [float(len(documents))] * len(documents)

        decompose = floor = score

    monkeypatch.setattr("whyrank.rankers.load", lambda _name, threads: Leaning())
    found = checks.same_bits()
    assert (found.status, found.ok) == ("broken", False)
    assert found.detail.endswith("they differ")


def test_warnings_leave_the_exit_code_and_broken_things_do_not(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    worth_a_word = Finding("machine", "disk", "warning", "full\x1b[31m", "make room")
    monkeypatch.setattr(checks, "all_here", lambda: [Finding("machine", "python", "fine", "3.13"), worth_a_word])
    ended = run("doctor")
    assert ended.code == 0
    assert "! " in ended.out
    assert "full␛[31m" in ended.out
    assert "→ make room" in ended.out
    assert ended.out.endswith("nothing is broken; worth a look: 1\n")
    assert "3.13" not in run("doctor", "-q").out
    monkeypatch.setattr(checks, "all_here", lambda: [worth_a_word, Finding("model", "model", "broken", "damaged")])
    ended = run("doctor")
    assert (ended.code, ended.out.splitlines()[-1]) == (1, "something is wrong")


@pytest.mark.usefixtures("little")
def test_a_server_is_asked_for_its_models(run: Run, served: str) -> None:
    code, found = findings(run, "--server", f"{served}/")
    assert (code, found["ready"]["status"], found["models"]["detail"]) == (0, "fine", "student, fast\x1b[31m")
    assert "student, fast␛[31m" in run("doctor", "--server", served).out


@pytest.mark.usefixtures("little")
def test_a_token_is_sent_and_never_shown(run: Run, served: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Server, "token", "geheim")
    code, found = findings(run, "--server", served)
    assert (code, found["models"]["status"]) == (1, "broken")
    assert "token=env:NAME" in found["models"]["advice"]
    monkeypatch.setenv("SERVER_TOKEN", "geheim")
    ended = run("doctor", "--server", served, "-c", "token=env:SERVER_TOKEN")
    assert ended.code == 0
    assert "geheim" not in ended.out + ended.err


@pytest.mark.usefixtures("little")
@pytest.mark.parametrize(
    ("answers", "name", "told"),
    [
        ({}, "ready", "it answers 404"),
        ({"/readyz": (503, "")}, "ready", "it answers 503"),
        ({"/readyz": (302, ""), "/v1/models": (200, "{}")}, "ready", "it answers 302"),
        ({"/readyz": (200, ""), "/v1/models": (200, "<html>")}, "models", "no list of models: <html>"),
        ({"/readyz": (200, ""), "/v1/models": (200, '{"data": 3}')}, "models", "no list of models"),
    ],
)
def test_another_server_is_found_out(
    run: Run, served: str, monkeypatch: pytest.MonkeyPatch, answers: dict[str, tuple[int, str]], name: str, told: str
) -> None:
    monkeypatch.setattr(Server, "answers", answers)
    code, found = findings(run, "--server", served)
    assert (code, found[name]["status"]) == (1, "broken")
    assert told in found[name]["detail"]


@pytest.mark.usefixtures("little")
def test_a_server_that_is_not_there_is_broken(run: Run) -> None:
    code, found = findings(run, "--server", "http://127.0.0.1:9")
    assert code == 1
    assert found["ready"]["detail"].startswith("not reached: ")


@pytest.mark.usefixtures("little")
@pytest.mark.parametrize(
    ("text", "json_status"),
    [('{"best": 2}', "fine"), ("[2]", "warning"), ("", "warning"), ('{"best": true}', "warning")],
)
def test_a_model_is_asked_one_structured_question(
    run: Run, monkeypatch: pytest.MonkeyPatch, text: str, json_status: str
) -> None:
    lm = Asked(text, Capability.GENERATE, Capability.LOGPROBS)
    monkeypatch.setattr("whyrank.rankers.models.open_model", lambda _settings: lm)
    code, found = findings(run, "--model", "openai:model")
    assert (code, found["answer"]["status"], found["JSON"]["status"]) == (0, "fine", json_status)
    assert found["abilities"]["detail"] == "generate, logprobs; context 4,096 tokens"
    assert found["logprobs"]["status"] == "fine"
    generate, choose = lm.seen
    assert isinstance(generate, Generate)
    assert isinstance(choose, Choose)
    assert json.loads(generate.schema)["required"] == ["best"]


@pytest.mark.usefixtures("little")
def test_a_model_that_refuses_is_broken(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    lm = Asked(AccessDenied("set OPENAI_API_KEY"), Capability.GENERATE, Capability.LOGPROBS)
    monkeypatch.setattr("whyrank.rankers.models.open_model", lambda _settings: lm)
    code, found = findings(run, "--model", "openai:model")
    assert (code, found["answer"]["detail"]) == (1, "set OPENAI_API_KEY")
    assert len(lm.seen) == 1
    assert set(found) == {"answer"}


@pytest.mark.usefixtures("little")
def test_a_remote_model_is_asked_now_and_not_remembered(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def opened(settings: Any) -> Asked:
        asked.append(settings)
        return Asked('{"best": 2}', Capability.GENERATE)

    monkeypatch.setattr("whyrank.rankers.models.open_model", opened)
    code, _ = findings(run, "--model", "openai:model", "--url", "http://localhost:1/v1", "-c", "model.timeout_s=5")
    assert code == 0
    [settings] = asked
    assert (settings.cache, settings.retries, settings.timeout_s) == ("off", 0, 5.0)
    assert settings.url == ("http://localhost:1/v1",)


@pytest.mark.usefixtures("little")
def test_a_backend_that_does_not_exist_is_broken(run: Run) -> None:
    code, found = findings(run, "--model", "opnai:model")
    assert code == 1
    assert "did you mean openai?" in found["answer"]["detail"]


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["--server", "localhost:8000"], "is no address of a server"),
        (["--server", "file:///etc/passwd"], "is no address of a server"),
        (["--server", "http://me:pw@localhost"], "holds a user or password"),
        (["-c", "token=env:SERVER_TOKEN"], "token is for a server"),
        (["-c", "tokn=x"], "did you mean token?"),
        (["--server", "http://localhost", "-c", "token=geheim"], "'token' is a secret"),
    ],
)
def test_what_cannot_be_looked_at_is_told_in_a_line(run: Run, args: list[str], told: str) -> None:
    ended = run("doctor", *args)
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert told in ended.err
    assert "geheim" not in ended.err
    assert "pw" not in ended.err
