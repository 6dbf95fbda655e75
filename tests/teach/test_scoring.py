"""A scorer as a teacher: scores are computed once, belong to texts, and become records; several are an ensemble."""

import math
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whyrank.config import AskSettings, ModelSettings
from whyrank.errors import BadInput, BadRecord, BudgetSpent, UnknownName
from whyrank.lm.base import Reply
from whyrank.lm.fake import Fake
from whyrank.rankers.building import build
from whyrank.rankers.outcome import as_placed, in_order
from whyrank.teach import scoring
from whyrank.teach.asking import Outcome
from whyrank.teach.candidates import lists
from whyrank.teach.ensembles import check_weights, combined, ensemble_name, standardised
from whyrank.teach.filters import filter_records
from whyrank.teach.records import read_records, write_records
from whyrank.teach.score_store import ScoreStore
from whyrank.teach.scorers import ScoredLists, ScoreSettings, scorers
from whyrank.teach.scoring import Member, candidates, check_labels, score, score_records, scored_by, scored_in_run
from whyrank.teach.stats import stats
from whyrank.teach.store import Store
from whyrank.types import Document, Hit, Progress, Query, Ranking, Usage

FIVE = [Document(name, f"text {name}") for name in "abcde"]


def query(number: int, count: int = 3) -> Ranking:
    """A query whose candidates have first-stage scores."""
    return Ranking.of(Query(f"q{number}", f"question {number}"), FIVE[:count], [9.0 - n for n in range(count)])


class Lengths:
    """Scores a document by the last letter of its text, and remembers what it read."""

    def __init__(self, name: str = "lengths@1", scores: Mapping[str, float | None] | None = None) -> None:
        self.name = name
        self.read: list[tuple[str, str]] = []
        self.scores = scores

    def score(self, document: Document) -> float | None:
        return float(ord(document.text[-1])) if self.scores is None else self.scores[document.id]

    def rerank_many(
        self, rankings: Sequence[Ranking], *, depth: int | None = None, progress: Progress | None = None
    ) -> list[Ranking]:
        self.read += [(ranking.query.id, hit.document.id) for ranking in rankings for hit in ranking]
        assert all(hit.first_score is None for ranking in rankings for hit in ranking)
        usage = Usage(calls=1, prompt_tokens=10)
        scores = [[self.score(hit.document) for hit in ranking] for ranking in rankings]
        return [
            in_order(ranking, own, ranker=self.name, usage=usage) for ranking, own in zip(rankings, scores, strict=True)
        ]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ScoreStore]:
    with ScoreStore(tmp_path / "scores.db") as opened:
        yield opened


def test_scores_become_records_in_their_order(store: ScoreStore) -> None:
    shown = [query(1)]
    outcome = score(candidates(shown), Lengths(), store)
    assert (outcome.lists, outcome.done, outcome.is_whole, outcome.usage.documents) == (1, 1, True, 3)
    [record] = score_records(shown, [scored_by("lengths@1", store)], {"q1": {"c": 2, "elsewhere": 1}})
    assert (record.documents, record.query) == (tuple(FIVE[:3]), shown[0].query)
    assert (record.scores, record.order) == ((97.0, 98.0, 99.0), (2, 1, 0))
    assert (record.model, record.status, record.mode, record.labels) == ("lengths@1", "ok", "ranking", {"c": 2.0})
    assert record.usage == Usage(calls=1, documents=3, prompt_tokens=10)


def test_nothing_is_scored_twice_whatever_lists_are_made(store: ScoreStore) -> None:
    ranker = Lengths()
    score(candidates([query(1), query(2)]), ranker, store)
    settings = ScoredLists(window=2, stride=1, shuffles=1)
    shown = lists([query(1, 5), query(2)], settings).shown
    outcome = score(candidates(shown), ranker, store)
    assert ranker.read == [("q1", n) for n in "abc"] + [("q2", n) for n in "abc"] + [("q1", "d"), ("q1", "e")]
    assert (outcome.kept, outcome.done, outcome.usage.documents) == (1, 2, 2)
    assert store.models() == {"lengths@1": 8}
    records = list(score_records(shown, [scored_by("lengths@1", store)]))
    assert len(records) == len({record.key for record in records}) == len(shown) == 2 * (4 + 2)
    assert all(s == ord(d.id) for one in records for d, s in zip(one.documents, one.scores, strict=True))
    assert sum((record.usage for record in records), Usage()) == Usage(calls=3, documents=8, prompt_tokens=30)


