"""From a language model's answer to the parts of a reason: a total function, for model output is hostile data.

An answer is one JSON object. What stands around it does not matter; of a broken one, as much is taken as is whole. A
text without one gives nothing: an error's text or a refusal can never become a reason.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from whyrank.errors import ModelError
from whyrank.lm.base import Reply
from whyrank.rankers.parsing import declines, final_answer
from whyrank.types import Status

LONGEST = 100_000
"""Characters of an answer that are read; no reason is so long."""

TRIES = 32
"""Objects of an answer that are tried; a model that writes more of them gives no answer."""

_DECLINED = re.compile(
    r"\W*(?:(?:i['’]?m|i am)\s+(?:\w+\s+)?sorry|sorry|(?:i|we)\s+apologi[sz]e|as an ai\b"
    r"|(?:i|we)\s+(?:cannot|can['’]?t|can not|won['’]?t|am unable to|am not able to|must decline to)\s+"
    r"(?:help|assist|comply|provide|fulfil|continue|engage|discuss|answer|do)\b)",
    re.IGNORECASE,
)
_OPENING = re.compile(r"^[ \t]*(?:```\w*[ \t]*)?\{", re.MULTILINE)
_STRING = re.compile(r'((?:[^"\\]|\\.|"(?!\s*(?:,\s*"\w{1,40}"\s*:|,?\s*\}|$)))*)("?)', re.DOTALL)
_SENTENCE_END = re.compile(r"[.!?][\"”’)]*(?=\s|$)")
_ESCAPE = re.compile(r'\\u([0-9a-fA-F]{4})|\\(["\\/bfnrt])')
_ESCAPED = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


@dataclass(frozen=True, slots=True)
class Answer:
    """What an answer holds.

    Attributes:
        status: "ok"; "repaired", the object was broken, and `parts` is what was whole of it; "refused", "truncated" or
            "error", it holds no reason.
        parts: the texts asked for, by name; "" for one that is not there.
        missing: why there is no reason, in words; "" where there is one.
    """

    status: Status
    parts: Mapping[str, str] = field(default_factory=dict)
    missing: str = ""

    @property
    def is_usable(self) -> bool:
        """Whether it holds what was asked for."""
        return not self.missing


def read_answer(reply: Reply | ModelError, names: Sequence[str], *, needed: str) -> Answer:
    """Read a reply that should be a JSON object of texts.

    Args:
        reply: what a backend gave, whatever it is.
        names: the texts asked for.
        needed: the one of them without which there is no answer.
    """
    if isinstance(reply, ModelError):
        return Answer("error", missing=f"the request failed ({type(reply).__name__}: {_line(str(reply))})")
    if reply.finish == "refused":
        return Answer("refused", missing="the model declined to write one")
    said = reply.text[:LONGEST]
    # Within the strings of an object nothing ends a thought or a turn, whatever a document made the model quote.
    text = said if _OPENING.match(said.lstrip()) else final_answer(said)
    if text is None:
        return Answer("truncated", missing="the answer broke off while the model was thinking")
    found = _last_object(text, names)
    if found is not None and any(map(str.isalnum, found.parts[needed])):
        if _DECLINED.match(found.parts[needed]):
            return Answer("refused", missing="the model declined to write one")
        return found
    return _nothing(text, is_cut=reply.finish == "length")


def preferred(said: str) -> str | None:
    """The document that an answer prefers: "A", "B", or None where it names neither.

    >>> preferred("A"), preferred(" document b. "), preferred("A or B")
    ('A', 'B', None)
    """
    match = re.fullmatch(r"\W{0,5}(?:document\s{1,5})?([AB])\W{0,5}", said.strip(), re.IGNORECASE)
    return match[1].upper() if match else None


def _nothing(text: str, *, is_cut: bool) -> Answer:
    if is_cut:
        return Answer("truncated", missing="the answer broke off")
    if not text.strip():
        return Answer("error", missing="the answer is empty")
    if declines(text):
        return Answer("refused", missing="the model declined to write one")
    return Answer("error", missing="the answer is not in the form that was asked for")


def _line(text: str, limit: int = 200) -> str:
    line = " ".join(text[: 4 * limit].split())
    return line if len(line) <= limit else line[:limit] + " …"


def _last_object(text: str, names: Sequence[str]) -> Answer | None:
    """What the last object says that holds one of the names: models repeat the form before they fill it in."""
    found = [answer for answer in _objects(text, names) if any(answer.parts.values())]
    return found[-1] if found else None


def _objects(text: str, names: Sequence[str]) -> Iterator[Answer]:
    """The objects of a text, whole ones and, where one is broken, what is whole of it.

    Only the first may stand within a line. Objects that a document brings along stand within the strings of an answer;
    what a model forgot to escape there begins no answer of its own.
    """
    decoder = json.JSONDecoder(strict=False)
    first = text.find("{")
    starts = [first, *(match.end() - 1 for match in _OPENING.finditer(text))] if first >= 0 else []
    reached = 0
    for start in list(dict.fromkeys(starts))[:TRIES]:
        if start < reached:
            continue
        try:
            record, reached = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            yield _pieces(text[start:], names)
            continue
        if isinstance(record, dict) and "error" not in record:
            yield Answer("ok", {name: _text(record.get(name)) for name in names})


def _text(value: object) -> str:
    return _encodable(value) if isinstance(value, str) else ""


def _encodable(text: str) -> str:
    """With halves of characters joined, or replaced where the other half is missing: no file can hold them."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _pieces(broken: str, names: Sequence[str]) -> Answer:
    """Of an object that is no JSON, the strings that can be told apart."""
    return Answer("repaired", {name: _piece(broken, name) for name in names})


def _piece(broken: str, name: str) -> str:
    opening = re.search(rf'"{name}"\s*:\s*"', broken)
    if opening is None:
        return ""
    string = _STRING.match(broken, opening.end())
    if string is None:
        return ""
    words = _encodable(_ESCAPE.sub(lambda e: chr(int(e[1], 16)) if e[1] else _ESCAPED.get(e[2], e[2]), string[1]))
    return words if string[2] else _whole_sentences(words)


def _whole_sentences(words: str) -> str:
    """The sentences of a text that broke off, without the last one, and an ellipsis; "" if there is none."""
    ends = [match.end() for match in _SENTENCE_END.finditer(words)]
    return f"{words[: ends[-1]]} …" if ends else ""
