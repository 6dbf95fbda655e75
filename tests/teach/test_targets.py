"""What may be written over: anything but stores and what is read."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ended import Lines
from whyrank.errors import BadInput
from whyrank.teach.store import Store
from whyrank.teach.targets import require_free


def test_an_ordinary_file_may_be_written_over(tmp_path: Path) -> None:
    (tmp_path / "out.jsonl").write_text("{}\n")
    require_free([tmp_path / "out.jsonl", tmp_path / "new.jsonl"], [tmp_path / "in.jsonl", None])


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_a_store_may_not_whatever_it_is_called(tmp_path: Path, link: Callable[..., None]) -> None:
    Store(tmp_path / "t.jsonl").close()
    link(tmp_path / "t.jsonl", tmp_path / "other")
    for name in ("t.jsonl", "other"):
        with pytest.raises(BadInput, match=f"{name}: is a store of answers, which would be lost; name another file"):
            require_free([tmp_path / "free", tmp_path / name])


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_an_input_may_not_by_whatever_path(
    tmp_path: Path, link: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("in.jsonl").write_text("{}\n")
    link("in.jsonl", "other.jsonl")
    for name in ("in.jsonl", "other.jsonl", "./in.jsonl", tmp_path / "in.jsonl"):
        with pytest.raises(BadInput, match="is what this command reads"):
            require_free([name], ["in.jsonl"])
        with pytest.raises(BadInput, match="is what this command reads"):
            require_free(["in.jsonl"], [name])


def test_two_names_of_a_file_to_come_are_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadInput, match="is what this command reads"):
        require_free(["x.jsonl"], ["./x.jsonl"])


def test_of_a_folder_what_is_read_may_not(tmp_path: Path, lines: Lines) -> None:
    lines("corpus.jsonl", [])
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "a.trec").touch()
    (tmp_path / "out.jsonl").touch()
    (tmp_path / "empty").mkdir()
    for name in ("corpus.jsonl", "runs/a.trec"):
        with pytest.raises(BadInput, match="is what this command reads"):
            require_free([tmp_path / name], [tmp_path])
    require_free([tmp_path / "out.jsonl", tmp_path], [tmp_path, tmp_path / "empty"])


def test_streams_may() -> None:
    require_free([os.devnull, "-"], [os.devnull, "-"])
