"""Two stages as one ranker: nothing lost, nothing invented, every decision told, whatever stage 2 does."""

import itertools
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracle import Oracle, candidates
from oracle import in_order as worths_of

from whyrank.errors import AccessDenied, BadInput, BudgetSpent, ModelError, ModelUnavailable, NoRoom, UnusableReply
from whyrank.lm.base import Reply, Request
from whyrank.lm.fake import Fake
from whyrank.prompts import load
from whyrank.rankers.accounts import KEPT
from whyrank.rankers.algorithms import algorithm
from whyrank.rankers.asking import LMReranker, list_names
from whyrank.rankers.calibration import Calibration, Temperature
from whyrank.rankers.dual_stage import DualStage
from whyrank.rankers.fusion import Fusion
from whyrank.rankers.guard import Guard
from whyrank.rankers.listwise import Written
from whyrank.rankers.matter import Showing
from whyrank.rankers.outcome import as_placed, in_order
from whyrank.types import Progress, Ranking, Reranker, Usage

TEMPLATE = load("dear")
ALWAYS = Guard(least_stake=0.0)


class Scores:
    """Stage 1: a document's score is its worth, as it misjudges it."""

    name = "scores"

    def __init__(self, misjudged: Callable[[int], float] = float) -> None:
        self.misjudged = misjudged

    def rerank_many(
        self, rankings: Sequence[Ranking], *, depth: int | None = None, progress: Progress | None = None
    ) -> list[Ranking]:
        return [
            in_order(
                ranking,
                [self.misjudged(worth) for worth in worths_of(ranking)[:depth]],
                ranker=self.name,
                usage=Usage(documents=len(ranking.hits[:depth])),
            )
            for ranking in rankings
        ]


class Sure(Scores):
    """The same with probabilities: a thousandth of the score."""

    def probability(self, score: float, first_score: float | None = None) -> float:
        if first_score is not None:
            raise BadInput("no curve for candidates with a first-stage score")
        return min(1.0, max(0.0, score / 1000))


class Places:
    """Stage 2: orders each list by a function of its hits, or raises."""

    name = "places"

    def __init__(self, order: Callable[[Ranking], Sequence[int]]) -> None:
        self.order = order
        self.given: list[list[Ranking]] = []

    def rerank_many(
        self, rankings: Sequence[Ranking], *, depth: int | None = None, progress: Progress | None = None
    ) -> list[Ranking]:
        self.given.append(list(rankings))
        return [as_placed(r, self.order(r), ranker=self.name, usage=Usage(calls=1)) for r in rankings]


def best_first(ranking: Ranking) -> list[int]:
    worths = worths_of(ranking)
    return sorted(range(len(worths)), key=lambda place: -worths[place])


def as_shown(ranking: Ranking) -> list[int]:
    return list(range(len(ranking)))


def shuffled(ranking: Ranking) -> list[int]:
    return random.Random("".join(ranking.ids)).sample(range(len(ranking)), len(ranking))


def asked(answer: Callable[[Request], str | Reply | ModelError] | None = None, **options: int) -> LMReranker:
    """Stage 2 as published: a language model behind the prompt of DeAR; by default it is never wrong."""
    oracle = Oracle(TEMPLATE)
    lm = oracle.lm if answer is None else Fake(answer)
    windows = tuple((options or {"size": 20, "stride": 10}).items())
    judge = Written(TEMPLATE, reasoning_tokens=64)
    return LMReranker(lm, judge, algorithm("sliding-window"), Showing(TEMPLATE), windows, on_show=oracle.on_show)


def lists(*sizes: int, seed: int = 0) -> list[Ranking]:
    draws = random.Random(seed)
    rankings = [candidates(draws.sample(range(1000), size)) for size in sizes]
    return [replace(r, query=replace(r.query, id=f"q{n}")) for n, r in enumerate(rankings)]


