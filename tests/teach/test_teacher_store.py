"""The store: what is acknowledged is there, once; whatever is no store or is damaged says so."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whyrank.errors import BadInput, Corrupt, MissingFile, Unwritable, WhyrankError
from whyrank.teach.records import TeacherRecord, write_records
from whyrank.teach.salvage import Salvaged, salvaged
from whyrank.teach.store import VERSION, Store, is_store, records_at
from whyrank.types import Document, Query, Status, Usage


def record(number: int, status: Status = "ok", text: str = "text", cost: float | None = 0.5) -> TeacherRecord:
    return TeacherRecord(
        f"key{number}",
        Query(f"q{number}", "question"),
        (Document("a", text), Document("b", "other")),
        (1, 0) if status in ("ok", "repaired") else (),
        model="fake",
        status=status,
        usage=Usage(calls=1, cost=cost),
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "teacher.db"


@pytest.fixture
def filled(path: Path) -> Path:
    """A store of 30 records of some pages each."""
    with Store(path) as store:
        for number in range(30):
            store.add(record(number, text=f"{number} " * 3_000))
    return path


def test_records_come_back_as_they_were_in_the_order_of_arrival(path: Path) -> None:
    records = [record(number) for number in (3, 1, 2)]
    with Store(path) as store:
        assert [store.add(each) for each in records] == [True] * 3
        assert list(store.records()) == records
    with Store(path, create=False) as store:
        assert list(store.records()) == records
        assert store.keys() == {"key1", "key2", "key3"}
        assert len(store) == 3


def test_a_key_is_there_once(path: Path) -> None:
    with Store(path) as store, Store(path) as other:
        assert store.add(record(1))
        assert not other.add(replace(record(1), order=(0, 1)))
        assert not store.add(record(1))
        assert list(store.records()) == [record(1)]


def test_only_what_is_unusable_gives_way_and_its_cost_is_kept(path: Path) -> None:
    with Store(path) as store:
        assert store.add(record(1, "refused"))
        assert store.keys() == {"key1"}
        assert store.keys(usable=True) == set()
        assert not store.add(record(1, "error"))
        assert store.add(record(1))
        [kept] = store.records()
        assert (kept.status, kept.usage) == ("ok", Usage(calls=2, cost=1.0))
        assert store.keys(usable=True) == {"key1"}


def test_what_ranks_nothing_again_bears_both_costs_and_never_displaces_an_order(path: Path) -> None:
    with Store(path) as store:
        store.add(record(1, "refused"))
        assert store.add(record(1, "error"), again=True)
        [kept] = store.records()
        assert (kept.status, kept.usage) == ("error", Usage(calls=2, cost=1.0))
        store.add(record(1))
        assert not store.add(record(1, "refused"), again=True)
        assert next(store.records()).status == "ok"


def test_a_text_that_utf8_cannot_hold_is_kept(path: Path) -> None:
    odd = replace(record(1, text="half \ud800"), query=Query("\ud800", "q"))
    with Store(path) as store:
        store.add(odd)
        assert list(store.records()) == [odd]


def test_every_record_is_written_through_to_the_disk(path: Path) -> None:
    with Store(path) as store, store._using() as connection:
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_others_read_while_it_is_written(path: Path) -> None:
    with Store(path) as store:
        store.add(record(1))
        assert records_at(path) == [record(1)]


def test_records_at_takes_a_store_and_lines(path: Path, tmp_path: Path) -> None:
    with Store(path) as store:
        store.add(record(1))
    write_records(tmp_path / "lines.jsonl.gz", [record(1)])
    assert records_at(path) == records_at(tmp_path / "lines.jsonl.gz")
    assert is_store(path)
    assert not is_store(tmp_path / "lines.jsonl.gz")
    assert not is_store(tmp_path / "absent")


# What is no store


def another_program(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE mine (a)")
    connection.commit()
    connection.close()


def another_version(path: Path) -> None:
    Store(path).close()
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    connection.close()


def lines(path: Path) -> None:
    write_records(path, [record(1)])


def a_short_text(path: Path) -> None:
    path.write_text("hello", encoding="utf-8")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (another_program, "a database of another program"),
        (another_version, f"a store of version {VERSION + 1}, and this whyrank reads version {VERSION}; export it"),
        (lines, "is no store of teacher records; name another file, or make one of it: whyrank teach import"),
        (a_short_text, "is no store of teacher records"),
    ],
)
def test_what_is_no_store_is_named_and_left_as_it_is(path: Path, make: Callable[[Path], None], words: str) -> None:
    make(path)
    before = path.read_bytes()
    with pytest.raises(BadInput, match=words) as raised:
        Store(path)
    assert str(raised.value).startswith(str(path))
    assert path.read_bytes() == before


def test_what_is_absent(path: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingFile, match="no such store"):
        Store(path, create=False)
    with pytest.raises(Unwritable, match="does not exist; create it first"):
        Store(tmp_path / "no" / "teacher.db")
    with pytest.raises(Unwritable, match="cannot be used"):
        Store(tmp_path)
    assert not path.exists()


def test_a_kill_before_anything_was_laid_out_leaves_a_new_store(path: Path) -> None:
    path.touch()
    with Store(path) as store:
        assert store.add(record(1))


# What is damaged


def test_a_store_that_is_cut_off_says_what_to_do(filled: Path) -> None:
    os.truncate(filled, filled.stat().st_size // 2)
    with pytest.raises(Corrupt, match=r"is damaged .*whyrank teach export --salvage"):
        records_at(filled)
    rescued, lost = salvaged(filled)
    assert 5 < len(rescued) < 30
    assert rescued == [record(number, text=f"{number} " * 3_000) for number in range(len(rescued))]
    assert lost == 30 - len(rescued)


def test_a_page_that_is_damaged_takes_only_its_own_records(filled: Path) -> None:
    data = bytearray(filled.read_bytes())
    at = data.index(b"15 15 15 15 15 15")
    page = at // 4096 * 4096
    data[page : page + 4096] = b"\xff" * 4096
    filled.write_bytes(data)
    found = salvaged(filled)
    rescued = {each.key for each in found.records}
    assert "key15" not in rescued
    assert 25 <= len(rescued) == 30 - (found.lost or 0)


def test_a_record_that_is_damaged_is_named(path: Path) -> None:
    with Store(path) as store:
        store.add(record(1))
        store.add(record(2))
        with store._using() as connection:
            connection.execute("UPDATE records SET record = '{' WHERE key = 'key1'")
        with pytest.raises(Corrupt, match="the record key1 is damaged"):
            list(store.records())
    assert salvaged(path) == Salvaged([record(2)], 1)


def test_nothing_can_be_read_of_what_is_no_store(path: Path) -> None:
    with pytest.raises(MissingFile):
        salvaged(path)
    a_short_text(path)
    with pytest.raises(BadInput, match="nothing can be read of it"):
        salvaged(path)


def test_another_program_has_nothing_to_salvage(path: Path) -> None:
    another_program(path)
    with pytest.raises(BadInput, match="a database of another program"):
        salvaged(path)


def test_a_whole_store_loses_nothing(path: Path) -> None:
    Store(path).close()
    assert salvaged(path) == Salvaged([], 0)
    with Store(path) as store:
        store.add(record(1))
    assert salvaged(path) == Salvaged([record(1)], 0)


def test_records_are_saved_whatever_the_head_says_of_their_program(path: Path) -> None:
    with Store(path) as store:
        store.add(record(1))
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA application_id = 7")
    connection.close()
    assert salvaged(path) == Salvaged([record(1)], 0)


def test_a_store_that_lost_its_count_is_said_to_be_damaged_all_the_same(path: Path) -> None:
    with Store(path) as store:
        store.renew([record(number, text=f"{number} " * 300) for number in range(2_000)])
    os.truncate(path, path.stat().st_size // 2)
    rescued, lost = salvaged(path)
    assert 1_000 < len(rescued) < 2_000
    assert lost is None


def test_a_hole_larger_than_the_search_loses_only_its_own_records(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("whyrank.teach.salvage.MISSES", 3)
    with Store(path) as store:
        store.renew(map(record, range(12)))
        with store._using() as connection:
            connection.execute("UPDATE records SET record = '{' WHERE rowid BETWEEN 3 AND 9")
    rescued, lost = salvaged(path)
    assert ([each.key for each in rescued], lost) == (["key0", "key1", "key9", "key10", "key11"], 7)


def test_a_store_of_which_nothing_can_be_read_is_damaged(path: Path) -> None:
    with Store(path) as store:
        store.add(record(1, text="text " * 3_000))
    os.truncate(path, 4096)
    with pytest.raises(Corrupt, match="none of its records can be read"):
        salvaged(path)


@settings(max_examples=40)
@given(share=st.floats(0, 1), tail=st.binary(max_size=64))
def test_a_torn_log_loses_nothing_but_its_end(
    share: float, tail: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("torn")
    path, copy = folder / "a.db", folder / "b.db"
    with Store(path) as store:
        for number in range(4):
            store.add(record(number, text="x" * 3_000))
        log = Path(f"{path}-wal").read_bytes()
        shutil.copyfile(path, copy)
    Path(f"{copy}-wal").write_bytes(log[: int(share * len(log))] + tail)
    with Store(copy) as store:
        keys = [each.key for each in store.records()]
        assert keys == [f"key{number}" for number in range(len(keys))]
        assert len(keys) == 4 or share < 1
        assert store.add(record(9))


def test_a_schema_whose_name_is_no_text_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with Store(path) as store:
        store.add(record(1))
    content = path.read_bytes()
    assert content.count(b"tablerecordsrecords") == 1
    path.write_bytes(content.replace(b"tablerecordsrecords", b"table\x80ecordsrecords").replace(b"CREATE", b"CREATX"))
    with pytest.raises(Corrupt, match="the store is damaged"):
        records_at(path)


@settings(max_examples=40)
@given(
    hits=st.lists(st.tuples(st.floats(0, 0.9999), st.integers(0, 255)), min_size=1, max_size=20), share=st.floats(0, 1)
)
def test_a_damaged_store_is_read_or_is_an_error_of_ours(
    hits: list[tuple[float, int]], share: float, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("damaged") / "a.db"
    with Store(path) as store:
        for number in range(3):
            store.add(record(number, text="x" * 3_000))
    content = bytearray(path.read_bytes())
    for where, value in hits:
        content[int(where * len(content))] = value
    path.write_bytes(content[: int(share * len(content))])
    with suppress(WhyrankError):
        assert all(isinstance(each, TeacherRecord) for each in records_at(path))
    with suppress(WhyrankError):
        rescued, lost = salvaged(path)
        assert all(isinstance(each, TeacherRecord) for each in rescued)
        assert (lost or 0) >= 0


def test_killed_fifteen_times_nothing_is_lost_and_nothing_is_there_twice() -> None:
    script = Path(__file__).with_name("kills.py")
    ended = subprocess.run([sys.executable, script, "--kills", "15"], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    found = json.loads(ended.stdout)
    assert (found["lost"], found["doubled"], found["asked_again"]) == (0, 0, 0)
    assert found["kills"] == 15
    assert found["kept"] > 15
