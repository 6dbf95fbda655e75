"""The search over positions, with scripted scores: it never needs a document."""

from collections.abc import Callable, Iterable, Sequence
from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from whyrank.reason.removal import Answer, Removal, smallest_removal

Score = Callable[[Removal], float]


def run(weights: Sequence[float], score: Score, bar: float, budget: int = 300) -> tuple[Answer, list[list[Removal]]]:
    """Drive a search; a score below `bar` flips."""
    search, rounds = smallest_removal(weights, lambda s: s < bar, budget), []
    try:
        asked = next(search)
        while True:
            rounds.append(asked)
            asked = search.send([score(removed) for removed in asked])
    except StopIteration as end:
        answer: Answer = end.value
        return answer, rounds


def additive(weights: Sequence[float]) -> Score:
    return lambda removed: sum(weights) - sum(weights[i] for i in removed)


def smallest(n: int, score: Score, bar: float) -> Removal | None:
    """The oracle: every set, by size, then score, then document order."""
    for size in range(1, n + 1):
        flipping = [s for s in combinations(range(n), size) if score(s) < bar]
        if flipping:
            return min(flipping, key=lambda s: (score(s), s))
    return None


def test_two_of_three_by_hand() -> None:
    answer, rounds = run([1.0, 4.0, 2.0], additive([1.0, 4.0, 2.0]), bar=2.0)
    assert answer == Answer("flips", (1, 2), 1.0, minimal=True, rescored=6)
    assert rounds == [[(1,), (2,), (0,)], [(1, 2), (0, 1), (0, 2)]]


def test_the_lowest_score_of_the_smallest_size_wins_and_ties_go_to_the_first() -> None:
    scores: dict[Removal, float] = {(0,): 1.0, (1,): 0.5, (2,): 0.5}
    assert run([3.0, 2.0, 2.5], scores.__getitem__, bar=2.0)[0] == Answer("flips", (1,), 0.5, minimal=True, rescored=3)


def test_no_removal_flips() -> None:
    assert run([1.0] * 3, lambda _: 5.0, bar=2.0)[0] == Answer("impossible", rescored=7)
    assert run([], lambda _: 0.0, bar=2.0)[0] == Answer("impossible", rescored=0)


def test_eight_positions_are_exhausted_and_nine_are_not() -> None:
    assert run([1.0] * 8, lambda _: 5.0, bar=2.0)[0] == Answer("impossible", rescored=255)
    assert run([1.0] * 9, lambda _: 5.0, bar=2.0, budget=999)[0].status == "unknown"


def test_a_search_out_of_budget_says_so() -> None:
    assert run([1.0] * 3, lambda _: 5.0, bar=2.0, budget=4)[0] == Answer("unknown", rescored=4)
    assert run([1.0] * 12, lambda _: 5.0, bar=2.0, budget=0)[0] == Answer("unknown", rescored=0)
    answer, _ = run([1.0] * 12, lambda _: 5.0, bar=2.0, budget=100)
    assert answer.status == "unknown"
    assert answer.rescored <= 100


def test_a_budget_that_ends_inside_a_size_still_finds_the_heaviest_first() -> None:
    weights = [1.0, 4.0, 2.0]
    assert run(weights, additive(weights), bar=2.0, budget=4)[0] == Answer(
        "flips", (1, 2), 1.0, minimal=True, rescored=4
    )


def test_one_of_many_is_minimal_by_definition() -> None:
    weights = [1.0] * 20
    answer, rounds = run(weights, lambda s: 0.0 if s == (13,) else 9.0, bar=2.0)
    assert answer == Answer("flips", (13,), 0.0, minimal=True, rescored=20)
    assert len(rounds) == 1


def test_a_pair_of_many_is_minimal_when_no_single_one_flips() -> None:
    weights = [float(i) for i in range(12)]
    answer, _ = run(weights, lambda s: 0.0 if {3, 7} <= set(s) else 9.0 - 0.1 * len({3, 7} & set(s)), bar=2.0)
    assert (answer.status, answer.removed, answer.minimal) == ("flips", (3, 7), True)


def test_the_most_promising_pairs_are_tried_first() -> None:
    weights = [1.0 + i / 8 for i in range(12)]
    answer, rounds = run(weights, additive(weights), bar=sum(weights) - weights[-1] - 1.0)
    assert (answer.removed, answer.minimal) == ((10, 11), True)
    assert list(map(len, rounds)) == [12, 16]
    assert rounds[1][0] == (10, 11)


def test_a_pair_is_not_called_minimal_when_single_ones_were_not_tried() -> None:
    weights = [1.0] * 50
    answer, _ = run(weights, lambda s: 0.0 if set(s) >= {0, 1} else 9.0, bar=2.0, budget=45)
    assert answer.status == "flips"
    assert {0, 1} <= set(answer.removed)
    assert not answer.minimal


def test_larger_sets_are_grown_and_what_is_needless_is_dropped() -> None:
    needed = {2, 5, 11, 17}
    answer, _ = run([1.0] * 20, lambda s: 4.0 - len(needed & set(s)), bar=0.5)
    assert (answer.status, answer.removed, answer.minimal) == ("flips", (2, 5, 11, 17), False)
    assert answer.rescored <= 300


def test_sentences_that_stand_in_for_each_other_are_found() -> None:
    """Without any one of three copies nothing changes: no single effect points at them."""
    copies = {4, 9, 14}
    answer, _ = run([1.0] * 16, lambda s: 9.0 if copies - set(s) else 0.0, bar=2.0)
    assert (answer.status, set(answer.removed)) == ("flips", copies)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 6), st.randoms(use_true_random=False), st.floats(0.05, 0.6))
def test_up_to_eight_positions_the_answer_is_the_oracles(n: int, random: "object", bar: float) -> None:
    table = {s: random.random() for k in range(1, n + 1) for s in combinations(range(n), k)}  # type: ignore[attr-defined]
    answer, rounds = run([0.0] * n, table.__getitem__, bar)
    expected = smallest(n, table.__getitem__, bar)
    assert answer.removed == (expected or ())
    assert answer.status == ("flips" if expected else "impossible")
    assert answer.minimal == bool(expected)
    asked = [s for one in rounds for s in one]
    assert len(asked) == len(set(asked)) == answer.rescored


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 20), min_size=9, max_size=25), st.integers(1, 60), st.integers(0, 120))
def test_beyond_eight_positions_every_claim_is_true(weights: list[int], bar: int, budget: int) -> None:
    floats: Iterable[float] = map(float, weights)
    score = additive(list(floats))
    answer, rounds = run(weights, score, bar, budget) if score(()) >= bar else (Answer("unknown"), [])
    asked = [s for one in rounds for s in one]
    assert answer.rescored == len(set(asked)) == len(asked) <= budget
    if answer.status == "flips":
        assert answer.removed in asked
        assert answer.score == score(answer.removed) < bar
        fewest = next(
            k for k in range(1, 26) if score(tuple(sorted(range(len(weights)), key=lambda i: -weights[i])[:k])) < bar
        )
        assert not answer.minimal or len(answer.removed) == fewest
        if budget > len(asked):
            assert all(score(tuple(set(answer.removed) - {i})) >= bar for i in answer.removed)
    else:
        assert answer.status == "unknown"
        assert tuple(range(len(weights))) in asked or budget == len(asked) or score(()) < bar
