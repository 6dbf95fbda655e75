"""Fixtures shared by all tests."""

import io
import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from ended import Ended, Lines, Run

settings.register_profile("steady", deadline=None)  # the machine may be busy: no example is judged by its time
settings.load_profile("steady")

# Two threads on tiny arrays spin against each other on a busy machine: one is faster and steadier.
os.environ.setdefault("OMP_NUM_THREADS", "1")

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of judged collections; its tests are skipped where it is absent."""
    folder = Path(os.environ.get("WHYRANK_DATA", ROOT.parent / "shared" / "data"))
    if not (folder / "README.md").is_file():
        pytest.skip(f"no judged collections at {folder}; set WHYRANK_DATA to run this test")
    return folder


class Keyboard(io.TextIOWrapper):
    """Standard input at which somebody sits."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def run(capsysbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Runs a command in a folder of its own; `stdin` None is a terminal."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")

    def called(*args: object, stdin: bytes | None = b"") -> Ended:
        source = Keyboard(io.BytesIO()) if stdin is None else io.TextIOWrapper(io.BytesIO(stdin))
        monkeypatch.setattr(sys, "stdin", source)
        from whyrank.cli import main

        code = main([str(arg) for arg in args])
        caught = capsysbinary.readouterr()
        return Ended(code, caught.out.decode(), caught.err.decode())

    return called


@pytest.fixture
def lines(tmp_path: Path) -> Lines:
    """Writes values as JSON Lines into the folder that commands run in; gives the name of the file."""

    def written(name: str, values: Iterable[Any]) -> str:
        (tmp_path / name).write_text("".join(json.dumps(value) + "\n" for value in values), encoding="utf-8")
        return name

    return written
