"""A transport and a clock of our own, so that tests of what is around a call wait for nothing."""

import threading
from collections.abc import Callable, Sequence

from whyrank.lm.base import Capability, Reply, Request
from whyrank.lm.failures import CallFailed, bad_status
from whyrank.lm.limits import Limits, Timing
from whyrank.lm.remote import Remote
from whyrank.types import Usage

Act = Callable[[int, str], Reply]


class Clock:
    """Time that passes only while somebody waits."""

    def __init__(self, chance: float = 1.0) -> None:
        self.time = 0.0
        self.pauses: list[float] = []
        self._chance = chance
        self._lock = threading.Lock()

    def wait(self, stopped: threading.Event, seconds: float) -> None:
        with self._lock:
            self.time += seconds
            self.pauses.append(seconds)

    def timing(self) -> Timing:
        return Timing(now=lambda: self.time, wait=self.wait, chance=lambda: self._chance)


class Acted:
    """A transport that does what a function of (number of the call, address) says."""

    def __init__(self, act: Act) -> None:
        self.act = act
        self.sent: list[tuple[Request, str, float]] = []
        self.is_closed = False
        self._lock = threading.Lock()

    def send(self, request: Request, url: str, timeout_s: float) -> Reply:
        with self._lock:
            self.sent.append((request, url, timeout_s))
            number = len(self.sent) - 1
        return self.act(number, url)

    def close(self) -> None:
        self.is_closed = True


def remote(
    transport: Acted, limits: Limits | None = None, clock: Clock | None = None, urls: Sequence[str] = ("a",)
) -> Remote:
    return Remote(
        transport,
        name="test:m",
        urls=urls,
        capabilities=frozenset({Capability.GENERATE, Capability.LOGPROBS, Capability.LIKELIHOOD}),
        limits=limits or Limits(concurrency=1),
        timing=(clock or Clock()).timing(),
    )


def fails(failure: CallFailed, times: int = 10**9) -> Act:
    def act(number: int, url: str) -> Reply:
        if number < times:
            raise failure
        return Reply("ok", usage=Usage(prompt_tokens=10, generated_tokens=2))

    return act


def status(code: int, body: str = "no", **headers: str) -> CallFailed:
    return bad_status(code, body, headers, wall_s=0.0)
