"""What an experiment, or a comparison of finished runs, found."""

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from typing import NamedTuple

from whyrank.evaluate.calibration import Reliability
from whyrank.evaluate.comparison import Interval, intervals_of
from whyrank.evaluate.results import Contrast, Evaluation, Proportion
from whyrank.rankers.calibration import Calibration
from whyrank.types import Qrels, Ranking

LIBRARIES = ("numpy", "onnxruntime", "tokenizers", "bm25s", "ir-measures", "scipy")


@dataclass(frozen=True)
class Explained:
    """A system's reasons and what checking them found.

    Attributes:
        system: its label.
        rankings: the best hits of the queries that were drawn, with reasons.
        of_losses: the best hits of the queries that lost most against the first stage, with reasons.
        proportions: shares of counted claims that hold.
        faithfulness: judge → one evaluation for each way of choosing sentences, the system's own first.
    """

    system: str
    rankings: tuple[Ranking, ...]
    of_losses: tuple[Ranking, ...] = ()
    proportions: tuple[Proportion, ...] = ()
    faithfulness: Mapping[str, tuple[Evaluation, ...]] = field(default_factory=dict)


class Calibrated(NamedTuple):
    """A fitted calibration, and its reliability on the half of the queries that it was not fitted on."""

    calibration: Calibration
    reliability: Reliability


@dataclass(frozen=True)
class Outcome:
    """All that an experiment found.

    Attributes:
        dataset: its name.
        qrels: the judgements of the queries that were drawn.
        systems: label → rankings; finished runs, which bring no texts, are not among them.
        first_stage: the label of what the others reranked; "" where that is not known.
        evaluations: every system measured, finished runs last.
        contrasts: each system against the baseline, by measure.
        reasons: of the systems that give some.
        calibrations: label → what a curve fitted to its scores is worth on queries that it was not fitted on.
        notes: what a careful reader must know.
        settings: as they were used, by name.
        environment: versions, the machine, rankers with their fingerprints.
        seed: of samples and tests.
    """

    dataset: str
    qrels: Qrels
    systems: Mapping[str, Sequence[Ranking]]
    first_stage: str
    evaluations: tuple[Evaluation, ...]
    contrasts: tuple[Contrast, ...]
    reasons: tuple[Explained, ...]
    calibrations: Mapping[str, Calibrated]
    notes: tuple[str, ...]
    settings: Mapping[str, object]
    environment: Mapping[str, str]
    seed: int

    @cached_property
    def intervals(self) -> dict[tuple[str, str], Interval]:
        """Bootstrap 95 % intervals of the systems' means."""
        return intervals_of(self.evaluations, self.seed)


def environment(rankers: Mapping[str, str]) -> dict[str, str]:
    """What else the figures depend on: versions, the machine, and rankers with their fingerprints."""
    found = {"whyrank": version("whyrank"), "python": platform.python_version(), "machine": platform.platform()}
    for library in LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            continue
    return {**found, **{f"ranker {label}": name for label, name in rankers.items()}}
