"""Nothing is asked twice, nothing that was reported is lost, and no answer is lost because it cannot be kept."""

import json
import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from whyrank.errors import BadInput, Corrupt, ModelError, ModelUnavailable
from whyrank.lm.answers import Answers, default_path
from whyrank.lm.base import LM, Choose, Generate, Likelihood, OnReply, Reply, Request
from whyrank.lm.cache import Cached
from whyrank.lm.fake import Fake
from whyrank.types import Usage

PAID = Usage(prompt_tokens=120, cached_tokens=20, generated_tokens=9, reasoning_tokens=4, seconds=1.5, cost=0.25)
FREE = Usage(calls=1, prompt_tokens=120, cached_tokens=120)
SETTINGS = """
import sys
from whyrank.lm.base import *
from whyrank.lm.cache import Cached
from whyrank.lm.fake import Fake
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "answers.sqlite"


def paid(text: str) -> Reply:
    return Reply(text, usage=PAID)


def echo(request: Request) -> Reply:
    return paid(str(request.prompt)[::-1])


def script(code: str, *args: object, **options: object) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", SETTINGS + code, *map(str, args)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **options)  # type: ignore[call-overload,no-any-return]


def rows(path: Path) -> int:
    answers = Answers(path)
    try:
        return sum(kept.answers for kept in answers.summary())
    finally:
        answers.close()


def test_what_was_answered_is_not_asked_again_and_costs_nothing(path: Path) -> None:
    full = Reply("a", ("b", "c"), "because", "length", (-0.1, -2.5e-17), PAID)
    fake = Fake(lambda _: full)
    requests: list[Request] = [Generate("p", n=3), Choose("p", ("a", "b")), Likelihood("p", "x")]
    with Cached(fake, path) as cached:
        first = cached.ask(requests)
    with Cached(fake, path) as cached:
        again = cached.ask(requests)
        assert cached.notes == []
    assert len(fake.asked) == 3
    for one, other in zip(first, again, strict=True):
        assert isinstance(one, Reply)
        assert isinstance(other, Reply)
        assert one.usage == PAID + Usage(calls=1)
        assert other.usage == FREE
        assert (other.text, other.others, other.reasoning, other.finish, other.logprobs) == (
            "a", ("b", "c"), "because", "length", (-0.1, -2.5e-17)
        )  # fmt: skip


def test_it_is_a_model_like_the_one_it_stands_before(path: Path) -> None:
    fake = Fake([], name="fake:m", context=7, controls=("<|end|>",), capabilities=())
    cached = Cached(fake, path)
    assert isinstance(cached, LM)
    assert (cached.name, cached.capabilities, cached.context, cached.tokens, cached.controls) == (
        "fake:m", frozenset(), 7, fake.tokens, ("<|end|>",)
    )  # fmt: skip
    closed = []
    fake.close = lambda: closed.append(True)  # type: ignore[attr-defined]
    cached.close()
    assert closed == [True]


def test_failures_are_asked_again_and_refusals_are_not(path: Path) -> None:
    failures: list[Reply | ModelError] = [ModelUnavailable("later"), Reply("no", finish="refused"), paid("yes")]
    fake = Fake(failures)
    cached = Cached(fake, path)
    failed, refused = cached.ask([Generate("a"), Generate("b")])
    assert isinstance(failed, ModelUnavailable)
    again = cached.ask([Generate("a"), Generate("b")])
    assert [r.text for r in again if isinstance(r, Reply)] == ["yes", "no"]
    assert isinstance(refused, Reply)
    assert [r.finish for r in again if isinstance(r, Reply)] == ["stop", "refused"]
    assert len(fake.asked) == 3


def test_equal_requests_of_a_batch_are_asked_once(path: Path) -> None:
    fake = Fake(echo)
    told: list[tuple[int, str]] = []
    batch = [Generate("ab", tag="1"), Generate("cd"), Generate("ab", tag="2"), Generate("ab", max_tokens=1)]
    replies = Cached(fake, path).ask(batch, lambda place, reply: told.append((place, getattr(reply, "text", ""))))
    assert [r.text for r in replies if isinstance(r, Reply)] == ["ba", "dc", "ba", "ba"]
    assert [r.usage for r in replies if isinstance(r, Reply)] == [PAID + Usage(calls=1)] * 2 + [
        FREE,
        PAID + Usage(calls=1),
    ]
    assert [r.tag for r in fake.asked] == ["1", "", ""]
    assert sorted(told) == [(0, "ba"), (1, "dc"), (2, "ba"), (3, "ba")]


def test_an_equal_request_gets_the_same_failure(path: Path) -> None:
    fake = Fake([ModelUnavailable("later"), "never"])
    one, other = Cached(fake, path).ask([Generate("a"), Generate("a")])
    assert one is other
    assert isinstance(one, ModelUnavailable)


def test_samples_are_neither_kept_nor_merged(path: Path) -> None:
    fake = Fake(map(str, range(9)))
    cached = Cached(fake, path)
    free, seeded = Generate("p", temperature=1.0), Generate("p", temperature=1.0, seed=1)
    texts = [r.text for r in cached.ask([free, free, seeded, seeded]) if isinstance(r, Reply)]
    texts += [r.text for r in cached.ask([free, seeded]) if isinstance(r, Reply)]
    assert texts == ["0", "1", "2", "2", "3", "2"]
    assert (cached.holds(free), cached.holds(seeded)) == (False, True)


def test_answers_belong_to_a_model_by_its_name_or_its_identity(path: Path) -> None:
    one, other = Fake(["1"], name="a"), Fake(["2", "3"], name="b")
    Cached(one, path).ask([Generate("p")])
    assert not Cached(other, path).holds(Generate("p"))
    other.cache_identity = "a"  # type: ignore[attr-defined]
    assert Cached(other, path).holds(Generate("p"))
    assert Cached(Cached(other, path), path).cache_identity == "a"


def test_asking_anew_replaces_what_is_kept(path: Path) -> None:
    fake = Fake(["old", "new"])
    Cached(fake, path).ask([Generate("p")])
    anew = Cached(fake, path, read=False)
    assert not anew.holds(Generate("p"))
    anew.ask([Generate("p"), Generate("p")])
    [reply] = Cached(fake, path).ask([Generate("p")])
    assert isinstance(reply, Reply)
    assert (reply.text, rows(path)) == ("new", 1)


def test_holds_and_peek_ask_nothing_and_are_no_use(path: Path) -> None:
    fake = Fake([paid("x")])
    cached = Cached(fake, path)
    assert cached.peek(Generate("p")) is None
    cached.ask([Generate("p")])
    assert cached.peek(Generate("p", tag="t")) == Reply("x", usage=FREE)
    assert cached.holds(Generate("p"))
    [kept] = Answers(path).summary()
    assert (len(fake.asked), kept.hits) == (1, 0)


class Silent(Fake):
    """Answers without telling `on_reply` of every answer."""

    def ask(self, requests: Sequence[Request], on_reply: OnReply | None = None) -> list[Reply | ModelError]:
        return super().ask(requests)


def test_replies_that_were_not_told_of_are_kept_too(path: Path) -> None:
    told: list[int] = []
    Cached(Silent(echo), path).ask([Generate("a"), Generate("b")], lambda place, _: told.append(place))
    assert (told, rows(path)) == ([0, 1], 2)


def test_an_answer_is_kept_before_it_is_told_of(path: Path) -> None:
    told: list[tuple[int, int]] = []
    Cached(Fake(echo), path).ask([Generate("a"), Generate("b")], lambda place, _: told.append((place, rows(path))))
    assert told == [(0, 1), (1, 2)]


def test_what_arrived_before_a_mistake_is_kept(path: Path) -> None:
    cached = Cached(Fake(["x"]), path)
    with pytest.raises(BadInput, match="at its end"):
        cached.ask([Generate("a"), Generate("b")])
    assert (cached.holds(Generate("a")), cached.holds(Generate("b"))) == (True, False)


def test_what_was_saved_is_counted(path: Path) -> None:
    cached = Cached(Fake(lambda r: paid("x") if r.prompt == "a" else Reply("y", usage=Usage(cost=None))), path)
    batch = [Generate("a"), Generate("a"), Generate("b")]
    for _ in range(3):
        cached.ask(batch)
    [kept] = Answers(path).summary()
    assert (kept.model, kept.answers, kept.hits) == ("fake", 2, 1 + 3 + 3)
    assert (kept.tokens_saved, kept.cost_saved, kept.hits_unpriced) == (5 * 129, 5 * 0.25, 2)
    assert kept.bytes > len('{"text":"x"}') + len('{"text":"y"}')
    assert kept.oldest <= kept.used


def test_no_prompt_is_in_the_file_and_it_is_the_users_alone(path: Path) -> None:
    cached = Cached(Fake(["an answer"]), path)
    cached.ask([Generate("a secret of the house", tag="a tag")])
    cached.close()
    assert b"secret" not in path.read_bytes()
    assert b"a tag" not in path.read_bytes()
    assert b"an answer" in path.read_bytes()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_removing_what_was_not_used(path: Path) -> None:
    cached = Cached(Fake(lambda _: "x" * 500, name="a"), path)
    cached.ask([Generate(str(i)) for i in range(200)])
    Cached(Fake(["y"], name="b"), path).ask([Generate("p")])
    cached.close()
    size = path.stat().st_size
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE answers SET used = used - 10 * 86400 WHERE rowid > 10 AND model = 'a'")
    connection.close()
    answers = Answers(path)
    assert answers.remove(unused_days=11) == 0
    assert answers.remove(unused_days=9, model="b") == 0
    assert answers.remove(unused_days=9) == 190
    assert answers.remove(unused_days=0, model="b") == 1
    Cached(Fake(["y"], name="b"), path).ask([Generate("p")])
    assert answers.remove(model="a") == 10
    assert [kept.model for kept in answers.summary()] == ["b"]
    assert answers.remove() == 1
    answers.close()
    assert path.stat().st_size < size / 4


def test_threads_share_one_cache(path: Path) -> None:
    switching = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)  # so that threads meet in the middle of things
    try:
        in_threads(path)
    finally:
        sys.setswitchinterval(switching)


def in_threads(path: Path) -> None:
    fake = Fake(echo)
    cached = Cached(fake, path)
    wrong: list[object] = []

    def work(start: int) -> None:
        for i in range(40):
            prompts = [f"p{(start + i) % 50}", f"q{start}-{i}"]
            replies = cached.ask([Generate(p) for p in prompts])
            wrong.extend(r for p, r in zip(prompts, replies, strict=True) if getattr(r, "text", r) != p[::-1])

    threads = [threading.Thread(target=work, args=(10 * i,)) for i in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (wrong, cached.notes, rows(path)) == ([], [], 50 + 5 * 40)


HAMMER = """
name, path = sys.argv[1:]
fake = Fake(lambda request: request.prompt[::-1])
cached = Cached(fake, path)
for i in range(150):
    requests = [Generate(f"shared {i}"), Generate(f"{name} {i}")]
    replies = cached.ask(requests)
    assert [r.text for r in replies] == [r.prompt[::-1] for r in requests]