def test_a_score_belongs_to_texts_and_model(store: ScoreStore) -> None:
    score(candidates([query(1)]), Lengths(), store)
    asked = Query("q1", "question 1")
    same = Document("a", "text a", metadata={"other": 1})
    strangers = [Document("a", "text A"), Document("a", "text a", title="A"), Document("z", "text a")]
    assert store.scores("lengths@1", asked, [same]) == {"a": 97.0}
    assert all(store.scores("lengths@1", asked, [one]) == {} for one in strangers)
    assert store.scores("lengths@1", Query("q1", "another"), [same]) == {}
    assert store.scores("lengths@1", Query("q9", "question 1"), [same]) == {}
    assert store.scores("lengths@2", asked, [same]) == {}


def test_ties_stand_as_the_first_stage_had_them(store: ScoreStore) -> None:
    given = query(1)
    backwards = replace(given, hits=given.hits[::-1])
    ranker = Lengths(scores={"a": 1.0, "b": 2.0, "c": 1.0})
    score(candidates([backwards]), ranker, store)
    [record] = score_records([backwards], [scored_by(ranker.name, store)])
    assert [record.documents[place].id for place in record.order] == ["b", "a", "c"]


def test_a_document_without_a_score_stands_below_and_is_asked_for_again(store: ScoreStore) -> None:
    shown = [query(1)]
    outcome = score(candidates(shown), Lengths(scores={"a": None, "b": 1.0, "c": 2.0}), store)
    assert (outcome.done, outcome.left, outcome.is_whole) == (0, 1, False)
    [record] = score_records(shown, [scored_by("lengths@1", store)])
    assert (record.scores, record.order, record.status) == ((None, 1.0, 2.0), (2, 1, 0), "repaired")
    again = Lengths()
    assert score(candidates(shown), again, store).is_whole
    assert again.read == [("q1", "a")]
    store.renew([record])
    assert store.renew(score_records(shown, [scored_by("lengths@1", store)])) == 1
    [newer] = store.records()
    assert (newer.key, newer.scores) == (record.key, (97.0, 1.0, 2.0))


def test_a_list_with_one_score_is_no_record(store: ScoreStore) -> None:
    shown = [query(1)]
    score(candidates(shown), Lengths(scores={"a": None, "b": 1.0, "c": None}), store)
    assert list(score_records(shown, [scored_by("lengths@1", store)])) == []


def test_a_score_that_is_no_number_stops_and_leaves_what_was_there(
    store: ScoreStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scoring, "BATCH", 1)

    class Careless(Lengths):
        def rerank_many(self, rankings: Sequence[Ranking], **how: Any) -> list[Ranking]:
            ranked = super().rerank_many(rankings, **how)
            return [replace(one, hits=tuple(map(self.broken, one.hits))) for one in ranked]

        def broken(self, hit: Hit) -> Hit:
            return replace(hit, score=math.nan) if self.read[-1][0] == "q2" else hit

    with pytest.raises(BadInput, match="query 'q2': lengths@1 scores document 'c' nan; scores are finite"):
        score(candidates([query(1), query(2)]), Careless(), store)
    assert store.models() == {"lengths@1": 3}


def test_a_ranker_that_only_orders_is_refused_before_it_is_asked(store: ScoreStore) -> None:
    lm = Fake([])
    with pytest.raises(BadInput, match=r"\(listwise\) and gives no scores; give one that scores.*--ranker pointwise"):
        score(candidates([query(1)]), build(lm, kind="listwise"), store)
    assert lm.asked == []

    class Places(Lengths):
        def rerank_many(self, rankings: Sequence[Ranking], **how: Any) -> list[Ranking]:
            return [as_placed(one, range(len(one)), ranker=self.name, usage=Usage()) for one in rankings]

    with pytest.raises(BadInput, match="lengths@1 orders documents and gives no scores"):
        score(candidates([query(1)]), Places(), store)


def test_a_language_model_scores_pointwise_and_what_it_leaves_is_asked_again(store: ScoreStore) -> None:
    asked = candidates([query(1), query(2)])
    likely = Reply(logprobs=(-0.1, -2.0), usage=Usage(prompt_tokens=7, generated_tokens=1, cost=0.5))
    broke = build(Fake([likely] * 4 + [BudgetSpent("no room")] * 2), kind="pointwise")
    outcome = score(asked, broke, store)
    assert (outcome.done, outcome.left, outcome.usage.documents, outcome.usage.cost) == (1, 1, 4, 2.0)
    rich = Fake([likely] * 2)
    assert score(asked, build(rich, kind="pointwise"), store).is_whole
    assert len(rich.asked) == 2
    records = list(score_records([query(1), query(2)], [scored_by(broke.name, store)]))
    assert sum((one.usage for one in records), Usage()).cost == 3.0


