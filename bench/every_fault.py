"""The fault matrix: every judge behind a server that fails in every way, against what must come of it.

    python bench/every_fault.py                    24 faults x 16 judges x 20 seeds, on 2 processes
    python bench/every_fault.py --seeds 6 --fault timeout --fault 500

Each cell reranks two lists through the OpenAI backend, its SDK and a socket. The seed decides the lists, whether one
question, a third of them or all meet the fault, and whether asking again meets it again. A violation is an order, a
status, a score, a note or a number of requests other than what must come of the cell, a query that is lost, a thread
that lives on, or a call that hangs. Two tables: the statuses of the rankings, and the mean requests of a query.
"""

import argparse
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

TESTS = Path(__file__).parents[1] / "tests"
sys.path[:0] = [str(TESTS / "rankers"), str(TESTS / "lm")]

from fault_cells import FAULTS, JUDGES, Cell  # noqa: E402
from fault_matrix import run, violations  # noqa: E402
from foreseen import SEVERITY  # noqa: E402

LETTERS = {"ok": "o", "repaired": "r", "truncated": "t", "refused": "f", "error": "e", "partial": "p", "raised": "!"}


@dataclass(frozen=True)
class Came:
    """What came of the seeds of one judge and one fault."""

    fault: str
    judge: str
    statuses: Counter[str]
    requests: int
    queries: int
    slowest_s: float
    violations: list[str]


def came(task: tuple[str, int, range]) -> Came:
    """Run the seeds of one fault and one judge."""
    fault, number, seeds = task
    judge = JUDGES[number]
    statuses: Counter[str] = Counter()
    requests, slowest_s, found = 0, 0.0, []
    for seed in seeds:
        cell = Cell(judge, fault, seed)
        plan = cell.plan()
        ran = run(cell, plan)
        statuses.update([ranking.status for ranking in ran.rankings] if ran.error is None else ["raised", "raised"])
        requests += sum(ran.visits.values())
        slowest_s = max(slowest_s, ran.seconds)
        found += [f"{fault} / {judge.name} / seed {seed}: {each}" for each in violations(cell, plan, ran)]
    return Came(fault, judge.name, statuses, requests, 2 * len(seeds), slowest_s, found)


def main() -> None:
    """Run the matrix, print it, and fail where anything is violated."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--fault", action="append", choices=FAULTS, help="this fault alone; may be given again")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    settings = parser.parse_args()
    faults = settings.fault or list(FAULTS)
    tasks = [(fault, number, range(settings.seeds)) for fault in faults for number in range(len(JUDGES))]
    begun = time.monotonic()
    with ProcessPoolExecutor(settings.jobs) as pool:
        found = list(_told(pool.map(came, tasks), len(tasks)))
    for line in (*_tables(found, faults), *_summary(found, settings.seeds, time.monotonic() - begun)):
        print(line)
    sys.exit(any(each.violations for each in found))


def _told(found: Iterable[Came], count: int) -> Iterator[Came]:
    for number, each in enumerate(found, 1):
        print(f"\r{number} of {count}", end="", file=sys.stderr, flush=True)
        for violation in each.violations:
            print(f"\n{violation}", file=sys.stderr, flush=True)
        yield each
    print(file=sys.stderr)


def _tables(found: list[Came], faults: list[str]) -> Iterator[str]:
    by_fault: dict[str, list[Came]] = defaultdict(list)
    for each in found:
        by_fault[each.fault].append(each)
    yield "judges: " + ", ".join(f"{number} {judge.name}" for number, judge in enumerate(JUDGES, 1))
    yield "rankings by status: " + ", ".join(f"{letter} {status}" for status, letter in LETTERS.items())
    for fault in faults:
        yield f"{fault:22}" + " ".join(f"{_statuses(each.statuses):>11}" for each in by_fault[fault])
    yield "requests of a query, on average"
    for fault in faults:
        yield f"{fault:22}" + " ".join(f"{each.requests / each.queries:11.1f}" for each in by_fault[fault])


def _statuses(statuses: Counter[str]) -> str:
    return " ".join(f"{LETTERS[status]}{statuses[status]}" for status in (*SEVERITY, "raised") if statuses[status])


def _summary(found: list[Came], seeds: int, took_s: float) -> Iterator[str]:
    requests = sum(each.requests for each in found)
    slowest_s = max(each.slowest_s for each in found)
    yield f"{len(found) * seeds:,} cells, {requests:,} requests, {took_s:.0f} s; slowest cell {slowest_s:.1f} s"
    yield f"violations: {sum(len(each.violations) for each in found)}"


if __name__ == "__main__":
    main()
