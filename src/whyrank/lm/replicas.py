"""Servers of one model: who is asked next, how many calls run at once, who is left alone for a while."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from whyrank.errors import ModelUnavailable
from whyrank.lm.failures import CallFailed

TICK_S = 0.05
"""How often a call that waits for a free place looks whether it is still wanted."""


@dataclass(frozen=True, slots=True)
class Breaker:
    """When a server is left alone.

    Attributes:
        failures: so many in a row, of two requests at least, for one alone may be what the server stumbles over; and
        span_s: the first of them at least this long ago. Calls that fail together, as when a server restarts, are
            one stumble.
        cool_down_s: how long it is left alone. Then one call tries it, and the others wait for what becomes of it.
    """

    failures: int = 5
    span_s: float = 2.0
    cool_down_s: float = 15.0


@dataclass(slots=True, eq=False)
class Replica:
    """One server, as it stands."""

    url: str
    busy: int = 0
    calls: int = 0
    failures: int = 0
    failing_since: float = 0.0
    failing: set[object] = field(default_factory=set)
    open_until: float | None = None
    is_probed: bool = False
    resting_until: float = 0.0


class Replicas:
    """Hands out servers to calls. All threads share it.

    Args:
        urls: of the servers.
        concurrency: most calls at once, over all of them.
        breaker: when a server is left alone.
        now: a clock.
    """

    def __init__(self, urls: Sequence[str], concurrency: int, breaker: Breaker, now: Callable[[], float]) -> None:
        self._all = [Replica(url) for url in urls]
        self._concurrency = concurrency
        self._breaker = breaker
        self._now = now
        self._changed = threading.Condition()

    def take(self, avoid: Replica | None, is_wanted: Callable[[], bool]) -> Replica | float:
        """The least busy server that may be asked, or the seconds after which one may be.

        Waits for a free place, and for a call that tries a broken server. What is taken must be given back.

        Args:
            avoid: the server that failed last, taken only if there is no other.
            is_wanted: asked now and then while waiting; False ends it.

        Raises:
            ModelUnavailable: every server is left alone, or the call is no longer wanted.
        """
        with self._changed:
            while is_wanted():
                allowed = [replica for replica in self._all if self._allows(replica)]
                is_trying = any(replica.is_probed for replica in self._all)
                if not allowed and not is_trying:
                    raise ModelUnavailable(self._why())
                if allowed and sum(replica.busy for replica in self._all) < self._concurrency:
                    return self._pick(allowed, avoid)
                self._changed.wait(TICK_S)
        raise ModelUnavailable("no longer wanted: the deadline has passed, or the work was broken off")

    def give_back(self, replica: Replica, failure: CallFailed | None, whose: object = None) -> None:
        """The call has ended.

        Args:
            replica: that was taken.
            failure: what went wrong; None if nothing did.
            whose: tells the tries of one request from those of others; None stands for a request of its own.
        """
        with self._changed:
            replica.busy -= 1
            replica.is_probed = False
            if failure is None or not failure.is_down:
                replica.failures, replica.open_until = 0, None
            else:
                self._count_failure(replica, object() if whose is None else whose)
            if failure is not None and failure.retry_after_s is not None:
                replica.resting_until = max(replica.resting_until, self._now() + failure.retry_after_s)
            self._changed.notify_all()

    def _allows(self, replica: Replica) -> bool:
        return replica.open_until is None or (self._now() >= replica.open_until and not replica.is_probed)

    def _pick(self, allowed: list[Replica], avoid: Replica | None) -> Replica | float:
        now = self._now()
        ready = [replica for replica in allowed if replica.resting_until <= now]
        if not ready:
            return min(replica.resting_until for replica in allowed) - now
        chosen = min(ready, key=lambda replica: (replica is avoid, replica.busy, replica.calls))
        chosen.busy += 1
        chosen.calls += 1
        chosen.is_probed = chosen.open_until is not None
        return chosen

    def _count_failure(self, replica: Replica, whose: object) -> None:
        now = self._now()
        if replica.failures == 0:
            replica.failing_since = now
            replica.failing.clear()
        replica.failures += 1
        replica.failing.add(whose)
        has_lasted = now - replica.failing_since >= self._breaker.span_s
        is_broken = replica.failures >= self._breaker.failures and len(replica.failing) > 1 and has_lasted
        if replica.open_until is not None or is_broken:
            replica.open_until = now + self._breaker.cool_down_s

    def _why(self) -> str:
        wait_s = max(0.0, min(replica.open_until or 0.0 for replica in self._all) - self._now())
        which = "the server" if len(self._all) == 1 else f"each of the {len(self._all)} servers"
        return f"{which} failed {self._breaker.failures} times or more in a row and is left alone for {wait_s:.0f} s"