def test_a_language_model_that_answers_for_nothing_is_left_alone(
    store: ScoreStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scoring, "BATCH", 1)
    lm = Fake([BudgetSpent("no room")] * 9)
    outcome = score(candidates([query(1), query(2), query(3)]), build(lm, kind="pointwise"), store)
    assert (len(lm.asked), outcome.left, outcome.is_whole) == (3, 1, False)


def test_progress_tells_rate_and_time_to_come(store: ScoreStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "BATCH", 1)
    times = iter((0.0, 10.0, 20.0, 30.0))
    told: list[tuple[int, float | None]] = []

    def hear(outcome: Outcome) -> None:
        told.append((outcome.done, outcome.seconds_to_come))

    score(candidates([query(n) for n in range(3)]), Lengths(), store, told=hear, clock=lambda: next(times))
    assert told == [(1, 20.0), (2, 10.0), (3, 0.0)]


def test_an_interrupt_leaves_whole_batches(store: ScoreStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "BATCH", 1)

    def interrupt(outcome: Outcome) -> None:
        if outcome.done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        score(candidates([query(n) for n in range(3)]), Lengths(), store, told=interrupt)
    assert store.models() == {"lengths@1": 6}
    rest = Lengths()
    assert score(candidates([query(n) for n in range(3)]), rest, store).is_whole
    assert {name for name, _ in rest.read} == {"q2"}


TEACHER = """
import sys
sys.path[:0] = {paths!r}
from whyrank.teach import scoring
from whyrank.teach.score_store import ScoreStore
from test_scoring import Lengths, query

scoring.BATCH = 2

class Told(Lengths):
    def rerank_many(self, rankings, **how):
        for ranking in rankings:
            print("scores", ranking.query.id, *ranking.ids, flush=True)
        sys.stdin.readline()  # killed here, or told to go on
        return super().rerank_many(rankings, **how)

with ScoreStore({file!r}) as store:
    scoring.score(scoring.candidates([query(n) for n in range(8)]), Told(), store)
print("end", flush=True)
"""


def test_a_killed_process_loses_the_batch_in_flight_and_nothing_else(tmp_path: Path) -> None:
    file = str(tmp_path / "scores.db")
    script = TEACHER.format(paths=[str(Path(__file__).parent)], file=file)
    in_flight: list[list[str]] = []
    whole: list[str] = []
    for batches in (0, 3, 1, 2, 8):
        with subprocess.Popen(
            [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            for _ in range(batches):
                line = process.stdout.readline()
                if line == "end\n":
                    break
                whole.append(line)
                process.stdin.write("\n")
                process.stdin.flush()
            else:
                in_flight.append(process.stdout.readline().split())
                process.kill()
    assert len(in_flight) == 4
    assert sorted(whole) == [f"scores q{n} a b c\n" for n in range(8)]
    with ScoreStore(file) as store:
        assert store.models() == {"lengths@1": 24}
        assert store.spent("lengths@1", query(3).query).calls == 1


# Ensembles


def member(name: str, scores: Mapping[str, float], weight: float = 1.0) -> Member:
    return Member(
        name, lambda asked: {n: score for n, score in scores.items() if n in asked.ids}, lambda _: Usage(), weight
    )


def test_scores_are_standardised_within_the_list() -> None:
    assert standardised([2.0, 4.0, 6.0]) == pytest.approx([-math.sqrt(1.5), 0.0, math.sqrt(1.5)])
    assert standardised([1.0, 1.0, 4.0, 4.0]) == [-1.0, -1.0, 1.0, 1.0]
    assert standardised([3.0, 3.0, 3.0]) == [0.0, 0.0, 0.0]
    assert standardised([0.0, 0.0]) == [0.0, 0.0]
    assert standardised([5.0]) == [0.0]
    assert standardised([]) == []


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=2, max_size=30))
def test_standardised_scores_are_finite_and_in_order(scores: list[float]) -> None:
    found = standardised(scores)
    assert all(map(math.isfinite, found))
    assert math.fsum(found) == pytest.approx(0.0, abs=1e-6)
    by_score = sorted(range(len(scores)), key=lambda place: scores[place])
    assert all(found[a] <= found[b] for a, b in pairwise(by_score))
    if min(scores) < max(scores):
        assert math.fsum(z * z for z in found) / len(found) == pytest.approx(1.0)


