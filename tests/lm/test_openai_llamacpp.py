"""Against llama.cpp's own server."""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from llamacpp import LlamaCpp

from whyrank.errors import ModelRejected
from whyrank.lm.base import Capability, Choose, Generate, Message, Reply, Request
from whyrank.lm.cache import Cached
from whyrank.lm.openai import OpenAI
from whyrank.rankers.building import build
from whyrank.types import Ranking

for package in ("openai", "xllamacpp", "gguf"):
    pytest.importorskip(package)

ASK = (Message("system", "Be brief."), Message("user", "Yes or No?"))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LlamaCpp]:
    with LlamaCpp(tmp_path_factory.mktemp("model")) as running:
        yield running


@pytest.fixture(scope="module")
def lm(server: LlamaCpp) -> Iterator[OpenAI]:
    with OpenAI("tiny", url=server.url, prefill=True, retries=0) as backend:
        yield backend


def asked(lm: OpenAI, request: Request) -> Reply:
    [reply] = lm.ask([request])
    assert isinstance(reply, Reply), reply
    return reply


def test_chat(lm: OpenAI) -> None:
    reply = asked(lm, Generate(ASK, max_tokens=8))
    assert reply.text
    assert reply.finish == "length"
    assert reply.usage.prompt_tokens > len("Be brief.Yes or No?") // 3
    assert reply.usage.generated_tokens == 8
    assert reply.usage.cost is None
    assert asked(lm, Generate(ASK, max_tokens=8)).text == reply.text  # greedy


def test_text(lm: OpenAI) -> None:
    reply = asked(lm, Generate("abc", max_tokens=8))
    assert reply.text
    assert reply.usage.prompt_tokens == 3  # as it is, without a template


def test_many_at_once_are_each_answered_in_place(lm: OpenAI) -> None:
    requests = [Generate(f"{i}", max_tokens=4) for i in range(12)]
    singly = [asked(lm, request).text for request in requests]
    together = [reply.text for reply in lm.ask(requests) if isinstance(reply, Reply)]
    assert together == singly


def test_choices_agree_with_what_is_written(lm: OpenAI) -> None:
    for prompt in (ASK, "Yes or No? "):
        choices = ("Yes", "No", "A", "B", "C")
        chosen = asked(lm, Choose(prompt, choices)).logprobs
        assert all(value <= 0 for value in chosen)
        assert sum(math.exp(value) for value in set(chosen)) <= 1.0
        assert len(set(chosen)) > 1
        first = asked(lm, Generate(prompt, max_tokens=1)).text
        if first in choices:
            assert choices[chosen.index(max(chosen))] == first


def test_a_schema_is_held(lm: OpenAI) -> None:
    schema = {
        "type": "object",
        "properties": {"order": {"type": "array", "items": {"enum": [1, 2, 3]}, "minItems": 3, "maxItems": 3}},
        "required": ["order"],
        "additionalProperties": False,
    }
    reply = asked(lm, Generate(ASK, max_tokens=100, schema=json.dumps(schema)))
    answer = json.loads(reply.text)
    assert set(answer) == {"order"}
    assert len(answer["order"]) == 3
    assert set(answer["order"]) <= {1, 2, 3}
    assert lm.adapted == set()


def test_several_answers(lm: OpenAI) -> None:
    request = Generate(ASK, max_tokens=12, n=3, temperature=1.5, seed=1)
    reply = asked(lm, request)
    assert len({reply.text, *reply.others}) == 3
    assert reply.usage.calls == 1
    more = asked(lm, Generate(ASK, max_tokens=4, n=6, temperature=1.5, seed=1))  # more than it has slots
    assert len(more.others) == 5


def test_a_stop_text_ends_it(lm: OpenAI) -> None:
    whole = asked(lm, Generate(ASK, max_tokens=30)).text
    reply = asked(lm, Generate(ASK, max_tokens=30, stop=(whole[4:8],)))
    assert reply.finish == "stop"
    assert whole.startswith(reply.text)
    assert len(reply.text) <= 4


def test_the_assistants_turn_is_continued(lm: OpenAI) -> None:
    assert Capability.PREFILL in lm.capabilities
    reply = asked(lm, Generate((*ASK, Message("assistant", "Yes, because")), max_tokens=6))
    assert reply.usage.generated_tokens == 6
    assert not reply.text.startswith("Yes, because")


def test_a_prompt_over_the_context_is_rejected_at_once(lm: OpenAI) -> None:
    for prompt in ("x " * 2000, (Message("user", "x " * 2000),)):
        [result] = lm.ask([Generate(prompt)])
        assert type(result) is ModelRejected
        assert "exceeds the available context size (512 tokens)" in str(result)


class Bytes:
    """Counts as the tiny model does, which has a token for each byte: of the form of a conversation, too."""

    is_exact = False

    def count(self, text: str) -> int:
        return len(text.encode()) + len("<|im_start|>assistant")

    def cut(self, text: str, limit: int) -> str:
        return text.encode()[:limit].decode(errors="ignore")


def test_a_long_document_is_cut_to_the_context_that_the_server_tells(tmp_path: Path) -> None:
    given = Ranking.of("do apples keep", ["Apples keep for months. " * 200, "Pears."])
    with LlamaCpp(tmp_path, context=1024) as server, OpenAI("tiny", url=server.url, tokens=Bytes(), retries=0) as lm:
        assert lm.context == 1024
        [ranking] = build(Cached(lm, tmp_path / "answers.sqlite"), kind="pointwise").rerank_many([given])
    assert ranking.status == "ok", ranking.notes
    cut = {hit.document.text[:6]: hit.cut for hit in ranking.hits}
    assert 3800 < cut["Apples"] < 4800
    assert cut["Pears."] == 0


def test_other_weights_at_the_same_address_are_asked_anew(tmp_path: Path) -> None:
    """Told apart by the path of the model; of equal architectures llama.cpp says nothing else that differs."""
    choose, port, heard = Choose(ASK, ("Yes", "No")), 0, []
    for seed in (0, 1, 0):
        folder = tmp_path / str(seed)
        folder.mkdir(exist_ok=True)
        with LlamaCpp(folder, seed=seed, port=port) as server, OpenAI("tiny", url=server.url) as lm:
            port = urlsplit(server.url).port or 0
            [reply] = Cached(lm, tmp_path / "answers.sqlite").ask([choose])
            assert isinstance(reply, Reply), reply
            heard.append((lm.name, reply.logprobs, reply.usage.cached_tokens == reply.usage.prompt_tokens))
    (name, first, _), (same, other, is_old), (_, again, is_stored) = heard
    assert name == same
    assert (is_old, is_stored) == (False, True)
    assert first == again != other


def test_two_servers_share_the_work(server: LlamaCpp, tmp_path_factory: pytest.TempPathFactory) -> None:
    with LlamaCpp(tmp_path_factory.mktemp("other")) as other, OpenAI("tiny", url=[server.url, other.url]) as lm:
        texts = {asked(lm, Generate("abc", max_tokens=6)).text for _ in range(4)}
    assert len(texts) == 1  # the same weights
