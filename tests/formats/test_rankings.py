import json
import math
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whyrank import formats
from whyrank.errors import BadInput, BadRecord, DuplicateId
from whyrank.types import (
    Comparison,
    Counterfactual,
    Difference,
    Direct,
    Document,
    Evidence,
    Explanations,
    Hit,
    Query,
    Ranking,
    Span,
    Term,
    Usage,
)


def _joins(text: str) -> bool:
    """Whether two surrogates meet and would be read as one character: JSON has no way to keep them apart."""
    return any("\ud800" <= a <= "\udbff" and "\udc00" <= b <= "\udfff" for a, b in pairwise(text))


TEXT = st.text(st.characters(), max_size=10).filter(lambda text: not _joins(text))
FLOAT = st.floats(allow_nan=False, allow_infinity=False)
COUNT = st.integers(0, 10**6)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | FLOAT | TEXT,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner, max_size=2),
    max_leaves=4,
)
METADATA = st.dictionaries(TEXT, JSON, max_size=2)
SPAN = st.builds(Span, COUNT, COUNT, st.sampled_from(["text", "title"]))
USAGE = st.builds(Usage, COUNT, COUNT, COUNT, COUNT, COUNT, COUNT, FLOAT, st.none() | FLOAT, COUNT, COUNT)
TERM = st.builds(Term, TEXT, FLOAT, st.none() | TEXT, st.none() | SPAN)


