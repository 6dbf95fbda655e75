"""What must come of a cell of the fault matrix, worked out from the plan of its faults alone.

Which requests are sent, which verdict each question has, which order the algorithm makes of them: written once more,
after the documents and not after the code. Nothing is read from the run itself.
"""

import math
from collections import Counter
from typing import Any, NamedTuple

from fault_cells import PASSING, REJECTED, RETRIES, USELESS, Cell, JudgeCase
from faulty_oracle import SAID, Key, Plan, reported
from oracle import in_order

from whyrank.rankers.algorithms import ALGORITHMS
from whyrank.rankers.flow import drive

SEVERITY = ("ok", "repaired", "truncated", "refused", "error", "partial")
UNUSABLE = SEVERITY.index("truncated")
STATUS = {
    "ok": "ok",
    "refusal": "refused",
    "filtered": "refused",
    "empty": "error",
    "error text": "error",
    "wrong ids": "error",
    "cut off": "truncated",
    "repeated ids": "repaired",
    "missing ids": "repaired",
}
"""What is said → the status of an answer that says it."""
FAILED = {"unavailable": "partial", "unusable": "error", "rejected": "error"}
"""How a request fails → the status of its question."""
Value = float | int | list[int] | None


class Verdict(NamedTuple):
    """What a question must come to; a value of None changes nothing."""

    value: Value
    status: str
    heard: tuple[str, ...]


class Foreseen:
    """What must come of a cell.

    Attributes:
        visits: question → requests about it.
        verdicts: for each list, those on its questions.
        orders: for each list, the worths of its documents, best first.
        scores: for each list, those of its documents in that order; none where documents are only placed.
    """

    def __init__(self, cell: Cell, plan: Plan) -> None:
        self._cell, self._plan = cell, plan
        self._kind = ALGORITHMS[cell.judge.algorithm].judge
        self._worths = [in_order(given) for given in cell.lists()]
        self.visits: Counter[Key] = Counter()
        self.verdicts: list[list[Verdict]] = [[] for _ in self._worths]
        flow = ALGORITHMS[cell.judge.algorithm].function
        outcomes = drive([flow(len(worths), **cell.judge.options) for worths in self._worths], self._judge)
        self.orders = [
            [worths[i] for i in outcome.order] for worths, outcome in zip(self._worths, outcomes, strict=True)
        ]
        self.scores: list[list[Any]] = [[], []]
        if self._kind == "pointwise":
            self._sort()

    def status(self, place: int) -> str:
        """Of a list: that of its worst answer."""
        return max((verdict.status for verdict in self.verdicts[place]), key=SEVERITY.index)

    def heard(self, place: int) -> Counter[str]:
        """Status → answers about a list that had it."""
        return Counter(status for verdict in self.verdicts[place] for status in verdict.heard)

    def _sort(self) -> None:
        for place, worths in enumerate(self._worths):
            scores: list[Any] = [verdict.value for verdict in self.verdicts[place]]
            known = [i for i in range(len(worths)) if scores[i] is not None]
            order = sorted(known, key=lambda i: -scores[i])
            order += [i for i in range(len(worths)) if scores[i] is None]
            self.orders[place] = [worths[i] for i in order]
            self.scores[place] = [scores[i] for i in order]

    def _judge(self, batch: list[tuple[int, tuple[int, ...]]]) -> list[Any]:
        answers: list[Any] = []
        for place, question in batch:
            verdict = self._verdict(tuple(self._worths[place][i] for i in question))
            self.verdicts[place].append(verdict)
            nothing = list(range(len(question))) if self._kind == "listwise" else 0
            answers.append(nothing if verdict.value is None else verdict.value)
        return answers

    def _verdict(self, key: Key) -> Verdict:
        judge = self._cell.judge
        if judge.scoring == "generation":
            return self._written(key)
        if judge.reasons and (said := self._hear(key, "generation")) in FAILED:
            return Verdict(None, FAILED[said], (FAILED[said],))
        said = self._hear(key, judge.scoring)
        if said in FAILED:
            return Verdict(None, FAILED[said], (FAILED[said],))
        return Verdict(likely(self._kind, judge, key, said), "ok", ("ok",))

    def _written(self, key: Key) -> Verdict:
        """An answer that names nothing is asked for once more."""
        heard: tuple[str, ...] = ()
        while True:
            said = self._hear(key, "generation")
            if said == "cut off" and self._cell.judge.reasons:
                said = self._hear(key, "generation")  # the thought is ended, and the answer asked for
            value = named(self._kind, self._cell.judge, key, said)
            status = FAILED.get(said) or STATUS[said]
            if status == "truncated" and value is not None:
                status = "repaired"  # it broke off, and is used as far as it goes
            heard += (status,)
            if value is not None or said in FAILED or len(heard) == 2:
                return Verdict(value, status, heard)

    def _hear(self, key: Key, asked: str) -> str:
        """What is said in the end, or a name of `FAILED`."""
        tries = 0
        while True:
            said = self._plan.said(key, self.visits[key])
            self.visits[key] += 1
            tries += 1
            if said in REJECTED:
                return "rejected"
            if said in PASSING:
                if tries > RETRIES:
                    return "unavailable"
            elif said in USELESS or (asked == "query" and said != "ok"):
                if tries == 2:
                    return "unusable"
            elif asked == "logprobs" and said in SAID and said not in ("repeated ids", "missing ids"):
                return "unusable"
            else:
                return said


def named(kind: str, judge: JudgeCase, key: Key, said: str) -> Value:
    """What a written answer comes to."""
    if said not in ("ok", "repeated ids", "missing ids"):
        is_begun = said == "cut off" and kind == "listwise"
        return list(dict.fromkeys([len(key) - 1, 0, *range(len(key))])) if is_begun else None
    best = sorted(range(len(key)), key=lambda place: -key[place])
    match kind:
        case "listwise":
            return best if said == "ok" else [best[0], *best[2:], best[1]]
        case "setwise":
            return best[0]
        case "pairwise":
            return 1 if best[0] == 0 else -1
    return float(key[0] * 5 // 1000 if judge.prompt == "graded" else key[0] >= 500)


def likely(kind: str, judge: JudgeCase, key: Key, said: str) -> Value:
    """What likelihoods come to; a choice that is not reported has the lowest that is."""
    worths = [worth / 1000 for worth in key]
    if judge.scoring == "query":
        return -1 / (1 + key[0])
    if kind == "pointwise":
        worths = [place * worths[0] for place in range(5)] if judge.prompt == "graded" else [*worths, 0.0]
    choices = [str(place) for place in range(len(worths))]
    table = reported(said, choices, worths)
    values = [table.get(choice, min(table.values())) for choice in choices]
    best = sorted(range(len(values)), key=lambda place: -values[place])
    match kind:
        case "listwise":
            return best
        case "setwise":
            return best[0]
        case "pairwise":
            return (values[0] > values[1]) - (values[0] < values[1])
    if len(values) == 2:
        return values[0] - values[1]
    weights = [math.exp(value) for value in values]
    return sum(grade * weight for grade, weight in enumerate(weights)) / sum(weights)
