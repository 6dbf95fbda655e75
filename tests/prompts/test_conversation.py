"""Conversations as one text, by hand."""

import pytest

from whyrank.errors import UnknownName
from whyrank.lm.base import Message
from whyrank.prompts.conversation import CONVERSATIONS, flatten

TALK = (Message("system", "S"), Message("user", "U1"), Message("assistant", "A1"), Message("user", "U2"))
BEGUN = (Message("user", "U"), Message("assistant", "["))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("vicuna", "S USER: U1 ASSISTANT: A1</s>USER: U2 ASSISTANT:"),
        ("vicuna-spaced", "S USER: U1 ASSISTANT: A1</s>USER: U2  ASSISTANT:"),
        ("vicuna-unopened", "S USER: U1 ASSISTANT: A1</s>USER: U2 "),
        ("zephyr", "<|system|>\nS</s>\n<|user|>\nU1</s>\n<|assistant|>\nA1</s>\n<|user|>\nU2</s>\n<|assistant|>\n"),
        (
            "chatml",
            (
                "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nU1<|im_end|>\n<|im_start|>assistant\nA1<|im_end|>\n"
                "<|im_start|>user\nU2<|im_end|>\n<|im_start|>assistant\n"
            ),
        ),
        ("llama-2", "[INST] <<SYS>>\nS\n<</SYS>>\n\nU1 [/INST] A1 </s><s>[INST] U2 [/INST]"),
        ("tagged", "<|system|>\nS\n<|user|>\nU1\n<|assistant|>\nA1\n<|user|>\nU2\n<|assistant|>\n"),
        ("plain", "S\n\nU1\n\nA1\n\nU2\n\n"),
    ],
)
def test_a_conversation(name: str, text: str) -> None:
    assert flatten(TALK, name) == text


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_the_assistants_last_message_is_continued(name: str) -> None:
    assert flatten(BEGUN, name).endswith("[")


def test_without_a_system_message() -> None:
    assert flatten(BEGUN, "llama-2") == "[INST] U [/INST] ["
    assert flatten(BEGUN, "vicuna") == "USER: U ASSISTANT: ["
    assert flatten((), "chatml") == "<|im_start|>assistant\n"


def test_an_unknown_form() -> None:
    with pytest.raises(UnknownName, match="no conversation called 'vikuna'; did you mean vicuna"):
        flatten(TALK, "vikuna")
