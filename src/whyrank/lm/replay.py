r"""Recording what a language model answers, and playing it again.

A recording is a file of JSON Lines, one line an answer, in the order of arrival:

    {"tag": "q1/1", "model": "openai:gpt-4.1-mini", "request": {…}, "reply": {…}}
    {"tag": "q1/2", "model": "openai:gpt-4.1-mini", "request": {…}, "failure": {…}}

    tag      who asked, such as "query id/number of the question"; what a replay goes by
    request  "kind" ("generate", "choose" or "likelihood") and the fields of `whyrank.lm.base`, the prompt as a text
             or as [{"role": …, "text": …}, …]; a replay does not read it
    reply    the fields of `whyrank.lm.base.Reply`; those that are left out have their default value
    failure  instead of a reply: "kind", the name of a `ModelError`, and "message"

Further fields are for people and are not read.
"""

import gzip
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from io import SEEK_END, FileIO
from pathlib import Path
from threading import Lock
from typing import Any, TypeAlias

from whyrank.errors import BadInput, BadRecord, MissingFile, ModelError, ModelRejected, Unwritable
from whyrank.lm.base import LM, Capability, OnReply, Reply, Request, Tokens
from whyrank.lm.estimate import EstimatedTokens
from whyrank.lm.records import failure_of, failure_record, reply_of, reply_record, request_record
from whyrank.types import Usage

Recorded: TypeAlias = str | Reply | ModelError
Record: TypeAlias = Mapping[str, Any]
BLOCK = 1 << 16
"""Bytes that are read at once in search of the last whole line."""


class Replay:
    """Gives recorded answers again, by the request's tag; it does not compare prompts.

    A tag that nothing was recorded for is a `ModelRejected` in the place of its reply. Where a tag has several
    answers, they are given in their order, one each time it is asked; after the last, the last is given again.

    Args:
        answers: tag → its answer, or its answers. An answer is a text, a `Reply` or a `ModelError`.
        name: what results are signed with.
        context: most tokens of prompt and answer together.
        tokens: counts and cuts; an estimate if not given.
        controls: texts that the recorded model took for control tokens.

    Attributes:
        asked: every request so far, in order.
        played: how many requests were answered with what was recorded.
        asked_again: of these, how many came after the last answer to their tag.
        unknown: how many had a tag that is not recorded.
    """

    def __init__(
        self,
        answers: Mapping[str, Recorded | Sequence[Recorded]],
        *,
        name: str = "replay",
        context: int | None = None,
        tokens: Tokens | None = None,
        controls: tuple[str, ...] = (),
    ) -> None:
        self.name = name
        self.capabilities = frozenset(Capability) - {Capability.ATTENTION}
        self.context = context
        self.tokens: Tokens = tokens or EstimatedTokens()
        self.controls = controls
        self.asked: list[Request] = []
        self.played = self.asked_again = self.unknown = 0
        self._answers = {tag: _several(tag, given) for tag, given in answers.items()}
        self._times: Counter[str] = Counter()
        self._lock = Lock()

    @classmethod
    def from_jsonl(
        cls,
        source: str | Path | Iterable[Record],
        *,
        key: Callable[[Record], str] | None = None,
        answer: str = "",
        **settings: Any,
    ) -> "Replay":
        """Read what a `Recorder` wrote, or a recording of somebody else's.

        Args:
            source: a file of JSON Lines (gzip if its name ends in .gz), or its records. A last line without an end
                is one whose writing was interrupted; it is left out.
            key: the tag of a record; by default its field "tag".
            answer: the field that holds the text of the answer; by default "reply" and "failure" are read as above.
            settings: as for `Replay`.

        Raises:
            MissingFile: there is no such file.
            BadInput: it cannot be read.
            BadRecord: a line is not a record.
        """
        answers: dict[str, list[Recorded]] = {}
        for where, record in _records(source):
            try:
                tag = record["tag"] if key is None else key(record)
                answers.setdefault(tag, []).append(_recorded(record, answer))
            except (KeyError, ValueError, TypeError) as error:
                what = f"no {error}" if isinstance(error, KeyError) else str(error)
                raise BadRecord(f"{where}: {what}; see whyrank.lm.replay for the form of a recording") from error
        return cls(answers, **settings)

    def ask(self, requests: Sequence[Request], on_reply: OnReply | None = None) -> list[Reply | ModelError]:
        """What was recorded for the tags of these requests."""
        with self._lock:
            replies = [self._reply(request) for request in requests]
        for place, reply in enumerate(replies):
            if on_reply is not None:
                on_reply(place, reply)
        return replies

    def unused(self) -> list[str]:
        """Tags with an answer that was never asked for, in the order of the recording."""
        return [tag for tag, answers in self._answers.items() if self._times[tag] < len(answers)]

    def _reply(self, request: Request) -> Reply | ModelError:
        self.asked.append(request)
        answers = self._answers.get(request.tag)
        if answers is None:
            self.unknown += 1
            return ModelRejected(f"nothing is recorded for the tag {request.tag!r}; {len(self._answers)} tags are")
        time = self._times[request.tag]
        self._times[request.tag] += 1
        self.played += 1
        self.asked_again += time >= len(answers)
        return answers[min(time, len(answers) - 1)]


