"""The steps of an experiment: samples, candidates, reranking that is taken up again, reasons."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from whyrank import datasets
from whyrank.errors import MissingFile
from whyrank.experiment import steps
from whyrank.experiment.store import Store
from whyrank.rankers.outcome import in_order
from whyrank.types import Decomposition, Document, Progress, Query, Ranking, Term, Usage


def silent(_name: str) -> Progress:
    return lambda _done, _total: None


class Shortest:
    """Ranks by length, and counts what it was asked."""

    name = "shortest@1"

    def __init__(self, fails_after: int = 10**9) -> None:
        self.asked: list[str] = []
        self.fails_after = fails_after

    def rerank_many(
        self, rankings: Sequence[Ranking], *, depth: int | None = None, progress: Progress | None = None
    ) -> list[Ranking]:
        if len(self.asked) + len(rankings) > self.fails_after:
            raise KeyboardInterrupt
        self.asked += [ranking.query.id for ranking in rankings]
        scores = [[-float(len(hit.document.text)) for hit in r.hits[:depth]] for r in rankings]
        usage = Usage(calls=1, documents=3, seconds=0.25)
        return [in_order(r, s, ranker=self.name, usage=usage) for r, s in zip(rankings, scores, strict=True)]

    def score(self, query: Query, documents: Sequence[Document], first_scores: Sequence[float | None]) -> list[float]:
        return [-float(len(document.text)) for document in documents]

    def decompose(
        self, query: Query, documents: Sequence[Document], first_scores: Sequence[float | None]
    ) -> list[Decomposition]:
        scores = self.score(query, documents, first_scores)
        return [Decomposition(d.id, s, (Term("length", s),), ()) for d, s in zip(documents, scores, strict=True)]

    def floor(self, first_score: float | None) -> float:
        return -1e9


def lists(queries: int, size: int = 4) -> list[Ranking]:
    texts = [Document(f"d{i}", "word " * (7 * i % 5 + 1) + ".") for i in range(size)]
    return [
        Ranking.of(Query(f"q{n}", f"query {n}"), texts, [float(size - i) for i in range(size)]) for n in range(queries)
    ]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "s.jsonl") as opened:
        yield opened


def test_samples_do_not_depend_on_the_order() -> None:
    ids = [f"q{i}" for i in range(20)]
    drawn = steps.sample(ids, 5, seed=1)
    assert len(drawn) == 5
    assert drawn == steps.sample(ids[::-1], 5, seed=1) != steps.sample(ids, 5, seed=2)
    assert steps.sample(ids, None, seed=1) == steps.sample(ids, 50, seed=1) == set(ids)


def test_a_killed_reranking_is_taken_up_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "BATCH", 8)  # two lists of four
    given = lists(7)
    with Store(tmp_path / "s.jsonl") as store, pytest.raises(KeyboardInterrupt):
        steps.reranked(given, Shortest(fails_after=5), 4, store, silent(""))
    again, said = Shortest(), list[tuple[int, int]]()
    with Store(tmp_path / "s.jsonl") as store:
        found = steps.reranked(given, again, 4, store, lambda done, total: said.append((done, total)))
    assert again.asked == ["q4", "q5", "q6"]
    assert said == [(4, 7), (6, 7), (7, 7)]
    assert found == Shortest().rerank_many(given, depth=4)


def test_what_was_stored_is_the_same_ranking(store: Store) -> None:
    given = lists(2, size=6)
    fresh = Shortest().rerank_many(given, depth=3)
    once = steps.reranked(given, Shortest(), 3, store, silent(""))
    stored = steps.reranked(given, Shortest(), 3, store, silent(""))
    assert once == stored == fresh
    assert stored[0].hits[-1].score is None  # below the depth


@pytest.mark.parametrize("change", ["depth", "text", "score", "ranker"])
def test_whatever_changes_is_ranked_again(store: Store, change: str) -> None:
    given, other = lists(1), lists(1)
    ranker = Shortest()
    steps.reranked(given, ranker, 4, store, silent(""))
    if change == "text":
        other = [Ranking.of(given[0].query, [*given[0].documents[:3], Document("d3", "new")], [4.0, 3.0, 2.0, 1.0])]
    if change == "score":
        other = [Ranking.of(given[0].query, given[0].documents, [9.0, 3.0, 2.0, 1.0])]
    if change == "ranker":
        ranker.name = "shortest@2"
    steps.reranked(other, ranker, 3 if change == "depth" else 4, store, silent(""))
    assert ranker.asked == ["q0", "q0"]


def test_reasons_are_found_once(store: Store) -> None:
    ranked = Shortest().rerank_many(lists(3))
    first = steps.explained(ranked, Shortest(), 2, store, silent(""))
    assert [len(ranking) for ranking in first] == [3, 3, 3]
    assert all(r.explanations is not None and len(r.explanations.direct) == 2 for r in first)

    class Mute(Shortest):
        def decompose(self, *_: object) -> list[Decomposition]:
            raise AssertionError("asked again")

    assert steps.explained(ranked, Mute(), 2, store, silent("")) == first


def test_excluded_documents_are_gone_and_the_others_move_up() -> None:
    [given] = lists(1)
    [ranked] = Shortest().rerank_many([given])
    left = steps.without(ranked, {"d1", "absent"})
    assert set(left.ids) == {"d0", "d2", "d3"}
    assert {hit.document.id: hit.first_rank for hit in left} == {"d0": 1, "d2": 2, "d3": 3}
    assert [hit.score for hit in left] == [hit.score for hit in ranked if hit.document.id != "d1"]
    assert steps.without(ranked, ()) is ranked


def test_an_excluded_document_is_neither_ranked_nor_in_the_way(tmp_path: Path) -> None:
    for name, text in {
        "queries.jsonl": '{"_id": "q", "text": "blue sky"}\n',
        "corpus.jsonl": "".join(f'{{"_id": "d{i}", "text": "blue sky {i}"}}\n' for i in range(4)),
        "qrels.trec": "q 0 d0 1\nq 0 d1 -100\n",
        "first.trec": "".join(f"q Q0 d{i} {i + 1} {9 - i} x\n" for i in range(4)),
    }.items():
        (tmp_path / name).write_text(text)
    own = datasets.load(tmp_path)
    [found] = steps.candidates(own, "first", 3, frozenset({"q"}), tmp_path, silent)
    assert found.ids == ("d0", "d2", "d3")
    assert [hit.first_rank for hit in found] == [1, 2, 3]
    [searched] = steps.candidates(own, "bm25", 3, frozenset({"q"}), tmp_path, silent)
    assert len(searched) == 3
    assert "d1" not in searched.ids


def test_candidates(tmp_path: Path) -> None:
    demo = datasets.load("demo")
    wanted = frozenset(query.id for query in demo.queries[:2])
    found = steps.candidates(demo, "bm25", 5, wanted, tmp_path, silent)
    assert {ranking.query.id for ranking in found} == wanted
    assert max(len(ranking) for ranking in found) == 5
    [index] = tmp_path.glob("*.index")
    assert steps.candidates(demo, "bm25", 5, wanted, tmp_path, silent) == found
    assert list(tmp_path.glob("*.index")) == [index]
    with pytest.raises(MissingFile, match="'splade' is neither a file nor a run of demo"):
        steps.candidates(demo, "splade", 5, wanted, tmp_path, silent)
