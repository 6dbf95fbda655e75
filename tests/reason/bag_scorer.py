"""Toy scorers that are exact and fast: what the tests of this room explain."""

import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import fsum, inf

from whyrank.types import Decomposition, Document, Field, Hit, Query, Ranking, Span, Term

_SENTENCE = re.compile(r"[^.\s][^.]*\.?")
_WORD = re.compile(r"\w+")


def sentences_of(document: Document) -> tuple[Span, ...]:
    """Title and text, cut after full stops."""
    fields: tuple[Field, ...] = ("title", "text")
    return tuple(
        Span(m.start(), m.start() + len(m.group().rstrip()), name)
        for name in fields
        for m in _SENTENCE.finditer(document.field_text(name))
    )


def words_of(text: str) -> list[str]:
    return _WORD.findall(text.casefold())


@dataclass
class BagScorer:
    """Each query word's weight counts once where it occurs first; a part is about the whole document.

    `best` rewards the sentence with most query words; `whole` the share of words that are the query's.
    """

    weights: Mapping[str, float] = field(default_factory=dict)
    name: str = "bag"
    best: float = 0.0
    whole: float = 0.0
    first: float = 0.0
    constant: float = 0.0
    bounded: bool = True
    scored: int = 0
    batches: list[int] = field(default_factory=list)

    def score(self, query: Query, documents: Sequence[Document], first_scores: Sequence[float | None]) -> list[float]:
        self.scored += len(documents)
        self.batches.append(len(documents))
        return [d.score for d in self._all(query, documents, first_scores)]

    def decompose(
        self, query: Query, documents: Sequence[Document], first_scores: Sequence[float | None]
    ) -> list[Decomposition]:
        return self._all(query, documents, first_scores)

    def floor(self, first_score: float | None) -> float:
        if not self.bounded:
            return -inf
        lowest = fsum(min(0.0, w) for w in self.weights.values()) + min(0.0, self.best) * 9 + min(0.0, self.whole)
        return lowest + self.first * (first_score or 0.0) + self.constant - 1e-6

    def _all(
        self, query: Query, documents: Sequence[Document], first_scores: Sequence[float | None]
    ) -> list[Decomposition]:
        return [self._one(query, d, f) for d, f in zip(documents, first_scores, strict=True)]

    def _one(self, query: Query, document: Document, first_score: float | None) -> Decomposition:
        spans, asked = sentences_of(document), list(dict.fromkeys(words_of(query.text)))
        found = {span: set(words_of(document.quote(span))) & set(asked) for span in spans}
        terms = []
        for word in asked:
            span = next((s for s in spans if word in found[s]), None)
            if span is not None:
                terms.append(Term("late interaction", self.weights.get(word, 0.5), word, span))
        if spans and self.best:
            winner = max(spans, key=lambda s: len(found[s]))
            terms.append(Term("best sentence", self.best * len(found[winner]), span=winner))
        words = words_of(document.full_text)
        share = sum(w in asked for w in words) / (1 + len(words))
        terms += [
            Term("whole document", self.whole * share),
            Term("first stage", self.first * (first_score or 0.0)),
            Term("constant", self.constant),
        ]
        return Decomposition(document.id, fsum(t.value for t in terms), tuple(terms), spans)


@dataclass
class ChaosScorer(BagScorer):
    """A score with no rhyme or reason, one whole in itself: the worst case for a search."""

    salt: int = 0
    bounded: bool = False

    def _one(self, query: Query, document: Document, first_score: float | None) -> Decomposition:
        bits = zlib.crc32(f"{self.salt} {query.text} {' '.join(words_of(document.full_text))}".encode())
        value = (bits % 1000) / 1000
        return Decomposition(document.id, value, (Term("remainder", value),), sentences_of(document))


def ranked(
    scorer: BagScorer,
    query: str | Query,
    documents: Sequence[Document | str],
    first: Sequence[float | None] | None = None,
) -> Ranking:
    """What a reranker made of this scorer gives: order by (-score, original rank, id)."""
    given = Ranking.of(query, documents, first)
    scores = scorer.score(given.query, given.documents, [h.first_score for h in given.hits])
    hits = [replace(h, score=s) for h, s in zip(given.hits, scores, strict=True)]

    def standing(hit: Hit) -> tuple[float, int, str]:
        assert hit.score is not None
        return -hit.score, hit.first_rank, hit.document.id

    return replace(given, hits=tuple(sorted(hits, key=standing)), ranker=scorer.name)
