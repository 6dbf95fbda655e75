"""The cost tables: counted by hand where that is possible, and the same in the documentation."""

from pathlib import Path

import pytest

from whyrank.errors import BadInput
from whyrank.rankers.algorithms import ALGORITHMS
from whyrank.rankers.costs import CASES, SIZES, Case, Cost, costs, markdown

PAGE = Path(__file__).parents[2] / "docs" / "algorithms.md"


def row(label: str, n: int, order: str = "random") -> Cost:
    [case] = [case for case in CASES if case.label == label]
    [cost] = costs([n], order=order, cases=[case])  # type: ignore[arg-type]
    return cost


def test_every_algorithm_has_a_row() -> None:
    assert {case.name for case in CASES} == set(ALGORITHMS)


@pytest.mark.parametrize(
    ("label", "n", "questions", "documents", "rounds"),
    [
        ("pointwise", 100, 100, 100, 1),
        ("all-pairs", 10, 90, 180, 1),
        ("sliding-window", 10, 1, 10, 1),
        ("sliding-window", 20, 1, 20, 1),
        ("sliding-window", 50, 4, 80, 4),
        ("sliding-window", 100, 9, 180, 9),
        ("sliding-window", 1000, 99, 1980, 99),
        ("top-down-partition", 20, 1, 20, 1),
        ("tournament", 100, 19, 185, 5),
        ("setwise-heapsort of 20", 10, 9, 54, 9),  # 10 + 9 + … + 2 documents: each question finds the next best
    ],
)
def test_fixed_costs(label: str, n: int, questions: int, documents: int, rounds: int) -> None:
    cost = row(label, n)
    assert (cost.questions, cost.documents, cost.rounds) == (questions, documents, rounds)
    assert (cost.most_questions, cost.most_documents, cost.most_rounds) == (questions, documents, rounds)


def test_the_formula_for_all_pairs_is_what_running_it_counts() -> None:
    counted, computed = row("all-pairs", 100), row("all-pairs", 200)
    assert (counted.runs, counted.questions, counted.documents) == (1, 100 * 99, 2 * 100 * 99)
    assert (computed.runs, computed.questions, computed.documents) == (0, 200 * 199, 2 * 200 * 199)


@pytest.mark.parametrize(
    ("label", "order", "questions", "documents", "rounds"),
    [
        # In random order; published or measured before by others: 7.6, 120 documents, depth 3.6.
        ("top-down-partition", "random", 7.6, 120, 3.6),
        # In first-stage order; questions measured before by others: 489, 123, 30, 20.5, and 120 documents.
        ("heapsort-pairwise", "first stage", 489, 978, 134),
        ("setwise-heapsort of 3", "first stage", 123, 368, 67),
        ("setwise-heapsort of 10", "first stage", 30, 303, 22.4),
        ("setwise-heapsort of 20", "first stage", 20.5, 387, 16.2),
        ("top-down-partition, pivot 10", "first stage", 7.1, 120, 3.1),
        ("tournament-graph", "random", 6.3, 121, 2.3),
    ],
)
def test_mean_costs(label: str, order: str, questions: float, documents: float, rounds: float) -> None:
    cost = row(label, 100, order)
    assert cost.questions == pytest.approx(questions, rel=0.06)
    assert cost.documents == pytest.approx(documents, rel=0.06)
    assert cost.rounds == pytest.approx(rounds, rel=0.12)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.label)
def test_what_promises_the_top_ten_gives_it(case: Case) -> None:
    for cost in costs([20, 50, 200], cases=[case]):
        if ALGORITHMS[case.name].exact == "heuristic":
            assert cost.exact_share < 1
        else:
            assert cost.exact_share == 1


def test_the_same_seed_gives_the_same_rows() -> None:
    cases = [case for case in CASES if case.judge == "listwise"]
    assert costs([50], cases=cases, seed=4) == costs([50], cases=cases, seed=4)
    assert costs([50], cases=cases, seed=4) != costs([50], cases=cases, seed=5)


def test_an_unknown_order_is_an_error() -> None:
    with pytest.raises(BadInput, match="no input order called 'sorted'"):
        costs([10], order="sorted")  # type: ignore[arg-type]


def test_rows_become_a_table() -> None:
    rows = [
        Cost("a", "listwise", 100, "random", 10, 7.25, 120.5, 3, 9, 150, 3, 1.0),
        Cost("b", "pairwise", 100, "random", 0, 9900, 19800, 1, 9900, 19800, 1, 0.25),
    ]
    assert markdown(rows) == (
        "### 100 documents, in random order\n\n"
        "| algorithm | judge | questions | documents read | rounds | exact top 10 |\n"
        "|---|---|---:|---:|---:|---:|\n"
        "| a | listwise | 7.2 (9) | 120.5 (150) | 3 | 100% |\n"
        "| b † | pairwise | 9,900 | 19,800 | 1 | 25% |"
    )


def test_the_page_shows_what_the_code_counts() -> None:
    page = PAGE.read_text(encoding="utf-8")
    shown = page.partition("<!-- costs:begin -->")[2].partition("<!-- costs:end -->")[0].strip()
    assert shown == markdown([*costs([100], order="first stage"), *costs(SIZES)])
