"""Files of answers, and DPR's results, which bring answers with their passages."""

import json
from pathlib import Path

import pytest

from whyrank import formats
from whyrank.errors import BadRecord, DuplicateId
from whyrank.types import Document, Hit, Query

RESULTS = [
    {
        "question": "Who wrote the first program?",
        "answers": ["Ada Lovelace", "Lovelace"],
        "ctxs": [
            {"id": "wiki:7", "title": "Ada", "text": "Ada wrote notes.", "score": "81.5", "has_answer": False},
            {"id": "wiki:8", "title": "", "text": "Lovelace wrote it.", "score": 80, "has_answer": True},
        ],
    },
    {"id": "second", "question": "Where?", "ctxs": [{"text": "There."}]},
]


def written(tmp_path: Path, *records: object, name: str = "answers.jsonl") -> Path:
    path = tmp_path / name
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


def test_lines_arrays_and_the_names_of_keys(tmp_path: Path) -> None:
    records = [{"_id": "a", "answers": ["x", "y", "x"]}, {"qid": 7, "answer": "z", "url": "u"}, {"answers": []}]
    expected = {"a": ("x", "y"), "7": ("z",), "3": ()}
    assert formats.read_answers(written(tmp_path, *records)) == expected
    array = tmp_path / "answers.json"
    array.write_text(json.dumps(records, indent=1))
    assert formats.read_answers(array) == expected


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ({"_id": "a"}, "no 'answers'; the keys are _id; give"),
        ({"_id": "a", "answers": [["x"]]}, "no list of texts"),
        ({"_id": "a", "answers": [1]}, "answers of query 'a' are no list of texts"),
        ({"_id": "a", "answers": {"x": 1}}, "no list of texts"),
        ({"_id": "a", "answers": ["x", "  "]}, "an answer of query 'a' is blank; leave it out"),
        ({"_id": "", "answers": ["x"]}, "'_id' is empty"),
        ("text", "a record of answers is str"),
    ],
)
def test_what_is_no_answer(tmp_path: Path, record: object, said: str) -> None:
    path = written(tmp_path, {"_id": "first", "answers": ["x"]}, record)
    with pytest.raises(BadRecord, match=said) as caught:
        formats.read_answers(path)
    assert str(caught.value).startswith(f"{path}:2: ")


def test_a_query_answered_twice_names_both_lines(tmp_path: Path) -> None:
    path = written(tmp_path, {"_id": "a", "answers": ["x"]}, {"_id": "a", "answers": ["y"]})
    with pytest.raises(DuplicateId, match=r"query id 'a' is given twice \(lines 1 and 2\)"):
        formats.read_answers(path)


def test_results_of_dpr_are_rankings_and_their_own_file_of_answers(tmp_path: Path) -> None:
    path = tmp_path / "nq.json"
    path.write_text(json.dumps(RESULTS, indent=4))
    assert formats.detect(path) == "dpr"
    first, second = formats.read_rankings(path)
    assert first.query == Query("1", "Who wrote the first program?", {"answers": ["Ada Lovelace", "Lovelace"]})
    assert first.hits == (
        Hit(Document("wiki:7", "Ada wrote notes.", "Ada", {"has_answer": False}), first_score=81.5, first_rank=1),
        Hit(Document("wiki:8", "Lovelace wrote it.", None, {"has_answer": True}), first_score=80.0, first_rank=2),
    )
    assert second.query == Query("second", "Where?")
    assert second.hits == (Hit(Document("1", "There."), first_rank=1),)
    assert formats.read_answers(written(tmp_path, RESULTS[0])) == {"1": ("Ada Lovelace", "Lovelace")}


@pytest.mark.parametrize(
    ("result", "said"),
    [
        ({"question": 5, "ctxs": []}, "no result of DPR; the keys are ctxs, question"),
        ({"question": "?", "ctxs": {}}, "no result of DPR"),
        ({"question": "?", "ctxs": ["text"]}, "passage 1 is str"),
        ({"question": "?", "ctxs": [{"id": 1}]}, "no 'text'; the keys are id"),
        ({"question": "?", "ctxs": [{"id": 1, "text": "a", "score": "high"}]}, "'score' is 'high'"),
        ({"question": "?", "ctxs": [{"id": 1, "text": "a"}, {"id": 1, "text": "b"}]}, "given twice"),
        ({"question": "?", "answers": 5, "ctxs": []}, "answers of query '2' are no list of texts"),
        ("text", "a result is str"),
    ],
)
def test_what_is_no_result_of_dpr(tmp_path: Path, result: object, said: str) -> None:
    path = written(tmp_path, RESULTS[1], result, name="nq.jsonl")
    with pytest.raises(BadRecord if said != "given twice" else DuplicateId, match=said) as caught:
        formats.read_rankings(path)
    assert str(caught.value).startswith(f"{path}:2: ")
