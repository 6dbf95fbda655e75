"""Haystack's own documents and pipelines, with our ranker."""

from typing import Any

import pytest
from integrated import ORDER, QUERY, TEXTS, Backwards, falls, ours

from whyrank.errors import BadInput

pytest.importorskip("haystack")

from haystack import Document, Pipeline

from whyrank.integrations.haystack import WhyrankRanker

IDS = ["a", "twin", "c", "twin", "e"]


def documents() -> list[Document]:
    """Two of them the same, ids and all; the last has no text."""
    return [
        Document(id=name, content=text or None, meta={"source": name}, score=0.5)
        for text, name in zip(TEXTS, IDS, strict=True)
    ]


def test_documents_keep_what_they_are() -> None:
    given = documents()
    found = WhyrankRanker("evidence").run(query=QUERY, documents=given)["documents"]
    assert [(own.id, own.content, own.meta) for own in found] == [
        (given[n].id, given[n].content, given[n].meta) for n in ORDER
    ]
    assert falls([own.score for own in found])
    assert found[0].score == ours()[0].score
    assert [own.to_dict() for own in given] == [own.to_dict() for own in documents()]


def test_reasons_travel_in_meta_through_a_saved_pipeline() -> None:
    pipeline = Pipeline()
    pipeline.add_component("ranker", WhyrankRanker("evidence", top_k=2, reasons=1))
    again = Pipeline.loads(pipeline.dumps(), allowed_modules=["whyrank.integrations.haystack"])
    [best, second] = again.run({"ranker": {"query": QUERY, "documents": documents()}})["ranker"]["documents"]
    told = ours(reasons=1).explanations
    assert told is not None
    assert best.meta["whyrank_reason"] == told.direct[0].text
    assert best.meta["whyrank_quote"] in best.content
    assert best.meta["whyrank_comparison"].startswith(told.comparisons[0].text)
    assert second.meta == {"source": "a"}


def test_reasons_of_an_earlier_pass_are_dropped() -> None:
    [best, *_] = WhyrankRanker("evidence", reasons=1).run(query=QUERY, documents=documents())["documents"]
    [again] = WhyrankRanker("evidence").run(query="why does bread go stale?", documents=[best])["documents"]
    assert again.meta == {"source": "c"}
    assert "whyrank_reason" in best.meta


def test_no_documents_a_top_k_of_its_own_and_places_without_scores() -> None:
    ranker = WhyrankRanker(Backwards(), top_k=4)
    assert ranker.run(query=QUERY, documents=[]) == {"documents": []}
    assert [own.score for own in ranker.run(query=QUERY, documents=documents(), top_k=2)["documents"]] == [2.0, 1.0]
    with pytest.raises(BadInput, match="give the ranker by name"):
        ranker.to_dict()


def test_a_title_in_meta_is_read() -> None:
    given = [*documents(), Document(id="t", content="It scatters.", meta={"headline": "Why the sky is blue"})]
    assert WhyrankRanker("evidence", title="headline").run(query=QUERY, documents=given)["documents"][0].id == "t"


@pytest.mark.parametrize("settings", [{"top_k": 0}, {"reasons": -1}])
def test_settings_that_make_no_sense(settings: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match="accepted"):
        WhyrankRanker(**settings)
