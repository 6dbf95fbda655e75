"""Reading templates: the shipped ones by name, a user's own by path, every mistake named with its key."""

import tomllib
from collections.abc import Callable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple, get_args

from whyrank.errors import BadInput, unknown
from whyrank.formats.files import read_bytes
from whyrank.prompts.template import EVERYWHERE, ONE, PAIR, Body, Format, Kind, Labels, Role, Template, Turn

PARSERS = ("ranking", "pairwise", "setwise", "yes_no", "grade", "json", "likelihood")
"""How an answer is read. "likelihood": nothing is, the query is scored as the continuation of the prompt."""
SUFFIX = ".toml"


@cache
def known() -> tuple[str, ...]:
    """Names of the shipped templates."""
    return tuple(sorted(f.name.removesuffix(SUFFIX) for f in files(__package__).iterdir() if f.name.endswith(SUFFIX)))


def load(name: str) -> Template:
    """A shipped template by name, or one of the user's by the path of its .toml file.

    Raises:
        UnknownName: no template of that name is shipped; the message lists near matches.
        MissingFile: there is no such file.
        BadInput: the file is no template; the message names every mistake with its key.
    """
    if name in known():
        return _shipped(name)
    if not name.endswith(SUFFIX):
        raise unknown("prompt", name, known())
    stem = name.replace("\\", "/").rpartition("/")[2].removesuffix(SUFFIX)
    return _template(stem, read_bytes(name), name)


@cache
def _shipped(name: str) -> Template:
    return _template(name, files(__package__).joinpath(name + SUFFIX).read_bytes(), name + SUFFIX)


class _Key(NamedTuple):
    """What a key of the head may hold; `default` is None where the key must be given."""

    accepts: Callable[[Any], bool]
    wanted: str
    default: Any = None


def _one_of(*values: str) -> Callable[[Any], bool]:
    return lambda value: value in values


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_said(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _is_bool(value: Any) -> bool:
    return isinstance(value, bool)


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) and item for item in value)


def _are_names(value: Any) -> bool:
    taken = EVERYWHERE | ONE | PAIR | {"passages"}
    return _are_texts(value) and all(item.isidentifier() and item not in taken for item in value)


def _is_instruction_form(value: Any) -> bool:
    return isinstance(value, str) and Format.of(value).fields == {"instruction"}


def _choice(*values: str, default: str | None = None) -> _Key:
    return _Key(_one_of(*values), f"one of {', '.join(values)}", default)


_OMITTED = object()  # TOML has no null: a key that may be left out and then means "none"
_HEAD: Mapping[str, _Key] = {
    "kind": _choice(*get_args(Kind)),
    "form": _choice("chat", "text", default="chat"),
    "labels": _choice(*get_args(Labels), default="numbers"),
    "parser": _choice(*PARSERS),
    "choices": _Key(_are_texts, "a list of texts", []),
    "instruction": _Key(_is_text, "a text", _OMITTED),
    "instruction_form": _Key(_is_instruction_form, "a text with the field {instruction} and no other", "{instruction}"),
    "max_tokens": _Key(_is_count, "a whole number above 0"),
    "passage_tokens": _Key(_is_count, "a whole number above 0", _OMITTED),
    "reasons": _Key(_is_bool, "true or false", False),
    "brackets": _choice("keep", "round", default="keep"),
    "extra": _Key(_are_names, "a list of names that are no fields already", []),
    "source": _Key(_is_said, "a text"),
    "paper": _Key(_is_said, "a text"),
    "licence": _Key(_is_said, "a text"),
}
_BODY: Mapping[str, _Key] = {
    "passage": _Key(_is_text, "a text", "[{label}] {passage}"),
    "join": _Key(_is_text, "a text", "\n"),
    "text": _Key(_is_text, "a text", _OMITTED),
}
_MESSAGE: Mapping[str, _Key] = {
    "role": _choice(*get_args(Role)),
    "text": _Key(_is_text, "a text"),
    "each": _Key(_is_bool, "true or false", False),
}


