from dataclasses import dataclass
from typing import Literal

import pytest

from whyrank.errors import BadInput
from whyrank.formats.plain import plain, restore
from whyrank.formats.problems import Wrong


@dataclass(frozen=True)
class Inner:
    kind: Literal["a", "b"]
    weight: float | None = None


@dataclass(frozen=True)
class Outer:
    name: str
    inner: tuple[Inner, ...] = ()
    is_set: bool = False


def test_there_and_back() -> None:
    outer = Outer("x", (Inner("a"), Inner("b", 0.5)), is_set=True)
    record = {"name": "x", "inner": [{"kind": "a", "weight": None}, {"kind": "b", "weight": 0.5}], "is_set": True}
    assert plain(outer) == record
    assert restore(Outer, record, "outer") == outer


def test_defaults_fill_in_and_whole_numbers_are_floats() -> None:
    assert restore(Outer, {"name": "x"}, "outer") == Outer("x")
    weight = restore(Inner, {"kind": "a", "weight": 2}, "inner").weight
    assert repr(weight) == "2.0"


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({}, "outer has no 'name'; the keys are none"),
        ({"name": "x", "more": 1}, "outer has the unknown key 'more'"),
        ({"name": 5}, "outer.name is int; give str"),
        ({"name": "x", "inner": {}}, "outer.inner is dict; give list"),
        ({"name": "x", "inner": [{"kind": "c"}]}, r"outer.inner\[0\].kind is 'c'; give one of 'a', 'b'"),
        ({"name": "x", "inner": [{"kind": "a", "weight": True}]}, r"weight is bool; give int or float"),
        ({"name": "x", "inner": [{"kind": "a", "weight": float("inf")}]}, "weight is inf; give a finite number"),
        ({"name": "x", "is_set": 1}, "outer.is_set is int; give bool"),
        ([], "outer is list; give dict"),
    ],
)
def test_what_does_not_fit(record: object, message: str) -> None:
    with pytest.raises(Wrong, match=message):
        restore(Outer, record, "outer")


def test_infinite_numbers_are_not_written() -> None:
    with pytest.raises(BadInput, match="finite"):
        plain(Inner("a", float("nan")))
