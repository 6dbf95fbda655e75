"""What was said is kept: corrections, taking back, several processes, kills, and files that are no stores."""

import os
import sqlite3
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from judging import ANN, BEN, WATER, evidence_system, sheet, study_in

from whyrank.errors import BadInput, Corrupt, MissingFile, Unwritable
from whyrank.judge.records import Sheet
from whyrank.judge.store import Judgements

FIXED = {"systems": "a, b", "questions": "useful"}
WRITER = """
import sys
sys.path.insert(0, {tests!r})
from judging import sheet
from whyrank.judge.store import Judgements
with Judgements({path!r}, {fixed!r}) as store:
    for number in range(10_000):
        store.put(sheet(f"item{{number}}", sys.argv[1], number % 3))
        print(number, flush=True)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "judged.sqlite"


def test_what_was_said_is_there_when_it_is_opened_again(path: Path) -> None:
    given = [sheet("one", ANN, 2, 0), sheet("two", ANN, 1), sheet("one", BEN, 0, 1, seconds=0.25)]
    with Judgements(path, FIXED) as store:
        for own in given:
            store.put(own)
    with Judgements(path, FIXED, create=False) as store:
        assert store.sheets() == given
        assert store.answers() == [answer for own in given for answer in own.answers]
        assert store.done() == {ANN: {"one", "two"}, BEN: {"one"}}


def test_the_last_word_counts_and_the_first_is_kept(path: Path) -> None:
    with Judgements(path, FIXED) as store:
        store.put(sheet("one", ANN, 2))
        store.put(sheet("two", ANN, 2))
        store.put(sheet("one", ANN, 0))
        assert store.sheets() == [sheet("two", ANN, 2), sheet("one", ANN, 0)]
    rows = sqlite3.connect(path).execute("SELECT item FROM sheets ORDER BY number").fetchall()
    assert rows == [("one",), ("two",), ("one",)]


def test_a_judge_takes_back_what_that_judge_said_last(path: Path) -> None:
    with Judgements(path, FIXED) as store:
        store.put(sheet("one", ANN, 2))
        store.put(sheet("two", ANN, 1))
        store.put(sheet("three", BEN, 0))
        assert store.take_back(ANN) == sheet("two", ANN, 1)
        assert store.done() == {ANN: {"one"}, BEN: {"three"}}
        store.put(sheet("two", ANN, 0))
        assert store.take_back(ANN) == sheet("two", ANN, 0)
        assert store.take_back(ANN) == sheet("one", ANN, 2)
        assert store.take_back(ANN) is None
        assert store.sheets() == [sheet("three", BEN, 0)]


def test_nothing_said_is_said_too(path: Path) -> None:
    with Judgements(path, FIXED) as store:
        store.put(Sheet("one", ANN))
        assert store.done() == {ANN: {"one"}}
        assert store.answers() == []


def test_names_may_hold_any_character(path: Path) -> None:
    with Judgements(path, FIXED) as store:
        store.put(sheet("one", "Ånn '); DROP TABLE sheets; --", 1))
        assert [own.judge for own in store.sheets()] == ["Ånn '); DROP TABLE sheets; --"]


def test_two_that_write_at_the_same_time_lose_nothing(path: Path) -> None:
    def write(judge: str) -> None:
        with Judgements(path, FIXED) as store:
            for number in range(20):
                store.put(sheet(f"item{number}", judge, 1))

    writers = [threading.Thread(target=write, args=(judge,)) for judge in (ANN, BEN)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    with Judgements(path, FIXED) as store:
        assert {judge: len(items) for judge, items in store.done().items()} == {ANN: 20, BEN: 20}


def test_a_kill_loses_nothing_that_was_acknowledged(path: Path) -> None:
    program = WRITER.format(tests=str(Path(__file__).parent), path=str(path), fixed=FIXED)
    for judge in ("first", "second", "third"):
        process = subprocess.Popen([sys.executable, "-c", program, judge], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        for _ in range(7):
            process.stdout.readline()
        process.kill()
        rest = process.stdout.read().splitlines()
        process.communicate()
        with Judgements(path, FIXED) as store:
            kept = store.done()[judge]
        acknowledged = {f"item{number}" for number in range(7 + len(rest))}
        assert acknowledged <= kept
        assert len(kept) <= len(acknowledged) + 1


def test_an_answer_waits_for_the_disk(path: Path) -> None:
    with Judgements(path, FIXED) as store:
        assert store._connection.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL
        assert store._connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_another_experiment_is_refused_by_name(path: Path) -> None:
    Judgements(path, FIXED).close()
    with pytest.raises(BadInput, match="questions was 'useful' and is 'true'; judge this one into a store of its own"):
        Judgements(path, {**FIXED, "questions": "true"})
    with pytest.raises(BadInput, match="grades was None and is 'yes, no'"):
        Judgements(path, {**FIXED, "grades": "yes, no"})


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"depth": 1}, "depth 3"),
        ({"grades": []}, "grades was"),
        ({"questions": []}, "questions was"),
        ({"prefer": False}, "prefer was"),
        ({"seed": 7}, "seed 0"),
    ],
)
def test_what_an_experiment_was_is_told(tmp_path: Path, given: dict[str, object], named: str) -> None:
    study = study_in(tmp_path)
    Judgements(study.settings.store, study.fixed).close()
    Judgements(study.settings.store, study_in(tmp_path, overlap=5, title="Other").fixed).close()
    with pytest.raises(BadInput, match=named):
        Judgements(study.settings.store, study_in(tmp_path, **given).fixed)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"grades": ["no", "a, b"]}, {"grades": ["no", "a", "b"]}),
        (
            {"questions": [{"id": "x", "ask": "So?", "answers": ["no, not at all", "yes"]}]},
            {"questions": [{"id": "x", "ask": "So?", "answers": ["no", "not at all", "yes"]}]},
        ),
    ],
)
def test_answers_that_hold_commas_are_not_taken_for_more_answers(
    tmp_path: Path, one: dict[str, object], other: dict[str, object]
) -> None:
    study = study_in(tmp_path, **one)
    Judgements(study.settings.store, study.fixed).close()
    with pytest.raises(BadInput, match="holds answers to another experiment"):
        Judgements(study.settings.store, study_in(tmp_path, **other).fixed)


def test_the_next_document_is_what_was_read_even_where_it_is_not_judged(tmp_path: Path) -> None:
    [own, *_] = evidence_system()
    study = study_in(tmp_path, results={"a": [own]}, depth=1)
    Judgements(study.settings.store, study.fixed).close()
    hits = tuple(replace(h, document=replace(WATER, text="Other.")) if h.document == WATER else h for h in own.hits)
    changed = study_in(tmp_path, results={"a": [replace(own, hits=hits)]}, depth=1)
    with pytest.raises(BadInput, match="what 'a' says was"):
        Judgements(study.settings.store, changed.fixed)


def test_no_name_of_a_file_means_no_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(path.parent)
    with Judgements(":memory:", FIXED) as store:
        store.put(sheet("one", ANN, 1))
    with Judgements(":memory:", FIXED, create=False) as store:
        assert store.done() == {ANN: {"one"}}


def test_what_is_no_store_is_left_as_it_is(path: Path) -> None:
    path.write_text("a shopping list, long enough to be mistaken for a database of some kind\n" * 20)
    before = path.read_bytes()
    with pytest.raises(BadInput, match="is no store of judgements"):
        Judgements(path, FIXED)
    assert path.read_bytes() == before
    path.unlink()
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE recipes (name TEXT)")
    other.commit()
    other.close()
    before = path.read_bytes()
    with pytest.raises(BadInput, match="database of another program"):
        Judgements(path, FIXED)
    assert path.read_bytes() == before


def test_a_store_of_another_version_is_refused(path: Path) -> None:
    Judgements(path, FIXED).close()
    other = sqlite3.connect(path)
    other.execute("PRAGMA user_version = 9")
    other.close()
    with pytest.raises(BadInput, match="version 9; this whyrank reads version 1"):
        Judgements(path, FIXED)


def test_a_schema_whose_name_is_no_text_is_damage(path: Path) -> None:
    with Judgements(path, FIXED) as store:
        store.put(sheet("one", ANN, 1))
    content = path.read_bytes()
    assert content.count(b"tablefixedfixed") == 1
    path.write_bytes(content.replace(b"tablefixedfixed", b"table\x80ixedfixed").replace(b"CREATE", b"CREATX"))
    with pytest.raises(Corrupt, match="the store is damaged"):
        Judgements(path, FIXED)


def test_damage_is_told(path: Path) -> None:
    with Judgements(path, FIXED) as store:
        store.put(sheet("one", ANN, 1))
    other = sqlite3.connect(path)
    other.execute("UPDATE sheets SET answers = '[{}]'")
    other.commit()
    other.close()
    with Judgements(path, FIXED) as store, pytest.raises(Corrupt, match="sheet 1 is damaged"):
        store.sheets()
    content = bytearray(path.read_bytes())
    content[100:] = os.urandom(len(content) - 100)
    path.write_bytes(content)
    with pytest.raises(Corrupt, match="is damaged"):
        Judgements(path, FIXED)


def test_where_nothing_can_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(Unwritable, match="does not exist; create it first"):
        Judgements(tmp_path / "absent" / "judged.sqlite", FIXED)
    with pytest.raises(Unwritable, match="cannot be used"):
        Judgements(tmp_path, FIXED)
    with pytest.raises(MissingFile, match="nobody has judged yet"):
        Judgements(tmp_path / "judged.sqlite", FIXED, create=False)
    assert list(tmp_path.iterdir()) == []


def test_a_store_that_may_only_be_read_takes_no_answer(path: Path) -> None:
    with Judgements(path, FIXED) as store:
        store.put(sheet("one", ANN, 1))
        store._connection.execute("PRAGMA query_only = ON")
        with pytest.raises(Unwritable, match="what was kept before is safe"):
            store.put(sheet("two", ANN, 1))
        assert store.done() == {ANN: {"one"}}
