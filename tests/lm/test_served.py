"""What a server says of its model: read once, when it is needed, and never a reason to fail."""

import time
from typing import Any

import pytest
from faults import Answer, Faults, refused_url

from whyrank.lm import openai as backend
from whyrank.lm.base import Generate, Message
from whyrank.lm.cache import Cached
from whyrank.lm.openai import OpenAI
from whyrank.lm.openai_format import Served, served_of

pytest.importorskip("openai")

VLLM = {
    "id": "m",
    "object": "model",
    "created": 1763744000,
    "owned_by": "vllm",
    "root": "org/m",
    "parent": None,
    "max_model_len": 4096,
    "permission": [{"id": "modelperm-1", "created": 1763744000}],
}
LLAMACPP = {
    "id": "/models/m.gguf",
    "aliases": ["/models/m.gguf"],
    "object": "model",
    "created": 1763744000,
    "owned_by": "llamacpp",
    "meta": {"n_ctx": 512, "n_ctx_train": 4096, "n_params": 117056, "size": 468224},
}
OLLAMA = {"id": "m:latest", "object": "model", "created": 1763744000, "owned_by": "library"}
GATEWAY = {"id": "m", "context_length": 8192, "pricing": {"prompt": "0.1"}}
CARDS = {"vllm": VLLM, "llamacpp": LLAMACPP, "ollama": OLLAMA, "gateway": GATEWAY}
CONTEXTS = {"vllm": 4096, "llamacpp": 512, "ollama": None, "gateway": 8192}
OTHER = {**OLLAMA, "id": "other", "max_model_len": 77}
CHAT = Generate((Message("user", "hi"),))


def listed(*cards: Any) -> dict[str, Any]:
    return {"object": "list", "data": list(cards)}


@pytest.mark.parametrize("server", CARDS)
def test_the_context_of_each_kind_of_server(server: str) -> None:
    alone = served_of(listed(CARDS[server]), "m")
    assert alone.context == CONTEXTS[server]
    assert alone.fingerprint
    if server != "llamacpp":  # which has one model, whatever it is called
        assert served_of(listed(OTHER, CARDS[server]), "m") == alone


def test_an_alias_is_a_name() -> None:
    named = {**LLAMACPP, "aliases": ["m"]}
    assert served_of(listed(OTHER, named), "m").context == 512


def test_what_a_model_was_trained_with_stands_in_for_a_context() -> None:
    card = {**LLAMACPP, "meta": {"n_ctx_train": 4096}}
    assert served_of(listed(card), "m").context == 4096


@pytest.mark.parametrize(
    ("card", "passing"),
    [
        (VLLM, {"created": 9, "permission": [{"id": "modelperm-2"}], "max_model_len": 8192}),
        (LLAMACPP, {"created": 9, "meta": {"n_ctx": 2048, "n_ctx_train": 4096, "n_params": 117056, "size": 468224}}),
        (OLLAMA, {"created": 9}),
        (GATEWAY, {"pricing": {"prompt": "0.2"}, "context_length": 9}),
    ],
)
def test_what_passes_is_no_part_of_the_fingerprint(card: dict[str, Any], passing: dict[str, Any]) -> None:
    assert served_of(listed({**card, **passing}), "m").fingerprint == served_of(listed(card), "m").fingerprint


@pytest.mark.parametrize(
    ("card", "changed"),
    [
        (VLLM, {"root": "/other/weights"}),
        (VLLM, {"parent": "base"}),
        (LLAMACPP, {"id": "/models/other.gguf"}),
        (LLAMACPP, {"meta": {**LLAMACPP["meta"], "size": 468225}}),  # type: ignore[dict-item]
        (OLLAMA, {"digest": "sha256:1"}),
        (OLLAMA, {"owned_by": "somebody"}),
    ],
)
def test_other_weights_have_another_fingerprint(card: dict[str, Any], changed: dict[str, Any]) -> None:
    assert served_of(listed({**card, **changed}), "m").fingerprint != served_of(listed(card), "m").fingerprint


@pytest.mark.parametrize(
    "body",
    [{}, {"data": None}, {"data": "m"}, listed(), listed("m", 3, None), listed(OTHER, LLAMACPP), listed(VLLM, VLLM)],
)
def test_a_list_that_does_not_tell_says_nothing(body: dict[str, Any]) -> None:
    assert served_of(body, "m") == Served()


@pytest.mark.parametrize("context", ["4096", -1, 0, True, 4096.0, None, [], {}])
def test_a_context_that_is_no_number_is_unknown(context: object) -> None:
    card = {"id": "m", "max_model_len": context, "meta": [], "aliases": 3}
    assert served_of(listed(card), "m").context is None


def test_it_is_asked_once_and_only_when_needed(tmp_path: Any) -> None:
    with Faults() as server, OpenAI("m", url=server.url) as lm, Cached(lm, tmp_path / "answers.sqlite") as cached:
        server.models = listed(VLLM)
        lm.ask([CHAT])
        assert server.looks == 0
        assert (cached.context, lm.context) == (4096, 4096)
        assert cached.cache_identity == lm.cache_identity
        assert lm.cache_identity.startswith(f"{lm.name}#")
        cached.ask([CHAT])
        assert (server.looks, len(server.requests)) == (1, 2)


def test_a_context_that_is_given_holds() -> None:
    with Faults() as server, OpenAI("m", url=server.url, context=99) as lm:
        server.models = listed(VLLM)
        assert (lm.context, server.looks) == (99, 0)


def test_the_public_service_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def called(*_: object) -> None:
        raise AssertionError("asked")

    monkeypatch.setattr(backend, "call", called)
    lm = OpenAI("gpt-4.1-mini", key="k")
    assert (lm.context, lm.cache_identity) == (None, "openai:gpt-4.1-mini")
    with pytest.raises(AssertionError, match="asked"):
        _ = OpenAI("m", url="https://elsewhere.example/v1", key="k").context


@pytest.mark.parametrize("models", ["401", "404", "500", "429", "html", "truncated", "list", "reset", "half a body"])
def test_whatever_goes_wrong_it_is_unknown_and_not_asked_again(models: Answer) -> None:
    with Faults() as server, OpenAI("m", url=server.url) as lm:
        server.models = models
        assert (lm.context, lm.cache_identity) == (None, lm.name)
        server.models = listed(VLLM)
        assert (lm.context, lm.cache_identity, server.looks) == (None, lm.name, 1)


@pytest.mark.parametrize("models", ["timeout", "slow drip"])
def test_a_server_that_hangs_costs_its_time_once(models: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend, "LONGEST_LOOK_S", 0.8)
    with Faults() as one, Faults() as two, OpenAI("m", url=[one.url, two.url]) as lm:
        one.models = two.models = models
        begun = time.monotonic()
        assert (lm.context, lm.context, lm.cache_identity) == (None, None, lm.name)
        assert time.monotonic() - begun < 10  # not the minute of a call, nor several tries
        assert (one.looks, two.looks) == (1, 1)


def test_the_first_server_that_answers_tells() -> None:
    with Faults() as one, Faults() as two, OpenAI("m", url=[refused_url(), one.url, two.url]) as lm:
        two.models = listed({**VLLM, "max_model_len": 77})
        assert (lm.context, one.looks, two.looks) == (77, 1, 1)