class Recorder:
    """Passes everything on to a language model and writes down what it answers, as each answer arrives.

    A line is written with one call, so that a kill leaves at most one unfinished line, the last; the next Recorder
    of that file removes it and goes on. One Recorder a file at a time.

    Args:
        lm: whom to ask.
        path: the file; what is in it is kept.

    Raises:
        Unwritable: the file cannot be opened for writing.
    """

    def __init__(self, lm: LM, path: str | Path) -> None:
        self.name = lm.name
        self.capabilities = lm.capabilities
        self.context = lm.context
        self.tokens = lm.tokens
        self.controls = lm.controls
        self.cache_identity: str = getattr(lm, "cache_identity", lm.name)
        self._lm = lm
        self._path = Path(path)
        self._lock = Lock()
        try:
            self._file = _at_the_end(self._path)
        except OSError as error:
            raise Unwritable(f"{path}: cannot be written ({error.strerror or error})") from error

    def ask(self, requests: Sequence[Request], on_reply: OnReply | None = None) -> list[Reply | ModelError]:
        """What the model answers.

        Raises:
            BadInput: a request that the model can never answer.
            Unwritable: an answer could not be written; raised when all have arrived.
        """
        written: set[int] = set()
        failed: list[OSError] = []

        def arrived(place: int, reply: Reply | ModelError) -> None:
            written.add(place)
            try:
                self._write(requests[place], reply)
            except OSError as error:
                failed.append(error)
            if on_reply is not None:
                on_reply(place, reply)

        replies = self._lm.ask(requests, arrived)
        for place, reply in enumerate(replies):
            if place not in written:
                arrived(place, reply)
        if failed:
            what = failed[0].strerror or failed[0]
            raise Unwritable(f"{self._path}: {len(failed)} answers could not be written ({what})") from failed[0]
        return replies

    def close(self) -> None:
        """Close the file, and the model if it can be closed."""
        self._file.close()
        close = getattr(self._lm, "close", None)
        if close is not None:
            close()

    def _write(self, request: Request, reply: Reply | ModelError) -> None:
        answer = {"reply": reply_record(reply)} if isinstance(reply, Reply) else {"failure": failure_record(reply)}
        record = {"tag": request.tag, "model": self.name, "request": request_record(request), **answer}
        line = json.dumps(record).encode() + b"\n"
        with self._lock:
            while line:
                line = line[self._file.write(line) :]


def _at_the_end(path: Path) -> FileIO:
    """The file, opened for adding lines; an unfinished last line is cut off."""
    file = FileIO(path, "a+")
    try:
        size = file.seek(0, SEEK_END)
        whole = _whole(file, size)
        if whole < size:
            file.truncate(whole)
    except BaseException:
        file.close()
        raise
    return file


def _whole(file: FileIO, size: int) -> int:
    """How many of its bytes are whole lines."""
    while size > 0:
        start = max(size - BLOCK, 0)
        file.seek(start)
        end = file.read(size - start).rfind(b"\n")
        if end >= 0:
            return start + end + 1
        size = start
    return 0


def _several(tag: str, given: Recorded | Sequence[Recorded]) -> list[Reply | ModelError]:
    answers = [given] if isinstance(given, str | Reply | ModelError) else list(given)
    if not answers:
        raise BadInput(f"the tag {tag!r} has no answer; leave it out, or give one")
    return [_counted(Reply(text=answer) if isinstance(answer, str) else answer) for answer in answers]


def _counted(answer: Reply | ModelError) -> Reply | ModelError:
    """The answer as that of one call, where nobody has counted."""
    if isinstance(answer, ModelError) or answer.usage.calls:
        return answer
    return replace(answer, usage=answer.usage + Usage(calls=1))


def _recorded(record: Record, field: str) -> Recorded:
    if field:
        if not isinstance(record[field], str):
            raise ValueError(f"its {field!r} is {type(record[field]).__name__}, not a text")
        return str(record[field])
    return failure_of(record["failure"]) if "failure" in record else reply_of(record["reply"])


def _records(source: str | Path | Iterable[Record]) -> Iterator[tuple[str, Record]]:
    """Records, and where each stands."""
    if not isinstance(source, str | Path):
        for number, given in enumerate(source, 1):
            yield f"record {number}", given
        return
    for number, line in enumerate(_lines(Path(source)), 1):
        where = f"{source}:{number}"
        try:
            record = json.loads(line)
        except ValueError as error:
            raise BadRecord(f"{where}: this is no JSON ({error})") from error
        if not isinstance(record, dict):
            raise BadRecord(f"{where}: a record is an object, not {type(record).__name__}")
        yield where, record


def _lines(path: Path) -> Iterator[bytes]:
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            yield from (line for line in file if line.endswith(b"\n"))
    except FileNotFoundError:
        raise MissingFile(f"{path}: no such file") from None
    except (OSError, EOFError) as error:
        raise BadInput(f"{path}: cannot be read ({error})") from error
