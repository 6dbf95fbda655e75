"""Progress on standard error while long work runs; nothing where nobody watches."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from whyrank.cli.messages import is_live
from whyrank.types import Progress

if TYPE_CHECKING:
    from rich.progress import Progress as Bar


class Work:
    """Work in phases, one bar after the other. Without a bar it is silent."""

    def __init__(self, bar: "Bar | None" = None) -> None:
        self._bar = bar

    def phase(self, name: str) -> Progress:
        """Begin a phase; call what is returned with (done, total)."""
        bar = self._bar
        if bar is None:
            return _silent
        for task in bar.task_ids:
            bar.remove_task(task)
        task = bar.add_task(name, total=None)

        def update(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total or None)

        return update

    @contextmanager
    def paused(self) -> Iterator[None]:
        """The bar is off the screen, so that results can be printed on the same terminal."""
        if self._bar is None or not sys.stdout.isatty():
            yield
            return
        self._bar.stop()
        try:
            yield
        finally:
            self._bar.start()


@contextmanager
def working(*, quiet: bool = False) -> Iterator[Work]:
    """Show progress on standard error if it is a terminal; it is wiped at the end."""
    if quiet or not is_live():
        yield Work()
        return
    from rich.console import Console
    from rich.progress import BarColumn, SpinnerColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        TaskProgressColumn(),
        TimeRemainingColumn(),
    )
    # Standard output is not redirected through the bar: it may be a pipe, and its bytes are the result.
    with Bar(
        *columns,
        console=Console(stderr=True),
        transient=True,
        refresh_per_second=5,
        redirect_stdout=False,
        redirect_stderr=False,
    ) as bar:
        yield Work(bar)


def _silent(_done: int, _total: int) -> None:
    pass
