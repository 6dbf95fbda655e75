"""What a verification finds: checks, and the report that they make."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from math import fsum, nan

TOLERANCE = 1e-9
"""Sums must hold to this, in units of the score."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: what kind of check it is ("order", "quote", "sum" …).
        subject: what it looked at: the query, and the document or pair.
        ok: whether it held.
        message: what was expected and what was found; on a check that held, what it could not cover.
    """

    name: str
    subject: str
    ok: bool
    message: str = ""

    def __str__(self) -> str:
        return f"{self.name}: {self.subject}: {self.message or ('ok' if self.ok else 'failed')}"


@dataclass(frozen=True, slots=True)
class Report:
    """All checks of one ranking."""

    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        """Whether every check held."""
        return all(check.ok for check in self.checks)

    @property
    def failures(self) -> tuple[Check, ...]:
        """The checks that did not hold."""
        return tuple(check for check in self.checks if not check.ok)

    @property
    def notes(self) -> tuple[Check, ...]:
        """Checks that held but could not cover everything."""
        return tuple(check for check in self.checks if check.ok and check.message)

    @property
    def counts(self) -> dict[str, int]:
        """How many checks of each kind were made."""
        return dict(Counter(check.name for check in self.checks))

    def __str__(self) -> str:
        head = f"{len(self.checks)} checks, {len(self.failures)} failed"
        return "\n".join([head, *(f"  {check}" for check in self.failures), *(f"  {check}" for check in self.notes)])


def total(values: Iterable[float]) -> float:
    """The exact sum; NaN where there is none, so that damaged numbers fail a check instead of ending it."""
    try:
        return fsum(values)
    except (ValueError, OverflowError):
        return nan


def is_close(found: float, expected: float) -> bool:
    """Equal within `TOLERANCE`; False for NaN."""
    return abs(found - expected) <= TOLERANCE


def same_bits(one: float | None, other: float | None) -> bool:
    """Equal to the last bit, or both absent."""
    if one is None or other is None:
        return one is other
    return float(one).hex() == float(other).hex()
