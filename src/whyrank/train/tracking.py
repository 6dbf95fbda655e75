"""Where the figures of a training go: log.jsonl always, and TensorBoard, Trackio or Weights & Biases if asked for."""

import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from whyrank._extras import require
from whyrank.errors import Corrupt, Unwritable
from whyrank.formats.files import replacing
from whyrank.train.settings import TrainSettings

Figures = Mapping[str, float]


class Tracker(Protocol):
    """Takes figures down."""

    def log(self, step: int, figures: Figures) -> None:
        """Figures after a step, by name; steps never fall."""

    def close(self) -> None:
        """Nothing more comes."""


class JsonLog:
    """One JSON object a line: {"step": 10, "train/loss": 0.51, …}.

    Args:
        path: the file; what stands in it is kept up to `step`.
        step: the step that training goes on from: what came after it will come again.

    Raises:
        Unwritable: it cannot be written.
    """

    def __init__(self, path: Path, *, step: int = 0) -> None:
        self._path = path
        kept = [row for row in read_log(path) if row["step"] <= step] if step else []
        with replacing(path) as file:
            file.write("".join(f"{json.dumps(row)}\n" for row in kept).encode())
        self._file = path.open("a", encoding="utf-8")

    def log(self, step: int, figures: Figures) -> None:
        """Add a line; a figure that is no number is null."""
        row = {name: value if math.isfinite(value) else None for name, value in figures.items()}
        try:
            self._file.write(f"{json.dumps({'step': step, **row})}\n")
            self._file.flush()
        except OSError as error:
            raise Unwritable(f"{self._path}: cannot be written ({error.strerror}); make room and run again") from error

    def close(self) -> None:
        """Close the file. What a failed `log` could not write is not tried again."""
        with suppress(OSError):
            self._file.close()


def read_log(path: Path) -> list[dict[str, Any]]:
    """The rows of a log; a last line that a kill has torn is left out.

    Raises:
        Corrupt: another line is no row.
    """
    if not path.is_file():
        return []
    lines = path.read_bytes().split(b"\n")[:-1]
    return [_row(path, number, line) for number, line in enumerate(lines, 1)]


def _row(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError:
        row = None
    if not isinstance(row, dict) or not isinstance(row.get("step"), int):
        raise Corrupt(f"{path}:{number}: is no row of a log; remove that line, and run again")
    return row


class _TensorBoard:
    def __init__(self, settings: TrainSettings, step: int) -> None:
        require("tensorboard", extra="tensorboard", purpose="tracking with TensorBoard")
        from torch.utils.tensorboard import SummaryWriter

        # From the first step on: what an earlier run has left there would be shown beside this one.
        self._writer = SummaryWriter(str(Path(settings.output) / "tensorboard"), purge_step=step + 1 if step else 0)

    def log(self, step: int, figures: Figures) -> None:
        for name, value in figures.items():
            self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        self._writer.close()


class _Run:
    """A run of Weights & Biases, or of Trackio, which took over its interface."""

    def __init__(self, run: Any) -> None:
        self._run = run

    def log(self, step: int, figures: Figures) -> None:
        self._run.log(dict(figures), step=step)

    def close(self) -> None:
        self._run.finish()


def _wandb(settings: TrainSettings, _step: int) -> Tracker:
    wandb = require("wandb", extra="wandb", purpose="tracking with Weights & Biases")
    # The same run goes on when training does: its id follows from where the result is.
    name = hashlib.sha256(str(Path(settings.output).resolve()).encode()).hexdigest()[:16]
    return _Run(wandb.init(**_told(settings), id=name, resume="allow", dir=settings.output))


def _trackio(settings: TrainSettings, _step: int) -> Tracker:
    trackio = require("trackio", extra="trackio", purpose="tracking with Trackio")
    return _Run(trackio.init(**_told(settings), resume="allow"))


def _told(settings: TrainSettings) -> dict[str, Any]:
    name = settings.tracking.run or Path(settings.output).resolve().name
    return {"project": settings.tracking.project, "name": name, "config": settings.model_dump(mode="json")}


TRACKERS: Mapping[str, Callable[[TrainSettings, int], Tracker]] = {
    "tensorboard": _TensorBoard,
    "trackio": _trackio,
    "wandb": _wandb,
}


def opened(settings: TrainSettings, step: int) -> "Trackers":
    """All trackers that the settings name, going on after `step`.

    Raises:
        MissingExtra: one is not installed; the log is as it was.
        Unwritable: the log cannot be written.
    """
    further = [TRACKERS[name](settings, step) for name in settings.tracking.to]
    return Trackers([JsonLog(Path(settings.output) / "log.jsonl", step=step), *further])


class Trackers:
    """Several trackers as one; none at all is one too."""

    def __init__(self, trackers: Sequence[Tracker] = ()) -> None:
        self._trackers = trackers

    def log(self, step: int, figures: Figures) -> None:
        """Tell each."""
        for tracker in self._trackers:
            tracker.log(step, figures)

    def __enter__(self) -> "Trackers":
        return self

    def __exit__(self, *_: object) -> None:
        for tracker in self._trackers:
            tracker.close()