def tuples(of: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(of, max_size=2).map(tuple)


EVIDENCE = st.builds(Evidence, TEXT, st.none() | SPAN, st.none() | FLOAT, tuples(TEXT))
REASON_STATUS = st.sampled_from(["ok", "repaired", "refused", "truncated", "error", "partial"])
DIRECT = st.builds(Direct, TEXT, TEXT, tuples(EVIDENCE), st.none() | FLOAT, tuples(TERM), TEXT, REASON_STATUS)
DIFFERENCE = st.builds(Difference, TEXT, FLOAT, FLOAT, st.none() | TEXT, st.none() | SPAN, st.none() | SPAN)
STATUS = st.sampled_from(["flips", "impossible", "unknown"])
FLIP = st.builds(Counterfactual, STATUS, tuples(SPAN), tuples(TEXT), st.none() | FLOAT, st.booleans(), COUNT, TEXT)
COMPARISON = st.builds(
    Comparison,
    *(TEXT, TEXT, TEXT, st.none() | FLOAT, tuples(DIFFERENCE), st.none() | FLIP, TEXT, REASON_STATUS),
    *(tuples(EVIDENCE), tuples(EVIDENCE), st.none() | st.booleans()),
)
DOCUMENT = st.builds(Document, TEXT, TEXT, st.none() | TEXT, METADATA)
HIT = st.builds(Hit, DOCUMENT, st.none() | FLOAT, st.none() | FLOAT, COUNT, COUNT, st.booleans())
RANKING = st.builds(
    Ranking,
    st.builds(Query, TEXT, TEXT, METADATA),
    st.lists(HIT, max_size=3, unique_by=lambda hit: hit.document.id).map(tuple),
    TEXT,
    st.sampled_from(["ok", "repaired", "refused", "truncated", "error", "partial"]),
    tuples(TEXT),
    USAGE,
    st.none() | st.builds(Explanations, tuples(DIRECT), tuples(COMPARISON), USAGE),
)


@given(RANKING)
def test_a_ranking_survives_to_the_last_bit(ranking: Ranking) -> None:
    line = formats.to_json(ranking)
    assert "\n" not in line
    line.encode()
    again = formats.from_json(line)
    assert again == ranking
    for before, after in zip(ranking, again, strict=True):
        assert repr(before.score) == repr(after.score)  # equal floats may differ in sign: -0.0


def test_the_line_is_what_the_documentation_says() -> None:
    hit = Hit(Document("d", "text", "T", {"year": 1990}), 0.1, 12.5, 3, 7)
    comparison = Comparison("d", "e", "because")
    reasons = Explanations((Direct("d", "it says so", (Evidence("tex", Span(0, 3)),)),), (comparison,), Usage(calls=1))
    ranking = Ranking(Query("q", "why?"), (hit,), "r", "partial", ("a note",), Usage(documents=2), reasons)
    record = json.loads(formats.to_json(ranking))
    assert list(record) == [
        "whyrank",
        "query",
        "hits",
        "ranker",
        "status",
        "notes",
        "usage",
        "explanations",
        "left_out",
    ]
    assert record["whyrank"] == 1
    assert record["query"] == {"id": "q", "text": "why?", "metadata": {}}
    assert record["hits"] == [
        {
            "id": "d",
            "title": "T",
            "text": "text",
            "metadata": {"year": 1990},
            "rank": 1,
            "score": 0.1,
            "first_score": 12.5,
            "first_rank": 3,
            "cut": 7,
            "placed": False,
        }
    ]
    assert list(record["explanations"]) == ["direct", "comparisons", "usage"]
    assert record["explanations"]["direct"][0]["evidence"][0]["span"] == {"start": 0, "end": 3, "field": "text"}
    assert formats.from_json(json.dumps(record)) == ranking


def test_files_from_before_written_reasons_are_read() -> None:
    hit: dict[str, Any] = {
        "id": "d",
        "title": None,
        "text": "text",
        "metadata": {},
        "rank": 1,
        "score": 0.5,
        "first_score": None,
    }
    hit |= {"first_rank": 3, "cut": 0}
    direct = {"document_id": "d", "text": "so", "evidence": [], "score": 0.5, "terms": []}
    compared: dict[str, Any] = {
        "upper_id": "d",
        "lower_id": "e",
        "text": "so",
        "margin": None,
        "differences": [],
        "counterfactual": None,
    }
    usage: dict[str, Any] = {"calls": 1, "documents": 2, "prompt_tokens": 0, "cached_tokens": 0, "generated_tokens": 0}
    usage |= {"reasoning_tokens": 0, "seconds": 0.5, "cost": 0.0}
    reasons = {"direct": [direct], "comparisons": [compared], "usage": usage}
    record = {"whyrank": 1, "query": {"id": "q", "text": "?"}, "hits": [hit], "usage": usage, "explanations": reasons}
    again = formats.from_json(json.dumps(record))
    assert again.hits == (Hit(Document("d", "text"), 0.5, None, 3),)
    assert again.explanations == Explanations(
        (Direct("d", "so", score=0.5),), (Comparison("d", "e", "so"),), again.usage
    )
    assert again.usage == Usage(calls=1, documents=2, seconds=0.5)


def test_a_place_without_a_score_is_kept() -> None:
    placed = Hit(Document("d", "text"), first_rank=4, placed=True)
    [again] = formats.from_json(formats.to_json(Ranking(Query("q", "?"), (placed,)))).hits
    assert again == placed
    record = json.loads(formats.to_json(Ranking(Query("q", "?"), (placed,))))
    record["hits"][0]["placed"] = 1
    with pytest.raises(BadInput, match=r"hits\[0\]\.placed is int; give bool"):
        formats.from_json(json.dumps(record))


def test_numbers_of_numpy_kind_become_plain() -> None:
    class Scalar(float):
        def __repr__(self) -> str:
            return "Scalar"

    [hit] = Ranking.of("q", ["d"]).hits
    line = formats.to_json(replace(Ranking.of("q", []), hits=(replace(hit, score=Scalar(0.5)),)))
    assert json.loads(line)["hits"][0]["score"] == 0.5


@pytest.mark.parametrize("score", [math.nan, math.inf])
def test_scores_that_are_no_numbers_are_not_written(score: float) -> None:
    ranking = Ranking(Query("q", "?"), (Hit(Document("d", "x"), score),))
    with pytest.raises(BadInput, match=r"document 'd': its score is (nan|inf)"):
        formats.to_json(ranking)
    with pytest.raises(BadInput, match="finite"):
        formats.to_json(Ranking(Query("q", "?"), (), usage=Usage(seconds=score)))


def test_metadata_that_is_no_json_names_the_query() -> None:
    ranking = Ranking(Query("q7", "?"), (Hit(Document("d", "x", metadata={"when": {1}})),))
    with pytest.raises(BadInput, match="ranking of query 'q7': cannot be written as JSON"):
        formats.to_json(ranking)


def read(tmp_path: Path, *lines: str) -> list[Ranking]:
    path = tmp_path / "r.jsonl"
    path.write_text("\n".join(lines))
    return formats.read_rankings(path)


def test_rankings_written_by_hand(tmp_path: Path) -> None:
    first, second, third = read(
        tmp_path,
        '{"query": "why?", "documents": ["a", {"id": "x", "text": "b", "n": 1}], "scores": [2, null]}',
        '{"query": {"id": "q9", "text": "how?"}, "documents": []}',
        '{"query": "who?", "qid": 5, "documents": ["c"]}',
    )
    assert first.query == Query("1", "why?")
    assert first.hits == (
        Hit(Document("1", "a"), first_score=2.0, first_rank=1),
        Hit(Document("x", "b", metadata={"n": 1}), first_rank=2),
    )
    assert (second.query, second.hits) == (Query("q9", "how?"), ())
    assert third.query.id == "5"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"query": "a", "documents": ["b"], "scores": [1, 2]}', "2 first-stage scores for 1 documents"),
        ('{"query": "a", "documents": ["b"], "scores": [NaN]}', "'scores' is nan"),
        ('{"query": "a", "documents": ["b"], "scores": 3}', "is no list"),
        ('{"query": "a", "documents": {"b": 1}}', "is no list"),
        ('{"query": 3, "documents": ["b"]}', "'query' is int"),
        ('{"query": {"id": 1}, "documents": ["b"]}', "a query has no 'text'"),
        ('{"query": "a", "documents": [{"id": 1}]}', "no 'text'; the keys are id"),
        ('{"query": "a", "docs": []}', "no ranking; the keys are docs, query"),
        ('["x"]', "no ranking; the keys are list"),
        ('{"whyrank": 2}', "version 2 of the rankings format; this whyrank reads 1"),
        ('{"whyrank": 1, "query": {"id": "q", "text": "t"}}', "'hits' is NoneType"),
        ('{"whyrank": 1, "query": {"id": "q"}, "hits": []}', "query has no 'text'; the keys are id"),
        ('{"whyrank": 1, "query": {"id": 5, "text": "t"}, "hits": []}', "query.id is int; give str"),
        ('{"whyrank": 1, "query": {"id": "q", "text": "t"}, "hits": [{"id": "d"}]}', r"hits\[0\] has no 'text'"),
        (
            '{"whyrank": 1, "query": {"id": "q", "text": "t"}, "hits": [{"id": "d", "text": "", "score": Infinity}]}',
            r"hits\[0\].score is inf",
        ),
        ('{"whyrank": 1, "query": {"id": "q", "text": "t"}, "hits": [], "status": "fine"}', "status is 'fine'"),
        (
            '{"whyrank": 1, "query": {"id": "q", "text": "t"}, "hits": [], "usage": {"calls": true}}',
            "usage.calls is bool",
        ),
        (
            '{"whyrank": 1, "query": {"id": "q", "text": "t"}, "hits": [], "explanations": {"direct": [{}]}}',
            r"explanations.direct\[0\] has no 'document_id'",
        ),
    ],
)
def test_rankings_that_are_wrong(tmp_path: Path, line: str, message: str) -> None:
    with pytest.raises(BadRecord, match=r"r\.jsonl:2: ") as caught:
        read(tmp_path, '{"query": "ok", "documents": []}', line)
    with pytest.raises(BadRecord, match=message):
        raise caught.value


