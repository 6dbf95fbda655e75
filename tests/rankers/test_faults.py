"""Every judge behind a server that fails in every way, one seed each; bench/every_fault.py runs twenty."""

import pytest
from fault_cells import FAULTS, JUDGES, TIMED, Cell, JudgeCase
from fault_matrix import run, violations

pytest.importorskip("openai")

SEEDS = (6, 2, 10, 5)
"""One question meets the fault once; all do once; a third do for good; all do for good."""
TIMED_SEEDS = (6, 3)
"""One question meets the fault once; one does for good: each time-out costs its time."""


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("judge", JUDGES, ids=lambda judge: judge.name)
def test_a_fault_loses_no_query_and_moves_no_document(judge: JudgeCase, fault: str) -> None:
    """Right order, status, scores, notes and number of requests; nothing hangs, and no thread lives on."""
    seeds = TIMED_SEEDS if fault in TIMED else SEEDS
    cell = Cell(judge, fault, seeds[(JUDGES.index(judge) + FAULTS.index(fault)) % len(seeds)])
    plan = cell.plan()
    assert violations(cell, plan, run(cell, plan)) == []
