"""What lies behind the rankings of two stages, kept for whoever asks for their reasons later."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from threading import Lock
from typing import NamedTuple

from whyrank.rankers.fusion import Summands
from whyrank.rankers.guard import Decision
from whyrank.rankers.overhearing import Thought
from whyrank.types import Ranking

KEPT = 1_024
"""Accounts that are kept, the newest; more only where the latest call alone made more."""


@dataclass(frozen=True, slots=True)
class Account:
    """What lies behind a ranking of two stages.

    Attributes:
        decision: what became of stage 2.
        places: document id → what its place follows from, of the documents that were fused.
        is_calibrated: whether the values of stage 1 are probabilities.
        thoughts: what stage 2 wrote, window after window, in the first order and in the second.
    """

    decision: Decision
    places: dict[str, Summands]
    is_calibrated: bool
    thoughts: tuple[Thought, ...] = ()


class _Key(NamedTuple):
    """What an account belongs to.

    Attributes:
        query: its id and its text.
        hits: of each, its document's id, the hash of the text that was read, and its score.
    """

    query: tuple[str, str]
    hits: tuple[tuple[str, int, float | None], ...]

    @classmethod
    def of(cls, ranking: Ranking) -> "_Key":
        hits = tuple((hit.document.id, hash(hit.document.full_text), hit.score) for hit in ranking)
        return cls((ranking.query.id, ranking.query.text), hits)

    def begins(self, other: "_Key") -> bool:
        """Whether this is the other, cut."""
        return self.query == other.query and self.hits == other.hits[: len(self.hits)]


class Accounts:
    """The newest accounts, safe for several threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._known: dict[_Key, Account] = {}

    def of(self, ranking: Ranking) -> Account | None:
        """What lies behind a ranking, also where it was cut; None where it is not known, or no more."""
        key = _Key.of(ranking)
        with self._lock:
            if key in self._known:
                return self._known[key]
            newest_first = reversed(self._known.items())
            return next((account for known, account in newest_first if key.begins(known)), None)

    def keep(self, finished: Sequence[tuple[Ranking, Account]]) -> None:
        """Keep the accounts of a call, in the place of the oldest."""
        made = {_Key.of(ranking): account for ranking, account in finished}
        with self._lock:
            for key in made:
                self._known.pop(key, None)  # so that the newest stand last
            self._known |= made
            surplus = len(self._known) - max(KEPT, len(made))
            for key in list(islice(self._known, max(0, surplus))):
                del self._known[key]
