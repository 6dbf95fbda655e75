"""Does the rationale name what people name? Agreement with marked sentences; it says nothing about faithfulness.

Jacovi and Goldberg, 2020, keep the two apart: a reason may please and be untrue of the model. Overlap measures are
those of DeYoung et al., 2020 (ERASER), section 4, on words by their place.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from whyrank.evaluate.reasons.erasure import Measured
from whyrank.evaluate.reasons.rationales import (
    Rationale,
    Rationales,
    check_aligned,
    sentences_of,
    shared_documents,
    words_of,
)
from whyrank.evaluate.results import Evaluation, Proportion
from whyrank.types import Document, Field, Ranking, Span

MEASURES = ("hit@1", "MRR", "token F1", "token IoU")


def plausibility(
    rankings: Sequence[Ranking], methods: Mapping[str, Sequence[Rationales]], marked: Sequence[Rationales]
) -> Measured:
    """Agreement of rationales with what people marked.

    A marked sentence is one at least half of whose words are marked; where there is none, the one with most marked
    words. "hit@1": the first of the rationale is, for at least half of its words, marked sentences. "MRR": 1 / place of
    the first such in the rationale, 0 if there is none. "token F1", "token IoU": words of the first of the rationale
    against words of the marked sentences. A query's value is the mean over its documents that have marks, more than one
    sentence, and a rationale by every method.

    Args:
        rankings: queries and their documents.
        methods: name → for each query its rationales.
        marked: for each query: document id → spans that people marked; {} where nobody did.

    Raises:
        BadInput: rationales or marks that do not fit the rankings.
        DuplicateId: two rankings are for one query.
    """
    check_aligned(rankings, methods)
    check_aligned(rankings, {"marked": marked})
    values_AQM = np.full((len(methods), len(rankings), len(MEASURES)), np.nan)
    looked_at = kept = 0
    for q, ranking in enumerate(rankings):
        mine = {name: given[q] for name, given in methods.items()}
        with_marks = [d for d in ranking.documents if marked[q].get(d.id)]
        shared = {document.id for document in shared_documents(ranking, mine)}
        used = [d for d in with_marks if d.id in shared and len(sentences_of(d)) > 1]
        looked_at += len(with_marks)
        kept += len(used)
        for a, given in enumerate(mine.values()):
            if used:
                values_AQM[a, q] = np.mean([_agreement(d, given[d.id], marked[q][d.id]) for d in used], axis=0)
    queries = tuple(ranking.query.id for ranking in rankings)
    return Measured(
        tuple(Evaluation(name, MEASURES, queries, own) for name, own in zip(methods, values_AQM, strict=True)),
        (Proportion("documents measured", kept, looked_at, "marked, of several sentences, with a rationale by all"),),
    )


def found_loosely(quote: str, text: str, field: Field = "text") -> Span | None:
    """Where a quote stands in a text if only letters and digits count and case does not; None if it does not.

    For marks that were lower-cased or tokenised on their way. A quote of a model is held to the letter, see `quoted`.
    """
    places = [(i, c) for i, original in enumerate(text) for c in original.lower() if c.isalnum()]
    wanted = "".join(c for c in quote.lower() if c.isalnum())
    start = "".join(c for _, c in places).find(wanted) if wanted else -1
    return Span(places[start][0], places[start + len(wanted) - 1][0] + 1, field) if start >= 0 else None


def _agreement(document: Document, rationale: Rationale, marks: Rationale) -> tuple[float, ...]:
    sentences = {s: _places(document, [s]) for s in sentences_of(document)}
    marked_words = _places(document, marks)
    gold = [s for s, words in sentences.items() if 2 * len(words & marked_words) >= len(words) > 0]
    gold = gold or [max(sentences, key=lambda s: len(sentences[s] & marked_words))]
    gold_words = _places(document, gold)
    hits = [_mostly_in(_places(document, [span]), gold_words) for span in rationale]
    first = _places(document, rationale[:1])
    both = len(first & gold_words)
    return (
        float(hits[0]),
        1 / (1 + hits.index(True)) if any(hits) else 0.0,
        2 * both / (len(first) + len(gold_words)) if both else 0.0,
        both / len(first | gold_words) if both else 0.0,
    )


def _mostly_in(words: set[tuple[Field, int]], gold: set[tuple[Field, int]]) -> bool:
    return 2 * len(words & gold) >= len(words) > 0


def _places(document: Document, spans: Sequence[Span]) -> set[tuple[Field, int]]:
    """Words by their place: field and first code point."""
    return {(span.field, start) for span in spans for start, _ in words_of(document, span)}