def test_duplicates_within_and_between(tmp_path: Path) -> None:
    with pytest.raises(DuplicateId, match=r"r\.jsonl:1: query '1': document id 'x' is given twice"):
        read(tmp_path, '{"query": "a", "documents": [{"id": "x", "text": "1"}, {"id": "x", "text": "2"}]}')
    with pytest.raises(DuplicateId, match=r"r\.jsonl:2: query id 'q' is given twice \(lines 1 and 2\)"):
        read(tmp_path, *['{"query": {"id": "q", "text": "a"}, "documents": []}'] * 2)
    hit = '{"id": "d", "text": ""}'
    with pytest.raises(DuplicateId, match="document id 'd' is given twice"):
        read(tmp_path, f'{{"whyrank": 1, "query": {{"id": "q", "text": "a"}}, "hits": [{hit}, {hit}]}}')


def test_from_json_names_what_is_wrong() -> None:
    with pytest.raises(BadInput, match="no ranking"):
        formats.from_json('{"a": 1}')
    with pytest.raises(BadInput, match="not valid JSON"):
        formats.from_json("{")


def test_a_table_for_people() -> None:
    ranking = Ranking(Query("q", "a, b"), (Hit(Document("d", 'say "x"\n', "T"), 0.5, None, 2),))
    assert list(formats.render([ranking], "csv")) == [
        "query_id,query,rank,id,score,first_rank,first_score,title,text",
        'q,"a, b",1,d,0.5,2,,T,"say ""x""\n"',
    ]


@pytest.mark.parametrize(("where", "key"), [("scores", "scor0"), ("hits", "scroe")])
def test_a_misspelt_key_is_no_absent_one(where: str, key: str) -> None:
    record = json.loads(formats.to_json(Ranking.of("q", ["a"])))
    (record if where == "scores" else record["hits"][0])[key] = 1.0
    with pytest.raises(BadInput, match=f"unknown key '{key}'"):
        formats.from_json(json.dumps(record))
