"""Do reasons rest on what stands there? Quotes, numbers, statements of order, and stated relevance against the rank.

They take texts of any writer: `told(ranking)` for a ranking with explanations, or `Told` records of a recorded teacher.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from typing import NamedTuple

from whyrank.errors import BadInput
from whyrank.evaluate.reasons.statements import (
    PLAIN,
    Number,
    OrderPattern,
    OrderStatement,
    Reason,
    Told,
    numbers,
    order_statements,
    polarity,
    rounds_to,
    spelled_numbers,
    without_ranks,
    without_references,
)
from whyrank.evaluate.results import Proportion
from whyrank.types import Document, Evidence, Hit, Ranking

EMPTY_QUOTES = frozenset({"", "n a", "none", "not applicable"})
"""What says that there is nothing to quote, after `normalised`."""

_NO_WORD = re.compile(r"[\W_]+")


class QuoteChecks(NamedTuple):
    """What became of the quotes of some reasons.

    Attributes:
        exact: of all quotes, empty ones included, those that stand in their document to the letter.
        exact_given: of the quotes that are not empty, the same.
        normalised: of all quotes, those that stand in it after `normalised`.
        normalised_given: of the quotes that are not empty, the same.
        empty: of all quotes, those that say that there is none (`EMPTY_QUOTES`); they never count as found.
        located: of the quotes that come with a span, those that are exactly the words at it.
    """

    exact: Proportion
    exact_given: Proportion
    normalised: Proportion
    normalised_given: Proportion
    empty: Proportion
    located: Proportion


class NumberChecks(NamedTuple):
    """What became of the numbers in some reasons.

    Attributes:
        unsupported: of all numbers that must be supported, those that stand nowhere.
        reasons: of the reasons with such a number, those with an unsupported one.
    """

    unsupported: Proportion
    reasons: Proportion


class PolarityChecks(NamedTuple):
    """How often stated relevance contradicts the rank; direct reasons only, and only those of one clear polarity.

    Attributes:
        first_denied: of the first documents, those said not to answer.
        last_affirmed: of the last documents of lists of two or more, those said to answer.
        turned: of the pairs of a document said to answer and one said not to, those with the latter above.
    """

    first_denied: Proportion
    last_affirmed: Proportion
    turned: Proportion


class _Quote(NamedTuple):
    document: Document
    evidence: Evidence


def normalised(text: str) -> str:
    """Lower case, letters and digits only, words parted by one space.

    >>> normalised("The sky--it’s BLUE!")
    'the sky it s blue'
    """
    return _NO_WORD.sub(" ", text.lower()).strip()


def check_quotes(rankings: Iterable[Ranking]) -> QuoteChecks:
    """Look every quote up: the evidence of direct reasons, and the sentences that counterfactuals remove.

    A quote stands in its document if it is a stretch of its text or of its title.

    Raises:
        BadInput: a quoted document is not in the ranking, or no document of a ranking has text.
    """
    quotes = [quote for ranking in rankings for quote in _quotes(ranking)]
    given = [q for q in quotes if normalised(q.evidence.quote) not in EMPTY_QUOTES]
    exact, loose = sum(map(_is_exact, given)), sum(map(_is_near, given))
    placed = [q for q in quotes if q.evidence.span is not None]
    return QuoteChecks(
        Proportion("exact quotes", exact, len(quotes), "all quotes; found to the letter in the text or title"),
        Proportion("exact quotes, of those given", exact, len(given), "quotes that are not empty"),
        Proportion("normalised quotes", loose, len(quotes), "all quotes; lower case, letters and digits only"),
        Proportion("normalised quotes, of those given", loose, len(given), "quotes that are not empty"),
        Proportion("empty quotes", len(quotes) - len(given), len(quotes), "nothing, “None”, “N/A”, “Not applicable”"),
        Proportion("located quotes", sum(map(_is_located, placed)), len(placed), "exactly the words at their span"),
    )


def check_numbers(tellings: Iterable[Told]) -> NumberChecks:
    """Look every number of the reasons up in what they may draw on.

    A number is supported if the same value stands, in digits or as a number word, in the query, in the document that
    the reason is about or in one it compares it with. References to passages of the list by number, and ranks that
    one of these documents has or had, are not counted. A number that is, rounded as it stands, a score of the list or
    what the score's parts give (`Reason.values`, `Reason.counts`) is supported too.

    Raises:
        BadInput: a reason is about a document that is not in the ranking, or no document of a ranking has text.
    """
    cases = [case for one in tellings for reason in one.reasons for case in [_supported(one.ranking, reason)] if case]
    missing = sum(case.count(False) for case in cases)
    return NumberChecks(
        Proportion("unsupported numbers", missing, sum(map(len, cases)), "in neither the query nor the documents"),
        Proportion(
            "reasons with one", sum(not all(case) for case in cases), len(cases), "of the reasons with a number"
        ),
    )


def check_order(tellings: Iterable[Told], pattern: OrderPattern = PLAIN) -> Proportion:
    """The statements of order that agree with the ranking: every passage that is named stands on the stated side.

    Passages are named by their number in the list as it was given (`Hit.first_rank`). A statement that names a
    passage which is not there, or the one it is about, agrees with no order.

    Raises:
        BadInput: a reason is about a document that is not in the ranking.
    """
    cases = [
        _agrees(one.ranking, _hit(one.ranking, reason.about), statement)
        for one in tellings
        for reason in one.reasons
        for statement in order_statements(reason.text, pattern)
    ]
    return Proportion(f"order statements ({pattern.name})", sum(cases), len(cases), "all passages on the stated side")


def check_polarity(tellings: Iterable[Told]) -> PolarityChecks:
    """Hold stated relevance (`whyrank.evaluate.reasons.statements.polarity`) against the order.

    A document with several direct reasons has the polarity on which those that have one agree.

    Raises:
        BadInput: a reason is about a document that is not in the ranking.
    """
    stated = [_stated(one) for one in tellings]
    firsts = [own[0] for own in stated if own and own[0] in ("positive", "negative")]
    lasts = [own[-1] for own in stated if len(own) > 1 and own[-1] in ("positive", "negative")]
    pairs = [no < yes for own in stated for yes, no in product(_places(own, "positive"), _places(own, "negative"))]
    return PolarityChecks(
        Proportion("first denied", firsts.count("negative"), len(firsts), "first documents with one clear polarity"),
        Proportion("last affirmed", lasts.count("positive"), len(lasts), "last documents with one clear polarity"),
        Proportion("turned pairs", sum(pairs), len(pairs), "one said to answer, one not: the latter stands above"),
    )


def _quotes(ranking: Ranking) -> Iterator[_Quote]:
    explanations = ranking.explanations
    if explanations is None:
        return
    _need_text(ranking)
    for direct in explanations.direct:
        document = _hit(ranking, direct.document_id).document
        yield from (_Quote(document, evidence) for evidence in direct.evidence)
    for comparison in explanations.comparisons:
        found = comparison.counterfactual
        if found is not None:
            document = _hit(ranking, comparison.upper_id).document
            for place, quote in enumerate(found.quotes):
                span = found.removed[place] if place < len(found.removed) else None
                yield _Quote(document, Evidence(quote, span))


def _is_exact(quote: _Quote) -> bool:
    return quote.evidence.quote in quote.document.text or quote.evidence.quote in (quote.document.title or "")


def _is_near(quote: _Quote) -> bool:
    said = normalised(quote.evidence.quote)
    return said in normalised(quote.document.text) or said in normalised(quote.document.title or "")


def _is_located(quote: _Quote) -> bool:
    assert quote.evidence.span is not None
    try:
        return quote.document.quote(quote.evidence.span) == quote.evidence.quote
    except BadInput:
        return False


def _supported(ranking: Ranking, reason: Reason) -> list[bool]:
    """For each number of the reason that must be supported, whether it is."""
    _need_text(ranking)
    hits = [_hit(ranking, name) for name in (reason.about, *reason.beside)]
    ranks = {ranking.ids.index(h.document.id) + 1 for h in hits} | {h.first_rank for h in hits if h.first_rank}
    text = without_references(reason.text, {h.first_rank or place for place, h in enumerate(ranking.hits, 1)})
    said = numbers(without_ranks(text, ranks))
    if not said:
        return []
    sources = "\n".join([ranking.query.text, *(h.document.full_text for h in hits)])
    there = {number.value for number in numbers(sources)} | spelled_numbers(sources)
    return [number.value in there or _is_of_the_ranking(number, ranking, reason) for number in said]


def _is_of_the_ranking(number: Number, ranking: Ranking, reason: Reason) -> bool:
    if not number.decimals:
        return int(number.value) in reason.counts
    scores = [s for hit in ranking.hits for s in (hit.score, hit.first_score) if s is not None]
    return any(rounds_to(value, number) for value in (*scores, *reason.values))


def _agrees(ranking: Ranking, about: Hit, statement: OrderStatement) -> bool:
    places = {hit.first_rank: place for place, hit in enumerate(ranking.hits)}
    own = places[about.first_rank]
    return all(
        label in places and own != places[label] and (own < places[label]) == statement.is_above
        for label in statement.named
    )


def _stated(one: Told) -> list[str]:
    """The polarity of each document, in rank order; "none" where nothing direct is said of it."""
    said: list[set[str]] = [set() for _ in one.ranking.hits]
    for reason in one.reasons:
        if not reason.beside:
            said[one.ranking.hits.index(_hit(one.ranking, reason.about))].add(polarity(reason.text))
    clear = [own - {"none"} for own in said]
    return [own.pop() if len(own) == 1 else "mixed" if own else "none" for own in clear]


def _places(stated: Sequence[str], wanted: str) -> list[int]:
    return [place for place, own in enumerate(stated) if own == wanted]


def _hit(ranking: Ranking, name: str) -> Hit:
    for hit in ranking.hits:
        if hit.document.id == name:
            return hit
    raise BadInput(
        f"query {ranking.query.id!r}: a reason is about document {name!r}, which is not in the ranking; give the "
        "ranking that the reasons were written for"
    )


def _need_text(ranking: Ranking) -> None:
    if ranking.hits and not any(hit.document.full_text.strip() for hit in ranking.hits):
        raise BadInput(
            f"query {ranking.query.id!r}: none of its {len(ranking.hits)} documents has text, so nothing can be looked "
            "up in them; read the run with its corpus"
        )
