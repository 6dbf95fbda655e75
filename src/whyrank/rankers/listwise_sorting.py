"""Ranking algorithms for judges that order a whole question: sliding windows, partitions and tournaments.

The promises are those of `whyrank.rankers.sorting`: exact for a judge that agrees with one order, a permutation
and a bounded number of questions for any judge.
"""

import math
import random
from collections.abc import Generator, Iterator, Sequence

from whyrank.errors import BadInput
from whyrank.rankers.flow import Flow, Question, Round
from whyrank.rankers.sorting import at_least, then_rest, together

Listwise = Generator[Round, list[list[int]], list[int]]


def _ordered(question: Sequence[int], ranks: Sequence[int]) -> list[int]:
    if sorted(ranks) != list(range(len(question))):
        raise BadInput(
            f"the judge ordered {len(question)} documents as {list(ranks)!r}; "
            f"an answer holds each of 0 to {len(question) - 1} once, best first"
        )
    return [question[rank] for rank in ranks]


# Sliding window


def sliding_window(n: int, *, size: int = 20, stride: int = 10, passes: int = 1) -> Flow[list[int]]:
    """Order overlapping windows from the bottom of the list to its top.

    About passes·(n - size)/stride + passes questions of up to `size` documents, one after another. Every document
    is seen in every pass: where n - size is no multiple of `stride` the topmost window is shorter, and a list
    shorter than a window is one question. Exact: the best passes·(size - stride), and the full order for n ≤ size.
    Source: Sun et al., 2023, "Is ChatGPT Good at Search? Investigating Large Language Models as Re-Ranking
    Agents", who use size 20 and stride 10.

    Raises:
        BadInput: n is negative, size is below 2, stride lies outside 1 to size, passes is below 1; or, when
            answers come, one is no permutation of its question.
    """
    at_least(0, n=n)
    at_least(2, size=size)
    at_least(1, stride=stride, passes=passes)
    if stride > size:
        raise BadInput(f"stride {stride} is wider than the window of {size}: documents between would never be read")
    return _sliding_window(n, size, stride, passes)


def _sliding_window(n: int, size: int, stride: int, passes: int) -> Flow[list[int]]:
    order = list(range(n))
    for _ in range(passes if n > size else min(n - 1, 1)):
        end = n
        while end > 0:
            start = max(0, end - size)
            end = max(end, start + 2)  # with stride = size a single document may be left at the top
            window = tuple(order[start:end])
            [ranks] = yield [window]
            order[start:end] = _ordered(window, ranks)
            end = end - stride if start > 0 else 0
    return order


# Top-down partition


def top_down_partition(n: int, *, size: int = 20, top: int = 10, pivot: int | None = None) -> Flow[list[int]]:
    """Sort the first window, and compare all others with a pivot from it in one round.

    What beats the pivot is treated the same way again until it fits a window; so is, where fewer than `top` beat
    it, what lost. Only the best `top` of a window stay in play, for its answer orders it whole. Exact: the best
    `top`. Source: Parry et al., 2024, "Top-Down Partitioning for Efficient List-Wise Ranking". Deviates: no
    budget cuts the survivors short, which is what makes it exact; losers are searched again where needed; both
    searches share their rounds; the pivot is by default not the document at rank `top`, see below.

    Args:
        n: number of documents.
        size: documents in a question, the pivot included.
        top: how many of the best to sort.
        pivot: 1-based rank of the pivot in the sorted first window, at most `top`. None takes about
            1.4·top·size/n, which leaves few more survivors than `top` where the first-stage order says nothing
            (100 documents: 7.7 questions, 10.2 with `pivot=top`). `pivot=top` is the paper's choice and the
            cheaper one where the first stage is right in tendency (7.1 questions against 9.3).

    Raises:
        BadInput: n is negative, size is below 2, top or pivot is below 1, pivot is above size; or, when answers
            come, one is no permutation of its question.
    """
    at_least(0, n=n)
    at_least(2, size=size)
    at_least(1, top=top)
    if pivot is not None and not 1 <= pivot <= size:
        raise BadInput(f"pivot is {pivot}; give a rank from 1 to the window's {size}, or None")
    return _partition(list(range(n)), size, top, pivot)