asked = len(fake.asked)
for i in range(150):
    cached.ask([Generate(f"shared {i}"), Generate(f"{name} {i}")])
assert len(fake.asked) == asked, "a write was lost"
assert cached.notes == [], cached.notes
cached.close()
print(asked)
"""


def test_processes_share_one_cache_from_its_creation_on(path: Path) -> None:
    running = [script(HAMMER, f"p{i}", path) for i in range(4)]
    asked = [int(process.communicate()[0]) for process in running]
    assert [process.returncode for process in running] == [0] * 4
    assert rows(path) == 150 + 4 * 150
    [kept] = Answers(path).summary()
    assert kept.hits == 4 * 600 - sum(asked)  # every request was asked or answered from the file: no use is lost


FORK = """
import os
path, = sys.argv[1:]
cached = Cached(Fake(lambda request: request.prompt[::-1]), path)
cached.ask([Generate("before")])
ready, go = os.pipe(), os.pipe()
child = os.fork()
if not child:
    cached.ask([Generate("in the child")])
    os.write(ready[1], b"x")
    os.read(go[0], 1)
    cached.ask([Generate("after its parent has closed")])
    os._exit(0)
os.read(ready[0], 1)
cached.ask([Generate("in the parent")])
cached.close()
os.write(go[1], b"x")
assert os.waitpid(child, 0)[1] == 0
print(sum(cached.holds(Generate(p)) for p in
          ("before", "in the child", "in the parent", "after its parent has closed")))
