"""Records that survive: appended whole, found by key, taken up again after a kill."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from whyrank.errors import BadInput, Corrupt, Unwritable
from whyrank.experiment.store import Store, fingerprint


def test_records_are_found_again(tmp_path: Path) -> None:
    path = tmp_path / "work.jsonl"
    with Store(path) as store:
        store.add([("a", {"x": 1.5}), ("b", ["ü", None])])
        store.add([])
        assert "a" in store
        assert len(store) == 2
    with Store(path) as again:
        assert again["a"] == {"x": 1.5}
        assert again["b"] == ["ü", None]
        assert "c" not in again
        again.add([("c", "\ud800 half a pair\r")])
    with Store(path) as last:
        assert last["c"] == "\ud800 half a pair\r"
        assert len(last) == 3


@pytest.mark.parametrize("cut", [1, 7, 20])
def test_a_torn_line_is_cut_away(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "work.jsonl"
    with Store(path) as store:
        store.add([("a", 1), ("b", "two two two two two two")])
    path.write_bytes(path.read_bytes()[:-cut])
    with Store(path) as store:
        assert "a" in store
        assert "b" not in store
        store.add([("b", 2)])
    with Store(path) as store:
        assert (store["a"], store["b"]) == (1, 2)


@pytest.mark.parametrize("line", [b"no json", b'{"key": "x"}', b"[1]", b"\xff\xfe", b""])
def test_a_damaged_line_within_is_named(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "work.jsonl"
    with Store(path) as store:
        store.add([("a", 1)])
    path.write_bytes(path.read_bytes() + line + b"\n" + path.read_bytes().replace(b'"a"', b'"b"'))
    with pytest.raises(Corrupt, match=r"work.jsonl:2: is no record; delete that line"):
        Store(path)


def test_one_process_at_a_time(tmp_path: Path) -> None:
    with Store(tmp_path / "work.jsonl"), pytest.raises(BadInput, match="another process is working"):
        Store(tmp_path / "work.jsonl")
    Store(tmp_path / "work.jsonl").close()


def test_a_place_that_cannot_be_written_to(tmp_path: Path) -> None:
    with pytest.raises(Unwritable, match="name another folder"):
        Store(tmp_path / "absent" / "work.jsonl")


def test_a_full_disk_loses_nothing_that_was_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "work.jsonl"
    with Store(path) as store:
        store.add([("a", 1)])
        monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        with pytest.raises(Unwritable, match=r"No space left.*finished before is safe"):
            store.add([("b", 2)])
        assert "b" not in store
    monkeypatch.undo()
    with Store(path) as store:
        assert store["a"] == 1


WRITER = """
import sys
from whyrank.experiment.store import Store
with Store(sys.argv[1]) as store:
    for n in range(100_000):
        if f"k{n}" not in store:
            store.add([(f"k{n}", "x" * (n % 900))])
            print(n, flush=True)
"""


@pytest.mark.slow
def test_killed_at_any_moment_it_loses_no_record_and_writes_none_twice(tmp_path: Path) -> None:
    path, moments = tmp_path / "work.jsonl", random.Random(3)
    said: list[int] = []
    for _ in range(12):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE)
        assert writer.stdout is not None
        first = writer.stdout.readline()
        time.sleep(moments.random() / 20)
        writer.send_signal(signal.SIGKILL)
        out = first + writer.stdout.read()
        writer.stdout.close()
        writer.wait()
        said += [int(line) for line in out.splitlines(keepends=True) if line.endswith(b"\n")]
    with Store(path) as store:
        assert [n for n in said if f"k{n}" not in store] == []
        kept = len(store)
    assert len(set(said)) == len(said) > 20
    assert path.read_bytes().count(b"\n") == kept


def test_fingerprints_tell_values_apart() -> None:
    assert fingerprint("q", ("d1", 1.0)) == fingerprint("q", ["d1", 1.0])
    named = [fingerprint("ab", "c"), fingerprint("a", "bc"), fingerprint("abc"), fingerprint(1), fingerprint("1")]
    assert len(set(named)) == 5
    assert fingerprint({"a": 1, "b": {2, 3}}) == fingerprint({"b": {3, 2}, "a": 1})
    with pytest.raises(TypeError, match="has no fingerprint"):
        fingerprint(object())
