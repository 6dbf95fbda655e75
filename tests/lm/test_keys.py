"""What is asked is found again by everything that can change the answer, and by nothing else."""

from dataclasses import fields, replace
from typing import get_args

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from whyrank.lm.base import Choose, Generate, Likelihood, Message, Request
from whyrank.lm.keys import is_repeatable, key_of
from whyrank.lm.records import KINDS, request_of, request_record

TEXTS = st.text(st.sampled_from('ab",[]:\\{}\n é😀\ud800'), max_size=4)
ROLES = st.sampled_from(["system", "user", "assistant"])
PROMPTS = TEXTS | st.lists(st.builds(Message, ROLES, TEXTS), max_size=3).map(tuple)
REQUESTS: st.SearchStrategy[Request] = st.one_of(
    st.builds(
        Generate,
        PROMPTS,
        max_tokens=st.sampled_from([1, 256]),
        temperature=st.sampled_from([0, 0.0, -0.0, 1, 0.5]),
        seed=st.sampled_from([None, 0, 1]),
        stop=st.lists(TEXTS, max_size=2).map(tuple),
        schema=TEXTS,
        n=st.sampled_from([1, 2]),
    ),
    st.builds(Choose, PROMPTS, st.lists(TEXTS, max_size=2).map(tuple)),
    st.builds(Likelihood, PROMPTS, TEXTS),
)
CHANGED = {
    "prompt": "another",
    "max_tokens": 257,
    "temperature": 0.1,
    "seed": 0,
    "stop": ("\n",),
    "schema": "{}",
    "n": 2,
    "choices": ("a",),
    "continuation": "b",
}


@given(REQUESTS, REQUESTS, TEXTS, TEXTS)
@example(Generate("user"), Generate((Message("user", ""),)), "", "")
@example(Generate('[{"role":"user","text":"a"}]'), Generate((Message("user", "a"),)), "", "")
@example(
    Generate((Message("user", "ab"), Message("user", "c"))),
    Generate((Message("user", "a"), Message("user", "bc"))),
    "",
    "",
)
@example(Generate("a", stop=("a", "b")), Generate("a", stop=("ab",)), "", "")
@example(Generate("\ud83d\ude00"), Generate("😀"), "", "")
@example(Generate(""), Generate(()), "", "")
@example(Generate("a", temperature=-0.0), Generate("a", temperature=0), "", "")
def test_equal_requests_share_a_key_and_others_do_not(one: Request, other: Request, tag: str, other_tag: str) -> None:
    same = key_of(replace(one, tag=tag), "m") == key_of(replace(other, tag=other_tag), "m")
    assert same == (one == other)
    assert key_of(replace(one, tag=tag), "m") == key_of(replace(one, tag=other_tag), "m")


@pytest.mark.parametrize("kind", KINDS.values())
def test_every_field_but_the_tag_is_in_the_key(kind: type[Request]) -> None:
    given_ = {"choices": ("x",)} if kind is Choose else {"continuation": "x"} if kind is Likelihood else {}
    request = kind("p", **given_)
    for field in fields(request):
        is_tag = field.name == "tag"
        other = replace(request, **{field.name: "t" if is_tag else CHANGED[field.name]})  # type: ignore[arg-type]
        assert (key_of(other, "m") == key_of(request, "m")) == is_tag, field.name


def test_models_and_kinds_do_not_share_answers() -> None:
    keys = {key_of(Generate("p"), "a"), key_of(Generate("p"), "b"), key_of(Choose("p", ()), "a")}
    assert len(keys) == 3
    assert key_of(Generate("p"), "a") == key_of(Generate("p", tag="q1/7"), "a")


def test_a_key_stays_the_same_from_version_to_version() -> None:
    assert key_of(Generate((Message("user", "é"),), seed=3), "fake").hex() == (
        "1fc0b373430f98098680f2a8265aa88acebc39618d0367897ed1b77ef63a0e3c"
    )


def test_only_sampling_without_a_seed_is_not_repeatable() -> None:
    assert [
        is_repeatable(r)
        for r in (
            Generate("p"),
            Generate("p", temperature=0.7),
            Generate("p", temperature=0.7, seed=0),
            Choose("p", ("a",)),
            Likelihood("p", "a"),
        )
    ] == [True, False, True, True, True]


@given(REQUESTS)
def test_a_request_survives_being_written(request: Request) -> None:
    import json

    assert request_of(json.loads(json.dumps(request_record(request))), request.tag) == request


def test_every_kind_of_request_has_a_name() -> None:
    assert set(KINDS.values()) == set(get_args(Request))
    with pytest.raises(ValueError, match="known: generate, choose, likelihood"):
        request_of({"kind": "sing"})
    with pytest.raises(ValueError, match="loudness"):
        request_of({"kind": "generate", "prompt": "p", "loudness": 3})
