"""Every fault over a real socket: the right error, the right number of calls, no waiting, no key anywhere."""

import logging
import subprocess
import sys
import threading

import pytest
from acted import Clock
from faults import FAULTS, Answer, Faults, answer, refused_url

from whyrank.errors import (
    AccessDenied,
    BadInput,
    MissingExtra,
    ModelError,
    ModelRejected,
    ModelUnavailable,
    UnusableReply,
)
from whyrank.lm.base import Choose, Generate, Message, Reply
from whyrank.lm.openai import OpenAI

pytest.importorskip("openai")

CHAT = Generate((Message("user", "hi"),))
KEY = "sk-not-for-the-public"
FAILURES: dict[str, tuple[type[ModelError], int]] = {
    "timeout": (ModelUnavailable, 3),
    "reset": (ModelUnavailable, 3),
    "hang up": (ModelUnavailable, 3),
    "slow drip": (ModelUnavailable, 3),
    "half a body": (ModelUnavailable, 3),
    "408": (ModelUnavailable, 3),
    "409": (ModelUnavailable, 3),
    "429": (ModelUnavailable, 3),
    "429 with Retry-After": (ModelUnavailable, 3),
    "429 with date": (ModelUnavailable, 3),
    "500": (ModelUnavailable, 3),
    "503": (ModelUnavailable, 3),
    "503 in body": (ModelUnavailable, 3),
    "no quota": (AccessDenied, 1),
    "401": (AccessDenied, 1),
    "404": (AccessDenied, 1),
    "400": (ModelRejected, 1),
    "413": (ModelRejected, 1),
    "422": (ModelRejected, 1),
    "html": (UnusableReply, 2),
    "truncated": (UnusableReply, 2),
    "no choices": (UnusableReply, 2),
    "list": (UnusableReply, 2),
    "error in body": (UnusableReply, 2),
}
ANSWERS = {
    "empty": Reply(""),
    "refusal": Reply("I can not help with that.", finish="refused"),
    "filtered": Reply("", finish="refused"),
    "cut off": Reply("[2] > [1", finish="length"),
    "wrong ids": Reply("[98] > [99] > [97]"),
    "repeated ids": Reply("[1] > [1] > [1]"),
    "garbage": Reply("HTTP Error 503: passage 4 covers 2 of 3 needs, see 1999"),
}


def backend(url: str | list[str], clock: Clock | None = None, timeout_s: float = 20.0, retries: int = 2) -> OpenAI:
    timing = (clock or Clock()).timing()
    return OpenAI("m", url=url, key=KEY, timeout_s=timeout_s, retries=retries, timing=timing)


def test_every_fault_is_tested() -> None:
    assert {*FAILURES, *ANSWERS} == set(FAULTS)