def _template(name: str, content: bytes, where: str) -> Template:
    try:
        table = tomllib.loads(content.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"{where}: no TOML in UTF-8 ({error}); see docs/howto/add-a-prompt.md") from None
    problems: list[str] = []
    blocks = table.pop("message", [])
    head = _read(table, {**_HEAD, **_BODY}, "", problems)
    turns = _turns(head, blocks, problems)
    body = _body(head, turns, problems)
    if problems:
        raise BadInput(f"{where}: {'; '.join(problems)}")
    values = {key: head[key] for key in _HEAD}
    values |= {"choices": tuple(head["choices"]), "extra": tuple(head["extra"])}
    values["instruction_form"] = Format.of(head["instruction_form"])
    return Template(name=name, body=body, **values)


def _read(table: Mapping[str, Any], keys: Mapping[str, _Key], prefix: str, problems: list[str]) -> dict[str, Any]:
    """The value of every key, None where it is left out or wrong."""
    strangers = sorted(table.keys() - keys.keys())
    problems += [str(unknown("key", prefix + stranger, [prefix + key for key in keys])) for stranger in strangers]
    values = {}
    for name, key in keys.items():
        value = table.get(name, key.default)
        if value is None:
            problems.append(f"{prefix + name!r} is missing; give {key.wanted}")
        elif value is not _OMITTED and not key.accepts(value):
            problems.append(f"{prefix + name!r} is {value!r}; give {key.wanted}")
            value = None
        values[name] = None if value is _OMITTED else value
    return values


def _turns(head: Mapping[str, Any], blocks: Any, problems: list[str]) -> list[Turn]:
    text = head["text"]
    if head["form"] == "text":
        if blocks or text is None:
            problems.append("form 'text' has one 'text' and no [[message]]")
        return [Turn("user", Format.of(text or ""))]
    if text is not None or not blocks or not isinstance(blocks, list):
        problems.append("form 'chat' has [[message]] blocks and no 'text' of its own")
        return []
    turns = []
    for number, block in enumerate(blocks, 1):
        if not isinstance(block, dict):
            problems.append(f"message {number} is {block!r}; give a [[message]] block with 'role' and 'text'")
            continue
        values = _read(block, _MESSAGE, f"message {number}: ", problems)
        turns.append(Turn(values["role"], Format.of(values["text"] or ""), bool(values["each"])))
    return turns


def _body(head: Mapping[str, Any], turns: list[Turn], problems: list[str]) -> Body:
    line = Format.of(head["passage"] or "")
    anywhere = EVERYWHERE | set(head["extra"] or ())
    if head["instruction"] is None:
        anywhere -= {"instruction"}
    _check_fields("passage", line, ONE, problems)
    for number, turn in enumerate(turns, 1):
        where = "text" if head["form"] == "text" else f"message {number}: text"
        _check_fields(where, turn.text, anywhere | (ONE if turn.is_each else ONE | PAIR | {"passages"}), problems)
    fields = frozenset[str]().union(*(turn.text.fields for turn in turns))
    alone = frozenset[str]().union(*(turn.text.fields for turn in turns if not turn.is_each))
    if not fields & {"passage", "passages", "passage_1"}:
        problems.append("no text shows a passage; write {passage} or {passages} where they belong")
    if head["instruction"] is not None and "instruction" not in fields:
        problems.append("'instruction' is given and no text has the field {instruction}")
    size = (
        2 if head["kind"] == "pairwise" or alone & PAIR else 1 if head["kind"] == "pointwise" or alone & ONE else None
    )
    return Body(tuple(turns), line, head["join"] or "", fields, size)


def _check_fields(where: str, text: Format, here: frozenset[str], problems: list[str]) -> None:
    here_told = [f"{{{name}}}" for name in here]
    problems += [f"{where!r}: {unknown('field', f'{{{name}}}', here_told)}" for name in sorted(text.fields - here)]
