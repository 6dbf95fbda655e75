"""The training of Reason-to-Rank: one student that learns a teacher's order and its reasons together.

Ji et al., arXiv 2410.05168; the loss is in `objective`. Whatever a step draws follows from the seed and the number of
the step, so that a training that is taken up after any step ends in the same bits as one that was never interrupted.

    output/config.yaml     every setting as it is used, written when it begins
    output/log.jsonl       a line for every step
    output/checkpoints/    where it is taken up
    output/student/        the result, with its model card
    output/lock            held while a process trains here
"""

import shutil
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import torch

from whyrank.config import dump_resolved
from whyrank.errors import Unwritable
from whyrank.formats.files import replacing
from whyrank.formats.locks import alone
from whyrank.train import card, checkpoints, permutation_objective, permutations, tracking
from whyrank.train.causal import CausalStudent
from whyrank.train.distributed import Group, joined, require_sharding, shard
from whyrank.train.encoder import EncoderStudent
from whyrank.train.examples import Prepared, given, known, read, require_reasons, require_scores
from whyrank.train.learner import Learner
from whyrank.train.learning_student import Student
from whyrank.train.measuring import measured
from whyrank.train.permutation_student import PermutationStudent
from whyrank.train.schedule import Schedule
from whyrank.train.settings import TrainSettings
from whyrank.train.student_settings import CLASSIFIER
from whyrank.types import Progress

_FREE = {"card", "checkpoints", "data", "output", "threads", "tracking"}
"""Settings that may change where a training is taken up: nothing that is learnt depends on them, and the data are
compared themselves."""


class Trained(NamedTuple):
    """What came of a training.

    Attributes:
        folder: of the student.
        begun: the step from which it went on; 0 if it was not interrupted.
        steps: that it has taken in all.
        data: what it learnt from.
        known: how many of the lists that it was measured on have a query that it also learnt from.
        figures: the last of each; empty in processes that do not write.
    """

    folder: Path
    begun: int
    steps: int
    data: Prepared
    known: int
    figures: Mapping[str, float]


def train(
    settings: TrainSettings,
    *,
    overwrite: bool = False,
    phase: Callable[[str], Progress] = lambda _: lambda _done, _total: None,
) -> Trained:
    """Train a student, or go on where an earlier run of the same settings was interrupted.

    Args:
        settings: what is trained on what, and how.
        overwrite: begin anew, and remove what was begun.
        phase: told the name of each phase; what it gives is told (done, total) steps.

    Raises:
        BadInput: nothing to learn from, other settings than those of the checkpoint, a loss that is no number, or
            another training that is at work in this folder.
        MissingFile, BadRecord, MissingExtra: of data, model or trackers.
        Corrupt: the checkpoint is damaged.
        Unwritable: the disk is full; the last checkpoint is whole, and the same call goes on from it.
    """
    if settings.threads is not None:
        torch.set_num_threads(settings.threads)
    output = Path(settings.output)
    with joined(settings.model.device) as group, ExitStack() as held:
        if settings.model.shard == "fsdp":
            require_sharding(group)
        phase("reading")
        data, dev = _read(settings)
        if group.is_first:
            _prepare(output)
            held.enter_context(alone(output))
        group.wait()
        phase("loading the model")
        learner = Learner(_student(settings, group), settings, group)
        data, dev = _fitting(learner.student, settings, data, dev)
        made_by = _made_by(settings, data, learner.student, group)
        if group.is_first and overwrite:  # only now: a model that cannot be loaded costs no checkpoint
            shutil.rmtree(output / "checkpoints", ignore_errors=True)
        group.wait()
        begun = _resumed(learner, output / "checkpoints", made_by)
        if group.is_first:
            dump_resolved(settings, output / "config.yaml")
        per_step = settings.optimizer.batch * settings.optimizer.accumulation * group.size
        schedule = Schedule(len(data.examples), per_step, settings.optimizer, settings.seed)
        progress = phase("training")
        measure: Callable[..., Mapping[str, float]] = (
            permutation_objective.measured if settings.learns == "permutations" else measured
        )
        with tracking.opened(settings, begun) if group.is_first else tracking.Trackers() as log:
            if dev is not None and not begun:
                log.log(0, measure(learner.student, dev.examples, settings, group))
            for step in range(begun, schedule.steps):
                lists = [data.examples[place] for place in schedule.places(step)]
                log.log(step + 1, learner.step(step, lists, schedule.rate(step)))
                progress(step + 1, schedule.steps)
                if (step + 1) % settings.checkpoints.every == 0 or step + 1 == schedule.steps:
                    if dev is not None:
                        log.log(step + 1, measure(learner.student, dev.examples, settings, group))
                    if group.is_first:
                        saved = learner.checkpoint(step + 1, made_by)
                        checkpoints.save(output / "checkpoints", saved, keep=settings.checkpoints.keep)
        rows = tracking.read_log(output / "log.jsonl") if group.is_first else []
        if group.is_first:
            _finish(learner.student, settings, card.Run(data, dev, rows, group.size))
        group.wait()
        shared = 0 if dev is None else known(dev, data)
        return Trained(output / "student", begun, schedule.steps, data, shared, card.last_figures(rows))