def _partition(candidates: list[int], size: int, top: int, pivot: int | None) -> Listwise:
    """The candidates with the best `top` sorted in front."""
    if len(candidates) < 2 or top < 1:
        return candidates
    if len(candidates) <= size:
        [ranks] = yield [tuple(candidates)]
        return _ordered(candidates, ranks)
    first, rest = tuple(candidates[:size]), candidates[size:]
    [ranks] = yield [first]
    head = _ordered(first, ranks)
    rank = max(1, round(1.4 * top * size / len(candidates))) if pivot is None else pivot
    at = min(rank, top, size) - 1
    windows = [(head[at], *rest[i : i + size - 1]) for i in range(0, len(rest), size - 1)]
    answers = yield [*windows]
    above, below = [head[:at]], [head[at + 1 :]]
    for window, ranks in zip(windows, answers, strict=True):
        ordered = _ordered(window, ranks)
        split = ordered.index(head[at])
        above.append(ordered[:split])
        below.append(ordered[split + 1 :])
    survivors = sum(map(len, above))
    upper, lower = yield from together(
        [
            _merge(above, size, top, pivot),
            _merge(below, size, top - survivors - 1, pivot),
        ]
    )
    return [*upper, head[at], *lower]


def _merge(lists: list[list[int]], size: int, top: int, pivot: int | None) -> Listwise:
    """The best `top` of sorted lists in front; what cannot be among them stays in the order of the lists."""
    lists = [ordered for ordered in lists if ordered]
    if len(lists) == 1:
        return lists[0]
    kept = max(top, 0)
    best = yield from _partition([i for ordered in lists for i in ordered[:kept]], size, kept, pivot)
    return best + [i for ordered in lists for i in ordered[kept:]]


# Tournaments


def tournament(n: int, *, size: int = 10, rounds: int = 1, seed: int = 0) -> Flow[list[int]]:
    """Let documents advance through group stages, and sort by how far they came.

    A stage deals the remaining documents into groups of up to `size` and lets the best of each group advance: to
    the next of …, 100, 50, 20, 10, 5, 2, 1 that is at most six tenths of the field, and at least one a group. A
    stage survived is a point, the place in the last group a fraction of one. The questions of a stage share a
    round, and so do the tournaments: the depth does not grow with `rounds`. 100 documents take 19 questions and 5
    rounds a tournament.
    A heuristic: a perfect judge gives the exact order for n ≤ size only, for a good document can meet better ones
    in an early group. Source: Chen et al., 2024, "TourRank: Utilizing Large Language Models for Documents Ranking
    with a Tournament-Inspired Strategy". Deviates: the stages follow from n, all groups have `size` documents, and
    the order inside a group is used, where the paper uses only who advances.

    Args:
        n: number of documents.
        size: documents in a group.
        rounds: how many tournaments to add up; the first deals by the order given, further ones by lot.
        seed: of the lots.

    Raises:
        BadInput: n is negative, size is below 2, rounds is below 1; or, when answers come, one is no permutation
            of its question.
    """
    at_least(0, n=n)
    at_least(2, size=size)
    at_least(1, rounds=rounds)
    return _tournament(n, size, rounds, seed)


def _tournament(n: int, size: int, rounds: int, seed: int) -> Flow[list[int]]:
    lots = random.Random(seed)  # noqa: S311 - lots of a tournament, nothing secret
    fields = [list(range(n)), *(lots.sample(range(n), n) for _ in range(rounds - 1))]
    gained = yield from together([_one_tournament(field, size) for field in fields])
    points = [sum(scores) for scores in zip(*gained, strict=True)]
    return sorted(range(n), key=lambda i: -points[i])


