"""Ranking algorithms: which questions to ask a judge, and the order that follows from the answers.

Each function takes `n`, the number of documents, and gives a fresh `Flow` over ``range(n)``, the positions of
the first-stage order. Lists of no or one document ask nothing. What a docstring calls exact holds for a judge
whose answers agree with one order of the documents; for any other judge the result is still a permutation and
the number of questions is still bounded. Questions name the documents in their first-stage order wherever the
method leaves that open, so a judge that ties, or likes what it reads first, keeps that order.

This module holds the pointwise, pairwise and setwise algorithms; `listwise_sorting` holds those that ask for a
whole order. `costs` measures what all of them ask; `algorithms` finds them by name.
"""

import math
from collections.abc import Callable, Generator, Sequence
from typing import TypeAlias, TypeVar

from whyrank.errors import BadInput
from whyrank.rankers.flow import Flow, Question, Round

A = TypeVar("A")
R = TypeVar("R")


def at_least(minimum: int, **values: int) -> None:
    """Check parameters of an algorithm.

    Raises:
        BadInput: a value is below `minimum`; the message names it.
    """
    for name, value in values.items():
        if value < minimum:
            raise BadInput(f"{name} is {value}; give {minimum} or more")


def together(parts: Sequence[Generator[Round, list[A], R]]) -> Generator[Round, list[A], list[R]]:
    """Run parts of an algorithm side by side: each joint round holds one round of every part still open."""
    results: dict[int, R] = {}
    rounds: dict[int, Round] = {}

    def advance(i: int, answers: list[A] | None) -> None:
        try:
            rounds[i] = next(parts[i]) if answers is None else parts[i].send(answers)
        except StopIteration as stop:
            results[i] = stop.value

    for i in range(len(parts)):
        advance(i, None)
    while rounds:
        asked, answers = dict(rounds), iter((yield [question for asked in rounds.values() for question in asked]))
        rounds.clear()
        for i, questions in asked.items():
            advance(i, [next(answers) for _ in questions])
    return [results[i] for i in range(len(parts))]


# Pointwise


def pointwise(n: int) -> Flow[float]:
    """Score each document alone and sort by score.

    n questions of one document in one round. Exact: the full order.

    Raises:
        BadInput: n is negative; or, when answers come, a score is no finite number.
    """
    at_least(0, n=n)
    return _pointwise(n)


def _pointwise(n: int) -> Flow[float]:
    if n < 1:
        return list(range(n))
    scores = yield [(i,) for i in range(n)]
    for i, score in enumerate(scores):
        if not math.isfinite(score):
            raise BadInput(f"the judge scored position {i} {score}; a score is a finite number")
    return sorted(range(n), key=lambda i: -scores[i])


# Pairwise


def all_pairs(n: int, *, both_orders: bool = True) -> Flow[int]:
    """Compare every pair and sort by wins less losses.

    n(n-1) questions of two documents in one round, half of them with `both_orders=False`. Exact: the full order.
    Source: Qin et al., 2023, "Large Language Models are Effective Text Rankers with Pairwise Ranking Prompting".

    Args:
        n: number of documents.
        both_orders: ask (a, b) and (b, a), so that a liking for the first place cancels.

    Raises:
        BadInput: n is negative; or, when answers come, one is not +1, 0 or -1.
    """
    at_least(0, n=n)
    return _all_pairs(n, both_orders)


def _all_pairs(n: int, both_orders: bool) -> Flow[int]:
    if n < 2:
        return list(range(n))
    pairs = [(i, j) for i in range(n) for j in range(n) if (i != j if both_orders else i < j)]
    margins = [0] * n
    for (i, j), answer in zip(pairs, (yield [*pairs]), strict=True):
        sign = _sign((i, j), answer)
        margins[i] += sign
        margins[j] -= sign
    return sorted(range(n), key=lambda i: -margins[i])


def heapsort_pairwise(n: int, *, top: int = 10, both_orders: bool = True) -> Flow[int]:
    """Sort the best `top` with a binary heap of pairwise comparisons.

    About 2n + 2·top·log2(n) comparisons, each one question or, with `both_orders`, two in one round. Exact: the
    best `top`; the rest keep the order in which they came. Source: Qin et al., 2023.

    Args:
        n: number of documents.
        top: how many of the best to sort.
        both_orders: ask (a, b) and (b, a); when the two answers disagree, the pair is a tie.

    Raises:
        BadInput: n is negative or top is below 1; or, when answers come, one is not +1, 0 or -1.
    """
    at_least(0, n=n)
    at_least(1, top=top)

    def best(family: Question) -> Generator[Round, list[int], int]:
        leader = 0
        for rival in range(1, len(family)):
            pair = (family[leader], family[rival])
            questions: Round = [pair, pair[::-1]] if both_orders else [pair]
            answers = yield questions
            margin = _sign(pair, answers[0]) - (_sign(pair[::-1], answers[1]) if both_orders else 0)
            if margin < 0:
                leader = rival
        return leader

    return _heap_top(n, 2, top, best)


