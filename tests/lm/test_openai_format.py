import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whyrank.errors import UnusableReply
from whyrank.lm.base import Choose, Generate, Likelihood, Message, Reply
from whyrank.lm.credentials import Key
from whyrank.lm.failures import CallFailed
from whyrank.lm.openai_format import body_of, choice_logprobs, reply_of, split_reasoning
from whyrank.lm.stainless import json_object

CHAT = (Message("user", "hi"),)
CHOOSE = Choose(CHAT, ("A", "B", "C"))


def one(message: dict[str, Any], **rest: Any) -> dict[str, Any]:
    return {"choices": [{"message": message, **rest}]}


def test_a_choice_asks_for_one_token_and_the_likeliest() -> None:
    body = body_of(CHOOSE, "m")
    assert (body["max_tokens"], body["logprobs"], body["top_logprobs"]) == (1, True, 20)
    assert body_of(Choose("text", ("A",)), "m")["logprobs"] == 20


def test_a_likelihood_asks_for_an_echo() -> None:
    body = body_of(Likelihood("ab", "cd"), "m")
    assert (body["prompt"], body["echo"], body["logprobs"]) == ("abcd", True, 1)


def test_a_schema_is_sent_as_json_schema() -> None:
    schema = body_of(Generate(CHAT, schema='{"type": "array"}'), "m")["response_format"]["json_schema"]["schema"]
    assert schema == {"type": "array"}


def test_choices_in_both_forms_of_logprobs() -> None:
    top = [{"token": "A", "logprob": -1.0}, {"token": " B", "logprob": -2.0}, {"token": "x", "logprob": -5.0}]
    chat = one({"content": "A"}, logprobs={"content": [{"token": "A", "logprob": -1.0, "top_logprobs": top}]})
    assert reply_of(chat, CHOOSE).logprobs == (-1.0, -2.0, -5.0)
    text = {"choices": [{"text": "A", "logprobs": {"top_logprobs": [{"A": -1.0, " B": -2.0, "x": -5.0}]}}]}
    assert reply_of(text, CHOOSE).logprobs == (-1.0, -2.0, -5.0)


def test_a_choice_as_it_is_goes_before_one_with_spaces() -> None:
    table = {" A": -0.5, "A": -3.0, "B ": -1.0, " B": -2.0, "z": -9.0}
    assert choice_logprobs(table, ("A", " A", "B", "C")) == (-3.0, -0.5, -1.0, -9.0)


def test_no_choice_among_the_likeliest() -> None:
    with pytest.raises(CallFailed, match=r"none of the choices \('A'\) .* reports: '<think>', 'x'") as caught:
        choice_logprobs({"x": -2.0, "<think>": -0.1}, ("A",))
    assert isinstance(caught.value.error, UnusableReply)
    assert not caught.value.is_retried


def test_a_likelihood_is_that_of_the_continuation() -> None:
    logprobs = {
        "tokens": ["a", "b", " c", "d", "!"],
        "token_logprobs": [None, -1.0, -2.0, -3.0, -4.0],
        "text_offset": [0, 1, 2, 4, 5],
    }
    body = {"choices": [{"text": "ab cd!", "logprobs": logprobs}]}
    assert reply_of(body, Likelihood("ab", " cd")).logprobs == (-2.0, -3.0)
    # a token that reaches over the border belongs to the continuation
    assert reply_of(body, Likelihood("ab ", "cd")).logprobs == (-2.0, -3.0)
    with pytest.raises(CallFailed, match="no logprob for the token 'a'"):
        reply_of(body, Likelihood("", "ab"))
    with pytest.raises(CallFailed, match="echo"):
        reply_of({"choices": [{"text": "ab"}]}, Likelihood("ab", "cd"))


@pytest.mark.parametrize(
    ("message", "reply"),
    [
        ({"content": "x"}, Reply("x")),
        ({"content": None}, Reply("")),
        ({"content": [{"type": "text", "text": "x"}, {"type": "text", "text": "y"}]}, Reply("xy")),
        ({"content": "x", "reasoning_content": "r"}, Reply("x", reasoning="r")),
        ({"content": "x", "reasoning": "r"}, Reply("x", reasoning="r")),
        ({"content": "<think>r</think>x"}, Reply("x", reasoning="r")),
        ({"content": "<think>cut"}, Reply("", reasoning="cut")),
        ({"content": None, "refusal": "no"}, Reply("no", finish="refused")),
    ],
)
def test_messages(message: dict[str, Any], reply: Reply) -> None:
    assert reply_of(one(message), Generate(CHAT)) == reply


@pytest.mark.parametrize(
    ("reason", "finish"), [("stop", "stop"), (None, "stop"), ("length", "length"), ("content_filter", "refused")]
)
def test_ends(reason: str | None, finish: str) -> None:
    assert reply_of(one({"content": "x"}, finish_reason=reason), Generate(CHAT)).finish == finish


def test_a_begun_turn_is_no_part_of_the_answer() -> None:
    prompt = (*CHAT, Message("assistant", "So: "))
    assert reply_of(one({"content": "So: yes"}), Generate(prompt)).text == "yes"
    assert reply_of(one({"content": "yes"}), Generate(prompt)).text == "yes"


@pytest.mark.parametrize(
    ("text", "split"),
    [
        ("plain", ("", "plain")),
        ("\n<think>\na\n</think>\n\nb", ("a", "b")),
        ("a</think>b</think>c", ("a", "b</think>c")),
        ("<think>a", ("a", "")),
        ("no <think>a", ("", "no <think>a")),
        ("", ("", "")),
    ],
)
def test_reasoning_before_the_answer(text: str, split: tuple[str, str]) -> None:
    assert split_reasoning(text) == split


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["choices", "message", "content", "logprobs", "usage", "text", "error", "top_logprobs", "code"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(JSON, st.sampled_from([Generate(CHAT), CHOOSE, Generate("x", n=2), Likelihood("a", "b")]))
def test_whatever_comes_is_a_reply_or_a_typed_failure(body: Any, request_: Generate | Choose | Likelihood) -> None:
    try:
        reply = reply_of(json_object(json.dumps(body), Key("secret", "K", ())), request_)
    except CallFailed:
        return
    assert isinstance(reply, Reply)
