"""A list in pieces, and the ranking that they make: that of the whole, to the bit."""

from dataclasses import replace

import pytest
from serving import QUERY, TEXTS

import whyrank
from whyrank.serve.cutting import cut, joined
from whyrank.serve.shapes import tokens_of
from whyrank.types import Ranking, Usage

SCORES = [3.0, None, 1.0, 2.0, 3.0, None, 0.5, 0.0]


def given() -> Ranking:
    documents = [*TEXTS, *(f"{text} Again." for text in TEXTS)]
    return Ranking.of(QUERY, documents, SCORES)


@pytest.mark.parametrize("budget", [1, 30, 60, 90, 10_000])
def test_every_candidate_is_in_one_piece_and_none_is_too_long(budget: int) -> None:
    pieces = cut(given(), budget)
    assert tuple(hit for piece in pieces for hit in piece.ranking) == given().hits
    for ranking, tokens in pieces:
        assert tokens == sum(tokens_of(QUERY) + tokens_of(hit.document.full_text) for hit in ranking)
        assert tokens <= budget or len(ranking) == 1
    assert (len(pieces) == 1) is (budget == 10_000)


def test_an_empty_list_is_one_piece() -> None:
    assert [(len(piece.ranking), piece.tokens) for piece in cut(Ranking.of(QUERY, []), 10)] == [(0, 0)]


@pytest.mark.parametrize("query", [QUERY, "???"])
@pytest.mark.parametrize("ranker", ["student", "evidence"])
def test_pieces_make_the_ranking_of_the_whole(ranker: str, query: str) -> None:
    asked = replace(given(), query=replace(given().query, text=query))
    model = whyrank.load(ranker, threads=1)
    [whole] = model.rerank_many([asked])
    pieces = [model.rerank_many([piece.ranking])[0] for piece in cut(asked, 60)]
    found = joined(asked, pieces)
    assert len(pieces) > 2
    assert replace(found, usage=Usage()) == replace(whole, usage=Usage())
    assert found.usage.documents == whole.usage.documents
    assert [hit.score and hit.score.hex() for hit in found] == [hit.score and hit.score.hex() for hit in whole]
