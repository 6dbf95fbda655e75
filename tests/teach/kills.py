"""Kills a process that teaches, at random moments, and begins it again: nothing is lost and nothing is there twice.

    python tests/teach/kills.py --kills 1000

This process has the modules loaded and forks one teacher after the other; each asks a scripted model about the lists of
a store, tells through a pipe what it asks and what `Store.add` has acknowledged, and is killed (SIGKILL) after a random
number of records and a random moment more, often in the middle of a write. What the next one finds is, by lot:

    as it was    the files as the killed process left them
    torn         power failure: of the log's bytes that were not acknowledged, some are missing or other than they were
    cut          a disk that lies: the log is cut anywhere; the store must open, and what it lost is asked for again
    closed       somebody looked at the store in between, which moves the log into the file

Prints one JSON object; ends with 1 where an acknowledged record is gone, stands there twice or was asked for again.
"""

import argparse
import json
import os
import random
import select
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from whyrank.lm.base import Request
from whyrank.lm.fake import Fake
from whyrank.teach import store as storing
from whyrank.teach.asking import ask
from whyrank.teach.conversation import Teacher, tasks
from whyrank.teach.records import TeacherRecord
from whyrank.teach.store import Store
from whyrank.types import Document, Query, Ranking

LISTS = 24
LONGEST = 30_000
"""Characters of the longest answer: records of one page and of many."""
MOMENT_S = 0.004
"""Longest time between the record after which a process is killed and the kill."""
STUCK_S = 30.0
FEW_CHECKPOINTS, MANY_CHECKPOINTS = 1_000, 4
"""Pages of the log after which it is moved into the file."""
REPORTED = ("kills", "whole", "kept", "as it was", "torn", "cut", "closed", "lost_by_cuts")
MUST_BE_NONE = ("lost", "doubled", "asked_again")


def lists() -> list[Ranking]:
    documents = [Document("a", "Air scatters blue light."), Document("b", "Grass is green.")]
    return [Ranking.of(Query(f"q{number}", f"question {number}"), documents) for number in range(LISTS)]


def answer(request: Request) -> str:
    length = random.Random(request.tag).randrange(LONGEST)
    items = [{"identifier": n, "direct_reason": "x" * length, "listwise_reason": "It is."} for n in (2, 1)]
    return json.dumps({"ranked_passages": items})


class Loud(Store):
    """Tells of each record that is kept: its key, whether it was new, and how long the log is by now."""

    def __init__(self, path: Path, pipe: int) -> None:
        self.pipe = pipe
        super().__init__(path)

    def add(self, record: TeacherRecord, *, again: bool = False) -> bool:
        is_new = super().add(record, again=again)
        size = log(self.path).stat().st_size if log(self.path).exists() else 0
        os.write(self.pipe, f"kept {record.key} {int(is_new)} {size}\n".encode())
        return is_new


def teach(path: Path, pipe: int, pages: int) -> None:
    """What the process does that is killed."""
    storing.CHECKPOINT_PAGES = pages

    def answered(request: Request) -> str:
        os.write(pipe, f"asked {request.tag.rpartition('/')[0]}\n".encode())
        return answer(request)

    with Loud(path, pipe) as store:
        ask(lists(), Teacher(Fake(answered)), store)
    os.write(pipe, b"end\n")


def log(path: Path) -> Path:
    return Path(f"{path}-wal")


class Heard:
    """What a process told before it ended."""

    def __init__(self) -> None:
        self.kept: list[str] = []
        self.asked: list[str] = []
        self.again = self.size = 0
        self.is_whole = False

    def take(self, line: str) -> None:
        kind, *rest = line.split()
        if kind == "kept":
            self.kept.append(rest[0])
            self.again += rest[1] == "0"
            self.size = int(rest[2])
        elif kind == "asked":
            self.asked.append(rest[0])
        else:
            self.is_whole = True


