"""What each ranking algorithm asks of a perfect judge, measured by running it.

The rows become the tables of ``docs/algorithms.md`` and of ``whyrank methods --costs``.
"""

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Any, Literal, TypeAlias

from whyrank.errors import BadInput
from whyrank.rankers.algorithms import ALGORITHMS, Judge, algorithm
from whyrank.rankers.flow import Flow, Question, drive

Order: TypeAlias = Literal["random", "first stage"]
SIZES = (10, 20, 50, 100, 200, 1000)
TOP = 10
NOISE = 0.25
"""Standard deviation of a "first stage" place, as a share of n: a first stage that is right in tendency."""

_Answer: TypeAlias = Callable[[Question, Sequence[float]], Any]
_ANSWERS: dict[Judge, _Answer] = {
    "pointwise": lambda question, worth: worth[question[0]],
    "pairwise": lambda question, worth: (
        (worth[question[0]] > worth[question[1]]) - (worth[question[0]] < worth[question[1]])
    ),
    "setwise": lambda question, worth: max(range(len(question)), key=lambda i: worth[question[i]]),
    "listwise": lambda question, worth: sorted(range(len(question)), key=lambda i: -worth[question[i]]),
}


@dataclass(frozen=True, slots=True)
class Case:
    """An algorithm with the options that a row is about."""

    label: str
    name: str
    options: tuple[tuple[str, int], ...] = ()

    @property
    def judge(self) -> Judge:
        """The judge it needs."""
        return algorithm(self.name).judge

    def flow(self, n: int) -> Flow[Any]:
        """A fresh flow over n documents."""
        return algorithm(self.name).function(n, **dict(self.options))


@dataclass(frozen=True, slots=True)
class Cost:
    """What one case asked at one n.

    Attributes:
        label: the algorithm and its options, as printed.
        judge: the kind of question it asks.
        n: number of documents.
        order: how the documents came: at random, or in the order of a first stage that is right in tendency.
        runs: number of input orders; 0 where the figures follow from a formula.
        questions, documents, rounds: means over the runs; see `whyrank.rankers.flow.Trace`.
        most_questions, most_documents, most_rounds: maxima over the runs.
        exact_share: share of the runs with the exact top 10 (or all n, if fewer) in order.
    """

    label: str
    judge: Judge
    n: int
    order: Order
    runs: int
    questions: float
    documents: float
    rounds: float
    most_questions: int
    most_documents: int
    most_rounds: int
    exact_share: float


CASES = (
    *(Case(name, name) for name in ALGORITHMS if ALGORITHMS[name].judge in ("pointwise", "pairwise")),
    *(Case(f"setwise-heapsort of {c + 1}", "setwise-heapsort", (("children", c),)) for c in (2, 9, 19)),
    *(Case(f"setwise-insertion of {c + 1}", "setwise-insertion", (("children", c),)) for c in (2, 9, 19)),
    Case("sliding-window", "sliding-window"),
    Case("top-down-partition", "top-down-partition"),
    Case("top-down-partition, pivot 10", "top-down-partition", (("pivot", TOP),)),
    Case("tournament", "tournament"),
    Case("tournament-graph", "tournament-graph"),
)


def answer(judge: Judge, question: Question, worth: Sequence[float]) -> Any:
    """The answer of a perfect judge, to whom a higher worth is better."""
    return _ANSWERS[judge](question, worth)


def costs(
    sizes: Iterable[int] = SIZES, *, order: Order = "random", cases: Sequence[Case] = CASES, seed: int = 0
) -> list[Cost]:
    """Run every case at every size and count.

    Args:
        sizes: numbers of documents.
        order: how the documents come.
        cases: which algorithms, with which options.
        seed: of the input orders.

    Returns:
        One row for each size and case, sizes outermost. The same arguments give the same rows.

    Raises:
        BadInput: `order` is unknown.
    """
    if order not in ("random", "first stage"):
        raise BadInput(f"no input order called {order!r}; known: random, first stage")
    return [_cost(case, n, order, seed) for n in sizes for case in cases]


def _cost(case: Case, n: int, order: Order, seed: int) -> Cost:
    if case.name == "all-pairs" and n > 100:
        asked = n * (n - 1)
        return Cost(case.label, case.judge, n, order, 0, asked, 2 * asked, 1, asked, 2 * asked, 1, 1.0)
    runs = 1 if case.name in ("all-pairs", "pointwise") else max(5, min(100, 10_000 // n))
    traces, exact = [], 0
    for worth in _worths(n, order, runs, seed):
        [outcome] = drive([case.flow(n)], lambda batch, w=worth: [answer(case.judge, q, w) for _, q in batch])  # type: ignore[misc]
        traces.append(outcome.trace)
        exact += list(outcome.order[:TOP]) == sorted(range(n), key=lambda i: -worth[i])[:TOP]
    questions, documents, rounds = zip(*((t.questions, t.documents, t.rounds) for t in traces), strict=True)
    return Cost(
        case.label,
        case.judge,
        n,
        order,
        runs,
        mean(questions),
        mean(documents),
        mean(rounds),
        max(questions),
        max(documents),
        max(rounds),
        exact / runs,
    )


def _worths(n: int, order: Order, runs: int, seed: int) -> Iterator[list[float]]:
    for run in range(runs):
        lots = random.Random(seed * 1_000_003 + run)  # noqa: S311 - input orders of a measurement, nothing secret
        if order == "random":
            yield [float(i) for i in lots.sample(range(n), n)]
        else:
            yield [lots.gauss(-i, NOISE * n) for i in range(n)]


def markdown(rows: Iterable[Cost]) -> str:
    """The rows as Markdown tables, one for each n, means with the maximum in brackets where it differs."""
    tables: dict[tuple[int, Order], list[str]] = {}
    for row in rows:
        lines = tables.setdefault((row.n, row.order), [])
        formula = "" if row.runs else " †"
        lines.append(
            f"| {row.label}{formula} | {row.judge} | {_figure(row.questions, row.most_questions)} "
            f"| {_figure(row.documents, row.most_documents)} | {_figure(row.rounds, row.most_rounds)} "
            f"| {row.exact_share:.0%} |"
        )
    head = "| algorithm | judge | questions | documents read | rounds | exact top 10 |\n|---|---|---:|---:|---:|---:|"
    return "\n\n".join(
        f"### {n} documents, {'in random order' if order == 'random' else 'in first-stage order'}\n\n{head}\n"
        + "\n".join(lines)
        for (n, order), lines in tables.items()
    )


def _figure(average: float, most: int) -> str:
    return f"{most:,}" if average == most else f"{average:,.1f} ({most:,})"