def test_an_ensemble_is_the_weighted_mean_of_standardised_scores() -> None:
    first, second = {"a": 1.0, "b": 3.0}, {"a": 900.0, "b": 100.0}
    assert combined([first, second], (1.0, 1.0)) == {"a": 0.0, "b": 0.0}
    assert combined([first, second], (1.0, 3.0)) == {"a": 0.5, "b": -0.5}
    assert combined([first, {"a": 7.0, "b": 7.0}], (1.0, 1.0)) == {"a": -0.5, "b": 0.5}
    assert combined([first], (2.0,)) == first


def test_what_one_member_lacks_has_no_score_and_moves_no_mean() -> None:
    first, second = {"a": 1.0, "b": 3.0, "c": 1_000.0}, {"b": 5.0, "a": 4.0}
    assert combined([first, second], (1.0, 1.0)) == {"a": -1.0, "b": 1.0}
    [record] = score_records([query(1)], [member("x", first), member("y", second)])
    assert (record.scores, record.order, record.status) == ((-1.0, 1.0, None), (1, 0, 2), "repaired")


def test_an_ensemble_is_signed_with_members_and_weights() -> None:
    names = ["x@1", "y@2"]
    name = ensemble_name(names, (1.0, 3.0))
    assert name.startswith("ensemble@")
    assert name.endswith(" (0.25 x@1 + 0.75 y@2)")
    assert ensemble_name(names, (2.0, 6.0)) == name
    assert ensemble_name(names, (1.0, 3.0001)) != name
    assert ensemble_name(["x@1", "y@3"], (1.0, 3.0)) != name
    assert ensemble_name(["x@1"], (3.0,)) == "x@1"
    with pytest.raises(BadInput, match="x@1 is named 2 times; name it once and weigh it"):
        ensemble_name(["x@1", "x@1"], (1.0, 1.0))