@pytest.mark.parametrize("fault", FAILURES)
def test_a_fault_is_a_typed_error_after_bounded_calls(fault: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    error, calls = FAILURES[fault]
    timeout_s = 0.15 if fault in {"timeout", "slow drip"} else 20.0
    with Faults(lambda number: fault) as server, backend(server.url, timeout_s=timeout_s) as lm:
        [result] = lm.ask([CHAT])
        assert type(result) is error, result
        assert len(server.requests) == calls
        assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"
        assert KEY not in f"{result}{result!r}{lm!r}{lm.name}{vars(lm)}{caplog.text}"


@pytest.mark.parametrize("fault", FAILURES)
def test_no_other_request_is_lost(fault: str) -> None:
    """One of six goes wrong once; the rest, and where a further try may help that one as well, are answered."""
    timeout_s = 0.15 if fault in {"timeout", "slow drip"} else 20.0
    with (
        Faults(lambda number: fault if number == 2 else "fine") as server,
        backend(server.url, timeout_s=timeout_s, retries=4) as lm,
    ):
        results = lm.ask([CHAT] * 6)
        texts = [result.text for result in results if isinstance(result, Reply)]
        error, calls = FAILURES[fault]
        if error is AccessDenied:  # it is for all: those that had not been sent are not
            assert set(texts) <= {"fine"}
        else:
            assert texts == ["fine"] * (6 if calls > 1 else 5)


@pytest.mark.parametrize("fault", ANSWERS)
def test_an_answer_is_no_error_however_odd(fault: str) -> None:
    with Faults(lambda number: fault) as server, backend(server.url) as lm:
        [result] = lm.ask([CHAT])
        assert isinstance(result, Reply)
        assert (result.text, result.finish) == (ANSWERS[fault].text, ANSWERS[fault].finish)
        assert len(server.requests) == 1


def test_nobody_listens() -> None:
    clock = Clock()
    with backend(refused_url(), clock) as lm:
        [result] = lm.ask([CHAT])
    assert isinstance(result, ModelUnavailable)
    assert "no connection" in str(result)
    assert clock.pauses == [0.5, 1.0]


def test_a_wrong_address_is_told_as_one() -> None:
    with Faults(lambda number: "404") as server:
        with backend(server.url) as lm:
            [result] = lm.ask([CHAT])
        assert str(result) == f"{lm.name}: no such address or model (404: no such model)"
        with backend(server.url.removesuffix("/v1")) as lm:
            [result] = lm.ask([CHAT])
    assert str(result).endswith("(404: no such model); the address of a server usually ends in /v1")
    with Faults(lambda number: "401") as server, backend(server.url) as lm:
        [result] = lm.ask([CHAT])
    assert "the server denies access, 401: " in str(result)


@pytest.mark.parametrize(
    ("said", "is_advised"),
    [
        ("This model's maximum context length is 4096 tokens. However, you requested 5000 tokens", True),
        ("the request exceeds the available context size (512 tokens), try increasing it", True),
        ("prompt is too long: 200001 tokens > 200000 maximum", True),
        ("too many tokens", True),
        ("messages: at least one is required in this context", False),
    ],
)
def test_a_prompt_over_the_context_is_told_what_to_do(said: str, is_advised: bool) -> None:
    with Faults(lambda number: (400, said)) as server, backend(server.url) as lm:
        [result] = lm.ask([CHAT])
    assert type(result) is ModelRejected
    assert str(result).endswith(f"{said}; tell the context: --config model.context=N" if is_advised else said)


def test_a_server_without_logprobs_is_asked_to_write() -> None:
    with Faults() as server, backend(server.url) as lm:
        [result] = lm.ask([Choose(CHAT.prompt, ("A",))])
    assert str(result).endswith("may not give logprobs; ask it to write instead: --config ask.scoring=generation")


def test_retry_after_is_heeded() -> None:
    clock = Clock(chance=0.0)
    answers = ["429 with Retry-After", "429 with date", "fine"]
    with Faults(lambda number: answers[number]) as server, backend(server.url, clock) as lm:
        [result] = lm.ask([CHAT])
    assert isinstance(result, Reply)
    seconds, until = [pause for pause in clock.pauses if pause > 0]
    assert seconds == 7.0
    assert 7.0 < until <= 9.0  # a date 9 s ahead of the wall clock, in whole seconds


def test_a_dead_server_leaves_its_work_to_the_others() -> None:
    with Faults() as one, Faults() as two, backend([refused_url(), one.url, two.url], Clock(chance=0.0)) as lm:
        results = lm.ask([CHAT] * 40)
        assert all(isinstance(result, Reply) for result in results)
        assert len(one.requests) + len(two.requests) == 40
        assert min(len(one.requests), len(two.requests)) >= 10


def test_concurrency_is_bounded_at_the_server() -> None:
    with Faults() as server:
        with OpenAI("m", url=server.url, concurrency=3) as lm:
            lm.ask([CHAT] * 60)
        assert 1 <= server.busiest <= 3


def test_a_hung_server_holds_nobody_past_the_deadline() -> None:
    with Faults(lambda number: "timeout") as server:
        with OpenAI("m", url=server.url, deadline_s=0.3) as lm:
            results = lm.ask([CHAT] * 20)
        assert [type(result) for result in results] == [ModelUnavailable] * 20
        assert "deadline of 0.3 s" in str(results[-1])
        assert len(server.requests) <= 8
    for thread in threading.enumerate():
        if thread.name == lm.name:
            thread.join(timeout=20)
            assert not thread.is_alive()


def test_a_key_is_read_when_it_is_needed_and_sent_over_https_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with Faults() as server, OpenAI("m", url=server.url) as lm:
        lm.ask([CHAT])
        assert server.requests[0].headers["authorization"] == "Bearer none"
    monkeypatch.delenv("OPENAI_API_KEY")
    with OpenAI("gpt-4.1-mini") as lm:
        results = lm.ask([CHAT] * 3)
    said = "set OPENAI_API_KEY, or name another variable with --config model.key=env:NAME"
    assert [str(result) for result in results] == [f"openai:gpt-4.1-mini: {said}"] * 3
    assert {type(result) for result in results} == {AccessDenied}


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://me:pass-word@h/v1", "address of h holds a user or password"),
        ("localhost:8000", "no address of a server"),
        ("ftp://h/v1", "no address of a server"),
        ([], "no address"),
    ],
)
def test_addresses_that_make_no_sense(url: str | list[str], says: str) -> None:
    with pytest.raises(BadInput, match=says) as caught:
        OpenAI("m", url=url)
    assert "pass-word" not in str(caught.value)


