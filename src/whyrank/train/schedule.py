"""Which lists a step reads, and at which rate it learns: both follow from the number of the step alone."""

import math
import random
from typing import NamedTuple

from whyrank.train.settings import OptimizerSettings


class Schedule(NamedTuple):
    """The steps of a training.

    Attributes:
        lists: how many there are to learn from.
        per_step: lists of a step, over all passes and processes; the last step of an epoch may have fewer.
        settings: epochs and rates.
        seed: of the order in which lists are read.
    """

    lists: int
    per_step: int
    settings: OptimizerSettings
    seed: int

    @property
    def per_epoch(self) -> int:
        """Steps of an epoch."""
        return math.ceil(self.lists / self.per_step)

    @property
    def steps(self) -> int:
        """Steps of the whole training."""
        return self.settings.epochs * self.per_epoch

    def places(self, step: int) -> list[int]:
        """Which lists step `step` (from 0) reads; each epoch reads each list once, in an order of its own."""
        epoch, within = divmod(step, self.per_epoch)
        order = list(range(self.lists))
        random.Random(f"{self.seed}/{epoch}").shuffle(order)  # noqa: S311 - no secret
        return order[within * self.per_step : (within + 1) * self.per_step]

    def rate(self, step: int) -> float:
        """The learning rate of step `step` (from 0)."""
        settings = self.settings
        warm = round(settings.warmup * self.steps)
        if step < warm:
            return settings.lr * (step + 1) / warm
        done = (step - warm) / max(1, self.steps - warm)
        factor = {
            "constant": 1.0,
            "linear": 1 - done,
            "cosine": (1 + math.cos(math.pi * done)) / 2,
            "exponential": settings.gamma ** (step // self.per_epoch),
        }[settings.schedule]
        return settings.lr * factor
