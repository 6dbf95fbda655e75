"""A limit on tokens and money that holds whatever runs at the same time."""

import threading
from dataclasses import dataclass

from whyrank.errors import BadInput, BudgetSpent
from whyrank.types import Usage


@dataclass(frozen=True, slots=True, eq=False)
class Reservation:
    """The most that a call may come to. Goes back to the budget that gave it, once."""

    tokens: int
    cost: float


class Budget:
    """Most tokens and most money that may be spent. Backends may share one.

    The worst case of a call is set aside before it is made, and what it came to is booked after, so the limit holds
    with any number of calls at once. A call whose worst case does not fit beside those under way waits for them.

    Args:
        max_cost: US dollars; None is no limit.
        max_tokens: tokens of prompts and answers together; None is no limit.

    Raises:
        BadInput: a limit below 0.
    """

    def __init__(self, max_cost: float | None = None, max_tokens: int | None = None) -> None:
        for name, limit in (("max_cost", max_cost), ("max_tokens", max_tokens)):
            if limit is not None and not limit >= 0:
                raise BadInput(f"{name} is {limit}; give 0 or more, or None for no limit")
        self.max_cost = max_cost
        self.max_tokens = max_tokens
        self._changed = threading.Condition()
        self._reserved: set[Reservation] = set()
        self._spent = Usage()
        self._presumed = Reservation(0, 0.0)

    @property
    def spent(self) -> Usage:
        """What the replies so far came to, as their servers counted."""
        with self._changed:
            return self._spent

    @property
    def presumed(self) -> Reservation:
        """Worst case of the calls whose end nobody saw, such as those that timed out: booked besides `spent`."""
        with self._changed:
            return self._presumed

    def reserve(self, tokens: int, cost: float | None, *, timeout_s: float | None = None) -> Reservation:
        """Set the worst case of a call aside.

        Args:
            tokens: of its prompt and its answer, at most.
            cost: US dollars, at most; None where the price is unknown.
            timeout_s: wait so long for calls under way to end; None: as long as they take.

        Returns:
            What must be given to `settle` when the call has ended, however it ended.

        Raises:
            BudgetSpent: it does not fit: what is left, and what the call could come to.
            BadInput: money is limited and the price unknown.
        """
        if self.max_cost is not None and cost is None:
            raise BadInput("a budget in money needs the price of every call: give the price, or limit tokens")
        wanted = Reservation(tokens, cost or 0.0)
        with self._changed:
            self._changed.wait_for(lambda: self._fits(wanted) or not self._may_fit(wanted), timeout_s)
            if not self._fits(wanted):
                raise BudgetSpent(self._why(wanted))
            self._reserved.add(wanted)
        return wanted

    def settle(self, reservation: Reservation, usage: Usage | None) -> None:
        """Book what a call came to; None: nobody knows, so its worst case."""
        with self._changed:
            self._reserved.remove(reservation)
            if usage is None or (usage.cost is None and self.max_cost is not None):
                presumed = self._presumed
                self._presumed = Reservation(presumed.tokens + reservation.tokens, presumed.cost + reservation.cost)
            else:
                self._spent += usage
            self._changed.notify_all()

    def _left(self) -> tuple[float, float]:
        tokens = self._spent.prompt_tokens + self._spent.generated_tokens + self._presumed.tokens
        cost = (self._spent.cost or 0.0) + self._presumed.cost
        return (
            float("inf") if self.max_tokens is None else self.max_tokens - tokens,
            float("inf") if self.max_cost is None else self.max_cost - cost,
        )

    def _may_fit(self, wanted: Reservation) -> bool:
        tokens, cost = self._left()
        return bool(self._reserved) and wanted.tokens <= tokens and wanted.cost <= cost

    def _fits(self, wanted: Reservation) -> bool:
        tokens, cost = self._left()
        return (
            wanted.tokens + sum(each.tokens for each in self._reserved) <= tokens
            and wanted.cost + sum(each.cost for each in self._reserved) <= cost
        )

    def _why(self, wanted: Reservation) -> str:
        tokens, cost = self._left()
        parts = []
        if self.max_tokens is not None:
            left = f"{max(tokens, 0):,.0f} of {self.max_tokens:,} tokens"
            parts.append(f"{left} are left, and this call may take {wanted.tokens:,}")
        if self.max_cost is not None:
            left = f"${max(cost, 0):.4f} of ${self.max_cost:.4f}"
            parts.append(f"{left} is left, and this call may cost ${wanted.cost:.4f}")
        return f"the budget has no room: {'; '.join(parts)}; raise the limit, or ask for fewer tokens"
