"""The folder of a ranker of two stages: both students, and how they are put together.

dual.json    the settings: top, fusion, guard; and, without a folder for it, the name of stage 1
stage1/      a student of `whyrank train` that scores, or another sequence classifier
stage2/      a listwise student
"""

import json
import shutil
from pathlib import Path
from typing import Any, Literal

from whyrank.config import StageSettings, ThenSettings, checked
from whyrank.errors import BadInput, Corrupt, MissingFile, Unwritable
from whyrank.formats.files import read_bytes
from whyrank.rankers.dual_stage import DualStage
from whyrank.rankers.fusion import Fusion
from whyrank.rankers.guard import Guard
from whyrank.rankers.student_folder import creating, kind_of
from whyrank.rankers.student_folder import is_student as is_stage
from whyrank.types import Reranker

MANIFEST = "dual.json"
FORMAT: Literal["whyrank-dual/1"] = "whyrank-dual/1"
STAGE1, STAGE2 = "stage1", "stage2"


class DualSettings(StageSettings):
    """What `dual.json` says.

    Attributes:
        format: of the folder.
        stage1: name of a ranker of ours, where the folder holds no stage 1; "" where it does.
    """

    format: Literal["whyrank-dual/1"] = FORMAT
    stage1: str = ""


def is_dual(folder: str | Path) -> bool:
    """Whether a folder says that it holds a ranker of two stages."""
    return (Path(folder).expanduser() / MANIFEST).is_file()


def put_together(stage1: Reranker, stage2: Reranker, settings: StageSettings) -> DualStage:
    """Both stages as settings say.

    Raises:
        BadInput: as `DualStage`.
    """
    fusion, guard = Fusion(**settings.fusion.model_dump()), Guard(**settings.guard.model_dump())
    return DualStage(stage1, stage2, top=settings.top, fusion=fusion, guard=guard)


def write_dual(
    folder: str | Path, stage1: str | Path, stage2: str | Path, settings: StageSettings | None = None
) -> None:
    """Put two students into a new folder, whole or not at all; they are copied.

    Args:
        folder: a new one.
        stage1: folder of a student that scores, or the name of a ranker of ours.
        stage2: folder of a listwise student.
        settings: how they are put together.

    Raises:
        MissingFile: there is no such student.
        Unwritable: something stands at `folder`, or it cannot be written.
    """
    given = settings or StageSettings()
    is_folder = is_stage(stage1) or Path(stage1).expanduser().is_dir()
    if not is_stage(stage2):
        raise MissingFile(f"{stage2}: no student in it; give the folder of a listwise student")
    about = {name: getattr(given, name) for name in StageSettings.model_fields}
    dual = DualSettings(**about, stage1="" if is_folder else str(stage1))
    place = Path(folder).expanduser()
    if place.exists() and not (place.is_dir() and not any(place.iterdir())):
        raise Unwritable(f"{folder}: something else stands there; name a new folder")
    with creating(place) as target:
        if is_folder:
            shutil.copytree(Path(stage1).expanduser(), target / STAGE1)
        shutil.copytree(Path(stage2).expanduser(), target / STAGE2)
        (target / MANIFEST).write_text(json.dumps(dual.model_dump(mode="json"), indent=2) + "\n", encoding="utf-8")


def read_dual(folder: str | Path) -> DualSettings:
    """Read `dual.json`.

    Raises:
        MissingFile: there is none.
        Corrupt: it is no JSON.
        BadInput: it holds settings that are unknown or wrong, or is of another format.
    """
    path = Path(folder).expanduser() / MANIFEST
    if not path.is_file():
        raise MissingFile(f"{folder}: no {MANIFEST} in it; give the folder of a ranker of two stages")
    try:
        content: Any = json.loads(read_bytes(path))
    except (ValueError, RecursionError) as error:
        raise Corrupt(f"{path}: damaged ({error}); write it again, or copy the folder again") from error
    if not isinstance(content, dict):
        raise Corrupt(f"{path}: holds {type(content).__name__}, not settings; copy the folder again")
    return checked(DualSettings, content, str(path))


def load_dual(
    folder: str | Path, *, base: str | None = None, device: str | None = None, threads: int | None = None
) -> DualStage:
    """Load a ranker of two stages. Where stage 1 is a causal student, both share its base: one in memory, two adapters.

    A classifier in stage 1 was saved whole, and stands beside the base of stage 2.

    Args:
        folder: where it was written.
        base: the model that its adapters were trained on, where it is not where it was.
        device: of what torch computes, as torch names it; None takes a GPU where there is one.
        threads: of torch, for the whole process; None leaves them as they are.

    Raises:
        MissingExtra: torch, transformers or peft are not installed.
        MissingFile: a stage, or a base, is gone.
        Corrupt: a file is damaged or absent.
        BadInput: the adapters were trained on different bases; or settings that mean nothing.
    """
    from whyrank import rankers
    from whyrank.rankers.classifier import load_classifier
    from whyrank.rankers.classifier_folder import is_classifier
    from whyrank.rankers.listwise_student import load_listwise
    from whyrank.rankers.student import StudentRanker, load_folder

    root, settings = Path(folder).expanduser(), read_dual(folder)
    if not is_stage(root / STAGE2):
        raise MissingFile(f"{root / STAGE2}: no listwise student in it; copy the folder again")
    first, stage1 = root / STAGE1, None
    if kind_of(first) == "causal-student":
        stage1 = load_folder(first, base=base, device=device, threads=threads)
    elif not first.is_dir() and not settings.stage1:
        raise MissingFile(f"{first}: no student in it, and {MANIFEST} names no stage 1; copy the folder again")
    if isinstance(stage1, StudentRanker):
        return put_together(stage1, load_listwise(root / STAGE2, beside=stage1.network), settings)
    if is_classifier(first):
        other: Reranker = load_classifier(first, device=device, threads=threads)
    else:
        other = rankers.load(str(first) if first.is_dir() else settings.stage1, threads=threads)
    return put_together(other, load_listwise(root / STAGE2, base=base, device=device, threads=threads), settings)


def with_second_stage(stage1: Reranker, then: ThenSettings) -> DualStage:
    """A ranker with a second stage after it.

    Raises:
        UnknownName: there is no such ranker, checkpoint, backend, prompt or algorithm.
        BadInput: it names neither a model nor a ranker that orders lists; as `DualStage`.
        MissingExtra: what it needs is not installed.
    """
    return put_together(stage1, _second(then), then)


def _second(then: ThenSettings) -> Reranker:
    from whyrank.config import AskSettings
    from whyrank.rankers.building import resolve
    from whyrank.rankers.known import known_models
    from whyrank.rankers.listwise_folder import KIND
    from whyrank.rankers.listwise_student import load_listwise

    if then.ranker is not None and kind_of(then.ranker) == KIND:
        return load_listwise(then.ranker)
    if then.model is None and then.ranker is None:
        raise BadInput("the second stage names nothing that ranks; give then.model.name, or then.ranker")
    ask = then.ask or AskSettings()
    served = then.model.name.partition(":")[2] if then.model is not None else ""
    if then.ranker is None and ask.prompt is None and served not in known_models():
        usual: dict[str, Any] = {"prompt": "dear"}
        if ask.algorithm is None:
            usual |= {"algorithm": "sliding-window", "options": {"size": 20, "stride": 10}}
        told = {name: getattr(ask, name) for name in ask.model_fields_set}
        ask = ask.model_copy(update={**usual, **told})
    return resolve(then.ranker, model=then.model, ask=ask).ranker
