"""Judges: any ranker, or BM25 with the statistics of a collection."""

import math
from collections.abc import Sequence
from dataclasses import replace

import pytest

from whyrank.errors import BadInput
from whyrank.evaluate.reasons.judges import Lexical, by_ranker, judged
from whyrank.retrieve import BM25
from whyrank.types import Document, Progress, Query, Ranking

QUERY = Query("q", "capital of Peru")
DOCUMENTS = [
    Document("a", "Lima is the capital of Peru. Lima is large."),
    Document("b", "Peru borders Chile.", "Peru"),
    Document("c", "Nothing here."),
    Document("d", "A capital idea about capital, and what capital can do for those who have none."),
]


class ByLength:
    """Scores by the number of characters, best first; leaves out what has fewer than `read`."""

    name = "by length"

    def __init__(self, read: int = 0) -> None:
        self.read = read
        self.given: list[Ranking] = []

    def rerank_many(
        self, rankings: Sequence[Ranking], *, depth: int | None = None, progress: Progress | None = None
    ) -> list[Ranking]:
        self.given += rankings
        return [self._one(ranking) for ranking in rankings]

    def _one(self, ranking: Ranking) -> Ranking:
        lengths = {h.document.id: len(h.document.full_text) for h in ranking.hits}
        hits = sorted(ranking.hits, key=lambda h: -lengths[h.document.id])
        scored = [replace(h, score=float(n)) if (n := lengths[h.document.id]) >= self.read else h for h in hits]
        return replace(ranking, hits=tuple(scored), notes=("too short",))


def test_a_ranker_judges_in_the_order_it_was_asked_and_without_first_scores() -> None:
    ranker = ByLength()
    same_id = [replace(d, id="x") for d in DOCUMENTS]
    assert by_ranker(ranker)(QUERY, same_id) == [43, 24, 13, 78]
    assert all(hit.first_score is None for hit in ranker.given[0])


def test_a_judge_must_score_every_document() -> None:
    with pytest.raises(BadInput, match=r"by length gave 2 of 4 documents no score \(too short\)"):
        by_ranker(ByLength(read=30))(QUERY, DOCUMENTS)


def test_word_statistics_give_the_scores_of_the_index() -> None:
    index = BM25.build(DOCUMENTS)
    expected = {hit.document.id: hit.first_score for hit in index.search(QUERY, 10)}
    scores = Lexical(d.full_text for d in DOCUMENTS)(QUERY, DOCUMENTS)
    assert scores == pytest.approx([expected.get(d.id, 0.0) for d in DOCUMENTS], rel=1e-6)
    assert scores[2] == 0.0


def test_word_statistics_by_hand() -> None:
    lexical = Lexical(["red blue", "red", "green green green"], k1=1.0, b=0.5)
    # 3 documents of mean length 2; "blue" in 1: idf = ln(1 + 2.5 / 1.5); once in 4 words: 1 / (1 + 0.5 + 0.5 · 4 / 2)
    assert lexical.scores("blue", ["blue and yellow white black"]) == pytest.approx([math.log(1 + 2.5 / 1.5) / 2.5])


def test_an_empty_collection_and_an_empty_text() -> None:
    assert Lexical([]).scores("blue", ["blue", ""]) == pytest.approx([math.log(2) / (1 + 0.9 * (0.6 + 0.4)), 0.0])


def test_equal_texts_are_judged_once() -> None:
    asked: list[int] = []

    def judge(query: Query, documents: Sequence[Document]) -> list[float]:
        asked.append(len(documents))
        return [float(len(d.text)) for d in documents]

    twice = [Document("a", "x"), Document("b", "x"), Document("c", "x", "t"), Document("d", "xy"), Document("e", "x")]
    assert judged(judge, QUERY, twice) == [1.0, 1.0, 1.0, 2.0, 1.0]
    assert asked == [3]
    assert judged(judge, QUERY, []) == []
    assert asked == [3]


@pytest.mark.parametrize(("scores", "message"), [([1.0], "gave 1 scores for 2"), ([1.0, math.nan], "no finite number")])
def test_a_judge_that_gives_no_judgement(scores: list[float], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        judged(lambda query, documents: scores, QUERY, DOCUMENTS[:2])
