"""Frozen dataclasses as plain JSON values, and back. The types are the schema: what they allow is accepted."""

import math
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from whyrank.errors import BadInput
from whyrank.formats.problems import Wrong

T = TypeVar("T")


def plain(value: Any) -> Any:
    """Dataclasses become objects, tuples lists; mappings stay as they are.

    Raises:
        BadInput: a number is not finite.
    """
    if is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    if isinstance(value, float):
        if not math.isfinite(value):
            raise BadInput(f"a number in a result is {value}; results hold finite numbers or None")
        return float(value)  # numpy's float64 is a float too, and prints otherwise
    return value


def restore(kind: type[T], value: Any, where: str) -> T:
    """The value of type `kind` that `plain` made `value` from. Keys unknown to `kind` are left out.

    Args:
        kind: a dataclass, a tuple of one type, a union with None, a Literal, or a plain type.
        value: what JSON gave.
        where: names the value in errors.

    Raises:
        Wrong: a key is missing or a value is of another type.
    """
    result: T = _restore(kind, value, where)
    return result


def _restore(kind: Any, value: Any, where: str) -> Any:
    origin, args = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        if value is None and NoneType in args:
            return None
        [kind] = [arg for arg in args if arg is not NoneType]
        return _restore(kind, value, where)
    if origin is tuple:
        items = _typed(list, value, where)
        return tuple(_restore(args[0], item, f"{where}[{i}]") for i, item in enumerate(items))
    if origin is Literal:
        if value not in args:
            raise Wrong(f"{where} is {value!r}", f"give one of {', '.join(map(repr, args))}")
        return value
    if is_dataclass(kind):
        return _restore_fields(kind, _typed(dict, value, where), where)
    if kind is float:
        number = float(_typed((int, float), value, where))
        if not math.isfinite(number):
            raise Wrong(f"{where} is {number}", "give a finite number")
        return number
    return _typed(dict if origin is Mapping else kind, value, where)


def _restore_fields(kind: Any, value: dict[str, Any], where: str) -> Any:
    given = {}
    strange = sorted(set(value) - set(_schema(kind)))
    if strange:
        raise Wrong(f"{where} has the unknown key {strange[0]!r}", f"its keys are {', '.join(_schema(kind))}")
    for name, (hint, is_required) in _schema(kind).items():
        if name in value:
            given[name] = _restore(hint, value[name], f"{where}.{name}")
        elif is_required:
            raise Wrong(f"{where} has no {name!r}; the keys are {', '.join(sorted(value)) or 'none'}", "add it")
    return kind(**given)


@cache
def _schema(kind: type) -> dict[str, tuple[Any, bool]]:
    hints = get_type_hints(kind)
    return {
        field.name: (hints[field.name], field.default is MISSING and field.default_factory is MISSING)
        for field in fields(kind)
    }


def _typed(kind: Any, value: Any, where: str) -> Any:
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        wanted = " or ".join(k.__name__ for k in (kind if isinstance(kind, tuple) else (kind,)))
        raise Wrong(f"{where} is {type(value).__name__}", f"give {wanted}")
    return value
