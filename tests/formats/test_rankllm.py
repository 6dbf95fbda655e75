import json
from pathlib import Path

import pytest

from whyrank import formats
from whyrank.errors import BadRecord, DuplicateId
from whyrank.types import Document, Hit, Query, Ranking


def read(tmp_path: Path, value: object, name: str = "r.json") -> list[Ranking]:
    path = tmp_path / name
    path.write_text(json.dumps(value))
    assert formats.detect(path) == "rankllm"
    return formats.read_rankings(path)


def test_present_form(tmp_path: Path) -> None:
    request = {
        "query": {"text": "why?", "qid": 264014},
        "candidates": [
            {"docid": 7, "score": 14.5, "doc": {"segment": "a", "title": "A", "url": "u"}},
            {"docid": "x", "score": None, "doc": {"contents": "b", "docid": "x"}},
            {"docid": "y", "doc": "c"},
        ],
    }
    [ranking] = read(tmp_path, [request])
    assert ranking.query == Query("264014", "why?")
    assert ranking.hits == (
        Hit(Document("7", "a", "A", {"url": "u"}), first_score=14.5, first_rank=1),
        Hit(Document("x", "b"), first_rank=2),
        Hit(Document("y", "c"), first_rank=3),
    )


def test_old_form_and_order_of_the_list(tmp_path: Path) -> None:
    hits = [
        {"content": "low", "qid": 3, "docid": 1, "rank": 1, "score": 0.5},
        {"content": "high", "qid": 3, "docid": 2, "rank": 2, "score": 9.5},
    ]
    [ranking] = read(tmp_path, {"query": "why?", "hits": hits}, "r.jsonl")
    assert ranking.query == Query("3", "why?")
    assert [(hit.document.id, hit.document.text, hit.first_score) for hit in ranking] == [
        ("1", "low", 0.5),
        ("2", "high", 9.5),
    ]


@pytest.mark.parametrize(
    ("candidate", "message"),
    [
        ({"score": 1.0, "doc": {"text": "a"}}, "candidate 1 has no 'docid'; the keys are doc, score"),
        ({"docid": 1, "score": "high", "doc": {"text": "a"}}, "'score' is 'high'"),
        ({"docid": 1, "score": float("nan"), "doc": {"text": "a"}}, "'score' is nan"),
        ({"docid": 1, "doc": {"url": "a"}}, "no 'text'; the keys are id, url"),
        ({"docid": 1, "doc": 5}, "'doc' of candidate 1 is int"),
        (5, "candidate 1 has no 'docid'; the keys are int"),
    ],
)
def test_candidates_that_are_wrong(tmp_path: Path, candidate: object, message: str) -> None:
    with pytest.raises(BadRecord, match=message):
        read(tmp_path, [{"query": {"text": "q", "qid": 1}, "candidates": [candidate]}])


def test_requests_that_are_wrong(tmp_path: Path) -> None:
    good = {"query": {"text": "q", "qid": 1}, "candidates": []}
    with pytest.raises(BadRecord, match="no RankLLM request; the keys are candidates"):
        read(tmp_path, [good, {"candidates": []}])
    with pytest.raises(BadRecord, match="a request is int"):
        read(tmp_path, [good, 3])
    with pytest.raises(BadRecord, match="'query' is int"):
        read(tmp_path, [good, {"query": 3, "candidates": []}])
    same = {"docid": 1, "doc": "a"}
    with pytest.raises(DuplicateId, match="document id '1' is given twice"):
        read(tmp_path, [{"query": "q", "candidates": [same, same]}])


RANKINGS = [
    Ranking(
        Query("q1", "one"),
        (Hit(Document("a", "x", "T", {"url": "u"}), 2.0), Hit(Document("b", "y"), 2.0)),
        ranker="r",
    ),
    Ranking.of(Query("q2", "two"), []),
]


@pytest.mark.parametrize("name", ["out.json", "out.jsonl"])
def test_written_requests_are_read_back(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    formats.write_rankings(path, RANKINGS, "rankllm")
    first, second = formats.read_rankings(path)
    assert [hit.document for hit in first] == [hit.document for hit in RANKINGS[0]]
    assert [hit.first_score for hit in first] == [2.0, 1.9999998807907104]
    assert second == RANKINGS[1]


def test_written_requests_have_the_layout_of_rankllm(tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    formats.write_rankings(path, RANKINGS[:1], "rankllm")
    assert json.loads(path.read_text()) == [
        {
            "query": {"text": "one", "qid": "q1"},
            "candidates": [
                {"docid": "a", "score": 2.0, "doc": {"title": "T", "text": "x", "url": "u"}},
                {"docid": "b", "score": 1.9999998807907104, "doc": {"text": "y"}},
            ],
        }
    ]
    formats.write_rankings(path, [], "rankllm")
    assert json.loads(path.read_text()) == []
