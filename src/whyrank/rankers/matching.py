"""How a query meets a document in the token vectors of one body: three similarities and where each comes from.

Everything is computed passage by passage and merged by maximum with ties to the earlier place, so the result is the
same bits in whatever order passages arrive.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from whyrank.encode.engine import Vectors, unit
from whyrank.encode.passages import Passage
from whyrank.text import split_sentences
from whyrank.types import Document, Span

# Q query tokens, T tokens of a passage, S sentences that a passage touches, W width of a vector
Places = NDArray[np.intp]
T = TypeVar("T")

MAX_DOCUMENT_CHARS = 100_000
CHUNK, CHUNK_CHARS = 512, 250_000  # documents held at once, and characters: some seconds between two reports


@dataclass(frozen=True, slots=True)
class Asked:
    """A query as the body reads it.

    Attributes:
        vector: unit vector [W] of the whole query.
        tokens: unit vectors [Q, W] of the tokens that belong to words; punctuation asks for nothing.
        words: the word that each of the Q tokens belongs to, lower-cased.
        read: tokens read for it, markers and overlaps included.
    """

    vector: Vectors
    tokens: Vectors
    words: tuple[str, ...]
    read: int


@dataclass(frozen=True, slots=True)
class Sheet:
    """A document as it is read: its text up to the limit, and its sentences in order of place.

    Attributes:
        text: title, space, text; at most the limit of characters.
        starts: where each sentence starts in `text`.
        spans: the same sentences as spans of the document.
        cut: characters beyond the limit, not read.
    """

    text: str
    starts: tuple[int, ...]
    spans: tuple[Span, ...]
    cut: int

    @classmethod
    def of(cls, document: Document) -> "Sheet":
        """Lay a document out; only its first `MAX_DOCUMENT_CHARS` characters are read."""
        full = document.full_text
        title = document.title or ""
        body = len(title) + 1 if title else 0
        text = full[:MAX_DOCUMENT_CHARS]
        spans = [Span(a, b, "title") for a, b in [(0, min(len(title), MAX_DOCUMENT_CHARS))] if text[a:b].strip()]
        spans += [Span(a, b) for a, b in split_sentences(text[body:])]
        starts = [span.start + (body if span.field == "text" else 0) for span in spans]
        return cls(text, tuple(starts), tuple(spans), len(full) - len(text))

    def place(self, start: int) -> int:
        """The sentence that a token starting there stands in."""
        return max(0, bisect_right(self.starts, start) - 1)


@dataclass(frozen=True, slots=True)
class Match:
    """What a query finds in a document (or in a passage of it).

    Attributes:
        document: cosine of the query with its nearest passage.
        words: for each of the Q query tokens, the cosine of its nearest token in the document; float32 [Q].
        word_places: for each of the Q, the sentence (index into `Sheet.spans`) where that token stands.
        sentence: for each of the Q, the cosine of its nearest token within one sentence, the one where these are
            highest on average; float32 [Q].
        sentence_place: which sentence that is.
        by_sentence: that average for every sentence of the document, −1 for those that were not read; float32 [S].
    """

    document: float
    words: Vectors
    word_places: Places
    sentence: Vectors
    sentence_place: int
    by_sentence: Vectors

    def merge(self, other: "Match") -> "Match":
        """The better of both, token by token; ties go to the earlier sentence."""
        theirs = (other.words > self.words) | ((other.words == self.words) & (other.word_places < self.word_places))
        nearest = max(self, other, key=lambda m: (m.sentence.mean(), -m.sentence_place))
        return Match(
            document=max(self.document, other.document),
            words=np.where(theirs, other.words, self.words),
            word_places=np.where(theirs, other.word_places, self.word_places),
            sentence=nearest.sentence,
            sentence_place=nearest.sentence_place,
            by_sentence=np.maximum(self.by_sentence, other.by_sentence),
        )


def in_chunks(items: Iterable[T], characters: Callable[[T], int]) -> Iterator[list[T]]:
    """Documents that are read together: few enough to hold, and to say soon how far the work is.

    Args:
        items: what stands for a document each.
        characters: how long the text of one is; what lies beyond the limit is not read, and does not count.
    """
    chunk: list[T] = []
    held = 0
    for item in items:
        size = min(characters(item), MAX_DOCUMENT_CHARS)
        if chunk and (len(chunk) == CHUNK or held + size > CHUNK_CHARS):
            yield chunk
            chunk, held = [], 0
        chunk.append(item)
        held += size
    if chunk:
        yield chunk


def rows_at_length_one(vectors_TW: Vectors) -> Vectors:
    """Each row divided by its length; zero rows stay zero."""
    lengths = np.sqrt(np.einsum("tw,tw->t", vectors_TW, vectors_TW))
    lengths[lengths == 0] = 1
    return np.asarray(vectors_TW / lengths[:, None], dtype=np.float32)


def match(asked: Asked, sheet: Sheet, passage: Passage, vectors_TW: Vectors) -> Match | None:
    """Compare a query with one passage; None where the passage has no token (an empty document).

    Args:
        asked: the query.
        sheet: the document that the passage is from.
        passage: its ids and offsets.
        vectors_TW: the body's token vectors for it, markers included.
    """
    if not passage.offsets:
        return None
    places = sentence_places(sheet, passage)
    # Not by @: BLAS splits a product by its number of threads, and rounds differently where it splits.
    cosines_TQ = np.einsum("tw,qw->tq", rows_at_length_one(vectors_TW[1:-1]), asked.tokens)
    best_Q = cosines_TQ.argmax(axis=0)
    where_S = np.flatnonzero(np.diff(places, prepend=-1))
    cosines_SQ = np.maximum.reduceat(cosines_TQ, where_S, axis=0)
    means = cosines_SQ.mean(axis=1)
    nearest = int(means.argmax())
    by_sentence = np.full(len(sheet.spans), -1, dtype=np.float32)
    by_sentence[places[where_S]] = means
    return Match(
        document=float(unit(vectors_TW.mean(axis=0)) @ asked.vector),
        words=cosines_TQ[best_Q, np.arange(len(best_Q))],
        word_places=places[best_Q],
        sentence=cosines_SQ[nearest],
        sentence_place=int(places[where_S[nearest]]),
        by_sentence=by_sentence,
    )


def sentence_places(sheet: Sheet, passage: Passage) -> Places:
    """For each token between the markers, the sentence that it stands in."""
    return np.array([sheet.place(start) for start, _ in passage.offsets], dtype=np.intp)


def read_query(text: str, passages: Sequence[Passage], vectors: Sequence[Vectors], continues: frozenset[int]) -> Asked:
    """A query from its passages and their token vectors.

    Args:
        text: the query.
        passages: its passages; neighbours overlap, and a token is taken from the first that holds it.
        vectors: token vectors [T, W] of each.
        continues: ids of word pieces that continue a word.
    """
    whole = unit(np.sum([unit(v.mean(axis=0)) for v in vectors], axis=0, dtype=np.float32))
    rows: list[Vectors] = []
    words: list[tuple[int, int]] = []
    owner: list[int] = []
    seen = -1
    for passage, vectors_TW in zip(passages, vectors, strict=True):
        before = seen  # within a passage several pieces may start alike: the letters of one Korean syllable
        for place, (start, end) in enumerate(passage.offsets):
            if start <= before or not any(c.isalnum() for c in text[start:end]):
                continue
            seen = start
            if passage.ids[place + 1] in continues and words:
                words[-1] = (words[-1][0], end)
            else:
                words.append((start, end))
            rows.append(vectors_TW[place + 1])
            owner.append(len(words) - 1)
    tokens = rows_at_length_one(np.stack(rows)) if rows else np.zeros((0, len(whole)), dtype=np.float32)
    names = [text[a:b].lower() for a, b in words]
    return Asked(whole, tokens, tuple(names[i] for i in owner), sum(len(p.ids) for p in passages))
