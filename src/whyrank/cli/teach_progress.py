"""How far a teacher is: on a terminal a bar, in a log a line now and then."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from whyrank.cli.messages import is_live, say

if TYPE_CHECKING:
    from whyrank.teach.asking import Outcome, Told

EVERY_S = 60.0
"""Seconds between two lines in a log."""


@contextmanager
def watching(*, quiet: bool = False) -> Iterator["Told | None"]:
    """What is to be told of each list that is done with."""
    if quiet:
        yield None
    elif is_live():
        with _bar() as told:
            yield told
    else:
        yield _Log()


def line(outcome: "Outcome") -> str:
    """Rate, cost so far, cost and time to come, as far as they are known."""
    came = outcome.records.total()
    parts = []
    if came and outcome.seconds > 0:
        parts.append(f"{_figure(60 * came / outcome.seconds)} lists a minute")
    parts.append(f"{money(outcome.usage.cost)} so far")
    if outcome.cost_to_come is not None and outcome.usage.cost:
        parts.append(f"about {money(outcome.cost_to_come)} to come")
    if outcome.seconds_to_come is not None:
        parts.append(f"{_time(outcome.seconds_to_come)} left")
    return ", ".join(parts)


def money(cost: float | None) -> str:
    """US dollars; "cost unknown" where nobody knows."""
    if cost is None:
        return "cost unknown"
    return f"${cost:,.2f}" if cost >= 1 or not cost else f"${cost:.4f}"


def _figure(rate: float) -> str:
    return f"{rate:,.0f}" if rate >= 10 else f"{rate:.1f}"


def _time(seconds: float) -> str:
    minutes = round(seconds / 60)
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60:02d} min"


class _Log:
    """A line a minute."""

    def __init__(self) -> None:
        self._said_s = 0.0

    def __call__(self, outcome: "Outcome") -> None:
        if outcome.seconds - self._said_s >= EVERY_S:
            self._said_s = outcome.seconds
            say(f"{outcome.done:,} of {outcome.lists:,} lists: {line(outcome)}")


@contextmanager
def _bar() -> Iterator["Told"]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

    columns = SpinnerColumn(), BarColumn(bar_width=20), MofNCompleteColumn(), TextColumn("{task.description}")
    with Progress(
        *columns,
        console=Console(stderr=True),
        transient=True,
        refresh_per_second=5,
        redirect_stdout=False,
        redirect_stderr=False,
    ) as bar:
        task = bar.add_task("asking", total=None)
        yield lambda outcome: bar.update(task, completed=outcome.done, total=outcome.lists, description=line(outcome))
