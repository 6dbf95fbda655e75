"""What was recorded is played again, and what was not recorded is never an answer."""

import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whyrank.errors import (
    AccessDenied,
    BadInput,
    BadRecord,
    BudgetSpent,
    MissingFile,
    ModelError,
    ModelRejected,
    ModelUnavailable,
    UnusableReply,
    Unwritable,
)
from whyrank.lm.base import LM, Choose, Generate, Likelihood, Message, Reply, Request
from whyrank.lm.fake import Fake
from whyrank.lm.records import failure_of, failure_record, reply_of, reply_record
from whyrank.lm.replay import Recorder, Replay
from whyrank.types import Usage

FULL = Reply("[1] > [2]", ("x",), "hm é \ud800", "length", (-0.5, 1e-17), Usage(1, 0, 9, 2, 3, 1, 0.25, None, 0, 0))
TURNS = (Message("system", "be kind"), Message("user", "line\none"))
ASKED: list[Request] = [
    Generate(TURNS, temperature=0.5, seed=3, stop=("\n",), schema="{}", n=2, tag="q1/1"),
    Choose("p", ("a", "b"), tag="q1/2"),
    Likelihood("p", "c", tag="q1/3"),
]


def texts(replies: list[Reply | ModelError]) -> list[str | type]:
    return [reply.text if isinstance(reply, Reply) else type(reply) for reply in replies]


def test_answers_are_played_by_tag() -> None:
    replay = Replay({"q1/1": "[1]", "q1/2": ["[2]", FULL], "q1/3": ModelUnavailable("gone"), "q2/1": "[4]"})
    assert isinstance(replay, LM)
    tags = ["q1/2", "q1/1", "q1/2", "q1/3", "q9/9", "q1/2"]
    told: list[tuple[int, object]] = []
    replies = replay.ask([Generate("p", tag=tag) for tag in tags], lambda *arrived: told.append(arrived))
    assert texts(replies) == ["[2]", "[1]", "[1] > [2]", ModelUnavailable, ModelRejected, "[1] > [2]"]
    assert replies[2] is FULL
    assert replies[0] == Reply("[2]", usage=Usage(calls=1))  # who gives a text has asked once
    assert told == list(enumerate(replies))
    assert str(replies[4]) == "nothing is recorded for the tag 'q9/9'; 4 tags are"
    assert (replay.played, replay.asked_again, replay.unknown) == (5, 1, 1)
    assert replay.unused() == ["q2/1"]
    assert [request.tag for request in replay.asked] == tags


def test_a_tag_with_an_answer_left_is_not_used_up() -> None:
    replay = Replay({"a": ["1", "2"], "b": "3"})
    replay.ask([Generate("p", tag="a"), Generate("p", tag="b")])
    assert replay.unused() == ["a"]
    with pytest.raises(BadInput, match="'c' has no answer"):
        Replay({"c": []})


def test_a_recording_is_played_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    script: list[Reply | ModelError] = [FULL, Reply(logprobs=(0.0, -1.5)), UnusableReply("half an object")]
    recorder = Recorder(Fake(script, name="fake:m", controls=("</s>",)), path)
    assert isinstance(recorder, LM)
    assert (recorder.name, recorder.controls) == ("fake:m", ("</s>",))
    told: list[int] = []
    recorded = recorder.ask(ASKED, lambda place, _: told.append(place))
    recorder.close()
    assert told == [0, 1, 2]
    played = Replay.from_jsonl(path, name="fake:m").ask(ASKED)
    assert played[:2] == recorded[:2]
    assert (type(played[2]), str(played[2])) == (UnusableReply, "half an object")
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(line["tag"], line["model"], line["request"]["kind"]) for line in lines] == [
        ("q1/1", "fake:m", "generate"),
        ("q1/2", "fake:m", "choose"),
        ("q1/3", "fake:m", "likelihood"),
    ]
    assert lines[0]["request"]["prompt"] == [
        {"role": "system", "text": "be kind"},
        {"role": "user", "text": "line\none"},
    ]
    assert lines[1]["reply"] == {"logprobs": [0.0, -1.5], "usage": {"calls": 1}}
    assert lines[2]["failure"] == {"kind": "UnusableReply", "message": "half an object"}