cached.close()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_fork_shares_the_cache_whichever_ends_first(path: Path) -> None:
    process = script(FORK, path)
    assert process.communicate(timeout=60)[0] == "4\n"
    assert rows(path) == 4


KILLED = """
path, = sys.argv[1:]
cached = Cached(Fake(lambda request: request.prompt * 50), path)
requests = [Generate(f"p{i}") for i in range(20_000)]
cached.ask(requests, lambda place, reply: print(place, flush=True))
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
@pytest.mark.parametrize("after", [1, 40, 333])
def test_a_kill_loses_nothing_that_was_reported_and_stores_nothing_twice(path: Path, after: int) -> None:
    process = script(KILLED, path)
    assert process.stdout is not None
    reported = [int(process.stdout.readline()) for _ in range(after)]
    process.kill()
    reported += [int(line) for line in process.stdout.read().splitlines(keepends=True) if line.endswith("\n")]
    process.wait()
    process.stdout.close()
    assert reported == list(range(len(reported)))
    assert len(reported) < 20_000
    fake = Fake(lambda request: f"{request.prompt}" * 50)
    cached = Cached(fake, path)
    stored = rows(path)
    assert stored in (len(reported), len(reported) + 1)  # one may be stored and not yet reported
    requests = [Generate(f"p{i}") for i in range(len(reported) + 20)]
    replies = cached.ask(requests)
    assert [r.text for r in replies if isinstance(r, Reply)] == [str(r.prompt) * 50 for r in requests]
    assert len(fake.asked) == len(requests) - stored
    assert rows(path) == len(requests)


def damaged(path: Path, how: str) -> None:
    cached = Cached(Fake(lambda _: "x" * 3000), path)
    cached.ask([Generate(str(i)) for i in range(20)])
    cached.close()
    content = path.read_bytes()
    match how:
        case "text":
            path.write_text("query,document\n" * 1000)
        case "cut":
            path.write_bytes(content[: len(content) // 2])
        case "zeros":
            path.write_bytes(content[:4096] + bytes(len(content) - 4096))
        case "head":
            path.write_bytes(b"\xff" * 100 + content[100:])
        case _:
            with sqlite3.connect(path) as connection:
                connection.execute(how)
            connection.close()


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("text", "not a database"),
        ("head", "not a database"),
        ("cut", "malformed"),
        ("zeros", "malformed"),
        ("PRAGMA user_version = 2", "its version is 2, and this whyrank reads version 1"),
        ("PRAGMA application_id = 5", "a database of another program"),
        ("UPDATE answers SET reply = '{\"text\": 3}'", "the 'text' of a reply is int, not str"),
        ("UPDATE answers SET reply = '{'", "an answer in it is damaged"),
        ("UPDATE answers SET reply = '{\"mood\": 1}'", "mood"),
    ],
)
def test_a_damaged_or_foreign_file_says_what_to_do(path: Path, how: str, said: str) -> None:
    damaged(path, how)
    fake = Fake(lambda _: "never")
    with pytest.raises(Corrupt, match=said) as caught:
        Cached(fake, path).ask([Generate(str(i)) for i in range(20)])
    assert str(caught.value).startswith(f"{path}: ")
    assert "move or delete the file, or name another in WHYRANK_CACHE" in str(caught.value)
    assert fake.asked == []


def test_a_schema_whose_name_is_no_text_is_damage(path: Path) -> None:
    Cached(Fake(["x"]), path).ask([Generate("p")])
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    connection.close()
    content = path.read_bytes()
    assert content.count(b"tableanswersanswers") == 1
    path.write_bytes(content.replace(b"tableanswersanswers", b"table\x80nswersanswers").replace(b"CREATE", b"CREATX"))
    with pytest.raises(Corrupt, match="no cache that can be used"):
        Cached(Fake(["y"]), path).ask([Generate("q")])


def test_another_programs_database_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "places.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE bookmarks (url TEXT)")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(Corrupt, match="another program"):
        Cached(Fake([]), path)
    assert (path.read_bytes(), sorted(p.name for p in tmp_path.iterdir())) == (before, ["places.sqlite"])


def test_an_answer_survives_a_file_that_breaks_while_it_is_asked_for(path: Path) -> None:
    class Breaker(Fake):
        def ask(self, requests: Sequence[Request], on_reply: OnReply | None = None) -> list[Reply | ModelError]:
            with sqlite3.connect(path) as connection:
                connection.execute("DROP TABLE IF EXISTS answers")
            connection.close()
            return super().ask(requests, on_reply)

    cached = Cached(Breaker(echo), path)
    for _ in range(2):
        replies = cached.ask([Generate("ab"), Generate("cd")])
        assert [r.text for r in replies if isinstance(r, Reply)] == ["ba", "dc"]
    assert len(cached.notes) == 1


def test_a_cache_that_others_keep_locked_is_waited_for_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("whyrank.lm.answers.BUSY_S", 0.01)
    Cached(Fake(echo), path).ask([Generate("ab")])
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    cached = Cached(Fake(echo), path)
    replies = cached.ask([Generate("ab"), Generate("cd"), Generate("ef")])
    other.execute("ROLLBACK")
    other.close()
    assert [r.text for r in replies if isinstance(r, Reply)] == ["ba", "dc", "fe"]
    [note] = cached.notes
    assert "database is locked" in note
    cached.ask([Generate("gh")])  # it does not try again
    assert rows(path) == 1


def test_no_folder_can_be_made_here(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    fake = Fake(echo)
    cached = Cached(fake, tmp_path / "file" / "cache" / "a.sqlite")
    for _ in range(2):
        [reply] = cached.ask([Generate("ab")])
        assert isinstance(reply, Reply)
        assert reply.text == "ba"
    assert (len(fake.asked), cached.holds(Generate("ab"))) == (2, False)
    [note] = cached.notes
    assert "the cache cannot be created" in note
    assert f"{tmp_path / 'file'}: File exists); answers come all the same, and are not kept" in note


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user can reach; the usual ones are closed to all but their owner."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


READ_ONLY = """
import os
path, new = sys.argv[1:]
if os.getuid() == 0:
    os.setuid(65534)  # nobody: root may write whatever it likes
