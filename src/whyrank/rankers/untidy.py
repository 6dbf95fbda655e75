"""What to do with an answer that is not what was asked for: a policy, tried step by step."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from whyrank.errors import BadInput

Step: TypeAlias = Literal["repair", "keep", "again", "split", "previous"]
STEPS: tuple[Step, ...] = get_args(Step)


@dataclass(frozen=True, slots=True)
class Policy:
    """The steps that are tried, in order, for an answer that is untidy; what none of them settles changes nothing.

        repair    take the order that it states; documents it does not name follow below in their order
        keep      take it, but documents that it does not name keep their places
        again     ask again, and say what was wrong
        split     ask about overlapping parts of the window instead
        previous  leave the documents as they were

    Attributes:
        steps: the steps.
        attempts: how often "again" asks.
    """

    steps: tuple[Step, ...] = ("repair", "again", "previous")
    attempts: int = 1

    def __post_init__(self) -> None:
        strange = [step for step in self.steps if step not in STEPS]
        if strange:
            raise BadInput(f"no step called {strange[0]!r} for untidy answers; known: {', '.join(STEPS)}")
        if self.attempts < 1:
            raise BadInput(f"attempts is {self.attempts}; give 1 or more")


def in_place(named: Sequence[int]) -> dict[int, int]:
    """Place → document, for documents that are put in this order among the places they hold now."""
    return dict(zip(sorted(named), named, strict=True))
