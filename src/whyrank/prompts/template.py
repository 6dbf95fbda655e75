"""A prompt as data: the text of a format, with fields, put together for one query and its passages.

A field is a name in braces. Values go in as they are, in one pass: braces inside a value mean nothing. A name in
double braces stands for itself, and every other brace is text, so that JSON needs no care.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import groupby
from operator import attrgetter
from types import MappingProxyType
from typing import Literal, NamedTuple, TypeAlias

from whyrank.errors import BadInput
from whyrank.lm.base import Message, Prompt
from whyrank.prompts.neutral import unlabelled

Kind: TypeAlias = Literal["pointwise", "pairwise", "setwise", "listwise", "direct", "comparison"]
Labels: TypeAlias = Literal["numbers", "letters"]
Role: TypeAlias = Literal["system", "user", "assistant"]

EVERYWHERE = frozenset(("query", "instruction", "count", "labels", "first_label", "last_label"))
"""Fields that any text of a template may have."""
ONE = frozenset(("passage", "label"))
"""Fields of one passage: in the line of a passage, in a message for each, or in a format for a single passage."""
PAIR = frozenset(("passage_1", "passage_2", "label_1", "label_2"))
"""Fields of a format for exactly two passages, where they do not stand in one block."""
_FIELD = re.compile(r"\{\{(\w+)\}\}|\{([A-Za-z_]\w*)\}")
_IS_EACH = attrgetter("is_each")
_NOTHING: Mapping[str, str] = MappingProxyType({})


class Passage(NamedTuple):
    """A passage as it is shown: under a label, cut and made harmless already."""

    label: str
    text: str


class Format(NamedTuple):
    """A text with fields, compiled for the % operator, which fills it in one pass."""

    pattern: str
    fields: frozenset[str]

    @classmethod
    def of(cls, text: str) -> "Format":
        """Compile a text in which fields are names in braces."""
        pattern, start = "", 0
        fields: set[str] = set()
        for match in _FIELD.finditer(text):
            pattern += text[start : match.start()].replace("%", "%%")
            pattern += f"{{{match[1]}}}" if match[1] else f"%({match[2]})s"
            fields.update(filter(None, [match[2]]))
            start = match.end()
        return cls(pattern + text[start:].replace("%", "%%"), frozenset(fields))


class Turn(NamedTuple):
    """One message of a conversation, or one for each passage."""

    role: Role
    text: Format
    is_each: bool = False


@dataclass(frozen=True, slots=True)
class Body:
    """The compiled text of a template.

    Attributes:
        turns: the messages in order; one alone for a format that is raw text.
        passage: how one passage stands in the block of all.
        join: what stands between two of them.
        fields: every field that a turn uses.
        size: how many passages it shows; None for any number.
    """

    turns: tuple[Turn, ...]
    passage: Format
    join: str
    fields: frozenset[str]
    size: int | None


@dataclass(frozen=True, slots=True)
class Template:
    """A prompt format, ready to be rendered.

    Attributes:
        name: the name of its file, without ".toml".
        kind: what is asked; how many passages it takes follows from it.
        form: "chat", a conversation; "text", raw text that the model continues.
        labels: what passages are called, 1, 2 … or A, B ….
        parser: how an answer is read: one of `PARSERS`.
        choices: what is scored by likelihood: of two the positive one first, of grades the lowest first; () for
            generation alone, and where the labels are the choices.
        instruction: default of the field {instruction}; None where the format has none.
        instruction_form: how an instruction stands in its field; one that is empty leaves nothing there.
        max_tokens: suggested most tokens of an answer, reasoning included.
        passage_tokens: most tokens of a passage as published; None where the source names no limit.
        reasons: whether it asks for reasoning before the answer.
        brackets: "round", numbers in brackets in the query and the passages become (3), as the source does; "keep".
        extra: further fields that `render` must be given.
        source: where the format was read.
        paper: who published it.
        licence: of the source.
    """

    name: str
    kind: Kind
    form: Literal["chat", "text"]
    labels: Labels
    parser: str
    choices: tuple[str, ...]
    instruction: str | None
    instruction_form: Format
    max_tokens: int
    passage_tokens: int | None
    reasons: bool
    brackets: Literal["keep", "round"]
    extra: tuple[str, ...]
    source: str
    paper: str
    licence: str
    body: Body = field(repr=False)

    @property
    def size(self) -> int | None:
        """How many passages it shows: one, two, or None for any number."""
        return self.body.size

    def label(self, place: int) -> str:
        """What the passage at a place, from 0 on, is called.

        Raises:
            BadInput: letters are used up.
        """
        if self.labels == "numbers":
            return str(place + 1)
        if place > 25:
            raise BadInput(f"the prompt {self.name!r} calls passages A to Z; show it at most 26")
        return chr(ord("A") + place)

    def render(
        self,
        query: str,
        passages: Sequence[Passage],
        *,
        instruction: str | None = None,
        extra: Mapping[str, str] = _NOTHING,
    ) -> Prompt:
        """The prompt for one question.

        Nothing is cut and no control token is broken here: see `whyrank.prompts.neutral`.

        Raises:
            BadInput: the number of passages, the instruction or the extra fields do not fit the format.
        """
        self._check(passages, instruction, extra)
        if self.brackets == "round":
            query = unlabelled(query)
            passages = [Passage(label, unlabelled(text)) for label, text in passages]
        values = self._values(query, passages, instruction, extra)
        if self.form == "text":
            return self.body.turns[0].text.pattern % values
        messages: list[Message] = []
        for is_each, turns in groupby(self.body.turns, key=_IS_EACH):
            if is_each:
                _add_each(messages, list(turns), passages, values)
            else:
                messages += [Message(turn.role, turn.text.pattern % values) for turn in turns]
        return tuple(messages)

    def _check(self, passages: Sequence[Passage], instruction: str | None, extra: Mapping[str, str]) -> None:
        size = self.size
        if size is not None and len(passages) != size:
            raise BadInput(f"the prompt {self.name!r} shows {size} at a time; it was given {len(passages)} passages")
        if instruction is not None and self.instruction is None:
            raise BadInput(f"the prompt {self.name!r} has no field for an instruction; leave it out or take another")
        if extra.keys() != set(self.extra):
            raise BadInput(
                f"the prompt {self.name!r} takes the extra fields {', '.join(self.extra) or '(none)'}; "
                f"it was given {', '.join(sorted(extra)) or '(none)'}"
            )

    def _values(
        self, query: str, passages: Sequence[Passage], instruction: str | None, extra: Mapping[str, str]
    ) -> dict[str, object]:
        used = self.body.fields
        values: dict[str, object] = {**extra, "query": query, "count": len(passages)}
        if self.instruction is not None:
            told = self.instruction if instruction is None else instruction
            values["instruction"] = told and self.instruction_form.pattern % {"instruction": told}
        if "passages" in used:
            line = self.body.passage.pattern
            values["passages"] = self.body.join.join([line % {"label": p.label, "passage": p.text} for p in passages])
        if passages:
            values["label"], values["passage"] = values["label_1"], values["passage_1"] = passages[0]
            values["label_2"], values["passage_2"] = passages[-1]
        if "labels" in used:
            values["labels"] = ", ".join([p.label for p in passages])
        values["first_label"] = passages[0].label if passages else ""
        values["last_label"] = passages[-1].label if passages else ""
        return values


def _add_each(
    messages: list[Message], turns: Sequence[Turn], passages: Sequence[Passage], values: dict[str, object]
) -> None:
    """Add the turns once for each passage."""
    made = [(turn.role, turn.text.pattern, _repeated if turn.text.fields <= {"label"} else Message) for turn in turns]
    one = values.copy()
    for one["label"], one["passage"] in passages:
        messages += [message(role, pattern % one) for role, pattern, message in made]


@lru_cache(maxsize=1024)
def _repeated(role: Role, text: str) -> Message:
    """A message that is the same in every prompt; making one takes longer than all the rest of rendering it."""
    return Message(role, text)