def test_names_say_where() -> None:
    assert OpenAI("gpt-4.1-mini").name == "openai:gpt-4.1-mini"
    assert OpenAI("m", url="http://localhost:8000/v1/").name == "openai:m@localhost:8000"
    assert OpenAI("m", url=["http://b/v1", "http://a/v1"]).name == "openai:m@a,b"


REFUSALS = {
    "max_tokens": "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.",
    "temperature": "Unsupported value: 'temperature' does not support 0 with this model.",
    "response_format": "response_format is not supported",
    "seed": "extra field: seed",
    "n": "'n' must be 1",
}


def test_what_a_server_refuses_by_name_is_not_sent_again() -> None:
    def strict(number: int) -> Answer:
        refused = [field for field in REFUSALS if field in server.requests[number].body]
        return (400, REFUSALS[refused[0]]) if refused else "fine"

    request = Generate(CHAT.prompt, schema='{"type": "object"}', seed=1, n=2, stop=("x",))
    with Faults(strict) as server, backend(server.url) as lm:
        [first] = lm.ask([request])
        assert isinstance(first, Reply)
        assert lm.adapted == set(REFUSALS)
        assert len(server.requests) == 5 + 2  # each refusal once, and each of the two answers
        [second] = lm.ask([request])
        assert isinstance(second, Reply)
        assert (second.text, second.others) == ("fine", ("fine",))
        assert len(server.requests) == 5 + 2 + 2
        last = server.requests[-1].body
    assert (last["max_completion_tokens"], last["stop"]) == (256, ["x"])


def test_fewer_logprobs_where_twenty_are_too_many() -> None:
    def strict(number: int) -> Answer:
        body = server.requests[number].body
        return (400, "top_logprobs must be at most 5") if body["top_logprobs"] > 5 else "fine"

    with Faults(strict) as server, backend(server.url) as lm:
        lm.ask([Choose(CHAT.prompt, ("A",))])
        assert [asked.body["top_logprobs"] for asked in server.requests] == [20, 5]


def test_a_refusal_that_stays_is_raised_and_nothing_is_remembered() -> None:
    stubborn = (400, "max_completion_tokens is too large")
    with Faults(lambda number: stubborn) as server, backend(server.url) as lm:
        [result] = lm.ask([CHAT])
        assert type(result) is ModelRejected
        assert len(server.requests) == 2
        assert lm.adapted == set()


