"""What a training asks of the student that learns, whichever model it stands on."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from whyrank.rankers.student_opening import Trained


class Placed(Protocol):
    """A network, as far as a training looks at it."""

    @property
    def device(self) -> torch.device:
        """Where its model is."""
        ...


class Student(Protocol):
    """A model that learns.

    Attributes:
        why_not_packed: why what belongs together is never put into one row, in words; "" where it is.
    """

    why_not_packed: str

    @property
    def network(self) -> Placed:
        """The model, with what is trained in it."""
        ...

    @property
    def manifest(self) -> Trained:
        """How it was made."""
        ...

    def parameters_by_name(self) -> dict[str, torch.nn.Parameter]:
        """What is trained."""
        ...

    def train(self, mode: bool = True) -> None:
        """With dropout, or without."""
        ...

    def save(self, folder: str | Path, *, reasons: str = "none", trained: dict[str, Any] | None = None) -> None:
        """Write it as a folder that `whyrank.load` opens, whole or not at all."""
        ...


class LearningStudent(Student, Protocol):
    """A model that scores documents, and whose scores can be learnt from."""

    def score(self, lists: Sequence[tuple[str, Sequence[str]]], *, packed: bool = True) -> list[Tensor]:
        """One score a document of each query's list, with gradient."""
        ...