def test_what_was_asked_twice_is_recorded_and_played_twice(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    recorder = Recorder(Fake(["first", "second"]), path)
    again: list[Request] = [Generate("p", tag="t")]
    recorder.ask(again)
    recorder.ask(again)
    recorder.close()
    replay = Replay.from_jsonl(path)
    assert texts(replay.ask(again * 3)) == ["first", "second", "second"]
    assert (replay.asked_again, replay.unused()) == (1, [])


def test_a_line_is_there_before_it_is_told_of(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    recorder = Recorder(Fake(["a", "b"]), path)
    lines: list[int] = []
    recorder.ask([Generate("p"), Generate("q")], lambda *_: lines.append(path.read_bytes().count(b"\n")))
    recorder.close()
    assert lines == [1, 2]


KILLED = """
import sys
from whyrank.lm.base import *; from whyrank.lm.fake import Fake; from whyrank.lm.replay import Recorder
recorder = Recorder(Fake(lambda request: request.tag * 2000), sys.argv[1])
recorder.ask([Generate("p", tag=str(i)) for i in range(50_000)], lambda place, reply: print(place, flush=True))
"""


def test_a_kill_leaves_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for _ in range(50):
        process.stdout.readline()
    process.kill()
    reported = 50 + process.stdout.read().count("\n")
    process.stdout.close()
    process.wait()
    recorder = Recorder(Fake(["next"]), path)
    recorder.ask([Generate("p", tag="next")])
    recorder.close()
    replay = Replay.from_jsonl(path)
    tags = [*map(str, range(reported)), "next"]
    assert texts(replay.ask([Generate("p", tag=tag) for tag in tags])) == [tag * 2000 for tag in tags[:-1]] + ["next"]
    assert len(replay.unused()) <= 1  # written and not yet reported


@pytest.mark.parametrize("torn", ['{"tag": "b", "reply"', "x" * 200_000, '{"tag": "b", "reply": {}}'])
def test_an_unfinished_last_line_is_left_out_and_written_over(tmp_path: Path, torn: str) -> None:
    path = tmp_path / "r.jsonl"
    path.write_text('{"tag": "a", "reply": {"text": "1"}}\n' + torn)
    assert Replay.from_jsonl(path).unused() == ["a"]
    recorder = Recorder(Fake(["3"]), path)
    recorder.ask([Generate("p", tag="c")])
    recorder.close()
    assert Replay.from_jsonl(path).unused() == ["a", "c"]
    path.write_text(torn)
    Recorder(Fake([]), path).close()
    assert path.read_text() == ""


def test_recordings_of_others_are_read_with_a_key(tmp_path: Path) -> None:
    records = [{"seq": i, "prompt": "…", "response": f"[{i}]"} for i in range(19)]
    path = tmp_path / "r.jsonl.gz"
    with gzip.open(path, "wt") as file:
        file.writelines(json.dumps(record) + "\n" for record in records)
    for source in (path, str(path), records):
        replay = Replay.from_jsonl(source, key=lambda r: f"{r['seq'] // 9}/{r['seq'] % 9}", answer="response")
        assert texts(replay.ask([Generate("p", tag="1/2"), Generate("p", tag="2/0")])) == ["[11]", "[18]"]
        assert len(replay.unused()) == 17


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "this is no JSON"),
        ("[]", "a record is an object, not list"),
        ('{"reply": {"text": "x"}}', "no 'tag'"),
        ('{"tag": "t"}', "no 'reply'"),
        ('{"tag": ["t"], "reply": {}}', "unhashable"),
        ('{"tag": "t", "reply": "x"}', "a reply is an object, not str"),
        ('{"tag": "t", "reply": {"text": 3}}', "the 'text' of a reply is int, not str"),
        ('{"tag": "t", "reply": {"finish": "tired"}}', "known: stop, length, refused"),
        ('{"tag": "t", "reply": {"usage": {"euros": 3}}}', "euros"),
        ('{"tag": "t", "failure": {"kind": "SystemExit"}}', "not a failure"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: str, said: str) -> None:
    path = tmp_path / "r.jsonl"
    path.write_text('{"tag": "a", "reply": {"text": "1"}}\n' + line + "\n")
    with pytest.raises(BadRecord, match=said) as caught:
        Replay.from_jsonl(path)
    assert str(caught.value).startswith(f"{path}:2: ")


def test_what_cannot_be_read_or_written(tmp_path: Path) -> None:
    with pytest.raises(MissingFile, match=r"none\.jsonl: no such file"):
        Replay.from_jsonl(tmp_path / "none.jsonl")
    with pytest.raises(BadInput, match="cannot be read"):
        Replay.from_jsonl(tmp_path)
    (tmp_path / "r.gz").write_bytes(b"no gzip")
    with pytest.raises(BadInput, match="cannot be read"):
        Replay.from_jsonl(tmp_path / "r.gz")
    with pytest.raises(BadRecord, match="record 1: its 'a' is int, not a text"):
        Replay.from_jsonl([{"a": 1}], key=str, answer="a")
    with pytest.raises(Unwritable, match="cannot be written"):
        Recorder(Fake([]), tmp_path)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_said_when_all_answers_are_there() -> None:
    told: list[int] = []
    recorder = Recorder(Fake(["a", "b"]), "/dev/full")
    with pytest.raises(Unwritable, match="2 answers could not be written"):
        recorder.ask([Generate("p"), Generate("q")], lambda place, _: told.append(place))
    recorder.close()
    assert told == [0, 1]


FINITE = st.floats(allow_nan=False)
COUNT = st.integers(0, 2**60)
USAGES = st.builds(Usage, COUNT, COUNT, COUNT, COUNT, COUNT, COUNT, FINITE, st.none() | FINITE, COUNT, COUNT)
REPLIES = st.builds(
    Reply,
    st.text(),
    st.lists(st.text(), max_size=3).map(tuple),
    st.text(),
    st.sampled_from(["stop", "length", "refused"]),
    st.lists(FINITE, max_size=3).map(tuple),
    USAGES,
)


@given(REPLIES)
def test_a_reply_survives_being_written(reply: Reply) -> None:
    assert reply_of(json.loads(json.dumps(reply_record(reply)))) == reply


def test_every_kind_of_failure_survives_and_others_become_the_nearest() -> None:
    class Odd(AccessDenied):
        pass

    for kind in (ModelError, ModelUnavailable, ModelRejected, AccessDenied, UnusableReply, BudgetSpent):
        failure = failure_of(failure_record(kind("what, where")))
        assert (type(failure), str(failure)) == (kind, "what, where")
    assert type(failure_of(failure_record(Odd("x")))) is AccessDenied
