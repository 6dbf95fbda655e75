"""Every algorithm against oracles and against judges that mean it ill."""

import math
import random
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whyrank.errors import BadInput, UnknownName
from whyrank.rankers import listwise_sorting as listwise
from whyrank.rankers import sorting
from whyrank.rankers.algorithms import ALGORITHMS, Judge, algorithm
from whyrank.rankers.costs import answer
from whyrank.rankers.flow import Flow, Outcome, Question, drive

Options = dict[str, int]
WINDOWS = (2, 3, 7, 20, 21, 119, 200)


def best_first(worth: Sequence[float]) -> list[int]:
    return sorted(range(len(worth)), key=lambda i: -worth[i])


def shuffled(n: int, seed: int = 0) -> list[float]:
    return [float(i) for i in random.Random(seed).sample(range(n), n)]


def run(name: str, worth: Sequence[float], options: Options) -> tuple[Outcome, set[int]]:
    """The outcome under a perfect judge, and the positions it was shown."""
    seen: set[int] = set()
    widest = options.get("size") or {"pointwise": 1, "pairwise": 2, "setwise": options.get("children", 9) + 1}.get(
        ALGORITHMS[name].judge, 20
    )

    def judge(batch: list[tuple[int, Question]]) -> list[Any]:
        for _, question in batch:
            assert min(widest, 2) <= len(set(question)) == len(question) <= widest
            seen.update(question)
        return [answer(ALGORITHMS[name].judge, q, worth) for _, q in batch]

    [outcome] = drive([ALGORITHMS[name].function(len(worth), **options)], judge)
    return outcome, seen


def variants(top: int = 10) -> list[tuple[str, Options, Callable[[int], int]]]:
    """Algorithms, options, and for each how many of the best are promised, given n."""
    found: list[tuple[str, Options, Callable[[int], int]]] = [("pointwise", {}, lambda n: n)]
    found += [("heapsort-pairwise", {"top": top, "both_orders": both}, lambda n: top) for both in (0, 1)]
    for children in (1, 2, 3, 9, 19, 200):
        found.append(("setwise-heapsort", {"children": children, "top": top}, lambda n: top))
        found.append(("setwise-insertion", {"children": children, "top": top}, lambda n: top))
    for size in WINDOWS:
        found.append(("tournament", {"size": size}, lambda n, size=size: n if n <= size else 0))  # type: ignore[misc]
        found.append(("tournament-graph", {"size": size, "top": top}, lambda n: top))
        for pivot in (0, 1, top, size):
            options = {"size": size, "top": top} | ({"pivot": min(pivot, size)} if pivot else {})
            found.append(("top-down-partition", options, lambda n: top))
        for stride in {1, 3, 10, size} - set(range(size + 1, 11)):
            found.append(
                (
                    "sliding-window",
                    {"size": size, "stride": stride},
                    lambda n, size=size, stride=stride: n if n <= size else size - stride,  # type: ignore[misc]
                )
            )
    return found


@pytest.mark.parametrize(("name", "options", "promised"), variants(), ids=lambda value: str(value)[:60])
def test_every_length_is_ranked_as_promised(name: str, options: Options, promised: Callable[[int], int]) -> None:
    for n in range(121):
        worth = shuffled(n, seed=n)
        outcome, seen = run(name, worth, options)
        assert sorted(outcome.order) == list(range(n))
        k = promised(n)
        assert list(outcome.order[:k]) == best_first(worth)[:k], n
        least = 1 if name == "pointwise" else 2  # a single document has no order, but a score
        assert seen == (set(range(n)) if n >= least else set()), n


@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("n", [0, 1, 2, 3, 10, 31])
def test_all_pairs_sorts_everything(n: int, both: bool) -> None:
    worth = shuffled(n, seed=5)
    outcome, _ = run("all-pairs", worth, {"both_orders": both})
    assert list(outcome.order) == best_first(worth)
    assert outcome.trace.questions == n * (n - 1) // (1 if both else 2)
    assert outcome.trace.rounds == (n > 1)


@given(
    variant=st.sampled_from([v for top in (1, 3, 10, 40) for v in variants(top)]),
    n=st.integers(0, 70),
    seed=st.integers(0, 2**32),
)
def test_any_order_is_ranked_as_promised(variant: tuple[str, Options, Callable[[int], int]], n: int, seed: int) -> None:
    name, options, promised = variant
    worth = shuffled(n, seed)
    outcome, _ = run(name, worth, options)
    k = promised(n)
    assert list(outcome.order[:k]) == best_first(worth)[:k]
    assert sorted(outcome.order) == list(range(n))


