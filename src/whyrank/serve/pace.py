"""How long work will take, by how long the last turns took."""

import math
import time
from collections.abc import Callable

FADING_TURNS = 4
"""Full turns after which what was measured before counts half."""
STALE_S = 60.0
"""Seconds after which a measurement that nobody renewed says nothing any more: the machine may be another by now."""
REACH = 4
"""A turn is foretold of at most so many times the tokens of any before it: few tell nothing of many."""


class Pace:
    """Seconds of a turn as overhead and time per token: least squares over the last turns.

    Args:
        turn_tokens: what a turn takes at most.
        clock: seconds from any start.
    """

    def __init__(self, turn_tokens: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._turn_tokens, self._clock = turn_tokens, clock
        self._turns = self._tokens = self._seconds = self._squares = self._products = 0.0
        self._largest, self._learnt = 0, -math.inf

    def learn(self, tokens: int, seconds: float) -> None:
        """Take a turn into account; the more it read, the more of what was known before fades."""
        fade = 0.5 ** (min(tokens / self._turn_tokens, 1.0) / FADING_TURNS)
        self._turns = fade * self._turns + 1
        self._tokens = fade * self._tokens + tokens
        self._seconds = fade * self._seconds + seconds
        self._squares = fade * self._squares + tokens * tokens
        self._products = fade * self._products + tokens * seconds
        self._largest, self._learnt = max(self._largest, tokens), self._clock()

    def seconds(self, tokens: int) -> float:
        """About how long it takes to read so many tokens, in as many turns as it needs; 0 where that is not known."""
        is_stale = self._clock() - self._learnt > STALE_S
        if is_stale or min(tokens, self._turn_tokens) > REACH * self._largest:
            return 0.0
        spread = self._turns * self._squares - self._tokens * self._tokens
        even = self._seconds / max(self._tokens, 1.0)
        slope = even
        if spread > 1e-6 * self._turns * self._squares:
            fitted = (self._turns * self._products - self._tokens * self._seconds) / spread
            slope = min(max(fitted, 0.0), even)
        overhead = (self._seconds - slope * self._tokens) / self._turns
        return math.ceil(tokens / self._turn_tokens) * overhead + tokens * slope
