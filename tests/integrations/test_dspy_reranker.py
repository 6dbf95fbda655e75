"""DSPy's own modules and predictions, with our reranker."""

from typing import Any

import pytest
from integrated import ORDER, QUERY, TEXTS, Backwards, falls, ours

from whyrank.errors import BadInput

pytest.importorskip("dspy")

import dspy

from whyrank.integrations.dspy import WhyrankReranker


def test_passages_keep_what_they_are() -> None:
    given = [{"long_text": text, "pid": place} for place, text in enumerate(TEXTS)]
    found = WhyrankReranker(ranker="evidence")(query=QUERY, passages=given)
    assert found.indices == ORDER
    assert all(own is given[place] for own, place in zip(found.passages, ORDER, strict=True))
    assert falls(found.scores)
    assert found.scores[0] == ours()[0].score


def test_what_a_retriever_finds_is_reranked_with_reasons() -> None:
    asked = []

    def retrieve(query: str) -> Any:
        asked.append(query)
        return dspy.Prediction(passages=TEXTS)

    found = WhyrankReranker(retrieve, ranker="evidence", k=2, reasons=1)(QUERY)
    told = ours(reasons=1).explanations
    assert told is not None
    assert (asked, found.passages) == ([QUERY], [TEXTS[2], TEXTS[0]])
    assert found.metadata[0]["whyrank_reason"] == told.direct[0].text
    assert found.metadata[0]["whyrank_quote"] in found.passages[0]
    assert found.metadata[0]["whyrank_comparison"].startswith(told.comparisons[0].text)
    assert found.metadata[1] == {}


def test_inside_another_module() -> None:
    class Answer(dspy.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rerank = WhyrankReranker(lambda query: TEXTS, ranker="evidence", k=1)

        def forward(self, question: str) -> Any:
            return dspy.Prediction(context=self.rerank(question).passages)

    assert Answer()(question=QUERY).context == [TEXTS[2]]


def test_no_passages_and_places_without_scores() -> None:
    rerank = WhyrankReranker(ranker=Backwards(), k=2)
    assert rerank(QUERY, passages=[]).passages == []
    assert rerank(QUERY, passages=TEXTS).scores == [2.0, 1.0]
    assert rerank(QUERY, passages=TEXTS, k=1).indices == [4]


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(BadInput, match="top_n is 0"):
        WhyrankReranker(k=0)
    with pytest.raises(BadInput, match="no passages and no retriever"):
        WhyrankReranker(ranker="evidence")(QUERY)
    with pytest.raises(BadInput, match="document 1 has NoneType"):
        WhyrankReranker(ranker="evidence")(QUERY, passages=[{"id": 1}])
