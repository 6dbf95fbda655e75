"""LangChain's own documents and retrievers, with our compressor."""

import asyncio
from typing import Any

import pytest
from integrated import ORDER, QUERY, TEXTS, Backwards, falls, ours

import whyrank

pytest.importorskip("langchain_core")

from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableLambda
from pydantic import ValidationError

from whyrank.integrations.langchain import WhyrankCompressor


def documents() -> list[Document]:
    """Two of them the same, ids and all."""
    ids = ["a", "twin", "c", "twin", None]
    return [Document(page_content=t, id=i, metadata={"source": i}) for t, i in zip(TEXTS, ids, strict=True)]


def test_documents_keep_what_they_are() -> None:
    given = documents()
    found = WhyrankCompressor(ranker="evidence").compress_documents(given, QUERY)
    assert [(own.id, own.page_content) for own in found] == [(given[n].id, given[n].page_content) for n in ORDER]
    assert [own.metadata["source"] for own in found] == [given[n].metadata["source"] for n in ORDER]
    assert falls([own.metadata["relevance_score"] for own in found])
    assert found[0].metadata == {"source": "c", "relevance_score": ours()[0].score}
    assert given == documents()  # nothing was written into what was given


def test_reasons_travel_in_the_metadata() -> None:
    told = ours(reasons=2).explanations
    assert told is not None
    found = WhyrankCompressor(ranker=whyrank.load("evidence"), reasons=2, top_n=3).compress_documents(
        documents(), QUERY
    )
    assert [own.id for own in found] == ["c", "a", "twin"]
    assert [own.metadata.get("whyrank_reason") for own in found] == [*(own.text for own in told.direct), None]
    assert found[0].metadata["whyrank_quote"] in found[0].page_content
    assert found[0].metadata["whyrank_comparison"].startswith(told.comparisons[0].text)


def test_reasons_of_an_earlier_pass_are_dropped() -> None:
    [best, *_] = WhyrankCompressor(ranker="evidence", reasons=1).compress_documents(documents(), QUERY)
    again = WhyrankCompressor(ranker="evidence").compress_documents([best], "why does bread go stale?")
    assert again[0].metadata.keys() == {"source", "relevance_score"}
    assert "whyrank_reason" in best.metadata


def test_no_documents_one_document_and_places_without_scores() -> None:
    assert WhyrankCompressor(ranker="evidence").compress_documents([], QUERY) == []
    [one] = WhyrankCompressor(ranker="evidence").compress_documents(documents()[:1], QUERY)
    assert one.id == "a"
    turned = WhyrankCompressor(ranker=Backwards(), top_n=2).compress_documents(documents(), QUERY)
    assert [own.metadata["relevance_score"] for own in turned] == [2.0, 1.0]


def test_a_title_in_the_metadata_is_read() -> None:
    given = [*documents(), Document(page_content="It scatters.", id="t", metadata={"headline": "Why the sky is blue"})]
    assert WhyrankCompressor(ranker="evidence", title="headline").compress_documents(given, QUERY)[0].id == "t"


class Everything(BaseRetriever):
    """A retriever that finds all there is."""

    def _get_relevant_documents(self, query: str, *, run_manager: Any) -> list[Document]:
        return documents()


def test_in_a_chain_and_asynchronously() -> None:
    compressor = WhyrankCompressor(ranker="evidence", top_n=1)
    chain = Everything() | RunnableLambda(lambda found: compressor.compress_documents(found, QUERY))
    assert [own.id for own in chain.invoke(QUERY)] == ["c"]
    assert [own.id for own in asyncio.run(compressor.acompress_documents(documents(), QUERY))] == ["c"]


@pytest.mark.parametrize("settings", [{"top_n": 0}, {"reasons": -1}, {"topn": 3}])
def test_settings_that_make_no_sense(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        WhyrankCompressor(**settings)
