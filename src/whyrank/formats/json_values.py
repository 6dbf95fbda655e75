"""JSON in files: one value a line, an array, or values that span lines, always with the line each starts on."""

import json
import math
import re
from collections.abc import Iterator
from typing import Any

from whyrank.errors import BadInput
from whyrank.formats.files import Source
from whyrank.formats.problems import Complain, Problem, Wrong

_HEAD = 1 << 16
_SPACE = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder()


def values(source: Source, complain: Complain) -> Iterator[tuple[int, Any]]:
    """The values of a JSON Lines file, the elements of a JSON array, or JSON values one after the other.

    Lines are streamed; an array, or a value over several lines, is read whole.
    """
    head = source.peek(_HEAD).removeprefix(b"\xef\xbb\xbf").lstrip()
    first, newline, _ = head.partition(b"\n")
    if first.startswith(b"[") or (newline and first.startswith(b"{") and not first.rstrip().endswith(b"}")):
        yield from _scattered(source, complain)
        return
    for number, line in source.lines(complain):
        if line.isspace():
            continue
        try:
            value = _loads(line)
        except Wrong as wrong:
            complain(wrong.at(source.name, number))
        else:
            yield number, value


def first_value(text: str) -> Any:
    """The first JSON value of a text, or the first element of an array; Wrong where it is no JSON or cut off."""
    start = _after_space(text, 0)
    if text[start : start + 1] == "[":
        start = _after_space(text, start + 1)
    return _decode_at(text, start)[0]


def dumps(value: object) -> str:
    """One line of JSON. Readable characters stay; a line with lone surrogates, which UTF-8 cannot hold, is escaped.

    Raises:
        BadInput: something in `value` is no JSON value.
    """
    try:
        line = json.dumps(value, ensure_ascii=False)
        try:
            line.encode()
        except UnicodeEncodeError:
            line = json.dumps(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise BadInput(f"cannot be written as JSON ({error}); metadata may hold what JSON can hold") from error
    return line


def finite(value: object, name: str) -> float | None:
    """A score: a finite number, or None for null; numbers written as texts are accepted.

    Raises:
        Wrong: it is anything else.
    """
    if value is None:
        return None
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            raise Wrong(f"{name!r} is {value!r}", "give a finite number, or leave it out") from None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Wrong(f"{name!r} is {type(value).__name__}", "give a finite number, or leave it out")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise Wrong(f"{name!r} is {number}", "give a finite number, or leave it out")
    return number


def keys_of(record: dict[str, Any]) -> str:
    """The keys present, for an error message."""
    return ", ".join(sorted(record)) or "none"


def _loads(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise Wrong(f"not valid JSON ({error.msg}, column {error.colno})", "each line must be one JSON value") from None
    except (ValueError, RecursionError) as error:
        raise _extreme(error) from None


def _decode_at(text: str, start: int) -> tuple[Any, int]:
    try:
        value, end = _DECODER.raw_decode(text, start)
    except json.JSONDecodeError as error:
        raise Wrong(f"not valid JSON ({error.msg}, column {error.colno})", "give JSON values, or an array") from None
    except (ValueError, RecursionError) as error:
        raise _extreme(error) from None
    return value, end


def _extreme(error: Exception) -> Wrong:
    """A number of thousands of digits, or nesting deeper than Python's stack."""
    return Wrong(f"JSON that cannot be held ({error})", "shorten the number or flatten the nesting")


def _after_space(text: str, start: int) -> int:
    match = _SPACE.match(text, start)
    assert match is not None
    return match.end()


def _scattered(source: Source, complain: Complain) -> Iterator[tuple[int, Any]]:
    text = source.text()
    at = _after_space(text, 0)
    is_array = text.startswith("[", at)
    line, counted = 1, 0
    at = _after_space(text, at + is_array)
    if is_array and text.startswith("]", at):
        at = _after_space(text, at + 1)
        is_array = False
    while at < len(text) or is_array:
        line, counted = line + text.count("\n", counted, at), at
        try:
            value, end = _decode_at(text, at)
        except Wrong as wrong:
            complain(wrong.at(source.name, line))
            return
        yield line, value
        at = _after_space(text, end)
        if is_array and text.startswith(",", at):
            at = _after_space(text, at + 1)
        elif is_array and text.startswith("]", at):
            at, is_array = _after_space(text, at + 1), False
        elif is_array:
            complain(Problem(source.name, line, "the JSON array is cut off or lacks a comma", "end it with ]"))
            return
