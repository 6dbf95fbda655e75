"""What a rationale is, who gives one, and how much of it is looked at.

A rationale of a (query, document) is the document's sentences in the order of their importance for the query. Ours
come from the score taken apart; a language model's are its quotes, found in the document; the baselines are every
sentence in random order, in reading order, and by BM25. A title is one sentence and comes first in reading order, as
the evidence ranker reads it.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from random import Random
from typing import NamedTuple, TypeAlias

from whyrank.errors import BadInput, DuplicateId
from whyrank.evaluate.reasons.judges import Lexical
from whyrank.rankers.matching import Sheet
from whyrank.text import tokens
from whyrank.types import Decomposition, Direct, Document, Ranking, Span

Rationale: TypeAlias = tuple[Span, ...]
"""Spans of a document, the most important first."""

Rationales: TypeAlias = Mapping[str, Rationale]
"""For one query: document id → rationale. A document without one is absent."""

LEVELS = ("1", "2", "3", "10%", "20%", "50%")
"""How much of a rationale is looked at: at most so many sentences, or so much of the document's words."""


def sentences_of(document: Document) -> Rationale:
    """The sentences of a document as the evidence ranker reads it, in reading order; a title is one, and the first."""
    return Sheet.of(document).spans


def words_of(document: Document, span: Span) -> list[tuple[int, int]]:
    """Code points [start, end), in the span's field, of each word of a span. A Han or Hiragana character is a word."""
    return [(span.start + t.start, span.start + t.end) for t in tokens(document.quote(span), "none")]


def by_contribution(ranking: Ranking, reasons: Iterable[Decomposition | Direct]) -> dict[str, Rationale]:
    """The evidence of a score that can be taken apart: all sentences, the most telling first.

    A decomposition says itself what that is (`Decomposition.rationale`), and direct reasons show its first ones. Of a
    direct reason alone: what carries most first, ties in reading order, and what carries nothing between what adds and
    what takes away.

    Args:
        ranking: the query and its documents.
        reasons: of some or all of these documents, with the terms of their scores.

    Raises:
        BadInput: a reason of a document that is not in the ranking.
    """
    documents = {document.id: document for document in ranking.documents}
    found = {}
    for reason in reasons:
        if isinstance(reason, Decomposition):
            found[_of(reason.document_id, documents, ranking).id] = reason.rationale()
            continue
        carried = dict.fromkeys(sentences_of(_of(reason.document_id, documents, ranking)), 0.0)
        for term in reason.terms:
            if term.span is not None:
                carried[term.span] = carried.get(term.span, 0.0) + term.value
        found[reason.document_id] = tuple(sorted(carried, key=lambda span: (-carried[span], reading_order(span))))
    return found


def quoted(ranking: Ranking, reasons: Iterable[Direct]) -> dict[str, Rationale]:
    """What the reasons show and no more: their quotes, in their order. Any reason will do, a language model's too.

    A quote without a span is looked for in the text and in the title, to the letter. A reason none of whose quotes is
    found gives no rationale.

    Raises:
        BadInput: a reason of a document that is not in the ranking.
    """
    documents = {document.id: document for document in ranking.documents}
    found = {}
    for reason in reasons:
        document = _of(reason.document_id, documents, ranking)
        spans = (e.span or _exactly(e.quote, document) for e in reason.evidence)
        if rationale := tuple(dict.fromkeys(span for span in spans if span is not None)):
            found[document.id] = rationale
    return found


def at_random(ranking: Ranking, seed: int) -> dict[str, Rationale]:
    """Baseline: each document's sentences in an order that depends on the seed, the query and the document alone."""
    return {d.id: shuffled(d, f"{seed} {ranking.query.id}") for d in ranking.documents}


def lead(ranking: Ranking, *, title_first: bool = True) -> dict[str, Rationale]:
    """Baseline: the sentences as they are read; the title first, or last."""
    return {
        d.id: tuple(sorted(sentences_of(d), key=lambda s: (s.field == "title") != title_first))
        for d in ranking.documents
    }


