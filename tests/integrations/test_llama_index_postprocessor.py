"""LlamaIndex's own nodes and query machinery, with our postprocessor."""

from typing import Any

import pytest
from integrated import ORDER, QUERY, TEXTS, Backwards, falls, ours

from whyrank.errors import BadInput

pytest.importorskip("llama_index.core")

from llama_index.core.schema import (
    MetadataMode,
    NodeRelationship,
    NodeWithScore,
    QueryBundle,
    RelatedNodeInfo,
    TextNode,
)
from pydantic import ValidationError

from whyrank.integrations.llama_index import WhyrankPostprocessor

IDS = ["a", "twin", "c", "twin", "e"]


def nodes() -> list[NodeWithScore]:
    """Two of them the same, ids and all."""
    made = [TextNode(text=text, id_=name, metadata={"source": name}) for text, name in zip(TEXTS, IDS, strict=True)]
    for node in made:
        node.relationships[NodeRelationship.SOURCE] = RelatedNodeInfo(node_id="book")
    return [NodeWithScore(node=node, score=0.5) for node in made]


def test_nodes_keep_what_they_are() -> None:
    found = WhyrankPostprocessor(ranker="evidence").postprocess_nodes(nodes(), query_str=QUERY)
    assert [own.node.node_id for own in found] == [IDS[n] for n in ORDER]
    assert [own.node.metadata for own in found] == [{"source": IDS[n]} for n in ORDER]
    assert falls([own.score for own in found])
    assert found[0].score == ours()[0].score


def test_reasons_are_shown_to_people_and_not_to_models() -> None:
    given = nodes()
    postprocessor = WhyrankPostprocessor(ranker="evidence", reasons=1, top_n=2)
    [best, second] = postprocessor.postprocess_nodes(given, query_bundle=QueryBundle(QUERY))
    told = ours(reasons=1).explanations
    assert told is not None
    assert best.node.metadata["whyrank_reason"] == told.direct[0].text
    assert best.node.metadata["whyrank_quote"] == "That is why the sky is blue."
    assert best.node.metadata["whyrank_comparison"].startswith(told.comparisons[0].text)
    assert second.node.metadata == {"source": "a"}
    for mode in (MetadataMode.LLM, MetadataMode.EMBED):
        assert best.node.get_content(metadata_mode=mode) == given[2].node.get_content(metadata_mode=mode)
    assert [own.node.metadata for own in given] == [{"source": name} for name in IDS]


def test_reasons_of_an_earlier_pass_are_dropped_and_keys_named_once() -> None:
    [best, *_] = WhyrankPostprocessor(ranker="evidence", reasons=1).postprocess_nodes(nodes(), query_str=QUERY)
    [plain] = WhyrankPostprocessor(ranker="evidence").postprocess_nodes([best], query_str="why is bread stale?")
    assert plain.node.metadata == {"source": "c"}
    [told] = WhyrankPostprocessor(ranker="evidence", reasons=1).postprocess_nodes([best], query_str=QUERY)
    assert told.node.excluded_llm_metadata_keys == best.node.excluded_llm_metadata_keys
    assert "whyrank_reason" in best.node.metadata


@pytest.mark.parametrize("reasons", [0, 5])
def test_what_is_changed_in_the_answer_is_not_changed_in_what_was_given(reasons: int) -> None:
    given = nodes()
    for own in WhyrankPostprocessor(ranker="evidence", reasons=reasons).postprocess_nodes(given, query_str=QUERY):
        own.node.metadata["seen"] = True
        own.node.excluded_llm_metadata_keys.append("seen")
        own.node.relationships.clear()
    assert [own.node.metadata for own in given] == [{"source": name} for name in IDS]
    assert all(own.node.excluded_llm_metadata_keys == [] for own in given)
    assert all(own.node.relationships for own in given)


def test_no_nodes_no_query_and_places_without_scores() -> None:
    postprocessor = WhyrankPostprocessor(ranker=Backwards(), top_n=2)
    assert postprocessor.postprocess_nodes([], query_str=QUERY) == []
    assert [own.score for own in postprocessor.postprocess_nodes(nodes(), query_str=QUERY)] == [2.0, 1.0]
    with pytest.raises(BadInput, match="there is no query"):
        postprocessor.postprocess_nodes(nodes())


def test_a_title_in_the_metadata_is_read() -> None:
    headed = TextNode(text="It scatters.", id_="t", metadata={"headline": "Why the sky is blue"})
    given = [*nodes(), NodeWithScore(node=headed)]
    found = WhyrankPostprocessor(ranker="evidence", title="headline").postprocess_nodes(given, query_str=QUERY)
    assert found[0].node.node_id == "t"


@pytest.mark.parametrize("settings", [{"top_n": 0}, {"reasons": -1}])
def test_settings_that_make_no_sense(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        WhyrankPostprocessor(**settings)
