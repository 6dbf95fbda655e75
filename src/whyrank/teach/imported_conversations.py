"""Training conversations of listwise rankers: a prompt that shows passages, and the teacher's ranking as its answer.

Two layouts, one JSON object a line:

    {"messages": [{"role": "system" | "user" | "assistant", "content"}]}        liuqi6777/llm4ranking; chat data
    {"conversations": [{"from": "system" | "human" | "gpt", "value"}]}          castorini/rank_llm, RankZephyr
    {"system", "instruction", "input", "output", "history", "think"}            abdoelsayed/DeAR-COT (Alpaca form)

The answer is the last turn; all turns of the user are the prompt. Of DeAR's answers, what stands before the final
ranking is the teacher's thought. The order is read as any answer of a language model is.
"""

from collections.abc import Iterator
from typing import Any

from whyrank.formats import json_values
from whyrank.formats.documents import identifier
from whyrank.formats.files import Source
from whyrank.formats.problems import Complain, Wrong, parsed
from whyrank.rankers.parsing import ranking
from whyrank.teach.answers import UNKNOWN_COST, outcome, text_in
from whyrank.teach.conclusions import concluded
from whyrank.teach.records import TeacherRecord
from whyrank.teach.shown import shown_in
from whyrank.types import Document, Query

_TURNS = "give {'messages': [{'role', 'content'}]} or {'conversations': [{'from', 'value'}]}, ending with the answer"
_COT = "give {'instruction': prompt with query and passages, 'output': answer, 'think': thought (optional)}"
_USER = ("user", "human")
_ASSISTANT = ("assistant", "gpt")


def scan(source: Source, complain: Complain) -> Iterator[tuple[int, TeacherRecord]]:
    """Records of conversations, with their lines."""
    return parsed(source.name, json_values.values(source, complain), _conversation, complain)


def scan_cot(source: Source, complain: Complain) -> Iterator[tuple[int, TeacherRecord]]:
    """Records of DeAR's reasoning examples, with their lines."""
    return parsed(source.name, json_values.values(source, complain), _reasoned, complain)


def _conversation(value: Any, number: int) -> TeacherRecord:
    turns = _turns(value)
    if not turns or turns[-1][0] not in _ASSISTANT:
        raise Wrong("the conversation does not end with an answer", _TURNS)
    prompt = "\n".join(text for role, text in turns if role in _USER)
    return _record(prompt, turns[-1][1], "", identifier(value.get("id", number), "id"))


def _turns(value: Any) -> list[tuple[str, str]]:
    if isinstance(value, dict):
        for key, role, text in (("messages", "role", "content"), ("conversations", "from", "value")):
            if isinstance(value.get(key), list):
                return [(text_in(turn, role, _TURNS), text_in(turn, text, _TURNS)) for turn in value[key]]
    raise Wrong("no conversation", _TURNS)


def _reasoned(value: Any, number: int) -> TeacherRecord:
    instruction, output = text_in(value, "instruction", _COT), text_in(value, "output", _COT)
    given, thought = value.get("input") or "", value.get("think") or ""
    if not isinstance(given, str) or not isinstance(thought, str):
        raise Wrong("'input' or 'think' is no text", _COT)
    earlier = "\n".join(_said_before(value.get("history") or []))
    prompt = "\n".join(part for part in (earlier, instruction, given) if part)
    said = concluded(output, len(shown_in(prompt).passages))
    return _record(prompt, output, thought or said.thought, identifier(value.get("id", number), "id"), said.ranking)


def _said_before(history: Any) -> Iterator[str]:
    """The user's half of earlier turns, which are pairs of question and answer."""
    for pair in history if isinstance(history, list) else ():
        if isinstance(pair, list) and pair and isinstance(pair[0], str):
            yield pair[0]


def _record(prompt: str, answer: str, thought: str, name: str, ranked: str | None = None) -> TeacherRecord:
    shown = shown_in(prompt)
    order, status = outcome(ranking(answer if ranked is None else ranked, len(shown.passages)))
    return TeacherRecord(
        "",
        Query(name, shown.query),
        tuple(Document(str(number), text) for number, text in enumerate(shown.passages, 1)),
        order,
        thought=thought,
        answer=answer,
        status=status,
        usage=UNKNOWN_COST,
    )
