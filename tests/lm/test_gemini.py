"""Against the documented wire format of generateContent, served here; never against the service."""

from typing import Any

import pytest
from acted import Clock
from faults import Answer, Faults

from whyrank.errors import AccessDenied, BadInput, ModelError, ModelRejected, ModelUnavailable, UnusableReply
from whyrank.lm.base import Capability, Choose, Generate, Message, Reply
from whyrank.lm.gemini import Gemini

pytest.importorskip("google.genai")

CHAT = (Message("system", "s"), Message("user", "u"), Message("assistant", "a"), Message("user", "v"))
ASK = Generate(CHAT, max_tokens=9, stop=("#",), seed=3)
KEY = "AIza-not-for-the-public"


def candidate(*parts: dict[str, Any], finish: str = "STOP", **rest: Any) -> dict[str, Any]:
    return {"content": {"role": "model", "parts": list(parts)}, "finishReason": finish, "index": 0, **rest}


def body(*candidates: dict[str, Any], **usage: int) -> dict[str, Any]:
    counts = {"promptTokenCount": 10, "candidatesTokenCount": 5, **usage}
    return {"candidates": list(candidates), "usageMetadata": counts, "modelVersion": "gemini"}


OK = body(candidate({"text": "ok"}))


def backend(server: Faults, clock: Clock | None = None, **rest: Any) -> Gemini:
    url = server.url.removesuffix("/v1")
    return Gemini("gemini-x", url=url, key=KEY, timing=(clock or Clock()).timing(), **rest)


def test_what_is_sent() -> None:
    with Faults(lambda number: OK) as server, backend(server) as lm:
        lm.ask([ASK])
    [asked] = server.requests
    assert asked.path.endswith("/models/gemini-x:generateContent")
    assert asked.headers["x-goog-api-key"] == KEY
    assert asked.body["contents"] == [
        {"role": "user", "parts": [{"text": "u"}]},
        {"role": "model", "parts": [{"text": "a"}]},
        {"role": "user", "parts": [{"text": "v"}]},
    ]
    assert asked.body["systemInstruction"]["parts"] == [{"text": "s"}]
    assert asked.body["generationConfig"] == {
        "temperature": 0.0,
        "maxOutputTokens": 9,
        "stopSequences": ["#"],
        "seed": 3,
    }


def test_what_comes_back() -> None:
    answer = body(
        candidate({"text": "hm", "thought": True}, {"text": "yes"}), cachedContentTokenCount=4, thoughtsTokenCount=3
    )
    with Faults(lambda number: answer) as server, backend(server) as lm:
        [reply] = lm.ask([ASK])
    assert isinstance(reply, Reply)
    assert (reply.text, reply.reasoning, reply.finish) == ("yes", "hm", "stop")
    used = reply.usage
    assert (used.prompt_tokens, used.cached_tokens, used.generated_tokens, used.reasoning_tokens) == (10, 4, 8, 3)


@pytest.mark.parametrize(
    ("answer", "finish"),
    [
        (body(candidate(finish="MAX_TOKENS")), "length"),
        (body({"finishReason": "SAFETY", "index": 0}), "refused"),
        (body(candidate(finish="RECITATION")), "refused"),
        ({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}, "refused"),
    ],
)
def test_ends(answer: dict[str, Any], finish: str) -> None:
    with Faults(lambda number: answer) as server, backend(server) as lm:
        [reply] = lm.ask([ASK])
    assert isinstance(reply, Reply), reply
    assert (reply.text, reply.finish) == ("", finish)


def test_choices() -> None:
    top = [{"token": "A", "tokenId": 1, "logProbability": -0.5}, {"token": "B", "tokenId": 2, "logProbability": -1.5}]
    likely = {"topCandidates": [{"candidates": top}], "chosenCandidates": [top[0]]}
    answer = body(candidate({"text": "A"}, finish="MAX_TOKENS", logprobsResult=likely))
    with Faults(lambda number: answer) as server, backend(server, logprobs=True) as lm:
        [reply] = lm.ask([Choose(CHAT, ("B", "A", "C"))])
    assert isinstance(reply, Reply)
    assert reply.logprobs == (-1.5, -0.5, -1.5)
    asked = server.requests[0].body["generationConfig"]
    assert (asked["responseLogprobs"], asked["logprobs"], asked["maxOutputTokens"]) == (True, 20, 1)


@pytest.mark.parametrize(
    ("fault", "error", "calls"),
    [
        ("503", ModelUnavailable, 3),
        ("429", ModelUnavailable, 3),
        ("reset", ModelUnavailable, 3),
        ("timeout", ModelUnavailable, 3),
        ("html", UnusableReply, 2),
        ("truncated", UnusableReply, 2),
        ("list", UnusableReply, 2),
        ({"candidates": []}, UnusableReply, 2),
        ("400", ModelRejected, 1),
        ((400, f"API key not valid: {KEY}. API_KEY_INVALID"), AccessDenied, 1),
        ((404, "models/gemini-x is not found"), AccessDenied, 1),
    ],
)
def test_faults(fault: Answer, error: type[ModelError], calls: int) -> None:
    timeout_s = 0.2 if fault == "timeout" else 20.0
    with Faults(lambda number: fault) as server, backend(server, retries=2, timeout_s=timeout_s) as lm:
        [result] = lm.ask([ASK])
        assert type(result) is error, result
        assert len(server.requests) == calls
        assert KEY not in f"{result}{lm!r}{vars(lm)}"


def test_it_comes_back_when_google_says() -> None:
    clock = Clock(chance=0.0)
    error = {"error": {"code": 429, "message": "quota", "details": [{"retryDelay": "34.5s"}]}}
    with Faults(lambda number: OK if number else (429, error)) as server, backend(server, clock) as lm:
        [reply] = lm.ask([ASK])
    assert isinstance(reply, Reply)
    assert [pause for pause in clock.pauses if pause > 0] == [34.5]


def test_a_schema_and_several_answers() -> None:
    answer = body(candidate({"text": "[1]"}), candidate({"text": "[2]"}))
    with Faults(lambda number: answer) as server, backend(server) as lm:
        [reply] = lm.ask([Generate(CHAT, schema='{"type": "array"}', n=2)])
    assert isinstance(reply, Reply)
    assert (reply.text, reply.others) == ("[1]", ("[2]",))
    asked = server.requests[0].body["generationConfig"]
    assert asked["responseJsonSchema"] == {"type": "array"}
    assert (asked["responseMimeType"], asked["candidateCount"]) == ("application/json", 2)


def test_what_it_can_not_do() -> None:
    lm = Gemini("gemini-2.5-flash", key=KEY)
    assert lm.name == "gemini:gemini-2.5-flash"
    assert lm.capabilities == {Capability.GENERATE}
    with pytest.raises(BadInput, match="takes conversations"):
        lm.ask([Generate("text")])
    with pytest.raises(BadInput, match="logprobs"):
        lm.ask([Choose(CHAT, ("A",))])


def test_thinking_is_asked_for_with_further_fields() -> None:
    thinking = {"generationConfig": {"thinkingConfig": {"thinkingBudget": 0}}}
    with Faults(lambda number: OK) as server, backend(server, extra_body=thinking) as lm:
        lm.ask([ASK])
    asked = server.requests[0].body["generationConfig"]
    assert asked["thinkingConfig"] == {"thinkingBudget": 0}
    assert asked["maxOutputTokens"] == 9
