"""Do the order and the reasons stay when nothing that matters changes? Other input order, more white space, no reasons.

# Q queries, M measures
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from math import nan
from typing import NamedTuple, TypeAlias
from zlib import crc32

import numpy as np

from whyrank.evaluate.results import Evaluation, Proportion
from whyrank.types import Document, Explanations, Hit, Ranking, Reranker

Answer: TypeAlias = Callable[[Sequence[Ranking]], Sequence[Ranking]]
"""From candidates to rankings with explanations: the whole way of a user's question."""

MEASURES = tuple(
    f"{what}, {change}"
    for change in ("shuffled", "spaced")
    for what in ("order", "order but for ties", "first evidence", "texts", "texts but for quotes")
)
"""1 where it stays the same, 0 where it does not, NaN where there is nothing to compare."""

_QUOTE = re.compile("“[^”]*”")


class Alike(NamedTuple):
    """What two answers to one question have in common.

    Attributes:
        order: the same documents in the same places.
        order_but_for_ties: the same, where documents with the same score may change places.
        first_evidence: the same documents have reasons, each with the same first quote, white space aside; None where
            neither answer has any.
        texts: the same reasons, direct and comparing, word for word, white space aside; None where neither has any.
        texts_but_for_quotes: the same, with what stands between “ and ” left out: a quote that is shown only in part
            is cut elsewhere when white space is added.
    """

    order: bool
    order_but_for_ties: bool
    first_evidence: bool | None
    texts: bool | None
    texts_but_for_quotes: bool | None


def stability(answer: Answer, rankings: Sequence[Ranking], *, seed: int = 0, name: str = "") -> Evaluation:
    """Ask again with the candidates shuffled, and with white space added, and compare (`MEASURES`).

    Args:
        answer: what is measured; it is given all queries at once, three times.
        rankings: candidates.
        seed: of both changes; each query's own depends on it and on the query's id.
        name: the system's.
    """
    before = answer(rankings)
    changed = [answer([change(ranking, seed) for ranking in rankings]) for change in (shuffled, spaced)]
    rows = [
        [nan if value is None else float(value) for after in several for value in alike(one, after)]
        for one, *several in zip(before, *changed, strict=True)
    ]
    values_QM = np.array(rows, dtype=np.float64).reshape(len(rows), len(MEASURES))
    return Evaluation(name, MEASURES, tuple(r.query.id for r in rankings), values_QM)


def shuffled(ranking: Ranking, seed: int = 0) -> Ranking:
    """The same candidates in random order; first-stage scores and original ranks travel with them."""
    order = _random(ranking, seed).permutation(len(ranking.hits))
    return replace(ranking, hits=tuple(ranking.hits[i] for i in order))


def spaced(ranking: Ranking, seed: int = 0) -> Ranking:
    """The same candidates with white space added: half of the spaces doubled, two in front, a line break at the end.

    No line is parted and no word: what a reader sees on a page stays the same.
    """
    random = _random(ranking, seed)

    def wider(text: str) -> str:
        return "  " + "".join("  " if c == " " and random.random() < 0.5 else c for c in text) + "\n"

    def version(document: Document) -> Document:
        return replace(document, text=wider(document.text), title=document.title and wider(document.title))

    return replace(ranking, hits=tuple(replace(hit, document=version(hit.document)) for hit in ranking.hits))


def alike(one: Ranking, other: Ranking) -> Alike:
    """Compare two answers to the same question."""
    return Alike(
        one.ids == other.ids,
        _up_to_ties(one) == _up_to_ties(other),
        _same(_first_quotes(one), _first_quotes(other)),
        _same(_texts(one), _texts(other)),
        _same(*({pair: _QUOTE.sub("“”", text) for pair, text in _texts(r).items()} for r in (one, other))),
    )


def unchanged_by_explaining(
    reranker: Reranker, explain: Callable[[Ranking], Explanations], rankings: Sequence[Ranking]
) -> Proportion:
    """The queries whose order and scores are the same, bit for bit, without reasons and with them.

    Each query is reranked in one batch with all others and never explained; then alone, explained, and reranked once
    more. All three must agree, and the reasons must stand in the order of the ranking.
    """
    cases = []
    for given, off in zip(rankings, reranker.rerank_many(rankings), strict=True):
        [on] = reranker.rerank_many([given])
        explained = replace(on, explanations=explain(on))
        [again] = reranker.rerank_many([given])
        cases.append(_bits(off) == _bits(explained) == _bits(again) and _is_told_in_order(explained))
    return Proportion("unchanged by explaining", sum(cases), len(cases), "the same documents and bits of scores")


def _random(ranking: Ranking, seed: int) -> np.random.Generator:
    return np.random.default_rng([seed, crc32(ranking.query.id.encode())])


def _bits(ranking: Ranking) -> list[tuple[str, str | None]]:
    return [(h.document.id, None if h.score is None else float(h.score).hex()) for h in ranking.hits]


def _is_told_in_order(ranking: Ranking) -> bool:
    explanations = ranking.explanations or Explanations()
    places = {name: place for place, name in enumerate(ranking.ids)}
    direct = [places[d.document_id] for d in explanations.direct]
    return direct == sorted(direct) and all(places[c.upper_id] < places[c.lower_id] for c in explanations.comparisons)


def _up_to_ties(ranking: Ranking) -> list[str]:
    """The ids, those of equal scores by name; documents that were not read keep their places."""

    def place(numbered: tuple[int, Hit]) -> tuple[bool, float, int, str]:
        number, hit = numbered
        return (True, 0.0, number, "") if hit.score is None else (False, -hit.score, 0, hit.document.id)

    return [hit.document.id for _, hit in sorted(enumerate(ranking.hits), key=place)]


def _same(one: dict[str, str], other: dict[str, str]) -> bool | None:
    return one == other if one or other else None


def _first_quotes(ranking: Ranking) -> dict[str, str]:
    direct = ranking.explanations.direct if ranking.explanations else ()
    return {d.document_id: _one_spaced(d.evidence[0].quote) for d in direct if d.evidence}


def _texts(ranking: Ranking) -> dict[str, str]:
    if ranking.explanations is None:
        return {}
    direct = {d.document_id: _one_spaced(d.text) for d in ranking.explanations.direct}
    compared = {
        f"{c.upper_id} > {c.lower_id}": _one_spaced(f"{c.text} {c.counterfactual.text if c.counterfactual else ''}")
        for c in ranking.explanations.comparisons
    }
    return direct | compared


def _one_spaced(text: str) -> str:
    return " ".join(text.split())
