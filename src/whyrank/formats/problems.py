"""What is wrong with a file: where, what, and how to mend it. Readers raise the first error, `validate` collects.

Every reader takes a `Complain`, a function that is told each problem. `fail` raises; a `Collector` keeps.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias, TypeVar

from whyrank.errors import BadInput, BadRecord, DuplicateId

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, or that a careful reader should know.

    Attributes:
        path: the file.
        line: 1-based line where the record starts; None where it concerns the whole file.
        what: what was found.
        how_to_fix: what is accepted, what to do.
        severity: an error stops readers; a warning does not.
        error: the class that readers raise.
    """

    path: str
    line: int | None
    what: str
    how_to_fix: str
    severity: Literal["error", "warning"] = "error"
    error: type[BadInput] = BadRecord

    def __str__(self) -> str:
        place = self.path if self.line is None else f"{self.path}:{self.line}"
        return f"{place}: {self.what}; {self.how_to_fix}"


Complain: TypeAlias = Callable[[Problem], None]


def fail(problem: Problem) -> None:
    """Raise errors, let warnings pass: what all readers do unless told otherwise."""
    if problem.severity == "error":
        raise problem.error(str(problem))


class Collector:
    """Keeps the first `limit` problems and counts all of them."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.kept: list[Problem] = []
        self.errors = 0
        self.warnings = 0

    def __call__(self, problem: Problem) -> None:
        """Take note of a problem."""
        if problem.severity == "error":
            self.errors += 1
        else:
            self.warnings += 1
        if len(self.kept) < self.limit:
            self.kept.append(problem)


class Wrong(Exception):
    """A record that cannot be used, told by a parser that knows no path and no line. Never leaves this package."""

    def __init__(self, what: str, how_to_fix: str, error: type[BadInput] = BadRecord) -> None:
        super().__init__(f"{what}; {how_to_fix}")
        self.what = what
        self.how_to_fix = how_to_fix
        self.error = error

    def at(self, path: str, line: int | None) -> Problem:
        """The same, with its place."""
        return Problem(path, line, self.what, self.how_to_fix, error=self.error)


def parsed(
    path: str,
    values: Iterable[tuple[int, object]],
    parse: Callable[[object, int], T],
    complain: Complain,
) -> Iterator[tuple[int, T]]:
    """Parse (line, value) pairs; `parse` is given the value and its 1-based number. Wrong ones are complained of."""
    for number, (line, value) in enumerate(values, 1):
        try:
            result = parse(value, number)
        except Wrong as wrong:
            complain(wrong.at(path, line))
            continue
        yield line, result


def unique(
    path: str, kind: str, items: Iterable[tuple[int, T]], key: Callable[[T], str], complain: Complain
) -> Iterator[tuple[int, T]]:
    """Pass on the first item of each id; complain of every other."""
    seen: dict[str, int] = {}
    for line, item in items:
        name = key(item)
        if name in seen:
            complain(duplicate(path, f"{kind} id {name!r}", seen[name], line))
            continue
        seen[name] = line
        yield line, item


def duplicate(path: str, what: str, first: int, again: int) -> Problem:
    """The problem of something given twice, naming both lines."""
    return Problem(
        path, again, f"{what} is given twice (lines {first} and {again})", "ids must differ", error=DuplicateId
    )


def some(names: Iterable[str], n: int = 5) -> str:
    """The first few names, quoted, and how many more there are.

    >>> some(["a", "b", "c"], n=2)
    "'a', 'b' and 1 more"
    """
    every = list(names)
    shown = ", ".join(repr(name) for name in every[:n])
    return f"{shown} and {len(every) - n} more" if len(every) > n else shown