@pytest.mark.parametrize("passes", [1, 2, 3])
def test_each_pass_of_a_window_fixes_size_less_stride(passes: int) -> None:
    worth = shuffled(100, seed=3)
    outcome, _ = run("sliding-window", worth, {"size": 20, "stride": 10, "passes": passes})
    assert list(outcome.order[: 10 * passes]) == best_first(worth)[: 10 * passes]
    assert list(outcome.order) != best_first(worth)
    assert outcome.trace.questions == 9 * passes


# Numbers worked by hand


def questions_of(flow: Flow[Any], judge: Judge, worth: Sequence[float]) -> list[list[Question]]:
    rounds: list[list[Question]] = []
    drive([flow], lambda b: [answer(judge, q, worth) for _, q in b], on_round=lambda _, r: rounds.append(r))
    return rounds


def test_windows_walk_from_bottom_to_top_and_reach_the_head() -> None:
    # n - size = 3 is no multiple of the stride: the topmost window is shorter, and position 0 is in it.
    rounds = questions_of(listwise.sliding_window(7, size=4, stride=2), "listwise", [0, 1, 2, 3, 4, 5, 6])
    assert rounds == [[(3, 4, 5, 6)], [(1, 2, 6, 5)], [(0, 6, 5)]]


def test_a_partition_asks_all_other_windows_with_the_pivot_at_once() -> None:
    # The first window of 4 sorts to 2 0 3 1; its second, 0 (worth 6), is the pivot of the next round. 5 and 2 beat
    # it: two survivors from different windows, sorted by one more question.
    worth = [6.0, 1, 7, 4, 3, 9, 2, 5]
    rounds = questions_of(listwise.top_down_partition(8, size=4, top=3, pivot=2), "listwise", worth)
    assert rounds == [[(0, 1, 2, 3)], [(0, 4, 5, 6), (0, 7)], [(2, 5)]]


def test_a_partition_costs_six_questions_where_the_first_stage_is_right() -> None:
    outcome, _ = run("top-down-partition", [float(-i) for i in range(100)], {"pivot": 10})
    assert (outcome.trace.questions, outcome.trace.documents, outcome.trace.rounds) == (6, 105, 2)


def test_a_tournament_of_a_hundred_takes_nineteen_questions() -> None:
    # 10 groups of 10 for 50 places, 5 for 20, 2 for 10, 1 for 5, 1 for 2.
    worth = shuffled(100, seed=1)
    rounds = questions_of(listwise.tournament(100), "listwise", worth)
    assert [len(r) for r in rounds] == [10, 5, 2, 1, 1]
    assert [sum(map(len, r)) for r in rounds] == [100, 50, 20, 10, 5]
    three, _ = run("tournament", worth, {"rounds": 3})
    assert (three.trace.questions, three.trace.rounds) == (57, 5)


def test_more_tournaments_come_nearer_to_the_truth() -> None:
    def hits(rounds: int) -> int:
        worths = [shuffled(100, seed) for seed in range(20)]
        tops = [(set(run("tournament", w, {"rounds": rounds})[0].order[:10]), set(best_first(w)[:10])) for w in worths]
        return sum(len(found & true) for found, true in tops)

    assert hits(1) < hits(5)


def test_twenty_five_horses_take_seven_races() -> None:
    # The puzzle: 25 horses, 5 lanes, the fastest three. Five heats, one race of winners, one last race.
    for seed in range(50):
        outcome, _ = run("tournament-graph", shuffled(25, seed), {"size": 5, "top": 3})
        assert outcome.trace.questions == 7


def test_a_heap_is_built_level_by_level() -> None:
    # Three children: parents 1 and 2 have leaves only and share a round; the root comes after them.
    rounds = questions_of(sorting.setwise_heapsort(8, children=3, top=1), "setwise", [8, 7, 6, 5, 4, 3, 2, 1])
    assert rounds == [[(1, 4, 5, 6), (2, 7)], [(0, 1, 2, 3)]]


def test_insertion_leaves_a_right_order_alone() -> None:
    # Three sorted by the heap, then nine others in three questions behind the third.
    rounds = questions_of(sorting.setwise_insertion(12, children=3, top=3), "setwise", [float(-i) for i in range(12)])
    assert rounds[-3:] == [[(2, 3, 4, 5)], [(2, 6, 7, 8)], [(2, 9, 10, 11)]]


def test_a_liking_for_the_first_place_cancels() -> None:
    """A judge that always prefers what it reads first says nothing: the order stays as it came."""
    for make in (sorting.all_pairs, sorting.heapsort_pairwise):
        [outcome] = drive([make(12)], lambda batch: [1] * len(batch))
        assert outcome.order == tuple(range(12))


# Judges that mean it ill