fake = Fake(lambda request: request.prompt[::-1])
cached, absent = Cached(fake, path), Cached(fake, new)
for _ in range(2):
    for each in (cached, absent):
        print(*(r.text for r in each.ask([Generate("ab"), Generate("cd")])), len(fake.asked))
print(len(cached.notes), len(absent.notes), "readonly" in cached.notes[0], "Permission denied" in absent.notes[0])
cached.close()
"""


@pytest.mark.skipif(not hasattr(os, "setuid"), reason="needs users")
def test_a_read_only_cache_is_read_and_one_note_says_the_rest(open_folder: Path) -> None:
    path = open_folder / "answers.sqlite"
    kept = Cached(Fake(echo), path)
    kept.ask([Generate("ab")])
    kept.close()
    path.chmod(0o444)
    open_folder.chmod(0o555)
    process = script(READ_ONLY, path, open_folder / "new.sqlite")
    assert process.communicate()[0].splitlines() == ["ba dc 1", "ba dc 3", "ba dc 4", "ba dc 6", "1 1 True True"]
    open_folder.chmod(0o755)


FULL = """
import resource
path, = sys.argv[1:]
fake = Fake(lambda request: request.prompt * 30_000)
cached = Cached(fake, path)
cached.ask([Generate("a")])
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
replies = cached.ask([Generate("a"), *(Generate(p) for p in "bcdefgh")])
assert [r.text for r in replies] == [p * 30_000 for p in "abcdefgh"]
print(len(fake.asked), len(cached.notes), cached.holds(Generate("a")), cached.holds(Generate("h")))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs limits on the size of files")
def test_a_full_disk_loses_no_answer(path: Path) -> None:
    process = script(FULL, path)
    assert process.communicate()[0] == "8 1 True False\n"
    assert 1 <= rows(path) < 8