def run_and_kill(path: Path, lots: random.Random, pages: int) -> Heard:
    """Fork a teacher, kill it at a random moment, and hear all it told."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reading)
            teach(path, writing, pages)
        finally:
            os._exit(0)
    os.close(writing)
    heard, wanted = Heard(), lots.randrange(7)
    with os.fdopen(reading, "rb", buffering=0) as pipe:
        rest = _listen(pipe.fileno(), heard, wanted, b"")
        time.sleep(lots.uniform(0, MOMENT_S))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        _listen(pipe.fileno(), heard, None, rest)
    return heard


def _listen(pipe: int, heard: Heard, wanted: int | None, rest: bytes) -> bytes:
    """Hear until so many records are kept, or the end."""
    while wanted is None or len(heard.kept) < wanted:
        ready, _, _ = select.select([pipe], [], [], STUCK_S)
        data = os.read(pipe, 1 << 16) if ready else b""
        if not data:
            assert ready, "the teacher is stuck"
            break
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            heard.take(line.decode())
    return rest


def look(path: Path) -> list[TeacherRecord]:
    """What a copy of the store holds, as the next process would find it; the store itself stays as it is."""
    copy = path.with_name("copy.db")
    for old in copy.parent.glob("copy.db*"):
        old.unlink()
    for source, target in ((path, copy), (log(path), log(copy))):
        if source.exists():
            shutil.copyfile(source, target)
    with Store(copy) as store:
        return list(store.records())


def tear(path: Path, lots: random.Random, safe: int) -> None:
    """End the log at a random byte from `safe` on, perhaps with bytes behind that nobody wrote."""
    file = log(path)
    if not file.exists():
        return
    whole = file.read_bytes()
    data = bytearray(whole[: lots.randint(min(safe, len(whole)), len(whole))])
    if lots.random() < 0.5:
        data += lots.randbytes(lots.randrange(6_000))
    elif len(data) > safe and lots.random() < 0.5:
        data[lots.randrange(safe, len(data))] ^= 1 << lots.randrange(8)
    file.write_bytes(data)
    Path(f"{path}-shm").unlink(missing_ok=True)


def length(path: Path) -> int:
    """Bytes of the log."""
    return log(path).stat().st_size if log(path).exists() else 0


class Kills:
    """One store after the other, each killed until it is whole.

    Attributes:
        found: how often what was found.
    """

    def __init__(self, folder: Path, seed: int) -> None:
        self.found = Counter[str]()
        self._path = folder / "teacher.db"
        self._lots = random.Random(seed)
        self._names = {task.name: task.key for task in tasks(lists(), Teacher(Fake(answer)))}
        self._pages = FEW_CHECKPOINTS
        self._there: set[str] = set()

    def one(self) -> None:
        """Kill once, and look at what is left."""
        heard = run_and_kill(self._path, self._lots, self._pages)
        self.found["asked_again"] += sum(self._names[name] in self._there for name in heard.asked)
        self._there |= set(heard.kept)
        fate = "whole" if heard.is_whole else self._happen(heard)
        keys = [record.key for record in look(self._path)] if self._path.exists() else []
        self.found.update({"kills": 1, "kept": len(heard.kept), fate: 1})
        self.found["doubled"] += len(keys) - len(set(keys)) + heard.again
        self.found["lost_by_cuts" if fate == "cut" else "lost"] += len(self._there - set(keys))
        self._there = set(keys)
        if heard.is_whole:
            self.found["lost"] += LISTS - len(keys)
            self._begin_anew()

    def _happen(self, heard: Heard) -> str:
        """What befalls the files between the kill and the next process."""
        is_long = self._pages == FEW_CHECKPOINTS  # else the log begins again and again, and its length tells nothing
        fate = self._lots.choice(("as it was", "torn", "cut", "closed") if is_long else ("as it was", "closed"))
        if fate == "torn":
            tear(self._path, self._lots, heard.size if heard.kept else length(self._path))
        elif fate == "cut":
            tear(self._path, self._lots, 0)
        elif fate == "closed":
            Store(self._path).close()
        return fate

    def _begin_anew(self) -> None:
        self._there = set()
        self._pages = self._lots.choice((FEW_CHECKPOINTS, FEW_CHECKPOINTS, MANY_CHECKPOINTS))
        for file in self._path.parent.iterdir():
            file.unlink()


def main() -> int:
    parser = argparse.ArgumentParser(description="kill a teaching process at random moments")
    parser.add_argument("--kills", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        kills = Kills(Path(folder), arguments.seed)
        for _ in range(arguments.kills):
            kills.one()
    found = {name: kills.found[name] for name in (*REPORTED, *MUST_BE_NONE)}
    sys.stdout.write(json.dumps(found | {"seconds": round(time.monotonic() - begun, 1)}) + "\n")
    return int(any(found[name] for name in MUST_BE_NONE))


if __name__ == "__main__":
    sys.exit(main())