BLUNT = Scores(lambda worth: worth // 100)
"""Sees hundreds only."""


def test_both_stages_together_are_right() -> None:
    [given] = lists(60)
    dual = DualStage(BLUNT, asked(), fusion=Fusion(1.0), guard=ALWAYS)
    [ranking] = dual.rerank_many([given])
    assert worths_of(ranking)[:10] == sorted(worths_of(given), reverse=True)[:10]
    assert ranking.ranker == dual.name
    assert ranking.status == "ok"
    assert ranking.notes == ("stage 2 kept: tau 1.00",)


def test_a_hit_keeps_the_score_of_stage_1_and_says_who_placed_it() -> None:
    [given] = lists(40)
    [alone] = BLUNT.rerank_many([given])
    dual = DualStage(BLUNT, asked(), fusion=Fusion(0.5), guard=ALWAYS)
    [ranking] = dual.rerank_many([given])
    scores = {hit.document.id: hit.score for hit in alone}
    assert {hit.document.id: hit.score for hit in ranking} == scores
    assert [hit.placed for hit in ranking] == [True] * 30 + [False] * 10
    assert ranking.ids[30:] == alone.ids[30:]
    assert {hit.document.id: hit.first_rank for hit in ranking} == {hit.document.id: hit.first_rank for hit in alone}
    account = dual.account(ranking)
    assert account is not None
    totals = [account.places[identifier].total for identifier in ranking.ids[:30]]
    assert totals == sorted(totals, reverse=True)
    assert dual.account(ranking.top(3)) == account
    assert dual.account(alone) is None


@pytest.mark.parametrize("size", [0, 1, 2, 3, 9, 19, 20, 21, 25, 29, 30, 31, 37, 60])
@pytest.mark.parametrize("depth", [None, 1, 2, 20, 33])
def test_a_permutation_for_any_number(size: int, depth: int | None) -> None:
    [given] = lists(size)
    [ranking] = DualStage(BLUNT, asked(), guard=ALWAYS).rerank_many([given], depth=depth)
    assert sorted(ranking.ids) == sorted(given.ids)
    read = len(given.hits[:depth])
    assert [hit.is_read for hit in ranking] == [True] * read + [False] * (size - read)
    assert sum(hit.placed for hit in ranking) == (min(30, read) if read > 1 else 0)


@pytest.mark.parametrize("size", range(2, 31))
def test_the_head_is_always_shown(size: int) -> None:
    """Also where the number of candidates less the window is no multiple of the step."""
    [given] = lists(size, seed=size)
    stage2 = asked(size=8, stride=4)
    dual = DualStage(BLUNT, stage2, fusion=Fusion(1.0), guard=replace(ALWAYS, second="off"))
    [ranking] = dual.rerank_many([given])
    assert worths_of(ranking)[0] == max(worths_of(given))
    account = dual.account(ranking)
    assert account is not None
    shown = [set(thought.named.values()) for thought in account.thoughts]
    [alone] = BLUNT.rerank_many([given])
    assert set.union(*shown) == set(given.ids)
    assert alone.ids[0] in shown[-1]


def test_stage_2_is_asked_once_for_all() -> None:
    stage2 = Places(best_first)
    rankings = DualStage(BLUNT, stage2, guard=ALWAYS).rerank_many(lists(40, 3, 1, 0, 12))
    [given] = stage2.given
    assert [len(r) for r in given] == [30, 3, 12, 30, 3, 12]
    assert [r.usage.calls for r in rankings] == [2, 2, 0, 0, 2]
    assert [r.usage.documents for r in rankings] == [40, 3, 1, 0, 12]
    for first, second in itertools.pairwise([given[0], given[3]]):
        assert sorted(first.ids) == sorted(second.ids)
        assert first.ids != second.ids


def test_rounds_do_not_grow_with_queries_or_orders() -> None:
    batches = []
    oracle = Oracle(TEMPLATE)

    class Counting(Fake):
        def ask(self, requests: Sequence[Request], on_reply: Any = None) -> list[Reply | ModelError]:
            batches.append(len(requests))
            return super().ask(requests, on_reply)

    stage2 = replace(asked(), lm=Counting(oracle.answer), on_show=oracle.on_show)
    DualStage(BLUNT, stage2, guard=ALWAYS).rerank_many(lists(50, 40, 30))
    assert batches == [6, 6]


def test_both_places_count() -> None:
    """A stage 2 that errs by one place, in opposite directions, is right in the mean."""
    given = candidates([500, 400, 300])
    orders = iter([[1, 0, 2], [0, 1, 2]])
    dual = DualStage(
        Scores(),
        Places(lambda _: next(orders)),
        fusion=Fusion(1.0),
        guard=replace(ALWAYS, second="reversed", agreement=-1),
    )
    [ranking] = dual.rerank_many([given])  # shown 500 400 300: 2nd first; shown 300 400 500: as it stands
    account = dual.account(ranking)
    assert account is not None
    worth = {identifier: one.stage2 for identifier, one in account.places.items()}
    assert worth == {"1": 0.25, "2": 0.75, "3": 0.5}  # mean places 2.5, 1.5, 2 of 3


def test_noise_is_dropped_and_counted() -> None:
    given = lists(30, 30, 30)
    rankings = DualStage(BLUNT, Places(shuffled), guard=ALWAYS).rerank_many(given)
    assert [r.ids for r in rankings] == [r.ids for r in BLUNT.rerank_many(given)]
    assert all(not hit.placed for r in rankings for hit in r)
    assert rankings[1].notes[-1].startswith("stage 2 dropped (disagrees with itself): tau ")
    assert (
        rankings[0].notes[-1].startswith("stage 2 kept for 0 of 3 queries: 3 dropped (disagrees with itself), mean tau")
    )
    assert [r.usage.calls for r in rankings] == [2, 2, 2]


def test_an_answer_that_keeps_whatever_it_is_shown_is_dropped() -> None:
    given = lists(30)
    [ranking] = DualStage(BLUNT, Places(as_shown), guard=replace(ALWAYS, second="reversed")).rerank_many(given)
    assert ranking.notes[-1] == "stage 2 dropped (disagrees with itself): tau -1.00"


def test_without_a_guard_noise_decides() -> None:
    given = lists(30)
    stage2 = Places(shuffled)
    [ranking] = DualStage(BLUNT, stage2, fusion=Fusion(1.0), guard=Guard.off()).rerank_many(given)
    [[shown]] = stage2.given
    assert ranking.ids == tuple(shown.ids[place] for place in shuffled(shown))
    assert all(hit.placed for hit in ranking)


def test_stage_1_is_sure() -> None:
    sure, unsure = candidates([999, 999, 0, 0]), candidates([500, 501, 502, 503])
    stage2 = Places(best_first)
    rankings = DualStage(Sure(), stage2).rerank_many([sure, unsure])
    assert [len(batch) for batch in stage2.given] == [2]
    assert rankings[0].notes[0].startswith("stage 2 not asked (stage 1 is sure): at stake 0.00")
    assert rankings[1].notes[-1].startswith("stage 2 kept: at stake 0.")


def test_without_a_curve_for_such_candidates_it_is_never_sure() -> None:
    scored = Ranking.of("which", candidates([999, 0]).documents, [1.0, 2.0])
    dual = DualStage(Sure(), Places(best_first))
    [ranking] = dual.rerank_many([scored])
    account = dual.account(ranking)
    assert account is not None
    assert not account.is_calibrated
    assert account.decision.stake is None
    assert account.decision.outcome == "kept"


def test_a_budget_is_spent_where_most_is_at_stake() -> None:
    given = [candidates([500, 500, 500]), candidates([990, 10, 600]), candidates([100, 50, 700])]
    told = [replace(r, query=replace(r.query, id=str(n))) for n, r in enumerate(given)]
    rankings = DualStage(Sure(), asked(), guard=Guard(least_stake=0.0, calls=2)).rerank_many(told)
    assert [r.usage.calls for r in rankings] == [2, 0, 0]
    assert rankings[1].notes[0].startswith("stage 2 not asked (beyond the budget)")
    few = DualStage(Sure(), asked(), guard=Guard(least_stake=0.0, tokens=10)).rerank_many(told)
    assert [r.usage.calls for r in few] == [0, 0, 0]
    share = DualStage(Sure(), asked(), guard=Guard(least_stake=0.0, share=0.7)).rerank_many(told)
    assert [r.usage.calls for r in share] == [2, 0, 2]


@pytest.mark.parametrize(
    ("answer", "outcome", "status"),
    [
        ("I'm sorry, but I cannot help with that.", "unusable", "refused"),
        ("", "unusable", "error"),
        ("Step 1. In 2019 there were 3 of 20 passages.", "unusable", "error"),
        (Reply("Step 1. The query asks", finish="length"), "unusable", "truncated"),
        (ModelUnavailable("overloaded"), "unavailable", "partial"),
        (UnusableReply("half a page"), "unusable", "error"),
        ("[1] > [1] > [1] > [1] > [1]", "disagrees", "repaired"),
        ("### Final Reranking: " + " > ".join(f"[{n}]" for n in range(1, 21)), "disagrees", "ok"),
    ],
    ids=["refuses", "empty", "figures", "never ends", "unavailable", "half", "repeats", "as shown"],
)
def test_whatever_a_model_does_stage_1_stands(answer: Any, outcome: str, status: str) -> None:
    [given] = lists(20)
    dual = DualStage(BLUNT, asked(lambda _: answer), guard=ALWAYS)
    [ranking] = dual.rerank_many([given])
    account = dual.account(ranking)
    assert account is not None
    assert account.decision.outcome == outcome
    assert ranking.status == status
    assert ranking.ids == BLUNT.rerank_many([given])[0].ids
    assert ranking.notes[0].startswith("stage 2 dropped")
    assert (status == "ok") == (len(ranking.notes) == 1)  # what was wrong with the answer is told


def test_only_answers_that_need_no_repair() -> None:
    oracle = Oracle(TEMPLATE)

    def short_of_one(request: Request) -> str:
        return str(oracle.answer(request)).rpartition(" > ")[0]

    stage2 = replace(asked(short_of_one), on_show=oracle.on_show)
    [given] = lists(12)
    kept, dropped = (
        DualStage(BLUNT, stage2, guard=replace(ALWAYS, accepts=accepts)).rerank_many([given])[0].notes[0]
        for accepts in ("repaired", "ok")
    )
    assert kept.startswith("stage 2 kept")
    assert dropped.startswith("stage 2 dropped (no usable answer)")


@pytest.mark.parametrize("error", [ModelUnavailable("out of memory"), BudgetSpent("no more")])
def test_a_stage_2_that_raises_for_some_queries(error: ModelError) -> None:
    given = lists(12, 13, 14)

    def order(ranking: Ranking) -> list[int]:
        if ranking.query.id == "q1":
            raise error
        return best_first(ranking)

    rankings = DualStage(BLUNT, Places(order), fusion=Fusion(1.0), guard=ALWAYS).rerank_many(given)
    assert [r.status for r in rankings] == ["ok", "partial", "ok"]
    assert rankings[1].ids == BLUNT.rerank_many(given)[1].ids
    assert rankings[1].notes[0] == "stage 2 dropped (no answer): answer partial"
    assert rankings[1].notes[1] == f"stage 2: {error}"
    assert worths_of(rankings[2]) == sorted(worths_of(given[2]), reverse=True)


def test_a_model_that_takes_nothing_at_all_is_an_error() -> None:
    with pytest.raises(AccessDenied):
        DualStage(BLUNT, asked(lambda _: AccessDenied("wrong key")), guard=ALWAYS).rerank_many(lists(12))


def test_identical_documents_keep_their_order() -> None:
    given = candidates([7] * 25)
    [ranking] = DualStage(Scores(), Places(as_shown), guard=ALWAYS).rerank_many([given])
    assert ranking.ids == given.ids


def test_queries_with_one_id_do_not_mix() -> None:
    given = [replace(r, query=replace(r.query, id="same", text=f"query {n}")) for n, r in enumerate(lists(25, 22, 12))]
    dual = DualStage(BLUNT, asked(), fusion=Fusion(1.0), guard=ALWAYS)
    rankings = dual.rerank_many(given)
    for ranking, one in zip(rankings, given, strict=True):
        assert worths_of(ranking)[:10] == sorted(worths_of(one), reverse=True)[:10]
        account = dual.account(ranking)
        assert account is not None
        assert {i for thought in account.thoughts for i in thought.named.values()} == set(one.ids)


def test_ids_that_look_like_numbered_ones_do_not_mix() -> None:
    """Each of q and q#2 is asked twice, so that their numbers would meet."""
    ids = ["q", "q#2", "q", "q#2"]
    given = [
        replace(one, query=replace(one.query, id=identifier, text=f"query {n}"))
        for n, (one, identifier) in enumerate(zip(lists(5, 7, 11, 13), ids, strict=True))
    ]
    assert list_names(given) == ["q", "q#2", "q#3", "q#2#2"]
    dual = DualStage(BLUNT, asked(), fusion=Fusion(1.0), guard=ALWAYS)
    for ranking, one in zip(dual.rerank_many(given), given, strict=True):
        assert worths_of(ranking) == sorted(worths_of(one), reverse=True)
        account = dual.account(ranking)
        assert account is not None
        assert len(account.thoughts) == 2
        assert {i for thought in account.thoughts for i in thought.named.values()} == set(one.ids)


def narrow() -> LMReranker:
    """A stage 2 that is never wrong, of a model that holds 6,000 tokens."""
    oracle = Oracle(TEMPLATE)
    return replace(asked(), lm=Fake(oracle.answer, context=6_000), on_show=oracle.on_show)


@pytest.mark.parametrize("guard", [ALWAYS, replace(ALWAYS, calls=100)], ids=["asked", "priced"])
def test_a_query_that_leaves_no_room_loses_its_own_stage_2_alone(guard: Guard) -> None:
    short, long = lists(12, 13)
    long = replace(long, query=replace(long.query, text="which of these is best " * 600))  # 3,000 words
    with pytest.raises(NoRoom, match="shorten the query"):
        narrow().rerank_many([short, long])
    dual = DualStage(BLUNT, narrow(), fusion=Fusion(1.0), guard=guard)
    rankings = dual.rerank_many([short, long])
    assert worths_of(rankings[0]) == sorted(worths_of(short), reverse=True)
    assert rankings[1].ids == BLUNT.rerank_many([long])[0].ids
    assert [r.status for r in rankings] == ["ok", "partial"]
    assert [r.usage.calls for r in rankings] == [2, 0]
    assert rankings[1].notes[0] == "stage 2 dropped (no answer): answer partial"
    assert "leaves 0 for each of" in rankings[1].notes[1]
    assert dual.rehearse([short, long]) == dual.rehearse([short])
    assert dual.rehearse([long]).calls == 0


def test_accounts_of_earlier_calls_are_kept() -> None:
    one, other = lists(12, 13)
    dual = DualStage(BLUNT, asked(), guard=ALWAYS)
    [first] = dual.rerank_many([one])
    account = dual.account(first)
    assert account is not None
    dual.rerank_many([other])
    assert dual.account(first) == dual.account(first.top(2)) == account
    texts = [replace(hit, document=replace(hit.document, text="another text")) for hit in first]
    assert dual.account(replace(first, hits=tuple(texts))) is None
    assert DualStage(BLUNT, asked(), guard=ALWAYS).account(first) is None


def test_as_many_accounts_as_a_call_makes_and_no_more() -> None:
    dual = DualStage(Scores(), Places(as_shown), guard=replace(ALWAYS, second="off"))
    given = [replace(one, query=replace(one.query, id=f"q{n}")) for n, one in enumerate([candidates([2, 1])] * KEPT)]
    many = dual.rerank_many(given)
    [another] = dual.rerank_many(lists(3))
    assert [dual.account(ranking) is None for ranking in (*many, another)] == [True] + [False] * KEPT
    more = dual.rerank_many([*given, *lists(4)])
    assert all(dual.account(ranking) is not None for ranking in more)
    assert dual.account(another) is None


def test_a_stage_1_that_gives_no_scores() -> None:
    with pytest.raises(BadInput, match="gives no scores, which stage 1 must"):
        DualStage(asked(), asked())
    with pytest.raises(BadInput, match="places orders lists and gives no scores"):
        DualStage(Places(best_first), asked()).rerank_many(lists(3))


def test_a_stage_1_that_was_silent() -> None:
    class Silent(Scores):
        def rerank_many(
            self, rankings: Sequence[Ranking], *, depth: int | None = None, progress: Progress | None = None
        ) -> list[Ranking]:
            return [in_order(r, [None] * len(r), ranker=self.name, usage=Usage()) for r in rankings]

    stage2 = Places(best_first)
    [given] = lists(5)
    [ranking] = DualStage(Silent(), stage2, guard=ALWAYS).rerank_many([given])
    assert ranking.ids == given.ids
    assert not stage2.given
    assert ranking.notes[-1] == "stage 2 not asked (stage 1 gave no scores)"


@pytest.mark.parametrize("top", [1, 0, -3])
def test_too_few_for_stage_2(top: int) -> None:
    with pytest.raises(BadInput, match=f"top is {top}; stage 2 orders a list"):
        DualStage(BLUNT, asked(), top=top)


def test_no_budget_for_what_cannot_be_rehearsed() -> None:
    with pytest.raises(BadInput, match="no budget of calls or tokens; give a share"):
        DualStage(BLUNT, Places(best_first), guard=Guard(calls=3))


def test_a_stage_2_that_loses_documents() -> None:
    class Loses(Places):
        def rerank_many(self, rankings: Sequence[Ranking], **_: Any) -> list[Ranking]:
            return [r.top(2) for r in rankings]

    with pytest.raises(BadInput, match=r"'q0'.* was given 5 documents and returned 2"):
        DualStage(BLUNT, Loses(best_first), guard=ALWAYS).rerank_many(lists(5))


def test_the_name_is_of_all_that_can_change_an_order() -> None:
    made = [
        DualStage(BLUNT, asked()),
        DualStage(BLUNT, asked(), top=20),
        DualStage(BLUNT, asked(), fusion=Fusion(0.4)),
        DualStage(BLUNT, asked(), guard=ALWAYS),
        DualStage(BLUNT, asked(size=10, stride=5)),
    ]
    curves = [Calibration("scores", None, Temperature(1.0, shift)) for shift in (0.0, 1.0)]
    made += [DualStage(BLUNT, asked(), calibrated=curve) for curve in curves]
    made.append(DualStage(BLUNT, asked(), calibrated=Sure()))
    assert len({dual.name for dual in made}) == 8
    assert all(isinstance(dual, Reranker) for dual in made)
    assert DualStage(BLUNT, asked()).name == made[0].name


def test_the_same_whatever_stands_beside_it() -> None:
    given = lists(33, 21, 5, 30)
    dual = DualStage(BLUNT, asked(), guard=ALWAYS)
    together = dual.rerank_many(given)
    assert [r.ids for r in together] == [dual.rerank_many([one])[0].ids for one in given]


@given(st.lists(st.integers(0, 25), max_size=4), st.integers(2, 12), st.sampled_from(["shuffled", "reversed", "off"]))
def test_no_document_is_lost(sizes: list[int], top: int, second: Any) -> None:
    given = lists(*sizes)
    stage2 = Places(shuffled)
    guard = Guard(least_stake=0.0, second=second, agreement=-0.2)
    for one, ranking in zip(given, DualStage(BLUNT, stage2, top=top, guard=guard).rerank_many(given), strict=True):
        assert sorted(ranking.ids) == sorted(one.ids)
        assert {hit.first_rank for hit in ranking} == set(range(1, len(one) + 1))
