"""Who is given what next, and which system stands on which side."""

import time
import unicodedata
from collections.abc import Callable, Mapping
from hashlib import sha256
from threading import Lock

from whyrank.errors import BadInput
from whyrank.judge.items import Item
from whyrank.judge.study import Study

HELD_S = 900.0
"""Seconds for which an item that a judge was given counts as being judged."""
LONGEST_NAME = 60


class Assignment:
    """Gives items to judges: to each judge an item once, and to each item so many judges as are wanted.

    What was given to a judge counts as being judged for a quarter of an hour, in this process: two servers on one store
    may at worst give an item to one judge too many.

    Args:
        study: what is to be judged.
        now: the time in seconds, from any moment on.
    """

    def __init__(self, study: Study, now: Callable[[], float] = time.monotonic) -> None:
        self._study, self._now, self._lock = study, now, Lock()
        self._held: dict[str, tuple[str, float]] = {}
        self._grades: dict[str, list[str]] = {}
        for item in study.items:
            if item.kind == "grade":
                self._grades.setdefault(item.query.id, []).append(item.id)

    def next(self, judge: str, done: Mapping[str, set[str]]) -> Item | None:
        """The first item that is open to a judge; None if there is none.

        Reasons wait while other judges are at grades of the same query, which may yet fall to this one; they are given
        where nothing else is open.

        Args:
            judge: who wants something to do.
            done: judge → items that are done.
        """
        with self._lock:
            opened = [own for own in self._study.items if self._is_open(own.id, judge, done)]
            if not opened:
                return None
            item = next((own for own in opened if not self._may_sway(own, judge, done)), opened[0])
            self._held[judge] = item.id, self._now()
        return item

    def hold(self, judge: str, item: str) -> None:
        """Count an item that a judge looks at again as being judged."""
        with self._lock:
            self._held[judge] = item, self._now()

    def left(self, judge: str, done: Mapping[str, set[str]]) -> int:
        """How many items are open to a judge."""
        with self._lock:
            return sum(self._is_open(item.id, judge, done) for item in self._study.items)

    def _is_open(self, item: str, judge: str, done: Mapping[str, set[str]]) -> bool:
        if item in done.get(judge, ()):
            return False
        since = self._now() - HELD_S
        at_work = {other for other, (held, at) in self._held.items() if held == item and at > since}
        return len((_done_by(item, done) | at_work) - {judge}) < self._study.settings.overlap

    def _may_sway(self, item: Item, judge: str, done: Mapping[str, set[str]]) -> bool:
        """Whether it shows reasons before a grade of the same query that this judge may yet have to give."""
        if item.kind == "grade":
            return False
        missing = set(self._grades.get(item.query.id, ())) - done.get(judge, set())
        return any(len(_done_by(grade, done)) < self._study.settings.overlap for grade in missing)


def _done_by(item: str, done: Mapping[str, set[str]]) -> set[str]:
    return {judge for judge, items in done.items() if item in items}


def sides_for(item: Item, judge: str, seed: int) -> tuple[tuple[str, ...], ...]:
    """The sides as a judge sees them: which is first is drawn for each item and judge, always the same."""
    drawn = sha256(f"{seed}\0{item.id}\0{judge}".encode("utf-8", "surrogatepass")).digest()[0]
    return item.sides[::-1] if drawn % 2 else item.sides


def judge_name(given: str) -> str:
    """A judge's name as it is kept: in one form of Unicode, without spaces around it or twice.

    Raises:
        BadInput: it is empty, too long, or holds what cannot be seen.
    """
    name = " ".join(unicodedata.normalize("NFC", given).split())
    if not name or len(name) > LONGEST_NAME:
        raise BadInput(f"a judge's name has 1 to {LONGEST_NAME} characters, not {len(name):,}; give a name or initials")
    if not name.isprintable():
        raise BadInput("a judge's name holds characters that cannot be seen; give a name or initials")
    return name
