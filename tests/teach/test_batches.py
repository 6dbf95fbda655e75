"""Batch files: the bodies of live calls, and one answer a request whatever comes back."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from faults import Faults, answer

from ended import Lines
from whyrank.errors import (
    AccessDenied,
    BadInput,
    BadRecord,
    MissingFile,
    ModelError,
    ModelRejected,
    ModelUnavailable,
    UnknownName,
    UnusableReply,
)
from whyrank.formats.problems import Collector
from whyrank.lm.base import Choose, Generate, Message, Reply, Request
from whyrank.lm.openai import OpenAI
from whyrank.lm.prices import Price
from whyrank.teach import batches
from whyrank.teach.batches import read_batch, write_batch
from whyrank.teach.store import Store
from whyrank.types import Usage

ASKED = (Message("system", "You rank."), Message("user", "[1] ä — 日 \U0001f600"))
SCHEMA = '{"type": "object", "properties": {"best": {"type": "integer"}}}'
REQUESTS: dict[str, Request] = {
    "plain": Generate(ASKED),
    "full": Generate(ASKED, max_tokens=9, temperature=0.5, seed=3, stop=("\n",), schema=SCHEMA, n=2, tag="q1/0"),
    "choice": Choose(ASKED, ("A", "B")),
}


def written(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def row(key: str, body: object, status: int = 200) -> dict[str, Any]:
    response = {"status_code": status, "request_id": "r", "body": body}
    return {"id": "b", "custom_id": key, "response": response, "error": None}


@pytest.mark.parametrize(
    ("backend", "batch"),
    [
        ({}, {}),
        ({"extra_body": {"top_k": 1, "temperature": 0.1}}, {"extra_body": {"top_k": 1, "temperature": 0.1}}),
        ({"schema_mode": "none"}, {"has_schema": False}),
    ],
)
def test_a_line_holds_the_body_of_the_live_call(backend: dict[str, Any], batch: dict[str, Any], tmp_path: Path) -> None:
    pytest.importorskip("openai")
    full = {key: request for key, request in REQUESTS.items() if key != "choice"}
    full["prefix"] = Generate((*ASKED, Message("assistant", "[")))
    [file] = write_batch(full, tmp_path / "batch.jsonl", model="m", **batch)
    with (
        Faults() as server,
        OpenAI("m", url=server.url, concurrency=1, prefill=True, prices=Price(0, 0), **backend) as lm,
    ):
        server.faults = lambda _: {**answer("x"), "choices": answer("x")["choices"] * 2}
        lm.ask(list(full.values()))
    lines = written(file)
    assert [line["body"] for line in lines] == [asked.body for asked in server.requests]
    assert {asked.path for asked in server.requests} == {line["url"] for line in lines} == {"/v1/chat/completions"}
    assert [(line["custom_id"], line["method"]) for line in lines] == [(key, "POST") for key in full]


def test_fields_that_a_model_refuses_are_sent_as_the_backend_learns_to(tmp_path: Path) -> None:
    fields = ("max_tokens", "temperature")
    [file] = write_batch({"k": REQUESTS["full"]}, tmp_path / "b.jsonl", model="m", adapted=fields)
    body = written(file)[0]["body"]
    assert (body["max_completion_tokens"], "max_tokens" in body, "temperature" in body) == (9, False, False)
    with pytest.raises(UnknownName, match="did you mean temperature"):
        write_batch(REQUESTS, tmp_path / "b.jsonl", model="m", adapted=["temprature"])


def test_plain_texts_go_to_their_own_interface(tmp_path: Path) -> None:
    [file] = write_batch({"k": Generate("Say")}, tmp_path / "b.jsonl.gz", model="m")
    line = json.loads(gzip.decompress(file.read_bytes()))
    assert (line["url"], line["body"]["prompt"]) == ("/v1/completions", "Say")
    with pytest.raises(BadInput, match="conversations and plain texts"):
        write_batch({"k": Generate("Say"), "l": Generate(ASKED)}, tmp_path / "c.jsonl", model="m")
    assert write_batch({}, tmp_path / "d.jsonl", model="m") == []
    assert sorted(file.name for file in tmp_path.iterdir()) == ["b.jsonl.gz"]


def test_files_hold_what_a_provider_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "MOST_REQUESTS", 2)
    many: dict[str, Request] = {str(number): Generate(ASKED) for number in range(5)}
    files = write_batch(many, tmp_path / "b.jsonl", model="m")
    assert [file.name for file in files] == ["b.jsonl", "b-2.jsonl", "b-3.jsonl"]
    assert [line["custom_id"] for file in files for line in written(file)] == list(many)
    size = files[2].stat().st_size
    monkeypatch.setattr(batches, "MOST_REQUESTS", 9)
    monkeypatch.setattr(batches, "MOST_BYTES", 3 * size)
    assert [len(written(file)) for file in write_batch(many, tmp_path / "c.jsonl", model="m")] == [3, 2]
    monkeypatch.setattr(batches, "MOST_BYTES", size - 1)
    with pytest.raises(BadInput, match=f"a request of {size} bytes"):
        write_batch(many, tmp_path / "e.jsonl", model="m")
    assert not (tmp_path / "e.jsonl").exists()


def test_no_file_is_written_over_a_store_or_an_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "MOST_REQUESTS", 1)
    Store(tmp_path / "b-2.jsonl").close()
    own = tmp_path / "c-2.jsonl"
    own.touch()
    many: dict[str, Request] = {key: Generate(ASKED) for key in "ab"}
    with pytest.raises(BadInput, match=r"b-2\.jsonl: is a store of answers"):
        write_batch(many, tmp_path / "b.jsonl", model="m")
    with pytest.raises(BadInput, match=r"c-2\.jsonl: is what this command reads"):
        write_batch(many, tmp_path / "c.jsonl", model="m", inputs=[own])
    assert own.read_bytes() == b""


def test_every_kind_of_row_is_an_answer(lines: Lines, tmp_path: Path) -> None:
    requests: dict[str, Request] = {key: Generate(ASKED) for key in (*ROWS, "absent")}
    output = lines("output.jsonl", [row(key, body, status) for key, (status, body, *_) in ROWS.items() if status])
    errors = lines("errors.jsonl", [ROWS["expired"][1]])
    found = read_batch([tmp_path / errors, tmp_path / output], requests, price=Price(1, 2))
    assert list(found.answers) == list(requests)
    for key, (_, _, kind, said) in ROWS.items():
        got = found.answers[key]
        assert type(got) is kind, key
        assert said in (got.text if isinstance(got, Reply) else str(got))
    ok, absent = found.answers["ok"], found.answers["absent"]
    assert isinstance(ok, Reply)
    assert ok.usage == Usage(calls=1, prompt_tokens=10, generated_tokens=3, cost=16e-6)
    assert isinstance(absent, ModelUnavailable)
    assert "ask it again" in str(absent)
    assert (found.missing, found.repeated, found.unknown) == (("absent",), (), ())
    usages = {key: (got.usage.calls, got.usage.cost) for key, got in found.answers.items()}
    assert usages["garbage"] == (1, None)  # the model answered, unseen
    assert usages["busy"] == (1, 0.0)
    assert usages["expired"] == usages["absent"] == (0, 0.0)


ROWS: dict[str, tuple[int, Any, type[Reply | ModelError], str]] = {
    "ok": (200, answer("[2] > [1]"), Reply, "[2] > [1]"),
    "refused": (200, answer("", refusal="I will not."), Reply, "I will not."),
    "bad": (400, {"error": {"message": "no such field"}}, ModelRejected, "no such field"),
    "busy": (429, {"error": {"message": "slow down"}}, ModelUnavailable, "slow down"),
    "denied": (401, {"error": {"message": "no key"}}, AccessDenied, "no key"),
    "broken": (500, None, ModelUnavailable, "500"),
    "garbage": (200, {"choices": []}, UnusableReply, "choices"),
    "text": (200, "<html>", UnusableReply, "choices"),
    "expired": (
        0,
        {"custom_id": "expired", "response": None, "error": {"code": "batch_expired", "message": "too late"}},
        ModelUnavailable,
        "batch_expired: too late",
    ),
}


def test_ids_given_twice_or_by_nobody(lines: Lines, tmp_path: Path) -> None:
    requests: dict[str, Request] = {key: Generate(ASKED) for key in ("a", "b", "c")}
    rows = [
        row("c", None, 500),
        row("c", None, 400),
        row("a", None, 500),
        row("a", answer("first")),
        row("a", answer("second")),
        row("a", None, 500),
        row("stranger", answer("x")),
        row("b", answer("b")),
    ]
    found = read_batch([tmp_path / lines("o.jsonl", rows)], requests)
    assert isinstance(found.answers["a"], Reply)
    assert found.answers["a"].text == "first"
    assert (found.missing, found.repeated, found.unknown) == ((), ("c", "a"), ("stranger",))
    assert type(found.answers["c"]) is ModelUnavailable  # of errors, the first
    assert found.answers["b"].usage.cost is None


@pytest.mark.parametrize(
    "line",
    ["[]", "3", "{}", '{"custom_id": "a"}', '{"custom_id": {}, "error": {"code": 1}}', '{"custom_id": "a", "resp'],
)
def test_a_line_of_something_else_is_named_and_no_other_is_lost(line: str, tmp_path: Path) -> None:
    path = tmp_path / "o.jsonl"
    path.write_text(f"{json.dumps(row('a', answer('fine')))}\n{line}\n{json.dumps(row('b', answer('too')))}\n")
    requests: dict[str, Request] = {key: Generate(ASKED) for key in ("a", "b")}
    with pytest.raises(BadRecord, match=r"o\.jsonl:2: "):
        read_batch([path], requests)
    told = Collector(9)
    found = read_batch([path], requests, complain=told)
    assert [got.text for got in found.answers.values() if isinstance(got, Reply)] == ["fine", "too"]
    assert told.errors == 1


def test_choices_are_read_as_choices(lines: Lines, tmp_path: Path) -> None:
    body = answer("A")
    likely = [{"token": "A", "logprob": -0.1}, {"token": "B", "logprob": -2.0}]
    body["choices"][0]["logprobs"] = {"content": [{"token": "A", "logprob": -0.1, "top_logprobs": likely}]}
    found = read_batch([tmp_path / lines("o.jsonl", [row("k", body)])], {"k": REQUESTS["choice"]})
    assert isinstance(found.answers["k"], Reply)
    assert found.answers["k"].logprobs == (-0.1, -2.0)


def test_files_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(MissingFile):
        read_batch([tmp_path / "no.jsonl"], {})
