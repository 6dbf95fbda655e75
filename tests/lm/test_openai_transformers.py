"""Against `transformers serve`: conversations and texts, no logprobs, no schema, one answer at a time."""

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from faults import refused_url
from llamacpp import TEMPLATE

from whyrank.errors import UnusableReply
from whyrank.lm.base import Choose, Generate, Message, Reply
from whyrank.lm.openai import OpenAI

pytest.importorskip("openai")
pytest.importorskip("torch")
for package in ("fastapi", "uvicorn"):
    pytest.importorskip(package, reason="needs transformers[serving]")

STARTED_WITHIN_S = 240
ASK = (Message("user", "Yes or No?"),)
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Qwen2 with random weights and a token for each byte."""
    transformers = pytest.importorskip("transformers")
    tokenizers = pytest.importorskip("tokenizers")
    folder = tmp_path_factory.mktemp("tiny")
    alphabet = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE({sign: i for i, sign in enumerate(alphabet)}, []))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<|im_end|>", pad_token="<|endoftext|>"
    )
    fast.add_special_tokens({"additional_special_tokens": ["<|im_start|>"]})
    fast.chat_template = TEMPLATE
    fast.save_pretrained(folder)
    config = transformers.Qwen2Config(
        vocab_size=len(fast),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=512,
        bos_token_id=None,
        eos_token_id=fast.eos_token_id,
        pad_token_id=fast.pad_token_id,
    )
    transformers.set_seed(0)
    transformers.Qwen2ForCausalLM(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def lm(model: Path) -> Iterator[OpenAI]:
    url = refused_url()
    port = url.removesuffix("/v1").rpartition(":")[2]
    command = [str(Path(sys.executable).with_name("transformers")), "serve", str(model)]
    options = ["--host", "127.0.0.1", "--port", port, "--device", "cpu"]
    quiet = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    with (model / "serve.log").open("wb") as log:
        server = subprocess.Popen([*command, *options], env=quiet, stdout=log, stderr=log)
    try:
        wait_for(url.removesuffix("/v1") + "/health", server, model / "serve.log")
        with OpenAI(str(model), url=url, retries=0) as backend:
            yield backend
    finally:
        server.terminate()
        server.wait(timeout=30)


def wait_for(url: str, server: "subprocess.Popen[bytes]", log: Path) -> None:
    ends = time.monotonic() + STARTED_WITHIN_S
    while time.monotonic() < ends:
        assert server.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(url):
                return
        except OSError:
            time.sleep(0.2)
    raise AssertionError(f"not up within {STARTED_WITHIN_S} s: {log.read_text()}")


def test_a_conversation_and_a_text(lm: OpenAI) -> None:
    for prompt in (ASK, "abc"):
        first, second = lm.ask([Generate(prompt, max_tokens=8)] * 2)
        assert isinstance(first, Reply), first
        assert isinstance(second, Reply), second
        assert first.text == second.text != ""
        assert first.finish == "length"
        assert first.usage.generated_tokens == 8
        if prompt == "abc":
            assert first.usage.prompt_tokens == 3  # as it is, without a template


def test_without_logprobs_a_choice_is_a_typed_error(lm: OpenAI) -> None:
    for prompt in (ASK, "abc"):
        [result] = lm.ask([Choose(prompt, ("Y", "N"))])
        assert isinstance(result, UnusableReply)
        assert "may not give logprobs" in str(result)


def test_several_answers_are_asked_for_one_by_one(lm: OpenAI) -> None:
    [reply] = lm.ask([Generate(ASK, max_tokens=4, n=3, seed=1, temperature=1.0)])
    assert isinstance(reply, Reply)
    assert len(reply.others) == 2
    assert reply.usage.calls == 3


def test_a_schema_does_no_harm(lm: OpenAI) -> None:
    [reply] = lm.ask([Generate(ASK, max_tokens=4, schema='{"type": "object"}')])
    assert isinstance(reply, Reply)
