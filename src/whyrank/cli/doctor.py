"""`whyrank doctor`: is this installation whole, and does it compute what it should?"""

import os
import platform
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import typer

from whyrank.cli import options
from whyrank.errors import WhyrankError

EXAMPLES = (
    "whyrank doctor",
    "whyrank doctor --json",
)
ENOUGH_MB = 100
"""Free disk below this is worth a word: an index or a result may not fit."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; `ok` is None where it is only told."""

    name: str
    ok: bool | None
    detail: str


def doctor(is_json: options.JsonOption = False, quiet: options.QuietOption = False) -> None:
    """Check this installation: versions, the model's files, and that it computes the same bits alone and in company.

    The exit code is 1 if a check fails.
    """
    from whyrank.cli.endings import CHECK_FAILED, FINE
    from whyrank.cli.progress import working

    with working(quiet=quiet) as work:
        work.phase("checking")
        findings = [*_versions(), *_machine(), *_model(), *_same_bits()]
    is_fine = all(finding.ok is not False for finding in findings)
    if is_json:
        import json

        typer.echo(json.dumps({"ok": is_fine, "findings": [asdict(f) for f in findings]}, indent=2))
    else:
        _print([f for f in findings if f.ok is False or not quiet], is_fine=is_fine)
    raise typer.Exit(FINE if is_fine else CHECK_FAILED)


def _versions() -> Iterator[Finding]:
    from importlib.metadata import PackageNotFoundError, requires, version

    from whyrank import __version__

    system = f"{platform.system()} {platform.machine()}"
    yield Finding("whyrank", None, __version__)
    yield Finding("python", sys.version_info >= (3, 11), f"{platform.python_version()} on {system}")
    for requirement in requires("whyrank") or ():
        name = requirement.partition(";")[0].strip()
        if "extra ==" in requirement:
            continue
        name = name.partition(">=")[0].partition("==")[0].strip()
        try:
            yield Finding(name, True, version(name))
        except PackageNotFoundError:
            yield Finding(name, False, "not installed; reinstall whyrank")


def _machine() -> Iterator[Finding]:
    import shutil
    import tempfile

    from whyrank.encode.engine import sensible_threads

    yield Finding("threads", None, f"{sensible_threads()} used of {os.cpu_count()}")
    for what, folder in (("disk here", Path.cwd()), ("disk for temporary files", Path(tempfile.gettempdir()))):
        free = shutil.disk_usage(folder).free / 1e6
        is_enough = free >= ENOUGH_MB
        yield Finding(what, is_enough, f"{free / 1e3:,.1f} GB free" + ("" if is_enough else "; make room for results"))


def _model() -> Iterator[Finding]:
    from whyrank.encode.adapters import shipped_adapter
    from whyrank.encode.weights import SHIPPED, read_checked, read_manifest
    from whyrank.rankers import STUDENTS

    try:
        manifest = read_manifest(SHIPPED)
        sizes = [len(read_checked(SHIPPED, name, manifest)) for name in manifest["files"]]
        students = [shipped_adapter(name) for name in STUDENTS]
    except WhyrankError as error:
        yield Finding("model", False, str(error))
        return
    detail = f"{manifest['name']}: {len(sizes)} files, {sum(sizes) / 1e6:.1f} MB, every sha256 as in the manifest"
    yield Finding("model", True, detail)
    sizes = [file["bytes"] for student in students for file in student.manifest["files"].values()]
    names = ", ".join(student.name for student in students)
    yield Finding("students", True, f"{names}: {sum(sizes) / 1e6:.1f} MB, every sha256 as in the manifests")


def _same_bits() -> Iterator[Finding]:
    """The scores of some documents, each alone and all together, on one thread and on several."""
    from whyrank import rankers
    from whyrank.datasets.demo import load_demo
    from whyrank.types import Scorer

    demo = load_demo()
    query, documents = demo.queries[0], demo.documents[:12]
    try:
        scores = []
        for threads in (None, 1):
            ranker = rankers.load(rankers.DEFAULT, threads=threads)
            assert isinstance(ranker, Scorer)
            scores.append(ranker.score(query, documents, [None] * len(documents)))
            scores.append([ranker.score(query, [document], [None])[0] for document in documents])
    except WhyrankError as error:
        yield Finding("same bits", False, str(error))
        return
    is_same = all(other == scores[0] for other in scores)
    detail = f"{len(documents)} documents, alone and in a batch, on one thread and on all: "
    yield Finding("same bits", is_same, detail + ("the same" if is_same else "they differ; please report it"))


def _print(findings: list[Finding], *, is_fine: bool) -> None:
    from rich.table import Table
    from rich.text import Text

    from whyrank.cli.output import screen

    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    table.add_column()
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    marks = {True: Text("✓", style="green"), False: Text("✗", style="bold red"), None: Text("·", style="bright_black")}
    for finding in findings:
        table.add_row(marks[finding.ok], finding.name, Text(finding.detail))
    console = screen()
    console.print(table)
    verdict = (
        Text("everything is fine", style="bold green") if is_fine else Text("something is wrong", style="bold red")
    )
    console.print(verdict)
