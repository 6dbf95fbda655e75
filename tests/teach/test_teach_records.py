"""Teacher records: what is valid, and the way to a file and back."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whyrank.errors import BadInput, BadRecord, MissingFile
from whyrank.formats.problems import Wrong
from whyrank.teach.records import (
    SCHEMA,
    Reasons,
    TeacherRecord,
    from_json,
    read_records,
    request_key,
    to_json,
    write_records,
)
from whyrank.types import Document, Query, Usage

DOCUMENTS = (Document("a", "Grass."), Document("b", "Air scatters.", title="Sky", metadata={"lang": "en"}))
FULL = TeacherRecord(
    "key",
    Query("q", "why?", {"set": 1}),
    DOCUMENTS,
    (1, 0),
    (0.5, None),
    (Reasons("It is not.", "Worse."), Reasons("It is.", "Better.", "Air scatters.", (0, 13))),
    "Hm.",
    "[2] > [1]",
    "gpt",
    "r2r",
    "both",
    "repaired",
    Usage(calls=2, cost=None),
    "r2r:file:1",
    {"b": 2.0},
)


def test_a_record_comes_back_as_it_was(tmp_path: Path) -> None:
    records = [
        FULL,
        TeacherRecord("k", Query("q", "\ud800"), DOCUMENTS, status="refused"),
        TeacherRecord("e", Query("q", ""), ()),
    ]
    for name in ("records.jsonl", "records.jsonl.gz"):
        assert write_records(tmp_path / name, iter(records)) == 3
        assert read_records(tmp_path / name) == records


def test_the_form_is_written_down() -> None:
    values = json.loads(json.dumps(to_json(FULL)))
    assert values["schema"] == SCHEMA == "whyrank-teacher/1"
    assert (values["order"], values["scores"], values["reasons"][1]["span"]) == ([1, 0], [0.5, None], [0, 13])
    least = to_json(TeacherRecord("k", Query("q", "?"), DOCUMENTS, status="error"))
    assert set(least) == {"schema", "key", "query", "documents", "mode", "status", "usage"}


def test_only_a_stated_order_is_usable() -> None:
    assert FULL.is_usable
    assert not replace(FULL, status="refused").is_usable
    assert not TeacherRecord("k", Query("q", "?"), ()).is_usable


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"order": (0, 0)}, r"order \[0, 0\] is no permutation of 0 to 1"),
        ({"order": (1, 2)}, "no permutation"),
        ({"order": (1,)}, "no permutation"),
        ({"order": ()}, "status 'repaired' without an order of 2 documents"),
        ({"scores": (1.0,)}, "1 scores for 2 documents"),
        ({"reasons": (Reasons(),)}, "1 reasons for 2 documents; give one each"),
        ({"reasons": (Reasons(), Reasons(span=(3, 14)))}, "span .3, 14. lies outside its 13 characters"),
        ({"reasons": (Reasons(), Reasons(span=(-1, 2)))}, "lies outside"),
        ({"reasons": (Reasons(), Reasons(span=(2, 2)))}, "lies outside"),
        ({"labels": {"b": float("nan")}}, "the label of document 'b' is nan"),
    ],
)
def test_what_is_not_valid_is_not_made(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(BadInput, match=words):
        replace(FULL, **changes)


def values() -> dict[str, Any]:
    made: dict[str, Any] = json.loads(json.dumps(to_json(FULL)))
    return made


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"schema": "whyrank-teacher/2"}, "a record of schema 'whyrank-teacher/2'"),
        ({"schema": None}, "a record of schema None"),
        ({"key": ""}, "a record without key"),
        ({"query": None, "documents": None}, "a record without query, documents"),
        ({"order": [0, 0]}, "no permutation"),
        ({"order": [1.0, 0.0]}, "a place in the order is 1.0"),
        ({"order": [True, False]}, "a place in the order is True"),
        ({"order": "10"}, "a place in the order is '1'"),
        ({"order": 3}, "not a valid record"),
        ({"query": "why?"}, "the query is str"),
        ({"query": {"id": 7, "text": "?"}}, "the 'id' of the query is int"),
        ({"query": {"id": "7"}}, "not a valid record"),
        ({"documents": ["text"]}, "the document is str"),
        ({"documents": [{"id": "a", "text": None}]}, "the 'text' of the document is NoneType"),
        ({"documents": [{"id": "a", "text": "b", "title": 5}]}, "the 'title' of the document is int"),
        ({"documents": [{"id": "a", "text": "b", "url": "c"}]}, "unknown fields of the document: url"),
        ({"scores": ["x", 1]}, "'scores' is 'x'"),
        ({"reasons": [{"direct": 5}, {}]}, "the 'direct' of the reasons is int"),
        ({"reasons": [{}, {"span": [1]}]}, "a span is"),
        ({"reasons": [{}, {"span": [0, 99]}]}, "lies outside"),
        ({"reasons": [{}]}, "1 reasons for 2 documents"),
        ({"status": "fine"}, "the status 'fine'; give one of ok, repaired"),
        ({"mode": "all"}, "the mode 'all'; give one of ranking, direct, both"),
        ({"usage": {"calls": "two"}}, "the 'calls' of the usage is str"),
        ({"labels": {"b": "good"}}, "not a valid record"),
        ({"labels": []}, "the 'labels' of the record is list"),
        ({"thought": None}, "the 'thought' of the record is NoneType"),
        ({"teacher": "gpt"}, "unknown fields teacher"),
    ],
)
def test_a_line_that_is_no_record_is_named_with_what_is_accepted(tmp_path: Path, changes: Any, words: str) -> None:
    path = tmp_path / "records.jsonl"
    path.write_text(json.dumps(values()) + "\n\n" + json.dumps(values() | changes) + "\n", encoding="utf-8")
    with pytest.raises(BadRecord, match=words) as raised:
        read_records(path)
    assert str(raised.value).startswith(f"{path}:3: ")


@pytest.mark.parametrize("missing", ["key", "query", "documents"])
def test_what_every_record_has(missing: str) -> None:
    given = values()
    del given[missing]
    with pytest.raises(Wrong, match=missing):
        from_json(given)


def test_a_file_that_breaks_off_or_is_absent(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    path.write_text(json.dumps(values()) + "\n" + json.dumps(values())[:100], encoding="utf-8")
    with pytest.raises(BadRecord, match=r"records.jsonl:2: not valid JSON"):
        read_records(path)
    with pytest.raises(MissingFile):
        read_records(tmp_path / "absent")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(sorted(to_json(FULL))), JSON)
def test_no_value_breaks_it(name: str, value: Any) -> None:
    try:
        record = from_json(values() | {name: value})
    except Wrong:
        return
    assert from_json(json.loads(json.dumps(to_json(record)))) == record


def test_a_key_is_made_of_all_that_is_asked() -> None:
    key = request_key("q", DOCUMENTS, model="m", prompt="p")
    others = [
        request_key("Q", DOCUMENTS, model="m", prompt="p"),
        request_key("q", DOCUMENTS[::-1], model="m", prompt="p"),
        request_key("q", DOCUMENTS[:1], model="m", prompt="p"),
        request_key("q", (DOCUMENTS[0], replace(DOCUMENTS[1], title=None)), model="m", prompt="p"),
        request_key("q", DOCUMENTS, model="n", prompt="p"),
        request_key("q", DOCUMENTS, model="m", prompt="r"),
        request_key("q", DOCUMENTS, model="m", prompt="p", variant="1"),
    ]
    assert len({key, *others}) == 8
    assert request_key("q", DOCUMENTS, model="m", prompt="p") == key
    assert request_key("\ud800", DOCUMENTS, model="m", prompt="p") != key
