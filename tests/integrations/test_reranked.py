"""What every integration does: places, scores that fall, reasons as texts."""

import importlib
import sys
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from integrated import ORDER, QUERY, TEXTS, Backwards, falls, ours

from whyrank.errors import BadInput, MissingExtra, UnknownName
from whyrank.integrations.reranked import COMPARISON, QUOTE, REASON, reranked
from whyrank.types import Comparison, Direct, Evidence, Explanations, Ranking, Span

FRAMEWORKS = {
    "langchain": "langchain_core",
    "llama_index": "llama_index.core",
    "haystack": "haystack",
    "pyterrier": "pyterrier",
    "dspy": "dspy",
}


def test_the_librarys_order_with_its_scores_as_long_as_they_fall() -> None:
    found = reranked(QUERY, TEXTS, ranker="evidence")
    assert [own.place for own in found] == ORDER == [hit.first_rank - 1 for hit in ours()]
    assert falls([own.score for own in found])
    assert [own.score for own in found[:3]] == [hit.score for hit in ours()][:3]  # the fourth is the third's equal
    assert all(own.reasons == {} for own in found)


@pytest.mark.parametrize("top_n", [None, 1, 2, 99])
def test_the_best_of_them(top_n: int | None) -> None:
    assert [own.place for own in reranked(QUERY, TEXTS, ranker="evidence", top_n=top_n)] == ORDER[:top_n]


@given(st.lists(st.sampled_from([*TEXTS, "air", "\x00", "<b>"]), max_size=6))
def test_a_permutation_whatever_is_given_twice(texts: list[str]) -> None:
    found = reranked(QUERY, texts, ranker="evidence")
    assert sorted(own.place for own in found) == list(range(len(texts)))
    assert falls([own.score for own in found])


def test_a_ranker_of_places() -> None:
    found = reranked(QUERY, TEXTS, ranker=Backwards())
    assert [(own.place, own.score) for own in found] == [(4, 5.0), (3, 4.0), (2, 3.0), (1, 2.0), (0, 1.0)]


def test_reasons_change_no_order_and_are_the_librarys() -> None:
    told = ours(reasons=2).explanations
    assert told is not None
    found = reranked(QUERY, TEXTS, ranker="evidence", reasons=2)
    assert [own.place for own in found] == ORDER
    assert [set(own.reasons) for own in found] == [{REASON, QUOTE, COMPARISON}] * 2 + [set()] * 3
    assert [own.reasons[REASON] for own in found[:2]] == [direct.text for direct in told.direct]
    assert found[0].reasons[QUOTE] == "That is why the sky is blue."
    turned = told.comparisons[0].counterfactual
    assert turned is not None
    assert found[0].reasons[COMPARISON] == f"{told.comparisons[0].text} {turned.text}"


def test_all_reasons_of_a_document_are_told_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    def explained(query: str, documents: Any, **_: Any) -> Ranking:
        evidence = (Evidence("air", Span(0, 3), 0.5),)
        direct = (Direct("0", "Its score is 0.5."), Direct("0", "It is about air.", evidence, source="fake:model"))
        above = (Comparison("0", "1", "Ahead by 0.1."), Comparison("0", "1", "It says more.", source="fake:model"))
        return replace(Ranking.of(query, documents), explanations=Explanations(direct, above))

    monkeypatch.setattr("whyrank.integrations.reranked.rerank", explained)
    best, second = reranked(QUERY, ["air", "sea"], reasons=1)
    assert best.reasons == {
        REASON: "Its score is 0.5.\nIt is about air.",
        QUOTE: "air",
        COMPARISON: "Ahead by 0.1.\nIt says more.",
    }
    assert second.reasons == {}


def test_titles_and_first_stage_scores_count() -> None:
    titles = [None, "", None, None, None, "Why the sky is blue"]
    assert reranked(QUERY, [*TEXTS, "It scatters."], ranker="evidence", titles=titles)[0].place == 5
    scores = [9.0, 1.0, 0.0, None, 0.5]
    plain, weighed = (reranked(QUERY, TEXTS, ranker="evidence", scores=own) for own in (None, scores))
    assert plain != weighed


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"top_n": 0}, "top_n is 0"),
        ({"reasons": -1}, "reasons is -1"),
        ({"texts": [], "top_n": 0}, "top_n is 0"),
        ({"query": " "}, "the query is empty"),
        ({"texts": ["air", None]}, "document 2 has NoneType for a text"),
    ],
)
def test_what_makes_no_sense_is_refused(changed: dict[str, Any], told: str) -> None:
    with pytest.raises(BadInput, match=told):
        reranked(**{"query": QUERY, "texts": TEXTS, "ranker": "evidence", **changed})


def test_a_name_that_is_misspelt() -> None:
    with pytest.raises(UnknownName, match="did you mean evidence"):
        reranked(QUERY, TEXTS, ranker="evidenze")


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_an_absent_framework_is_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, FRAMEWORKS[name], None)
    monkeypatch.delitem(sys.modules, f"whyrank.integrations.{name}", raising=False)
    with pytest.raises(MissingExtra, match=rf"pip install 'whyrank\[{name.replace('_', '-')}\]'"):
        importlib.import_module(f"whyrank.integrations.{name}")
