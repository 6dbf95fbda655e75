"""A student with its optimizer: takes steps, and is what a checkpoint holds."""

import hashlib
import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor

from whyrank.errors import BadInput
from whyrank.train import permutation_objective
from whyrank.train.checkpoints import Checkpoint
from whyrank.train.distributed import Group, keep_pace
from whyrank.train.examples import ListExample
from whyrank.train.learning_student import LearningStudent, Student
from whyrank.train.objective import counts, descend, means, passes
from whyrank.train.settings import TrainSettings


class Objective(NamedTuple):
    """How a loss is taken: over how many it is averaged, its gradient, and its means."""

    counts: Callable[..., Mapping[str, int]]
    descend: Callable[..., Tensor]
    means: Callable[..., Mapping[str, float]]


def objective(settings: TrainSettings) -> Objective:
    """The loss of what is learnt."""
    if settings.learns == "permutations":
        return Objective(permutation_objective.counts, permutation_objective.descend, permutation_objective.means)
    return Objective(counts, descend, means)


class Learner:
    """AdamW over what a student trains.

    Args:
        student: that learns.
        settings: of the losses and the optimizer.
        group: the processes that learn together.

    Attributes:
        parameters: what is trained, by name.
    """

    def __init__(self, student: Student, settings: TrainSettings, group: Group) -> None:
        self.student = student
        self._objective = objective(settings)
        self.parameters: Mapping[str, Tensor] = dict(sorted(student.parameters_by_name().items()))
        self._settings = settings
        self._group = group
        how = settings.optimizer
        self._optimizer = torch.optim.AdamW(
            list(self.parameters.values()), lr=how.lr, betas=how.betas, weight_decay=how.weight_decay
        )

    def step(self, number: int, lists: Sequence[ListExample], rate: float) -> Mapping[str, float]:
        """Learn from the lists of a step; this process reads its part of them.

        Args:
            number: of the step, from 0; with the seed it decides on all that is drawn.
            lists: of all processes.
            rate: the learning rate.

        Returns:
            Means over all lists, with the gradient's norm before it was clipped.

        Raises:
            BadInput: loss or gradient are no finite numbers; the parameters are as they were.
        """
        began = time.monotonic()
        how, group, counted = self._settings.optimizer, self._group, self._objective.counts(lists)
        parts = group.parts(lists)
        own = parts[group.rank]
        self.student.train()
        self._optimizer.zero_grad(set_to_none=True)
        torch.manual_seed(drawn(self._settings.seed, number, group.rank))
        sums = torch.zeros(len(counted), device=self.student.network.device)
        for start in range(0, len(own), how.batch):
            sums += self._objective.descend(self.student, own[start : start + how.batch], self._settings, counted)
        if self._settings.model.shard == "fsdp":
            keep_pace(cast("LearningStudent", self.student), group, [passes(part, self._settings) for part in parts])
        group.add_up([sums, *self._gradients()])
        norm = float(torch.nn.utils.clip_grad_norm_(self.parameters.values(), how.clip or math.inf))
        figures = self._objective.means(sums, counted, self._settings.loss)
        _require_finite(number, {**figures, "gradient norm": norm})
        for options in self._optimizer.param_groups:
            options["lr"] = rate
        self._optimizer.step()
        seconds = time.monotonic() - began
        return {f"train/{name}": value for name, value in figures.items()} | {
            "train/gradient_norm": norm,
            "train/lr": rate,
            "train/seconds": seconds,
        }

    def checkpoint(self, step: int, made_by: Mapping[str, Any]) -> Checkpoint:
        """Everything that a step after `step` steps needs."""
        state = {
            f"{name}.{what}": value
            for name, parameter in self.parameters.items()
            for what, value in self._optimizer.state[parameter].items()
        }
        return Checkpoint(step, self.parameters, state, made_by)

    def restore(self, checkpoint: Checkpoint) -> None:
        """Take over what `checkpoint` gave."""
        for name, parameter in self.parameters.items():
            with torch.no_grad():
                parameter.copy_(checkpoint.parameters[name])
            self._optimizer.state[parameter] = {}
        for key, value in checkpoint.optimizer.items():
            name, _, what = key.rpartition(".")
            parameter = self.parameters[name]
            # AdamW counts its steps on the CPU.
            self._optimizer.state[parameter][what] = value if what == "step" else value.to(parameter.device)

    def _gradients(self) -> list[Tensor]:
        """Of all parameters; zeros where nothing has reached one, so that all processes add up the same."""
        for parameter in self.parameters.values():
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        return [parameter.grad for parameter in self.parameters.values() if parameter.grad is not None]


def drawn(seed: int, step: int, rank: int) -> int:
    """The seed of the random numbers of a step in one of the processes."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{step}/{rank}".encode()).digest()[:8], "big") >> 1


def _require_finite(step: int, figures: Mapping[str, float]) -> None:
    wrong = [f"{name} is {value}" for name, value in figures.items() if not math.isfinite(value)]
    if wrong:
        raise BadInput(
            f"step {step + 1}: {', '.join(wrong)}; nothing was learnt from it, and the last checkpoint stays: lower "
            "optimizer.lr, raise optimizer.warmup, or set model.dtype to bfloat16 or float32"
        )
