"""What `whyrank doctor` looks at on this machine. torch is not imported, and nothing is asked over a network."""

import os
import platform
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

from whyrank.errors import WhyrankError

Status: TypeAlias = Literal["fine", "warning", "broken", "told"]
ENOUGH_MB = 100
"""Free disk below this is worth a word: an index, a result or an answer may not fit."""
SCORED = 4
"""Documents whose scores are compared: enough for a batch, few enough for a command that answers at once."""
SMI_S = 5
"""Seconds that the driver of a GPU has to name it."""
DEVELOPERS = frozenset({"build-model", "check", "test"})
"""Extras that are of use in a checkout of whyrank alone."""
_REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+)(?:\[[^\]]*\])?\s*([^;]*)(?:;.*extra == ['\"]([^'\"]+))?")
_BOUND = re.compile(r"(>=|==|<=|<|>)\s*([0-9][^,\s]*)")


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        group: what it is a part of.
        name: of it.
        status: "fine"; "warning", worth a word; "broken"; or "told", which is neither good nor bad.
        detail: what was found.
        advice: what to do; "" where there is nothing to be done.
    """

    group: str
    name: str
    status: Status
    detail: str
    advice: str = ""

    @property
    def ok(self) -> bool | None:
        """False where it is broken, None where it is only told."""
        return None if self.status == "told" else self.status != "broken"


class Requirement(NamedTuple):
    """A package that whyrank needs: its name, the bounds of its version, and the extra it is a part of, or ""."""

    name: str
    bounds: tuple[tuple[str, str], ...]
    extra: str

    @property
    def accepted(self) -> str:
        """The versions that are accepted, as pip takes them."""
        return self.name + ",".join(f"{sign}{bound}" for sign, bound in self.bounds)


def all_here() -> list[Finding]:
    """Everything that can be seen without a network."""
    return [*installation(), *extras(), *machine(), *model()]


def installation() -> Iterator[Finding]:
    """The versions of whyrank, Python and what whyrank cannot be without."""
    from whyrank import __version__

    group, system = "installation", f"{platform.system()} {platform.machine()}"
    yield Finding(group, "whyrank", "told", f"{__version__} in {Path(__file__).parents[1]}")
    is_new = sys.version_info >= (3, 11)
    advice = "" if is_new else "install Python 3.11 or newer"
    yield Finding(group, "python", "fine" if is_new else "broken", f"{platform.python_version()} on {system}", advice)
    for needed in requirements():
        if needed.extra:
            continue
        found = installed(needed.name)
        if found is None:
            yield Finding(group, needed.name, "broken", "not installed", "pip install --upgrade whyrank")
        elif not is_within(found, needed.bounds):
            advice = f"pip install '{needed.accepted}'"
            yield Finding(group, needed.name, "broken", f"{found}; needed is {needed.accepted}", advice)
        else:
            yield Finding(group, needed.name, "fine", found)


def extras() -> Iterator[Finding]:
    """Which extras are installed, and how to get those that are not."""
    wanted: dict[str, list[Requirement]] = {}
    for needed in requirements():
        if needed.extra and needed.extra not in DEVELOPERS and needed.name != "whyrank":
            wanted.setdefault(needed.extra, []).append(needed)
    for extra, packages in sorted(wanted.items()):
        versions = {needed.name: installed(needed.name) for needed in packages}
        missing = [name for name, found in versions.items() if found is None]
        outside = [n for n in packages if (found := versions[n.name]) and not is_within(found, n.bounds)]
        get = f"pip install --upgrade 'whyrank[{extra}]'"
        if outside:
            told = "; ".join(
                f"{needed.name} {versions[needed.name]}, needed is {needed.accepted}" for needed in outside
            )
            yield Finding("extras", extra, "warning", told, get)
        elif missing:
            yield Finding(
                "extras", extra, "told", f"not installed: {', '.join(missing)}", get.replace(" --upgrade", "")
            )
        else:
            yield Finding("extras", extra, "fine", ", ".join(f"{name} {found}" for name, found in versions.items()))


def requirements() -> list[Requirement]:
    """What the installed whyrank says that it needs."""
    from importlib.metadata import PackageNotFoundError, requires

    try:
        listed: Iterable[str] = requires("whyrank") or ()
    except PackageNotFoundError:  # run from a folder of sources
        listed = ()
    found = (_REQUIREMENT.match(line) for line in listed)
    return [Requirement(m[1], tuple(_BOUND.findall(m[2])), m[3] or "") for m in found if m is not None]


def installed(name: str) -> str | None:
    """The version of an installed package, without importing it."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(name)
    except PackageNotFoundError:
        return None


def is_within(version: str, bounds: Iterable[tuple[str, str]]) -> bool:
    """Whether a version lies within its bounds. Only the numbers of a release count, not what marks its trials.

    >>> is_within("2.10.1+cpu", [(">=", "2.4"), ("<", "3")])
    True
    """
    own = _numbers(version)
    holds = {
        ">=": lambda other: own >= other,
        "<=": lambda other: own <= other,
        ">": lambda other: own > other,
        "<": lambda other: own < other,
        "==": lambda other: own == other,
    }
    return all(holds[sign](_numbers(bound)) for sign, bound in bounds)


def _numbers(version: str) -> tuple[int, ...]:
    release = re.match(r"\d+(?:\.\d+)*", version)
    numbers = [int(part) for part in release[0].split(".")] if release else []
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


def machine() -> Iterator[Finding]:
    """Threads, memory, disk and GPU."""
    from whyrank.encode.engine import sensible_threads

    yield Finding("machine", "threads", "told", f"{sensible_threads()} used of {os.cpu_count()} cores{_told_threads()}")
    yield from disks()
    yield from gpus()


def _told_threads() -> str:
    told = os.environ.get("OMP_NUM_THREADS")
    return f"; OMP_NUM_THREADS is {told}" if told else ""


def disks() -> Iterator[Finding]:
    """Free space where results, indexes, temporary files and answers of language models go."""
    import tempfile

    from whyrank.lm.answers import default_path

    places = {"disk here": Path.cwd(), "disk for temporary files": Path(tempfile.gettempdir())}
    for name, folder in {**places, "disk for answers": default_path().parent}.items():
        yield _disk(name, folder)


def _disk(name: str, folder: Path) -> Finding:
    """Free space of a folder; of the nearest above it where it is yet to be made."""
    import shutil

    there = next(place for place in (folder, *folder.parents) if place.is_dir())
    free_mb = shutil.disk_usage(there).free / 1e6
    told = f"{free_mb / 1e3:,.1f} GB free at {folder}"
    if not os.access(there, os.W_OK):
        return Finding("machine", name, "warning", f"{folder} cannot be written", "make it writable, or use another")
    if free_mb < ENOUGH_MB:
        return Finding("machine", name, "warning", told, "make room: an index, a result or an answer may not fit")
    return Finding("machine", name, "fine", told)


def gpus() -> Iterator[Finding]:
    """GPUs that the driver names. Our own rankers need none; weights of language models run faster on one."""
    torch = installed("torch")
    names = _gpu_names()
    if not names:
        told = "none that nvidia-smi names; rankers of whyrank's own need none"
        yield Finding("machine", "gpu", "told", told)
    elif torch is not None and torch.endswith("+cpu"):
        advice = "install a build of torch for CUDA, see its site; only language models in this process gain by it"
        yield Finding("machine", "gpu", "warning", f"{'; '.join(names)}; torch {torch} cannot use it", advice)
    else:
        yield Finding("machine", "gpu", "fine", "; ".join(names) + (f"; torch {torch}" if torch else ""))


def _gpu_names() -> list[str]:
    import shutil
    import subprocess

    smi = shutil.which("nvidia-smi")
    if smi is None:
        return []
    asked = [smi, "--query-gpu=name,memory.total", "--format=csv,noheader"]
    try:
        said = subprocess.run(asked, capture_output=True, text=True, check=True, timeout=SMI_S)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return []
    return [line.strip() for line in said.stdout.splitlines() if line.strip()]


def model() -> Iterator[Finding]:
    """The model that comes with whyrank and its students: their files, and that they compute the same bits."""
    from whyrank.encode.adapters import shipped_adapter
    from whyrank.encode.weights import SHIPPED, read_checked, read_manifest
    from whyrank.rankers import STUDENTS

    try:
        manifest = read_manifest(SHIPPED)
        sizes = [len(read_checked(SHIPPED, name, manifest)) for name in manifest["files"]]
        students = [shipped_adapter(name) for name in STUDENTS]
    except WhyrankError as error:
        yield Finding("model", "model", "broken", str(error), "pip install --force-reinstall --no-deps whyrank")
        return
    told = f"{len(sizes)} files, {sum(sizes) / 1e6:.1f} MB, every sha256 as in the manifest"
    yield Finding("model", "model", "fine", f"{manifest['name']}: {told}")
    yield Finding("model", "students", "fine", _told_students({s.name: s.manifest for s in students}))
    yield same_bits()


def _told_students(manifests: Mapping[str, Mapping[str, Mapping[str, Mapping[str, int]]]]) -> str:
    size = sum(file["bytes"] for manifest in manifests.values() for file in manifest["files"].values())
    return f"{', '.join(manifests)}: {size / 1e6:.1f} MB, every sha256 as in the manifests"


def same_bits() -> Finding:
    """The scores of a few documents: each alone, all together, and all together on one thread."""
    from whyrank import rankers
    from whyrank.datasets.demo import load_demo
    from whyrank.types import Scorer

    demo = load_demo()
    query, documents = demo.queries[0], demo.documents[:SCORED]
    try:
        many, one = (rankers.load(rankers.DEFAULT, threads=threads) for threads in (None, 1))
        assert isinstance(many, Scorer)
        assert isinstance(one, Scorer)
        nothing = [None] * len(documents)
        together, on_one = many.score(query, documents, nothing), one.score(query, documents, nothing)
        alone = [many.score(query, [document], [None])[0] for document in documents]
    except WhyrankError as error:
        return Finding("model", "same bits", "broken", str(error))
    told = f"{len(documents)} documents, alone and in a batch, on one thread and on all: "
    if together == on_one == alone:
        return Finding("model", "same bits", "fine", f"{told}the same")
    return Finding("model", "same bits", "broken", f"{told}they differ", "report it, with this table")