def test_a_schema_is_insisted_on_or_never_sent() -> None:
    request = Generate(CHAT.prompt, schema='{"type": "object"}')
    with Faults(lambda number: (400, REFUSALS["response_format"])) as server:
        with OpenAI("m", url=server.url, schema_mode="json_schema") as lm:
            assert type(lm.ask([request])[0]) is ModelRejected
        assert ["response_format" in asked.body for asked in server.requests] == [True]
    with Faults() as server:
        with OpenAI("m", url=server.url, schema_mode="none") as lm:
            lm.ask([request])
        assert ["response_format" in asked.body for asked in server.requests] == [False]


def test_choices_that_no_server_reports_are_asked_once() -> None:
    with Faults() as server, backend(server.url) as lm:
        [result] = lm.ask([Choose(CHAT.prompt, ("A", "B"))])
        assert isinstance(result, UnusableReply)
        assert "none of the choices ('A', 'B')" in str(result)
        assert len(server.requests) == 1


def test_what_is_sent() -> None:
    with Faults() as server:
        with OpenAI("m", url=server.url, extra_body={"top_k": 1}, prefill=True) as lm:
            begun = (Message("system", "s"), Message("user", "u"), Message("assistant", "<think>"))
            lm.ask([Generate(begun, max_tokens=7, temperature=0.5, seed=3, stop=("#",), n=1, tag="never sent")])
            lm.ask([Generate("text")])
        chat, text = server.requests
    assert (chat.path, text.path) == ("/v1/chat/completions", "/v1/completions")
    assert chat.body == {
        "model": "m",
        "messages": [
            {"role": "system", "content": "s"},
            {"role": "user", "content": "u"},
            {"role": "assistant", "content": "<think>"},
        ],
        "max_tokens": 7,
        "temperature": 0.5,
        "seed": 3,
        "stop": ["#"],
        "top_k": 1,
        "add_generation_prompt": False,
        "continue_final_message": True,
    }
    assert text.body == {"model": "m", "prompt": "text", "max_tokens": 256, "temperature": 0.0, "top_k": 1}


def test_a_whole_body_is_read() -> None:
    body = answer("<think> a or b? </think>\n\nb")
    body["usage"] |= {
        "prompt_tokens_details": {"cached_tokens": 4},
        "completion_tokens_details": {"reasoning_tokens": 2},
    }
    with Faults(lambda number: body) as server, backend(server.url) as lm:
        [result] = lm.ask([CHAT])
    assert isinstance(result, Reply)
    assert (result.text, result.reasoning) == ("b", "a or b?")
    used = result.usage
    assert (used.prompt_tokens, used.cached_tokens, used.generated_tokens, used.reasoning_tokens) == (10, 4, 3, 2)
    assert used.cost is None


def test_the_sdk_is_needed_when_the_backend_is_built_and_not_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openai", None)
    with pytest.raises(MissingExtra, match=r"whyrank\[openai\]"):
        OpenAI("m")
    backends = "import sys, whyrank.lm.openai, whyrank.lm.anthropic, whyrank.lm.gemini, whyrank.lm.prices"
    heavy = "print({'openai', 'anthropic', 'google.genai', 'genai_prices', 'httpx', 'httpx2'} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", f"{backends}; {heavy}"], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"


def test_a_key_that_is_a_word_changes_no_answer() -> None:
    with Faults(lambda _: "the token of the ranking is 1") as server, OpenAI("m", url=server.url, key="k") as lm:
        [reply] = lm.ask([Generate((Message("user", "hi"),))])
    assert isinstance(reply, Reply)
    assert reply.text == "the token of the ranking is 1"


def test_what_failed_tries_cost_is_told() -> None:
    with Faults(lambda _: "500") as server, backend(server.url, Clock()) as lm:
        [error] = lm.ask([CHAT])
    assert isinstance(error, ModelUnavailable)
    assert (error.usage.calls, error.usage.cost) == (3, 0.0)
    with Faults(lambda _: answer("nothing that was asked for")) as server, backend(server.url, Clock()) as lm:
        [error] = lm.ask([Choose("q", ("yes", "no"))])
    assert isinstance(error, UnusableReply)
    assert error.usage.calls >= 1
    assert error.usage.cost is None  # the answer was paid for, and nobody saw what it came to