def test_an_ensembles_record_depends_on_what_its_scores_were_standardised_with() -> None:
    scores = {name: float(place) for place, name in enumerate("abcde")}
    members = [member("x", scores), member("y", scores)]
    few = lists([query(1, 5)], ScoredLists(depth=3)).shown
    first, *_ = score_records(lists([query(1, 5)], ScoredLists(window=3)).shown, members)
    [alone] = score_records(few, members)
    assert first.documents == alone.documents
    assert first.scores != alone.scores
    assert first.key != alone.key


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1.0], r"weights: 1 given, teachers: 2 \(evidence, run.trec\); give one each"),
        ([1.0, 0.0], "the weight of run.trec is 0; give a number above 0"),
        ([math.nan, 1.0], "the weight of evidence is nan"),
        ([1.0, math.inf], "the weight of run.trec is inf"),
    ],
)
def test_weights_that_do_not_fit(weights: list[float], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        check_weights(weights, ["evidence", "run.trec"])


def test_without_weights_all_count_the_same() -> None:
    assert check_weights([], ["x", "y"]) == (1.0, 1.0)


def test_a_run_is_a_teacher(tmp_path: Path) -> None:
    run = tmp_path / "splade.trec"
    run.write_text("q1 Q0 b 1 7.5 s\nq1 Q0 a 2 3 s\nq1 Q0 elsewhere 3 1 s\nq2 Q0 c 1 1 s\n", encoding="utf-8")
    shown = [query(1), query(2)]
    splade = scored_in_run(run, candidates(shown))
    [record] = score_records(shown, [splade])
    assert (record.query.id, record.scores, record.order) == ("q1", (3.0, 7.5, None), (1, 0, 2))
    assert record.model.startswith("run:splade.trec@")
    run.write_text("q1 Q0 b 1 7.5 s\nq1 Q0 a 2 2 s\n", encoding="utf-8")
    assert scored_in_run(run, candidates(shown)).name != splade.name
    run.write_text("q1 Q0 z 1 7.5 s\n", encoding="utf-8")
    with pytest.raises(BadInput, match=r"splade.trec: has a score for none of the candidates"):
        scored_in_run(run, candidates(shown))
    run.write_text("q1 Q0 b 1 nan s\n", encoding="utf-8")
    with pytest.raises(BadRecord, match=r"splade.trec:1: "):
        scored_in_run(run, candidates(shown))


# What cannot be scored


def test_one_id_has_one_text() -> None:
    other = Ranking.of(Query("q1", "question 1"), [Document("a", "text a"), Document("b", "another")])
    with pytest.raises(BadInput, match="document 'b' has two texts among the candidates of query 'q1'"):
        candidates([query(1), other])
    with pytest.raises(BadInput, match="query 'q1' has two texts: 'question 1' and 'other'"):
        candidates([query(1), Ranking.of(Query("q1", "other"), FIVE[:2])])
    elsewhere = Ranking.of(Query("q2", "question 2"), [Document("a", "text of its own")])
    assert [one.ids for one in candidates([query(1), elsewhere])] == [("a", "b", "c"), ("a",)]


def test_documents_without_text_are_not_scored(store: ScoreStore) -> None:
    given = Ranking.of(Query("q1", "question"), [Document("a", "text a"), Document("x", " "), Document("b", "text b")])
    found = lists([given], ScoredLists())
    ranker = Lengths()
    score(candidates(found.shown), ranker, store)
    assert (found.without_text, ranker.read) == (1, [("q1", "a"), ("q1", "b")])


def test_labels_of_something_else_are_refused() -> None:
    check_labels({"q1": {"c": 0.0}}, [query(1)], "qrels.trec")
    for labels in ({"q1": {"z": 1.0}}, {"q9": {"a": 1.0}}, {}):
        with pytest.raises(BadInput, match=r"qrels.trec: judges none of the candidates"):
            check_labels(labels, [query(1)], "qrels.trec")


MODEL = ModelSettings(name="openai:m")


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        (ScoreSettings(), BadInput, "no teacher; name a ranker"),
        (ScoreSettings(rankers=("evidenze",)), UnknownName, "no ranker called 'evidenze'; did you mean evidence"),
        (
            ScoreSettings(rankers=("listwise",), model=MODEL),
            BadInput,
            "listwise orders documents .* --ranker pointwise",
        ),
        (ScoreSettings(rankers=("castorini/rank_zephyr_7b_v1_full",)), BadInput, r"\(listwise\) and gives no scores"),
        (ScoreSettings(rankers=("evidence", "evidence")), BadInput, "evidence is named 2 times; name it once"),
        (ScoreSettings(rankers=("evidence",), ask=AskSettings(strict=True)), BadInput, "no teacher is one"),
    ],
)
def test_a_wrong_teacher_is_refused_before_anything_is_loaded(
    settings: ScoreSettings, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        scorers(settings)


def test_who_asks_the_model() -> None:
    def named(**how: Any) -> list[tuple[str, str | None, bool]]:
        return [(one.named, one.ranker, one.model is not None) for one in scorers(ScoreSettings(**how))]

    assert named(rankers=("evidence",), model=MODEL) == [
        ("evidence", "evidence", False),
        ("openai:m", "pointwise", True),
    ]
    assert named(rankers=("pointwise", "evidence"), model=MODEL) == [
        ("pointwise", "pointwise", True),
        ("evidence", "evidence", False),
    ]
    assert named(model=ModelSettings(name="open")) == [("open", None, True)]
    assert named(runs=("splade.trec",)) == []


# What others make of such records


def test_stats_and_filters_take_records_of_scores(store: ScoreStore, tmp_path: Path) -> None:
    shown = [query(1), query(2)]
    score(candidates(shown), Lengths(), store)
    labels = {"q1": {"a": 1.0, "c": 0.0}, "q2": {"a": 0.0, "c": 1.0}}
    other = Lengths("other@1", {"a": 3.0, "b": 2.0, "c": 1.0})
    score(candidates(shown), other, store)
    records = [
        one for name in ("lengths@1", other.name) for one in score_records(shown, [scored_by(name, store)], labels)
    ]
    file = tmp_path / "records.jsonl"
    write_records(file, records)
    assert read_records(file) == records
    found = stats(records)
    assert found.teachers == {("lengths@1", ""): 2, ("other@1", ""): 2}
    assert (found.share("valid permutations").count, found.share("relevant above irrelevant").count) == (4, 2)
    assert [(mean.name, mean.value, mean.of) for mean in found.means] == [
        ("Kendall's τ: lengths@1 and other@1", -1.0, 2)
    ]
    kept = filter_records(records, ["usable", "permutation", "documents", "quotes", "order", "labels"]).kept
    assert [(one.query.id, one.model) for one in kept] == [("q2", "lengths@1"), ("q1", "other@1")]
    assert filter_records(records, ["reasons"]).kept == []


def test_a_store_of_scores_is_a_store_of_records(tmp_path: Path) -> None:
    path = tmp_path / "scores.db"
    shown = [query(1)]
    with Store(path) as earlier:
        assert len(earlier) == 0
    with ScoreStore(path) as store:
        score(candidates(shown), Lengths(), store)
        store.renew(score_records(shown, [scored_by("lengths@1", store)]))
    with Store(path, create=False) as later:
        [record] = later.records()
    assert record.scores == (97.0, 98.0, 99.0)
