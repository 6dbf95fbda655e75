"""The in-process vLLM backend against a stub of its interface. vLLM itself was never run here."""

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("transformers")

import tiny

from whyrank.errors import BadInput, MissingExtra, ModelError, ModelRejected
from whyrank.lm.base import LM, Capability, Choose, Generate, Likelihood, Message, Reply
from whyrank.lm.vllm import VLLM


class StubLLM:
    """Writes the prompt's last token again and again; a token's log-probability is minus a hundredth of its id."""

    def __init__(self, **how: Any) -> None:
        self.how = how
        self.asked: list[tuple[list[int], dict[str, Any]]] = []
        self.tokenizer = tiny.byte_tokenizer(added=("<think>", "</think>"))
        self.llm_engine = SimpleNamespace(model_config=SimpleNamespace(max_model_len=how["max_model_len"] or 64))
        if how["model"] == "no/model":
            raise OSError("no/model is not a model")

    def get_tokenizer(self) -> Any:
        return self.tokenizer

    def generate(self, prompts: list[Any], params: list[Any], *, use_tqdm: bool) -> list[Any]:
        assert not use_tqdm
        if any("seed" in own.how and own.how["seed"] == 13 for own in params):
            raise RuntimeError("the engine is dead\nlong story")
        return [self.output(prompt["prompt_token_ids"], own.how) for prompt, own in zip(prompts, params, strict=True)]

    def output(self, tokens: list[int], how: dict[str, Any]) -> Any:
        self.asked.append((tokens, how))
        written = [tokens[-1]] * how["max_tokens"]
        likeliest = sorted(how.get("allowed_token_ids", []))[: how.get("logprobs", 0)]
        answer = SimpleNamespace(
            text=self.tokenizer.decode(written),
            token_ids=written,
            finish_reason="length",
            logprobs=[{token: SimpleNamespace(logprob=-token / 100) for token in likeliest}],
        )
        read = [None, *({token: SimpleNamespace(logprob=-token / 100)} for token in tokens[1:])]
        return SimpleNamespace(outputs=[answer] * how.get("n", 1), prompt_logprobs=read, num_cached_tokens=3)


class StubParams:
    def __init__(self, **how: Any) -> None:
        self.how = how


@pytest.fixture
def lm(monkeypatch: pytest.MonkeyPatch) -> VLLM:
    vllm, params = ModuleType("vllm"), ModuleType("vllm.sampling_params")
    vllm.__dict__.update(LLM=StubLLM, SamplingParams=StubParams)
    params.__dict__["StructuredOutputsParams"] = lambda json: ("structured", json)
    monkeypatch.setitem(sys.modules, "vllm", vllm)
    monkeypatch.setitem(sys.modules, "vllm.sampling_params", params)
    return VLLM("some/model")


def asked(lm: VLLM) -> list[tuple[list[int], dict[str, Any]]]:
    found: list[tuple[list[int], dict[str, Any]]] = lm._llm.asked
    return found


def test_what_it_says_of_itself(lm: VLLM) -> None:
    assert isinstance(lm, LM)
    assert (lm.name, lm.context) == ("vllm:some/model", 64)
    assert Capability.PREFILL in lm.capabilities
    assert "<|im_end|>" in lm.controls
    assert lm.tokens.count("the moon") == 2
    assert (lm._llm.how["load_format"], lm._llm.how["trust_remote_code"]) == ("safetensors", False)


def test_choices_get_the_log_probabilities_of_their_tokens(lm: VLLM) -> None:
    [reply] = lm.ask([Choose("relevant:", (" yes", " no"))])
    assert isinstance(reply, Reply)
    [(tokens, how)] = asked(lm)
    yes, no = lm._llm.tokenizer.convert_tokens_to_ids(["Ġyes", "Ġno"])
    assert reply.logprobs == (-yes / 100, -no / 100)
    assert how == {"max_tokens": 1, "temperature": 0.0, "allowed_token_ids": [yes, no], "logprobs": 2}
    assert (reply.usage.prompt_tokens, reply.usage.cached_tokens, reply.usage.calls) == (len(tokens), 3, 1)
    with pytest.raises(BadInput, match="exactly one token"):
        lm.ask([Choose("relevant:", (" relevantly",))])


def test_a_likelihood_is_read_off_the_prompt(lm: VLLM) -> None:
    [reply] = lm.ask([Likelihood("what is", " the moon")])
    assert isinstance(reply, Reply)
    following = lm._llm.tokenizer(" the moon")["input_ids"]
    assert reply.logprobs == tuple(-token / 100 for token in following)


def test_it_writes(lm: VLLM) -> None:
    request = Generate(
        "the moon", max_tokens=3, temperature=0.5, seed=2, stop=("sun",), n=2, schema='{"type": "object"}'
    )
    [reply, greedy] = lm.ask([request, Generate("the moon", max_tokens=2, n=3)])
    assert isinstance(reply, Reply)
    assert isinstance(greedy, Reply)
    assert (reply.text, reply.others, reply.finish) == (" moon moon moon", (" moon moon moon",), "length")
    assert reply.usage.generated_tokens == 6
    how = asked(lm)[0][1]
    assert how["structured_outputs"] == ("structured", request.schema)
    assert (how["seed"], how["stop"], how["n"], how["temperature"]) == (2, ["sun"], 2, 0.5)
    assert greedy.others == (" moon moon", " moon moon")
    assert asked(lm)[1][1]["n"] == 1


def test_reasoning_that_does_not_end_is_no_answer(lm: VLLM) -> None:
    turns = (Message("user", "the"), Message("assistant", "<think>"))
    [reply] = lm.ask([Generate(turns, max_tokens=2)])
    assert isinstance(reply, Reply)
    assert (reply.text, reply.reasoning, reply.usage.reasoning_tokens) == ("", "<think><think>", 2)


def test_a_document_makes_no_turn(lm: VLLM) -> None:
    lm.ask([Generate((Message("user", "moon<|im_end|>"),), max_tokens=1)])
    end = lm._llm.tokenizer.convert_tokens_to_ids("<|im_end|>")
    assert asked(lm)[0][0].count(end) == 1


def test_errors_stand_in_their_places(lm: VLLM) -> None:
    seen: list[int] = []
    replies = lm.ask(
        [Generate("the", max_tokens=64), Generate("the", max_tokens=2)], lambda place, _: seen.append(place)
    )
    assert [type(reply) for reply in replies] == [ModelRejected, Reply]
    assert seen == [0, 1]
    [failed] = lm.ask([Generate("the", max_tokens=2, seed=13)])
    assert str(failed) == "vllm:some/model failed on a batch of 1: RuntimeError: the engine is dead"
    assert type(failed) is ModelError
    with pytest.raises(BadInput, match="vLLM cannot load it"):
        VLLM("no/model")


def test_without_vllm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vllm", None)
    with pytest.raises(MissingExtra, match=r"whyrank\[vllm\]"):
        VLLM("some/model")
