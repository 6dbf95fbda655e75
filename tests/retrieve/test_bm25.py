import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from whyrank.errors import BadInput, DuplicateId, UnknownName
from whyrank.retrieve import BM25
from whyrank.retrieve.bm25 import _best
from whyrank.types import Document, Query, Retriever


def collection(*texts: str) -> list[Document]:
    return [Document(str(number), text) for number, text in enumerate(texts, 1)]


def naive(texts: list[str], query: str, k1: float, b: float) -> list[tuple[str, float]]:
    """Lucene's BM25 as it stands in Kamphuis et al., 2020, word by word: an oracle."""
    words = [text.split() for text in texts]
    mean = sum(map(len, words)) / len(words)
    scores = {}
    for position, document in enumerate(words):
        score = 0.0
        for term in query.split():
            holding = sum(term in other for other in words)
            frequency = Counter(document)[term]
            idf = math.log(1 + (len(words) - holding + 0.5) / (holding + 0.5))
            if frequency:
                score += idf * frequency / (frequency + k1 * (1 - b + b * len(document) / mean))
        if score:
            scores[str(position + 1)] = score
    return list(scores.items())


def test_a_score_worked_by_hand() -> None:
    # N = 2, df = 1: idf = ln(1 + 1.5/1.5) = ln 2. Lengths 2 and 4, mean 3; tf = 2 in the longer document:
    # 2 / (2 + 0.9 (0.6 + 0.4 · 4/3)) = 2 / 3.02.
    index = BM25.build(collection("red sky", "blue blue sea wind"))
    [hit] = index.search("blue").hits
    assert hit.document.id == "2"
    assert hit.first_score == pytest.approx(math.log(2) * 2 / 3.02, rel=1e-6)
    assert (hit.first_rank, hit.score) == (1, None)


WORDS = st.lists(st.sampled_from(["sky", "sea", "sun", "wind", "rain"]), max_size=8).map(" ".join)


@given(
    st.lists(WORDS, min_size=1, max_size=8), WORDS, st.sampled_from([0.0, 0.9, 2.0]), st.sampled_from([0.0, 0.4, 1.0])
)
def test_scores_are_lucenes(texts: list[str], query: str, k1: float, b: float) -> None:
    if not any(texts):
        return
    ranking = BM25.build(collection(*texts), language="none", k1=k1, b=b).search(query)
    expected = dict(naive(texts, query, k1, b))
    assert {hit.document.id: hit.first_score for hit in ranking} == pytest.approx(expected, rel=1e-5)
    scores = [hit.first_score or 0.0 for hit in ranking]
    assert scores == sorted(scores, reverse=True)
    places = [(-(hit.first_score or 0.0), int(hit.document.id)) for hit in ranking]
    assert places == sorted(places)


@given(st.lists(st.sampled_from([0.0, 0.5, 1.0, 2.0]), max_size=30), st.integers(1, 35))
def test_best_breaks_ties_by_position(scores: list[float], k: int) -> None:
    expected = sorted((i for i, score in enumerate(scores) if score), key=lambda i: (-scores[i], i))[:k]
    assert _best(np.array(scores, np.float32), k).tolist() == expected


def test_title_counts_as_text() -> None:
    index = BM25.build([Document("a", "nothing here", title="Foxes"), Document("b", "a bear")])
    assert index.search("fox").ids == ("a",)


def test_equal_documents_keep_their_order() -> None:
    index = BM25.build(collection(*["same words"] * 50))
    assert index.search("words", 3).ids == ("1", "2", "3")


def test_more_asked_than_there_is() -> None:
    assert BM25.build(collection("sky", "sea", "sky sea")).search("sky", 1000).ids == ("1", "3")


@pytest.mark.parametrize("query", ["", "   ", "the of and", "zebra", "\ud800", "…"])
def test_nothing_is_found_where_nothing_matches(query: str) -> None:
    ranking = BM25.build(collection("sky", "sea")).search(Query("q", query))
    assert ranking.hits == ()
    assert ranking.query.text == query


@pytest.mark.parametrize("texts", [(), ("",), ("the", "of and")])
def test_a_collection_without_terms(texts: tuple[str, ...]) -> None:
    index = BM25.build(collection(*texts))
    assert len(index) == len(texts)
    assert index.search("sky").hits == ()


def test_search_many_keeps_the_order_of_queries() -> None:
    retriever: Retriever = BM25.build(collection("sky", "sea"))
    rankings = retriever.search_many([Query("b", "sea"), Query("a", "sky")], k=1)
    assert [(ranking.query.id, ranking.ids) for ranking in rankings] == [("b", ("2",)), ("a", ("1",))]


def test_a_repeated_query_term_counts_twice() -> None:
    index = BM25.build(collection("sky", "sea"))
    once, twice = index.search("sky")[0].first_score, index.search("sky sky")[0].first_score
    assert once is not None
    assert twice == 2 * once


def test_language_is_used_for_documents_and_queries() -> None:
    index = BM25.build(collection("我们去公园", "他在家"), language="zh")
    assert index.search("公园").ids == ("1",)
    assert index.search("园").ids == ()


def test_progress_reaches_the_end() -> None:
    seen: list[tuple[int, int]] = []
    BM25.build(collection(*["sky"] * 300), progress=lambda done, total: seen.append((done, total)))
    assert seen == [(256, 300), (300, 300)]


def test_duplicate_ids_are_refused() -> None:
    with pytest.raises(DuplicateId, match="'1' is given twice \\(places 1 and 3\\)"):
        BM25.build([*collection("sky", "sea"), Document("1", "sun")])


def test_other_types_are_refused() -> None:
    with pytest.raises(BadInput, match=r"document 2 is str; give whyrank\.Document"):
        BM25.build([Document("1", "sky"), "sea"])  # type: ignore[list-item]


@pytest.mark.parametrize(
    ("k1", "b"), [(-1, 0.4), (math.nan, 0.4), (math.inf, 0.4), (0.9, -0.1), (0.9, 1.1), (0.9, math.nan)]
)
def test_settings_out_of_range(k1: float, b: float) -> None:
    with pytest.raises(BadInput, match="give a number"):
        BM25.build([], k1=k1, b=b)


def test_unknown_language_is_refused_before_work() -> None:
    with pytest.raises(UnknownName, match="no language called 'klingon'"):
        BM25.build([], language="klingon")


def test_k_below_one_is_refused() -> None:
    with pytest.raises(BadInput, match="k is 0"):
        BM25.build([]).search("sky", 0)