def _one_tournament(field: list[int], size: int) -> Generator[Round, list[list[int]], list[float]]:
    points = [0.0] * len(field)
    stage = 0
    while len(field) > 1:
        count = math.ceil(len(field) / size)
        target = max(_next_field(len(field)), count if count > 1 else 1)
        groups = [field[i::count] for i in range(count)]
        answers = iter((yield [tuple(group) for group in groups if len(group) > 1]))
        survivors: set[int] = set()
        for i, group in enumerate(groups):
            ordered = _ordered(group, next(answers)) if len(group) > 1 else group
            survivors.update(ordered[: target // count + (i < target % count)])
            for place, position in enumerate(ordered):
                points[position] = stage + 1 - place / len(group)
        field = [position for position in field if position in survivors]
        stage += 1
        if count == 1 and target <= 2:
            return points
    return points


def _next_field(n: int) -> int:
    """The largest of 1, 2, 5, 10, 20, 50 … that is at most six tenths of n, and at least 1."""
    steps = [digit * 10**power for power in range(len(str(n))) for digit in (1, 2, 5)]
    return max([step for step in steps if step <= 0.6 * n], default=1)


def tournament_graph(n: int, *, size: int = 20, top: int = 10) -> Flow[list[int]]:
    """Remember who beat whom, draw all conclusions, and ask only about what is still open.

    The first round sorts windows that cover the list. From then on a document with `top` known betters is out, and
    each round asks about the open documents with the fewest known betters: in one question, or side by side in
    several where more than `size` share the lead. Exact: the best `top`. 100 documents take about 6.3 questions in
    2.3 rounds. An answer that contradicts what is known yields to it, so any judge comes to an end.
    Source: Agrawal et al., 2026, "BlitzRank: Principled Zero-shot Ranking Agents with Tournament Graphs".
    Deviates: rounds of several questions instead of one question at a time; contradictions are settled by who
    spoke first instead of by tiers.

    Raises:
        BadInput: n is negative, size is below 2, top is below 1; or, when answers come, one is no permutation of
            its question.
    """
    at_least(0, n=n)
    at_least(2, size=size)
    at_least(1, top=top)
    return _tournament_graph(n, size, top)


def _tournament_graph(n: int, size: int, top: int) -> Flow[list[int]]:
    known = _Known(n)
    while True:
        candidates = [i for i in range(n) if known.betters(i) < top]
        field = sum(1 << i for i in candidates)
        undecided = [i for i in candidates if (known.above[i] | known.below[i] | 1 << i) & field != field]
        if not undecided:
            return then_rest(sorted(candidates, key=known.betters), n)
        windows = _windows(known, sorted(undecided, key=known.betters), size)
        answers = yield [*windows]
        for window, ranks in zip(windows, answers, strict=True):
            known.learn(_ordered(window, ranks))


def _windows(known: "_Known", undecided: list[int], size: int) -> list[Question]:
    """The next round, from the undecided by number of betters.

    It always settles something: take the first, and of those that are open against it one with no better among
    them; all betters of that one are betters of the first too, so it has no more of them, and shares the lead.
    """
    fewest = known.betters(undecided[0])
    leaders = [i for i in undecided if known.betters(i) == fewest]
    if len(leaders) > size:
        return [tuple(leaders[i : i + size]) for i in range(0, len(leaders), size) if i + 1 < len(leaders)]
    return [tuple(sorted(undecided[:size]))]


class _Known:
    """Who is better than whom, closed under transitivity: one bit set of betters and one of worse a position."""

    def __init__(self, n: int) -> None:
        self.above, self.below = [0] * n, [0] * n

    def betters(self, i: int) -> int:
        return self.above[i].bit_count()

    def is_decided(self, i: int, j: int) -> bool:
        return bool((self.above[i] | self.below[i]) >> j & 1)

    def learn(self, ordered: Sequence[int]) -> None:
        """Take an answer in; neighbours come first, for most other pairs follow from them."""
        for distance in range(1, len(ordered)):
            for better, worse in zip(ordered, ordered[distance:], strict=False):
                if not self.is_decided(better, worse):
                    self._add(better, worse)

    def _add(self, better: int, worse: int) -> None:
        up, down = self.above[better] | 1 << better, self.below[worse] | 1 << worse
        for i in _bits(down):
            self.above[i] |= up
        for i in _bits(up):
            self.below[i] |= down


def _bits(number: int) -> Iterator[int]:
    while number:
        lowest = number & -number
        yield lowest.bit_length() - 1
        number ^= lowest