def test_where_the_file_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("WHYRANK_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert default_path() == tmp_path / ".cache" / "whyrank" / "answers.sqlite"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")  # the specification says: not to be regarded
    assert default_path() == tmp_path / ".cache" / "whyrank" / "answers.sqlite"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "x"))
    assert default_path() == tmp_path / "x" / "whyrank" / "answers.sqlite"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert default_path() == tmp_path / "Library" / "Caches" / "whyrank" / "answers.sqlite"
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
    assert default_path() == tmp_path / "local" / "whyrank" / "Cache" / "answers.sqlite"
    monkeypatch.setenv("WHYRANK_CACHE", str(tmp_path / "mine.sqlite"))
    assert default_path() == tmp_path / "mine.sqlite"
    monkeypatch.setenv("WHYRANK_CACHE", str(tmp_path))
    assert default_path() == tmp_path / "answers.sqlite"


def test_the_default_file_is_used_and_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHYRANK_CACHE", str(tmp_path / "some" / "where" / "mine.sqlite"))
    Cached(Fake(["x"]), None).ask([Generate("p")])
    assert rows(default_path()) == 1


def test_replies_are_kept_as_json(path: Path) -> None:
    Cached(Fake([Reply("[1] > [2]\ud800", usage=PAID)]), path).ask([Generate("p")])
    with sqlite3.connect(path) as connection:
        [(kind, reply)] = connection.execute("SELECT kind, reply FROM answers")
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)  # readers never wait for a writer
    connection.close()
    assert kind == "generate"
    assert json.loads(reply) == {
        "text": "[1] > [2]\ud800",
        "usage": {
            "calls": 1,
            "prompt_tokens": 120,
            "cached_tokens": 20,
            "generated_tokens": 9,
            "reasoning_tokens": 4,
            "seconds": 1.5,
            "cost": 0.25,
        },
    }
