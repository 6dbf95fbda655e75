"""What holds a remote backend in bounds, and the clock it goes by."""

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from whyrank.errors import BadInput
from whyrank.lm.budget import Budget
from whyrank.lm.replicas import Breaker


@dataclass(frozen=True, slots=True)
class Limits:
    """What holds a backend in bounds.

    Attributes:
        concurrency: most calls at once, over all servers.
        timeout_s: of one call, from its start to the end of its answer.
        retries: further tries of a call that failed in a way that may pass.
        deadline_s: of a whole `ask`; what has no answer by then is ModelUnavailable. None: none.
        budget: of tokens and money; None: none.
        breaker: when a server that fails is left alone.
    """

    concurrency: int = 8
    timeout_s: float = 60.0
    retries: int = 4
    deadline_s: float | None = None
    budget: Budget | None = None
    breaker: Breaker = field(default_factory=Breaker)

    def __post_init__(self) -> None:
        if self.concurrency < 1:
            raise BadInput(f"concurrency is {self.concurrency}; give 1 or more")
        if self.retries < 0:
            raise BadInput(f"retries is {self.retries}; give 0 or more")
        if not self.timeout_s > 0:
            raise BadInput(f"timeout_s is {self.timeout_s}; give seconds above 0")
        if self.deadline_s is not None and not self.deadline_s > 0:
            raise BadInput(f"deadline_s is {self.deadline_s}; give seconds above 0, or None")


@dataclass(frozen=True, slots=True)
class Timing:
    """Time and chance, so that tests need neither.

    Attributes:
        now: seconds on a clock that never goes back.
        wait: wait until an event is set or seconds have passed.
        chance: a number in [0, 1).
    """

    now: Callable[[], float] = time.monotonic
    wait: Callable[[threading.Event, float], object] = threading.Event.wait
    chance: Callable[[], float] = random.random
