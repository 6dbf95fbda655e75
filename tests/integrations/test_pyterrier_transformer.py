"""PyTerrier's own frames, operators and experiments, with our transformer."""

from typing import Any

import pytest
from integrated import ORDER, QUERY, TEXTS, Backwards, falls, ours

from whyrank.errors import BadInput

pytest.importorskip("pyterrier")

import pandas as pd
import pyterrier as pt

from whyrank.integrations.pyterrier import WhyrankTransformer

NAMES = ["a", "b", "c", "d", "e"]


def frame(qid: str = "q1", query: str = QUERY) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "qid": qid,
            "query": query,
            "docno": NAMES,
            "text": TEXTS,
            "rank": range(5),
            "score": [5.0, 4.0, 3.0, 2.0, 1.0],
        }
    )


def test_rows_keep_what_they_are() -> None:
    given = frame().assign(url=[f"u{name}" for name in NAMES])
    found = WhyrankTransformer("evidence")(given)
    assert list(found["docno"]) == [NAMES[n] for n in ORDER]
    assert list(found["url"]) == [f"u{NAMES[n]}" for n in ORDER]
    assert list(found["rank"]) == [0, 1, 2, 3, 4]
    assert falls(list(found["score"]))
    assert found["score"].iloc[0] == ours()[0].score
    assert list(given["docno"]) == NAMES


def test_each_query_is_a_list_of_its_own_in_the_order_of_ranks() -> None:
    other = frame("q2", "why does bread go stale?").iloc[::-1]
    found = WhyrankTransformer("evidence", top_n=3)(pd.concat([frame(), other]))
    assert list(found["qid"]) == ["q1"] * 3 + ["q2"] * 3
    assert list(found["docno"])[3:5] == ["b", "d"]  # the same text twice: the better rank goes first


def test_reasons_are_columns() -> None:
    found = WhyrankTransformer("evidence", reasons=1)(frame())
    told = ours(reasons=1).explanations
    assert told is not None
    assert list(found["whyrank_reason"]) == [told.direct[0].text, "", "", "", ""]
    assert found["whyrank_quote"].iloc[0] == "That is why the sky is blue."
    assert found["whyrank_comparison"].iloc[0].startswith(told.comparisons[0].text)
    assert list(found["docno"]) == [NAMES[n] for n in ORDER]


def test_reasons_of_an_earlier_pass_are_dropped() -> None:
    told = WhyrankTransformer("evidence", reasons=1)(frame())
    again = WhyrankTransformer("evidence")(told)
    assert set(again.columns) == set(frame().columns)
    assert "whyrank_reason" in told.columns
    assert not {"whyrank_reason"} & set(WhyrankTransformer("evidence")(told.iloc[:0]).columns)


def test_no_rows_and_places_without_scores() -> None:
    nothing = WhyrankTransformer("evidence", reasons=1)(frame().iloc[:0])
    assert len(nothing) == 0
    assert {"qid", "docno", "score", "rank", "whyrank_reason"} <= set(nothing.columns)
    assert list(WhyrankTransformer(Backwards(), top_n=2)(frame())["score"]) == [2.0, 1.0]


def test_first_stage_scores_and_titles_count_where_they_are_asked_for() -> None:
    plain, weighed = (WhyrankTransformer("evidence", first_stage=own)(frame()) for own in (False, True))
    assert list(plain["score"]) != list(weighed["score"])
    headed = frame().assign(text=[*TEXTS[:4], "It scatters."], title=[None, "", None, "", "Why the sky is blue"])
    assert WhyrankTransformer("evidence", title_field="title")(headed)["docno"].iloc[0] == "e"


def test_in_a_pipeline_and_an_experiment() -> None:
    candidates = pt.Transformer.from_df(frame())
    pipeline = candidates >> WhyrankTransformer("evidence") % 2
    topics = pd.DataFrame({"qid": ["q1"], "query": [QUERY]})
    assert list(pipeline(topics)["docno"]) == ["c", "a"]
    qrels = pd.DataFrame({"qid": ["q1"], "docno": ["c"], "label": [1]})
    measured = pt.Experiment([candidates, pipeline], topics, qrels, eval_metrics=["recip_rank"])
    assert list(measured["recip_rank"]) == [pytest.approx(1 / 3), 1.0]


@pytest.mark.parametrize(
    ("settings", "given", "told"),
    [
        ({}, frame().drop(columns="text"), "no column 'text'"),
        ({"title_field": "head"}, frame(), "no column 'head'"),
        ({"first_stage": True}, frame().drop(columns="score"), "no column 'score'"),
        ({}, frame(query=" "), "the query is empty"),
        ({"top_n": 0}, frame(), "top_n is 0"),
    ],
)
def test_what_makes_no_sense_is_refused(settings: dict[str, Any], given: pd.DataFrame, told: str) -> None:
    with pytest.raises(BadInput, match=told):
        WhyrankTransformer("evidence", **settings).transform(given)