def _read(settings: TrainSettings) -> tuple[Prepared, Prepared | None]:
    files = given(settings.data)
    if settings.learns == "permutations":
        how = settings.data
        return permutations.read(files.train, settings, limit=how.limit, orders=how.orders), (
            None if files.dev is None else permutations.read(files.dev, settings)
        )
    data = read(files.train, settings, limit=settings.data.limit)
    require_reasons(files.train, data, settings)
    require_scores(files.train, data, settings)
    return data, None if files.dev is None else read(files.dev, settings)


def _fitting(
    student: Student, settings: TrainSettings, data: Prepared, dev: Prepared | None
) -> tuple[Prepared, Prepared | None]:
    """What of the data a student can learn: all, unless it writes and some do not fit.

    Raises:
        BadInput: nothing fits.
    """
    if not isinstance(student, PermutationStudent):
        return data, dev
    data, dev = student.fitting(data), None if dev is None else student.fitting(dev)
    permutations.require_some(settings.data.path, data)
    return data, dev if dev is not None and dev.examples else None


def _prepare(output: Path) -> None:
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Unwritable(f"{output}: cannot be made a folder ({error.strerror}); name another 'output'") from error


def _student(settings: TrainSettings, group: Group) -> Student:
    how = settings.model
    if settings.learns == "permutations":
        return PermutationStudent.create(settings, device=group.device)
    if how.kind == CLASSIFIER:
        return EncoderStudent.create(
            how.base,
            settings.lora,
            how.format,
            dtype=how.dtype,
            seed=settings.seed,
            revision=how.revision,
            device=group.device,
            gradient_checkpointing=how.gradient_checkpointing,
        )
    student = CausalStudent.create(
        how.base,
        settings.lora,
        dtype=how.dtype,
        seed=settings.seed,
        revision=how.revision,
        device=group.device,
        max_tokens=how.max_tokens,
        query_tokens=how.query_tokens,
        reason_tokens=how.reason_tokens,
        layout=how.layout,
        gradient_checkpointing=how.gradient_checkpointing,
    )
    if how.shard == "fsdp":
        shard(student.network, group)
    return student


def _made_by(settings: TrainSettings, data: Prepared, student: Student, group: Group) -> Mapping[str, Any]:
    """What a checkpoint must share with what goes on from it."""
    return {
        **settings.model_dump(mode="json", exclude=_FREE),
        "data": data.digest,
        "base_fingerprint": student.manifest.base_fingerprint,
        "processes": group.size,
        **({"asked": asdict(student.manifest.asking)} if isinstance(student, PermutationStudent) else {}),
    }


def _resumed(learner: Learner, folder: Path, made_by: Mapping[str, Any]) -> int:
    """Take up the newest checkpoint, if there is one; the steps that it has taken."""
    path = checkpoints.newest(folder)
    if path is None:
        return 0
    found = checkpoints.load(path)
    checkpoints.require_same(found.made_by, made_by, path)
    learner.restore(found)
    return found.step


def _finish(student: Student, settings: TrainSettings, run: card.Run) -> None:
    """Save the student; put its model card beside it."""
    folder = Path(settings.output) / "student"
    student.save(folder, reasons=settings.taught, trained=card.facts(settings, run))
    with replacing(folder / "README.md") as file:
        file.write(card.render(settings, student.manifest, run).encode())
