"""Who scores a document again after something was taken from it: any ranker, or word statistics alone.

A judge reads text only: it is given no first-stage scores, so that what changes its score is the text.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TypeAlias

from whyrank.errors import BadInput
from whyrank.text import analyze
from whyrank.types import Document, Query, Ranking, Reranker

Judge: TypeAlias = Callable[[Query, Sequence[Document]], Sequence[float]]
"""(query, documents) → one score each, higher for more relevant; it may be asked about thousands at once."""


def by_ranker(ranker: Reranker) -> Judge:
    """A ranker as a judge: its scores, without first-stage scores.

    The judge raises BadInput where the ranker gives a document no score.
    """

    def judge(query: Query, documents: Sequence[Document]) -> list[float]:
        given = Ranking.of(query, [replace(d, id=str(i)) for i, d in enumerate(documents)])
        [ranking] = ranker.rerank_many([given])
        scores = {hit.document.id: hit.score for hit in ranking.hits}
        found = [scores[str(i)] for i in range(len(documents))]
        lost = sum(score is None for score in found)
        if lost:
            raise BadInput(
                f"query {query.id!r}: {ranker.name} gave {lost} of {len(found)} documents no score "
                f"({'; '.join(ranking.notes) or 'no reason given'}); a judge must score every document"
            )
        return [score for score in found if score is not None]

    return judge


class Lexical:
    """BM25 with the statistics of a collection, for any text: the judge that has nothing in common with a network.

    `whyrank.retrieve.BM25` holds the scores of the documents that it indexed; this scores texts that were cut. The same
    formula (Lucene's; Robertson and Zaragoza, 2009) and, on the collection's own documents, the same scores.

    Args:
        texts: the collection; only its document frequencies and mean length are kept.
        language: how words become terms, one of `whyrank.text.LANGUAGES`.
        k1: how soon repetition stops counting.
        b: how much length is discounted.
    """

    def __init__(self, texts: Iterable[str], *, language: str = "en", k1: float = 0.9, b: float = 0.4) -> None:
        self._language, self._k1, self._b = language, k1, b
        self._frequencies: Counter[str] = Counter()
        count = length = 0
        for text in texts:
            terms = analyze(text, language)
            self._frequencies.update(set(terms))
            count += 1
            length += len(terms)
        self._count = count
        self._mean = length / count if length else 1.0

    def __call__(self, query: Query, documents: Sequence[Document]) -> list[float]:
        """Scores of documents: this is a `Judge`."""
        return self.scores(query.text, [document.full_text for document in documents])

    def scores(self, query: str, texts: Sequence[str]) -> list[float]:
        """Scores of texts; 0 where no term is shared."""
        asked = [(term, self._idf(term)) for term in analyze(query, self._language)]
        return [self._score(asked, Counter(analyze(text, self._language))) for text in texts]

    def _score(self, asked: Sequence[tuple[str, float]], counts: "Counter[str]") -> float:
        norm = self._k1 * (1 - self._b + self._b * counts.total() / self._mean)
        return math.fsum(idf * counts[term] / (counts[term] + norm) for term, idf in asked if counts[term])

    def _idf(self, term: str) -> float:
        df = self._frequencies[term]
        return math.log1p((self._count - df + 0.5) / (df + 0.5))


def judged(judge: Judge, query: Query, documents: Sequence[Document]) -> list[float]:
    """The judge's scores; a text that stands there several times is judged once.

    Raises:
        BadInput: the judge gave another number of scores, or one that is not finite.
    """
    places: dict[tuple[str | None, str], int] = {}
    distinct: list[Document] = []
    for document in documents:
        if places.setdefault((document.title, document.text), len(distinct)) == len(distinct):
            distinct.append(document)
    scores = judge(query, distinct) if distinct else []
    if len(scores) != len(distinct):
        raise BadInput(f"query {query.id!r}: the judge gave {len(scores)} scores for {len(distinct)} documents")
    if not all(map(math.isfinite, scores)):
        raise BadInput(
            f"query {query.id!r}: the judge gave a score that is no finite number; a judge must give numbers"
        )
    return [float(scores[places[document.title, document.text]]) for document in documents]
