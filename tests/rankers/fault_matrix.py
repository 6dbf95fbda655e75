"""The fault matrix: a cell is run over a socket and held against what must come of it."""

import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from acted import Clock
from fault_cells import DENIED, DOWN, LONGEST_S, RETRIES, TIMED, Cell
from faulty_oracle import FaultyOracle, Key, Plan
from foreseen import SEVERITY, UNUSABLE, Foreseen, Verdict
from oracle import Oracle, in_order

from whyrank.errors import AccessDenied
from whyrank.prompts import load
from whyrank.types import Ranking


@dataclass(frozen=True)
class Run:
    """What happened in a cell."""

    rankings: list[Ranking]
    error: Exception | None
    visits: Counter[Key]
    seconds: float
    threads: list[str]


def run(cell: Cell, plan: Plan) -> Run:
    """Rerank both lists over a socket."""
    before = set(threading.enumerate())
    # Time passes in pauses alone. Where all is lost anyway they take time, so that the circuit breaker opens too.
    clock = Clock(chance=1.0 if cell.is_hopeless else 0.0)
    rankings: list[Ranking] = []
    error = None
    with FaultyOracle(Oracle(load(cell.judge.prompt)), plan) as server:
        begun = time.monotonic()
        with cell.backend(server.url, clock) as lm:
            try:
                rankings = replace(cell.ranker(lm), on_show=server.on_show).rerank_many(cell.lists())
            except Exception as raised:  # noqa: BLE001 the matrix must see what no cell may raise
                error = raised
        seconds = time.monotonic() - begun
        visits = Counter(server.visits)
    return Run(rankings, error, visits, seconds, _left(before))


def _left(before: set[threading.Thread]) -> list[str]:
    """Names of threads that live on."""
    ends = time.monotonic() + 5.0
    while left := [thread for thread in threading.enumerate() if thread not in before]:
        if time.monotonic() > ends:
            return [thread.name for thread in left]
        left[0].join(0.05)
    return []


def violations(cell: Cell, plan: Plan, ran: Run) -> list[str]:
    """What came of a cell and must not have."""
    faults = [f"{name} lives on" for name in ran.threads]
    if ran.seconds > LONGEST_S:
        faults.append(f"took {ran.seconds:.0f} s")
    if all(plan.said(key, 0) == "ok" for key in ran.visits):
        faults.append("no request met the fault")
    calls, most = sum(ran.visits.values()), _most(cell)
    if calls > most:
        faults.append(f"{calls} requests, at most {most} are allowed")
    if cell.fault in DENIED:
        return faults if isinstance(ran.error, AccessDenied) else [*faults, f"no AccessDenied but {ran.error!r}"]
    if ran.error is not None:
        return [*faults, f"raised {ran.error!r}"]
    foreseen = Foreseen(cell, plan)
    may_break = cell.is_hopeless and cell.fault in DOWN
    if cell.fault not in TIMED and not may_break and ran.visits != foreseen.visits:
        faults.append(f"{calls} requests in place of {sum(foreseen.visits.values())}")
    given = cell.lists()
    if [ranking.query for ranking in ran.rankings] != [ranking.query for ranking in given]:
        return [*faults, "a query is lost"]
    for place, ranking in enumerate(ran.rankings):
        found = _wrong(foreseen, place, given[place], ranking)
        faults += [f"query {place + 1}: {fault}" for fault in found]
    return faults


def _wrong(foreseen: Foreseen, place: int, given: Ranking, ranking: Ranking) -> list[str]:
    faults = []
    if sorted(ranking.ids) != sorted(given.ids):
        faults.append(f"{ranking.ids} is no permutation of {given.ids}")
    if in_order(ranking) != foreseen.orders[place]:
        faults.append(f"order {in_order(ranking)} in place of {foreseen.orders[place]}")
    if all(verdict.value is None for verdict in foreseen.verdicts[place]) and ranking.ids != given.ids:
        faults.append("no answer was usable, and the order changed")
    if ranking.status != foreseen.status(place):
        faults.append(f"status {ranking.status} in place of {foreseen.status(place)}")
    for hit, score in zip(ranking, foreseen.scores[place], strict=False):
        if (hit.score is None) != (score is None) or (score is not None and abs(hit.score - score) > 1e-9):
            faults.append(f"score {hit.score} in place of {score}")
    heard = foreseen.heard(place)
    unusable = sum(count for status, count in heard.items() if SEVERITY.index(status) >= UNUSABLE)
    if (ranking.usage.repaired, ranking.usage.unusable) != (heard["repaired"], unusable):
        faults.append(f"{ranking.usage} in place of {heard}")
    return [*faults, *_silent(ranking, foreseen.verdicts[place])]


def _silent(ranking: Ranking, verdicts: Sequence[Verdict]) -> list[str]:
    """What the notes must say and do not."""
    summaries = [note for note in ranking.notes if note.startswith(f"of {len(verdicts)} question")]
    if ranking.status == "ok":
        return [f"notes of a fault that there was not: {summaries}"] if summaries else []
    counts = Counter(verdict.status for verdict in verdicts)
    unusable = sum(count for status, count in counts.items() if SEVERITY.index(status) >= UNUSABLE)
    told = [(counts["repaired"], "answered after a repair"), (unusable, "without a usable answer")]
    wanted = [f"{count} {what}" for count, what in told if count]
    faults = []
    if len(summaries) != 1 or not all(count in summaries[0] for count in wanted):
        faults.append(f"no note that {' and '.join(wanted)} in {ranking.notes}")
    if not any(note.startswith(f"{status}: ") for note in ranking.notes for status in counts if status != "ok"):
        faults.append(f"no note says what happened: {ranking.notes}")
    return faults


def _most(cell: Cell) -> int:
    """Requests that retries, attempts and the algorithm's worst case allow."""
    judge, lists = cell.judge, cell.lists()
    attempts = 2 if judge.scoring == "generation" else 1
    turns = 2 if judge.reasons else 1
    return sum(judge.questions(len(given)) for given in lists) * attempts * turns * (RETRIES + 1)