def random_answer(judge: Judge, question: Question, lots: random.Random) -> Any:
    match judge:
        case "pointwise":
            return lots.choice([0.0, 1.0, lots.random()])
        case "pairwise":
            return lots.choice([-1, 0, 1])
        case "setwise":
            return lots.randrange(len(question))
        case _:
            return lots.sample(range(len(question)), len(question))


@given(
    variant=st.sampled_from([*variants(10), *variants(3), ("all-pairs", {}, None)]),
    n=st.integers(0, 40),
    lots=st.randoms(use_true_random=False),
)
def test_a_judge_without_sense_still_gets_a_permutation(
    variant: tuple[str, Options, object], n: int, lots: random.Random
) -> None:
    name, options, _ = variant
    judge = ALGORITHMS[name].judge
    [outcome] = drive(
        [ALGORITHMS[name].function(n, **options)], lambda b: [random_answer(judge, q, lots) for _, q in b]
    )
    assert sorted(outcome.order) == list(range(n))
    assert outcome.trace.questions <= 3 * n * (n + 4)


@pytest.mark.parametrize(("name", "options", "promised"), variants(), ids=lambda value: str(value)[:60])
def test_a_judge_that_always_ties_changes_nothing(name: str, options: Options, promised: object) -> None:
    worth = [1.0] * 57
    outcome, _ = run(name, worth, options)
    kept = 10 if name == "top-down-partition" else 57  # below its best, a partition keeps the order of its windows
    assert outcome.order[:kept] == tuple(range(kept))


BAD_ANSWERS: list[tuple[Flow[Any], Any]] = [
    (sorting.pointwise(2), math.nan),
    (sorting.pointwise(2), math.inf),
    (sorting.all_pairs(2), 2),
    (sorting.heapsort_pairwise(2), -3),
    (sorting.setwise_heapsort(2), 2),
    (sorting.setwise_heapsort(2), -1),
    (sorting.setwise_insertion(2), 7),
    (listwise.sliding_window(2), [0]),
    (listwise.sliding_window(2), [0, 0]),
    (listwise.sliding_window(2), [1, 2]),
    (listwise.top_down_partition(2), [1, 1]),
    (listwise.tournament(2), []),
    (listwise.tournament_graph(2), [2, 1]),
]


@pytest.mark.parametrize(("flow", "bad"), BAD_ANSWERS)
def test_an_answer_of_the_wrong_kind_is_an_error(flow: Flow[Any], bad: Any) -> None:
    with pytest.raises(BadInput, match="judge"):
        drive([flow], lambda batch: [bad] * len(batch))


# Parameters


@pytest.mark.parametrize(
    ("make", "options", "message"),
    [
        (listwise.sliding_window, {"size": 1}, "size is 1"),
        (listwise.sliding_window, {"stride": 0}, "stride is 0"),
        (listwise.sliding_window, {"size": 5, "stride": 6}, "stride 6 is wider than the window of 5"),
        (listwise.sliding_window, {"passes": 0}, "passes is 0"),
        (listwise.top_down_partition, {"size": 1}, "size is 1"),
        (listwise.top_down_partition, {"top": 0}, "top is 0"),
        (listwise.top_down_partition, {"pivot": 0}, "pivot is 0"),
        (listwise.top_down_partition, {"pivot": 21}, "pivot is 21"),
        (listwise.tournament, {"size": 1}, "size is 1"),
        (listwise.tournament, {"rounds": 0}, "rounds is 0"),
        (listwise.tournament_graph, {"size": 1}, "size is 1"),
        (listwise.tournament_graph, {"top": 0}, "top is 0"),
        (sorting.heapsort_pairwise, {"top": 0}, "top is 0"),
        (sorting.setwise_heapsort, {"children": 0}, "children is 0"),
        (sorting.setwise_heapsort, {"top": 0}, "top is 0"),
        (sorting.setwise_insertion, {"children": 0}, "children is 0"),
        (sorting.setwise_insertion, {"top": -1}, "top is -1"),
    ],
)
def test_parameters_are_checked_when_the_flow_is_made(
    make: Callable[..., Flow[Any]], options: Options, message: str
) -> None:
    with pytest.raises(BadInput, match=message):
        make(10, **options)


@pytest.mark.parametrize("name", ALGORITHMS)
def test_a_negative_length_is_an_error(name: str) -> None:
    with pytest.raises(BadInput, match="n is -1"):
        ALGORITHMS[name].function(-1)


def test_an_unknown_algorithm_lists_near_matches() -> None:
    assert algorithm("sliding-window").function is listwise.sliding_window
    with pytest.raises(UnknownName, match="did you mean sliding-window"):
        algorithm("sliding_windows")
