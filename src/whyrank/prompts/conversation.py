"""Forms of a conversation, for checkpoints whose tokenizer brings no chat template of its own."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from whyrank.errors import unknown
from whyrank.lm.base import Message


class Conversation(NamedTuple):
    """What stands before and after a message of each role, and what opens the answer.

    Attributes:
        system: around the system message.
        user: around a user's message.
        assistant: around an assistant's message; nothing follows one that the model is to continue.
        opening: stands at the end, where the model is to answer.
        is_system_in_user: the system message is part of the first user's message and stands within its form.
    """

    system: tuple[str, str]
    user: tuple[str, str]
    assistant: tuple[str, str]
    opening: str
    is_system_in_user: bool = False


_VICUNA = Conversation(("", " "), ("USER: ", " "), ("ASSISTANT: ", "</s>"), "ASSISTANT:")  # FastChat's vicuna_v1.1
CONVERSATIONS: Mapping[str, Conversation] = MappingProxyType(
    {
        "vicuna": _VICUNA,
        # As RankLLM put it together when RankVicuna was published, and the recorded answers were given to it:
        "vicuna-spaced": _VICUNA._replace(opening=" ASSISTANT:"),
        # As it did the month before: the model has to open its own turn, and sometimes says something else.
        "vicuna-unopened": _VICUNA._replace(opening=""),
        "zephyr": Conversation(
            ("<|system|>\n", "</s>\n"), ("<|user|>\n", "</s>\n"), ("<|assistant|>\n", "</s>\n"), "<|assistant|>\n"
        ),
        "chatml": Conversation(
            ("<|im_start|>system\n", "<|im_end|>\n"),
            ("<|im_start|>user\n", "<|im_end|>\n"),
            ("<|im_start|>assistant\n", "<|im_end|>\n"),
            "<|im_start|>assistant\n",
        ),
        # The first <s> is the tokenizer's to add.
        "llama-2": Conversation(
            ("<<SYS>>\n", "\n<</SYS>>\n\n"), ("[INST] ", " [/INST]"), (" ", " </s><s>"), "", is_system_in_user=True
        ),
        # What DeAR's code falls back on.
        "tagged": Conversation(
            ("<|system|>\n", "\n"), ("<|user|>\n", "\n"), ("<|assistant|>\n", "\n"), "<|assistant|>\n"
        ),
        "plain": Conversation(("", "\n\n"), ("", "\n\n"), ("", "\n\n"), ""),
    }
)


def flatten(messages: Sequence[Message], name: str) -> str:
    """A conversation as one text that the model continues.

    >>> flatten([Message("system", "You rank."), Message("user", "Rank.")], "vicuna")
    'You rank. USER: Rank. ASSISTANT:'

    Args:
        messages: a conversation; one that ends with an assistant's message is continued within it.
        name: one of `CONVERSATIONS`.

    Raises:
        UnknownName: there is no form of that name; the message lists near matches.
    """
    if name not in CONVERSATIONS:
        raise unknown("conversation", name, CONVERSATIONS)
    form = CONVERSATIONS[name]
    around = {"system": form.system, "user": form.user, "assistant": form.assistant}
    pieces, held = [], ""
    for place, (role, text) in enumerate((message.role, message.text) for message in messages):
        before, after = around[role]
        if role == "assistant" and place == len(messages) - 1:
            after = ""
        if role == "system" and form.is_system_in_user:
            held = before + text + after
            continue
        pieces.append(before + (held if role == "user" else "") + text + after)
        held = "" if role == "user" else held
    is_continued = bool(messages) and messages[-1].role == "assistant"
    return "".join(pieces) + ("" if is_continued else form.opening)
