from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from whyrank.evaluate.reasons.stability import (
    MEASURES,
    alike,
    shuffled,
    spaced,
    stability,
    unchanged_by_explaining,
)
from whyrank.types import (
    Comparison,
    Direct,
    Document,
    Evidence,
    Explanations,
    Progress,
    Query,
    Ranking,
)

GIVEN = [
    Ranking.of(Query(f"q{n}", "sky"), [Document(str(i), "sky " * i + "and more words.") for i in range(8)])
    for n in range(5)
]


def by_words(rankings: Sequence[Ranking]) -> list[Ranking]:
    """Steady: more words are better; the reason quotes the text."""
    return [reasoned(scored(r, [float(len(d.text.split())) for d in r.documents])) for r in rankings]


def by_characters(rankings: Sequence[Ranking]) -> list[Ranking]:
    """Swayed by white space: the reason says how many characters there are."""
    scores = [[float(len(d.text)) for d in r.documents] for r in rankings]
    return [reasoned(scored(r, own), lambda d: f"{len(d.text)}") for r, own in zip(rankings, scores, strict=True)]


def by_place(rankings: Sequence[Ranking]) -> list[Ranking]:
    """Swayed by the order of the input."""
    return [reasoned(scored(r, [float(-i) for i in range(len(r))])) for r in rankings]


def all_the_same(rankings: Sequence[Ranking]) -> list[Ranking]:
    """Ties everywhere, kept in the order of the input; no reasons."""
    return [scored(r, [1.0] * len(r)) for r in rankings]


def scored(ranking: Ranking, scores: Sequence[float]) -> Ranking:
    hits = [replace(h, score=s) for h, s in zip(ranking.hits, scores, strict=True)]
    return replace(ranking, hits=tuple(sorted(hits, key=lambda h: -(h.score or 0.0))))


def reasoned(ranking: Ranking, text=lambda d: "“" + d.text[:9] + " …”") -> Ranking:  # type: ignore[no-untyped-def]
    best = ranking.documents[:2]
    direct = tuple(Direct(d.id, text(d), (Evidence(d.text, None),)) for d in best)
    return replace(ranking, explanations=Explanations(direct, (Comparison(best[0].id, best[1].id, "Longer."),)))


def means(answer: object) -> dict[str, float]:
    found = stability(answer, GIVEN, name="x")  # type: ignore[arg-type]
    assert found.queries == tuple(f"q{n}" for n in range(5))
    return {m: found.mean(m) for m in MEASURES}


def test_a_steady_answer_is_steady_but_for_where_its_quotes_are_cut() -> None:
    found = means(by_words)
    assert {m for m, share in found.items() if share < 1} == {"texts, spaced"}


def test_input_order_and_white_space_are_told_apart() -> None:
    place, characters = means(by_place), means(by_characters)
    assert place["order, shuffled"] == place["order but for ties, shuffled"] == 0.0
    assert place["first evidence, shuffled"] < 1
    assert place["order, spaced"] == 1.0
    assert characters["order, shuffled"] == characters["texts, shuffled"] == 1.0
    assert characters["texts but for quotes, spaced"] == 0.0


def test_ties_may_change_places_and_reasons_may_be_absent() -> None:
    found = means(all_the_same)
    assert found["order, shuffled"] == 0.0
    assert found["order but for ties, shuffled"] == 1.0
    assert np.isnan(found["texts, shuffled"])


def test_nothing_to_ask() -> None:
    assert stability(by_words, []).values_QM.shape == (0, len(MEASURES))


def test_a_shuffle_moves_whole_hits_and_depends_on_seed_and_query() -> None:
    ranking = replace(GIVEN[0], hits=tuple(replace(h, first_score=float(i)) for i, h in enumerate(GIVEN[0].hits)))
    moved = shuffled(ranking, 3)
    assert moved.ids != ranking.ids
    assert sorted(moved.hits, key=lambda hit: hit.first_rank) == list(ranking.hits)
    assert shuffled(ranking, 3) == moved
    assert shuffled(ranking, 4).ids != moved.ids
    assert len({shuffled(r, 3).ids for r in GIVEN}) > 1


def test_added_white_space_changes_no_word() -> None:
    document = Document("a", "a b\nc d e f g h i", title="T u", metadata={"k": 1})
    [changed] = spaced(Ranking.of("q", [document])).documents
    assert changed.text.split() == document.text.split()
    assert (changed.title or "").split() == ["T", "u"]
    assert len(document.text) + 3 < len(changed.text) < 2 * len(document.text)
    assert changed.text.strip().count("\n") == 1
    assert changed.metadata == document.metadata
    assert spaced(Ranking.of("q", ["x"])).documents[0].title is None


def test_unread_documents_keep_their_places() -> None:
    one = replace(GIVEN[0], hits=tuple(replace(h, score=None) for h in GIVEN[0].hits))
    other = replace(one, hits=one.hits[::-1])
    assert not alike(one, other).order_but_for_ties
    assert alike(one, one).order_but_for_ties


class Steady:
    name = "steady"

    def rerank_many(
        self, rankings: Sequence[Ranking], *, depth: int | None = None, progress: Progress | None = None
    ) -> list[Ranking]:
        return [scored(r, [self.score(d, len(rankings)) for d in r.documents]) for r in rankings]

    def score(self, document: Document, batch: int) -> float:
        return len(document.text) / 3


class Batched(Steady):
    """A last bit that depends on how many are asked at once."""

    def score(self, document: Document, batch: int) -> float:
        return float(np.nextafter(len(document.text) / 3, 99.0 * (batch > 1)))


class Swayed(Steady):
    """Prefers what it has given reasons for."""

    explained = 0.0

    def score(self, document: Document, batch: int) -> float:
        return len(document.text) - self.explained * (document.id == "7")

    def explain(self, ranking: Ranking) -> Explanations:
        self.explained = 1e6
        return Explanations()


def test_explaining_changes_nothing() -> None:
    found = unchanged_by_explaining(Steady(), lambda r: reasoned(r).explanations or Explanations(), GIVEN)
    assert (found.count, found.of) == (5, 5)


@pytest.mark.parametrize(
    ("reranker", "explain"),
    [
        (Batched(), lambda r: Explanations()),
        (swayed := Swayed(), swayed.explain),
        (Steady(), lambda r: Explanations(comparisons=(Comparison(r.ids[1], r.ids[0], ""),))),
        (Steady(), lambda r: Explanations(direct=(Direct(r.ids[1], ""), Direct(r.ids[0], "")))),
    ],
)
def test_what_explaining_changes_is_found(reranker: Steady, explain: object) -> None:
    assert unchanged_by_explaining(reranker, explain, GIVEN[:2]).share == 0.0  # type: ignore[arg-type]