def _sign(pair: Question, answer: int) -> int:
    if answer not in (-1, 0, 1):
        raise BadInput(f"the judge answered {answer!r} about the pair {pair}; +1, 0 and -1 are answers")
    return answer


# Setwise


def setwise_heapsort(n: int, *, children: int = 9, top: int = 10) -> Flow[int]:
    """Sort the best `top` with a heap whose every step asks "which of these is best?".

    Questions of up to children + 1 documents: about n/children to build the heap and top·log(n)/log(children)
    to empty it. Exact: the best `top`; the rest keep the order in which they came.
    Source: Zhuang et al., 2024, "A Setwise Approach for Effective and Highly Efficient Zero-shot Ranking with
    Large Language Models". Deviates: families of one level of the heap are asked in one round, which saves
    waiting, not questions; a question names its documents in first-stage order, not the parent first.

    Raises:
        BadInput: n is negative, children or top is below 1; or, when answers come, one is no place in its question.
    """
    at_least(0, n=n)
    at_least(1, children=children, top=top)
    return _heap_top(n, children, top, _best)


def _best(family: Question) -> Generator[Round, list[int], int]:
    [answer] = yield [family]
    if not 0 <= answer < len(family):
        raise BadInput(f"the judge chose {answer!r} out of {len(family)}; a choice is a place from 0 on")
    return answer


def setwise_insertion(n: int, *, children: int = 9, top: int = 10) -> Flow[int]:
    """Walk down the first-stage order and insert only what beats the worst of the best `top` so far.

    The first `top` documents are sorted by `setwise_heapsort`. Then the worst of them is asked about together
    with the next `children` documents: if it wins, all of those are out with one question; otherwise the winner
    is inserted by binary search. A first-stage order that is right costs (n - top)/children questions after the
    sorting, a reversed one (n - top)·(1 + log2(top)): of use where the first stage is good. Exact: the best
    `top`; the rest keep the order in which they came. Source: Podolak et al., 2025, "Beyond Reproducibility:
    Advancing Zero-shot LLM Reranking Efficiency with Setwise Insertion". Deviates: places are found by binary
    search between pairs, which keeps the result exact.

    Raises:
        BadInput: n is negative, children or top is below 1; or, when answers come, one is no place in its question.
    """
    at_least(0, n=n)
    at_least(1, children=children, top=top)
    return _setwise_insertion(n, children, top)


def _setwise_insertion(n: int, children: int, top: int) -> Flow[int]:
    ranked = yield from _heap_top(min(n, top), children, top, _best)
    waiting = list(range(len(ranked), n))
    while waiting:
        # The worst of the best comes first: a judge in doubt who favours the first place keeps the prior order.
        rivals = waiting[:children]
        best = yield from _best((ranked[-1], *rivals))
        if best == 0:
            waiting = waiting[children:]
            continue
        winner = rivals[best - 1]
        waiting.remove(winner)
        ranked.pop()
        place = yield from _place(winner, ranked)
        ranked.insert(place, winner)
    return then_rest(ranked, n)


def _place(newcomer: int, ranked: Sequence[int]) -> Generator[Round, list[int], int]:
    low, high = 0, len(ranked)
    while low < high:
        middle = (low + high) // 2
        if (yield from _best((ranked[middle], newcomer))):
            high = middle
        else:
            low = middle + 1
    return low


# The heap that both kinds use

Best: TypeAlias = Callable[[Question], Generator[Round, list[int], int]]
"""Finds the index of the best of a family of positions, in as many rounds as it needs."""


def _heap_top(n: int, children: int, top: int, best: Best) -> Flow[int]:
    if n < 2:
        return list(range(n))
    heap = list(range(n))
    for level in reversed(_levels(n, children)):
        yield from together([_sift(heap, parent, n, children, best) for parent in level])
    ranked: list[int] = []
    for end in range(n - 1, max(n - top, 0) - 1, -1):
        if ranked:
            yield from _sift(heap, 0, end + 1, children, best)
        heap[0], heap[end] = heap[end], heap[0]
        ranked.append(heap[end])
    return then_rest(ranked, n)


def _levels(n: int, children: int) -> list[range]:
    """The parents of a heap of n, level by level; families of one level share no position."""
    parents = (n - 2) // children + 1
    levels, first, width = [], 0, 1
    while first < parents:
        levels.append(range(first, min(first + width, parents)))
        first, width = first + width, width * children
    return levels


def _sift(heap: list[int], parent: int, end: int, children: int, best: Best) -> Generator[Round, list[int], None]:
    while children * parent + 1 < end:
        places = [parent, *range(children * parent + 1, min(children * (parent + 1) + 1, end))]
        family = sorted(places, key=heap.__getitem__)
        place = family[(yield from best(tuple(heap[i] for i in family)))]
        if place == parent:
            return
        heap[parent], heap[place] = heap[place], heap[parent]
        parent = place


def then_rest(ranked: list[int], n: int) -> list[int]:
    """The ranked positions, and below them all others of range(n) in the order in which they came."""
    taken = set(ranked)
    return ranked + [i for i in range(n) if i not in taken]