def by_bm25(ranking: Ranking, *, language: str = "en") -> dict[str, Rationale]:
    """Baseline: sentences by their BM25 score, ties in reading order.

    Document frequencies and mean length are those of the sentences of all candidates of the query.
    """
    sentences = {d.id: [(span, d.quote(span)) for span in sentences_of(d)] for d in ranking.documents}
    lexical = Lexical([text for own in sentences.values() for _, text in own], language=language)
    found = {}
    for identifier, own in sentences.items():
        scores = lexical.scores(ranking.query.text, [text for _, text in own])
        order = sorted(range(len(own)), key=lambda i: (-scores[i], i))
        found[identifier] = tuple(own[i][0] for i in order)
    return found


def shuffled(document: Document, seed: str) -> Rationale:
    """The sentences of a document in an order that depends on the seed and the document's id alone."""
    sentences = list(sentences_of(document))
    bits = sha256(f"{seed} {document.id}".encode()).digest()
    Random(int.from_bytes(bits)).shuffle(sentences)  # noqa: S311 – a baseline, not a secret
    return tuple(sentences)


class Level(NamedTuple):
    """How much is looked at: `number` sentences, or per cent of the document's words."""

    number: int
    is_share: bool


def parse_level(level: str) -> Level:
    """Read "2" or "20%".

    Raises:
        BadInput: it is neither.
    """
    number = level.removesuffix("%")
    if not (number.isascii() and number.isdigit() and int(number)):
        raise BadInput(f"level is {level!r}; give a number of sentences such as '2', or a share of words such as '20%'")
    return Level(int(number), number != level)


def upto(document: Document, rationale: Rationale, level: str) -> Rationale:
    """The best of a rationale: as many sentences, or as much of the document's words, as `level` says.

    Args:
        document: the document.
        rationale: its spans, the best first.
        level: "2" for at most two sentences; "20%" for a fifth of the document's words, rounded up, the last sentence
            cut where they are used up.

    Raises:
        BadInput: the level is neither.
    """
    number, is_share = parse_level(level)
    if not is_share:
        return rationale[:number]
    total = sum(len(words_of(document, span)) for span in sentences_of(document))
    return upto_words(document, rationale, -(-total * number // 100))


def upto_words(document: Document, rationale: Rationale, count: int) -> Rationale:
    """The best of a rationale up to `count` words, the last span cut after its last word that fits."""
    kept: list[Span] = []
    for span in rationale:
        words = words_of(document, span)
        if count <= 0:
            break
        if len(words) > count:
            kept.append(Span(span.start, words[count - 1][1], span.field))
            break
        kept.append(span)
        count -= len(words)
    return tuple(kept)


def reading_order(span: Span) -> tuple[bool, int, int]:
    """Sorts spans as they are read: the title before the text."""
    return span.field != "title", span.start, span.end


def shared_documents(ranking: Ranking, methods: Mapping[str, Rationales]) -> list[Document]:
    """The documents, best first, for which every method has a rationale: only there can they be compared."""
    return [d for d in ranking.documents if all(methods[name].get(d.id) for name in methods)]


def _exactly(quote: str, document: Document) -> Span | None:
    if not quote:
        return None
    for field in ("text", "title"):
        start = document.field_text(field).find(quote)
        if start >= 0:
            return Span(start, start + len(quote), field)
    return None


def _of(identifier: str, documents: Mapping[str, Document], ranking: Ranking) -> Document:
    if identifier not in documents:
        raise BadInput(
            f"query {ranking.query.id!r}: a reason is of document {identifier!r}, which is not in the ranking; "
            "give the ranking that was explained"
        )
    return documents[identifier]


def check_aligned(rankings: Sequence[Ranking], methods: Mapping[str, Sequence[Rationales]]) -> None:
    """Refuse rationales that do not stand beside the rankings, one a query.

    Raises:
        BadInput: no ranking, no method, or a method with another number of queries.
        DuplicateId: two rankings are for one query.
    """
    if not rankings:
        raise BadInput("no rankings were given; give at least one, with the documents that were explained")
    counts = Counter(ranking.query.id for ranking in rankings)
    if repeated := [query for query, count in counts.items() if count > 1]:
        raise DuplicateId(f"query {repeated[0]!r} has {counts[repeated[0]]} rankings; give one a query")
    if not methods:
        raise BadInput("no rationales were given; give {'name of the method': [rationales of each query, …]}")
    for name, given in methods.items():
        if len(given) != len(rankings):
            raise BadInput(
                f"{name!r} has rationales for {len(given)} queries, the rankings are {len(rankings)}; give one each, "
                "{} for a query without any"
            )
