import io

import pytest

from whyrank.errors import BadInput, BadRecord
from whyrank.formats import json_values
from whyrank.formats.files import Source
from whyrank.formats.problems import Problem, Wrong, fail


def source_of(text: str) -> Source:
    return Source("x.json", io.BufferedReader(io.BytesIO(text.encode())))


def values_of(text: str) -> list[tuple[int, object]]:
    return list(json_values.values(source_of(text), fail))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("\n \n", []),
        ('{"a": 1}\n\n{"a": 2}', [(1, {"a": 1}), (3, {"a": 2})]),
        ('[{"a": 1},\n {"a": 2}]\n', [(1, {"a": 1}), (2, {"a": 2})]),
        ("[]", []),
        (" [ ] \n", []),
        ('["x", "y"]', [(1, "x"), (1, "y")]),
        ('{\n "a": 1\n}\n{"a":\n 2}', [(1, {"a": 1}), (4, {"a": 2})]),
        ('[\n\n{"a": [1]}\n]', [(3, {"a": [1]})]),
    ],
)
def test_lines_arrays_and_values_over_lines(text: str, expected: list[tuple[int, object]]) -> None:
    assert values_of(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": 1}\n{"a": }\n', r"x\.json:2: not valid JSON \(Expecting value, column 7\)"),
        ('[{"a": 1},\n{"b"}]', r"x\.json:2: not valid JSON"),
        ('[{"a": 1}\n{"b": 2}]', r"x\.json:1: the JSON array is cut off or lacks a comma"),
        ('[{"a": 1}', r"x\.json:1: the JSON array is cut off"),
        ('[{"a": 1},', r"x\.json:1: not valid JSON"),
        ("[", r"x\.json:1: not valid JSON"),
        ('[{"a": 1}] x', r"x\.json:1: not valid JSON"),
        ('{"a": "' + "x\ny" + '"}', "not valid JSON"),
        ('{"a": ' + "9" * 5000 + "}", r"x\.json:1: JSON that cannot be held"),
        ('{"a": ' + "[" * 100_000 + "}", r"x\.json:1: JSON that cannot be held"),
    ],
)
def test_errors_name_the_line(text: str, message: str) -> None:
    with pytest.raises(BadRecord, match=message):
        values_of(text)


def test_reading_goes_on_after_a_bad_line() -> None:
    told: list[Problem] = []
    assert list(json_values.values(source_of('{"a": 1}\n{,}\n{"a": 3}'), told.append)) == [(1, {"a": 1}), (3, {"a": 3})]
    assert [problem.line for problem in told] == [2]


def test_first_value_of_lines_and_of_an_array() -> None:
    assert json_values.first_value(' {"a": 1}\n{"b"') == {"a": 1}
    assert json_values.first_value('[ {"a": 1}, {"b"') == {"a": 1}
    with pytest.raises(Wrong):
        json_values.first_value('{"a": ')


def test_readable_characters_stay_and_lone_surrogates_are_escaped() -> None:
    assert json_values.dumps({"a": "ä😀\u2028"}) == '{"a": "ä😀\u2028"}'
    assert json_values.dumps("ä\ud800") == '"\\u00e4\\ud800"'
    assert json_values.dumps("\0\n") == '"\\u0000\\n"'


@pytest.mark.parametrize("value", [{1, 2}, b"bytes", object()])
def test_what_json_cannot_hold_is_refused(value: object) -> None:
    with pytest.raises(BadInput, match="cannot be written as JSON"):
        json_values.dumps({"a": value})


def test_finite_scores() -> None:
    assert json_values.finite(None, "score") is None
    assert json_values.finite(3, "score") == 3.0
    assert json_values.finite("2.5", "score") == 2.5


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "nan", "-inf", 10**400, True, [], "high"])
def test_scores_that_are_not(value: object) -> None:
    with pytest.raises(Wrong, match="finite number"):
        json_values.finite(value, "score")
