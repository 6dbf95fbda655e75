"""Against the documented wire format of the Messages interface, served here; never against the service."""

from typing import Any

import pytest
from acted import Clock
from faults import Answer, Faults

from whyrank.errors import AccessDenied, BadInput, ModelError, ModelRejected, ModelUnavailable, UnusableReply
from whyrank.lm.anthropic import Anthropic
from whyrank.lm.base import Capability, Choose, Generate, Message, Reply

pytest.importorskip("anthropic")

ASK = Generate((Message("system", "s"), Message("user", "u")), max_tokens=9, stop=("#",))
KEY = "sk-ant-not-for-the-public"


def message(*blocks: dict[str, Any], stop: str = "end_turn", **usage: Any) -> dict[str, Any]:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude",
        "content": list(blocks),
        "stop_reason": stop,
        "stop_sequence": None,
        "usage": {"input_tokens": 10, "output_tokens": 5, **usage},
    }


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words, "citations": None}


def backend(server: Faults, **rest: Any) -> Anthropic:
    return Anthropic("claude", url=server.url.removesuffix("/v1"), key=KEY, timing=Clock().timing(), **rest)


def test_what_is_sent() -> None:
    with Faults(lambda number: message(text("ok"))) as server, backend(server) as lm:
        lm.ask([ASK])
    [asked] = server.requests
    assert asked.path == "/v1/messages"
    assert KEY in (asked.headers.get("x-api-key", "") + asked.headers.get("authorization", ""))  # by the SDK's version
    assert asked.body == {
        "model": "claude",
        "system": "s",
        "messages": [{"role": "user", "content": "u"}],
        "max_tokens": 9,
        "temperature": 0.0,
        "stop_sequences": ["#"],
    }


def test_what_comes_back() -> None:
    thinking = {"type": "thinking", "thinking": "hm", "signature": "x"}
    details = {"thinking_tokens": 3}
    body = message(
        thinking,
        text("yes"),
        cache_read_input_tokens=100,
        cache_creation_input_tokens=20,
        output_tokens_details=details,
    )
    with Faults(lambda number: body) as server, backend(server) as lm:
        [reply] = lm.ask([ASK])
    assert isinstance(reply, Reply)
    assert (reply.text, reply.reasoning, reply.finish) == ("yes", "hm", "stop")
    used = reply.usage
    assert (used.prompt_tokens, used.cached_tokens, used.generated_tokens, used.reasoning_tokens) == (130, 100, 5, 3)


@pytest.mark.parametrize(
    ("stop", "finish"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("refusal", "refused"),
    ],
)
def test_ends(stop: str, finish: str) -> None:
    with Faults(lambda number: message(stop=stop)) as server, backend(server) as lm:
        [reply] = lm.ask([ASK])
    assert isinstance(reply, Reply)
    assert (reply.text, reply.finish) == ("", finish)


@pytest.mark.parametrize(
    ("fault", "error", "calls"),
    [
        ((529, "Overloaded"), ModelUnavailable, 3),
        ("429 with Retry-After", ModelUnavailable, 3),
        ("reset", ModelUnavailable, 3),
        ("half a body", ModelUnavailable, 3),
        ("html", UnusableReply, 2),
        ({"type": "message"}, UnusableReply, 2),
        ((400, "prompt is too long: 300000 tokens > 200000 maximum"), ModelRejected, 1),
        ((401, f"invalid x-api-key {KEY}"), AccessDenied, 1),
    ],
)
def test_faults(fault: Answer, error: type[ModelError], calls: int) -> None:
    with Faults(lambda number: fault) as server, backend(server, retries=2) as lm:
        [result] = lm.ask([ASK])
    assert type(result) is error, result
    assert len(server.requests) == calls
    assert KEY not in f"{result}{lm!r}{vars(lm)}"


def test_what_newer_models_refuse_is_left_out() -> None:
    def strict(number: int) -> Answer:
        body = server.requests[number].body
        if "temperature" in body:
            return (400, "`temperature` is deprecated for this model.")
        return (
            (400, "output_config: Extra inputs are not permitted") if "output_config" in body else message(text("ok"))
        )

    with Faults(strict) as server, backend(server) as lm:
        [reply] = lm.ask([Generate(ASK.prompt, schema='{"type": "object"}')])
    assert isinstance(reply, Reply)
    schema = server.requests[0].body["output_config"]["format"]
    assert schema == {"type": "json_schema", "schema": {"type": "object"}}
    assert len(server.requests) == 3


def test_several_answers_are_several_calls() -> None:
    with Faults(lambda number: message(text(str(number)))) as server, backend(server) as lm:
        [reply] = lm.ask([Generate(ASK.prompt, n=3)])
    assert isinstance(reply, Reply)
    assert (reply.text, reply.others, reply.usage.calls) == ("0", ("1", "2"), 3)


def test_what_it_can_not_do() -> None:
    lm = Anthropic("claude-sonnet-4-5", key=KEY)
    assert lm.name == "anthropic:claude-sonnet-4-5"
    assert lm.capabilities == {Capability.GENERATE}
    with pytest.raises(BadInput, match="takes conversations"):
        lm.ask([Generate("text")])
    with pytest.raises(BadInput, match="logprobs"):
        lm.ask([Choose(ASK.prompt, ("A",))])
    with pytest.raises(BadInput, match="prefill=True"):
        lm.ask([Generate((*ASK.prompt, Message("assistant", "So")))])


def test_a_begun_turn_is_sent_as_it_is() -> None:
    with Faults(lambda number: message(text("ok"))) as server, backend(server, prefill=True) as lm:
        lm.ask([Generate((Message("user", "u"), Message("assistant", "So")))])
    assert server.requests[0].body["messages"][-1] == {"role": "assistant", "content": "So"}


def test_thinking_is_asked_for_with_further_fields() -> None:
    thinking = {"thinking": {"type": "enabled", "budget_tokens": 1024}}
    with Faults(lambda number: message(text("ok"))) as server, backend(server, extra_body=thinking) as lm:
        lm.ask([ASK])
    assert server.requests[0].body["thinking"] == thinking["thinking"]
