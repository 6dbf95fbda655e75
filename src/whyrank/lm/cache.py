"""Nothing is asked twice: a language model with a memory."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from whyrank.errors import Corrupt, ModelError, Unwritable
from whyrank.lm.answers import Answers, default_path
from whyrank.lm.base import LM, OnReply, Reply, Request
from whyrank.lm.keys import is_repeatable, key_of
from whyrank.lm.records import kind_of
from whyrank.types import Usage


class Cached:
    """A language model that remembers its answers, in a file that threads and processes share.

    An answer is found by the model, the kind of request and every field of it but the tag. It is stored the moment it
    arrives, so whoever is killed loses at most what was under way. Equal requests of one batch are asked once; two
    callers that ask the same at the same moment both ask.

    Every whole reply is stored. A refusal is one: it is what the model says to this prompt, and asking again costs
    the same. So is an answer that was cut off: its limit is part of the request. Failures are never stored, and
    sampling without a seed is neither stored nor merged: it is meant to differ each time.

    A reply from the cache costs nothing: its tokens count as cached, its price and generated tokens are 0.

    Args:
        lm: whom to ask. What it answers is filed under its `cache_identity`, if it has that attribute, else under its
            name: a backend whose name does not say which weights answer (a path, a local server) gives one.
        path: the file; by default `whyrank.lm.answers.default_path()`.
        read: False asks everything anew and replaces what is stored.

    Attributes:
        notes: what went wrong with the file, each once. Answers still come: a cache that cannot be written costs
            money, not results.

    Raises:
        Corrupt: the file is damaged, another program's, or of a newer version of whyrank.
    """

    def __init__(self, lm: LM, path: str | Path | None = None, *, read: bool = True) -> None:
        self.name = lm.name
        self.capabilities = lm.capabilities
        self.tokens = lm.tokens
        self.controls = lm.controls
        self.read = read
        self.notes: list[str] = []
        self._lm = lm
        self._answers: Answers | None = None
        self._is_kept = True
        try:
            self._answers = Answers(default_path() if path is None else Path(path))
        except Unwritable as error:
            self._note(error)

    @property
    def context(self) -> int | None:
        """That of the model, read when it is first needed: a backend may have to ask its server."""
        return self._lm.context

    @property
    def cache_identity(self) -> str:
        """What answers are filed under, read when it is first needed: a backend may have to ask its server."""
        return str(getattr(self._lm, "cache_identity", self.name))

    def ask(self, requests: Sequence[Request], on_reply: OnReply | None = None) -> list[Reply | ModelError]:
        """What is stored, and for the rest what the model answers.

        Raises:
            BadInput: a request that the model can never answer.
            Corrupt: the file is damaged; nothing was asked.
        """
        keys = [key_of(r, self.cache_identity) if is_repeatable(r) else None for r in requests]
        stored = self._stored(keys)
        replies: dict[int, Reply | ModelError] = {}

        def tell(place: int, reply: Reply | ModelError) -> None:
            replies[place] = reply
            if on_reply is not None:
                on_reply(place, reply)

        for place, key in enumerate(keys):
            if key in stored:
                tell(place, for_nothing(stored[key]))
        groups = _equal([(place, key) for place, key in enumerate(keys) if key not in stored])

        def arrived(number: int, reply: Reply | ModelError) -> None:
            first, *others = groups[number]
            key = keys[first]
            if key is not None and isinstance(reply, Reply):
                self._keep(key, requests[first], reply, len(others))
            tell(first, reply)
            for place in others:
                tell(place, for_nothing(reply) if isinstance(reply, Reply) else reply)

        if groups:
            asked = self._lm.ask([requests[first] for first, *_ in groups], arrived)
            for number, reply in enumerate(asked):
                if groups[number][0] not in replies:
                    arrived(number, reply)
        return [replies[place] for place in range(len(requests))]

    def peek(self, request: Request) -> Reply | None:
        """The answer that would come from the cache; None if the model would be asked. It does not count as use.

        Raises:
            Corrupt: the file is damaged.
        """
        if not (self.read and is_repeatable(request)):
            return None
        reply = self._get(key_of(request, self.cache_identity))
        return None if reply is None else for_nothing(reply)

    def holds(self, request: Request) -> bool:
        """Whether the answer would come from the cache.

        Raises:
            Corrupt: the file is damaged.
        """
        return self.peek(request) is not None

    def anew(self) -> "Cached":
        """The same, reading nothing: what is asked of it replaces what is stored. It is closed with this one."""
        other = copy(self)
        other.read = False
        return other

    def close(self) -> None:
        """Close the file, and the model if it can be closed."""
        if self._answers is not None:
            self._answers.close()
        close = getattr(self._lm, "close", None)
        if close is not None:
            close()

    def __enter__(self) -> "Cached":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _stored(self, keys: Sequence[bytes | None]) -> dict[bytes | None, Reply]:
        if not self.read:
            return {}
        times = Counter(key for key in keys if key is not None)
        found: dict[bytes | None, Reply] = {key: reply for key in times if (reply := self._get(key)) is not None}
        self._used({key: count for key, count in times.items() if key in found})
        return found

    def _get(self, key: bytes) -> Reply | None:
        if self._answers is None:
            return None
        try:
            return self._answers.get(key)
        except Unwritable as error:
            self._note(error)
            return None

    def _keep(self, key: bytes, request: Request, reply: Reply, others: int) -> None:
        with self._writing() as answers:
            if answers is not None:
                answers.put(key, self.name, kind_of(request), reply)
        self._used({key: others} if others else {})

    def _used(self, times: Mapping[bytes, int]) -> None:
        with self._writing() as answers:
            if answers is not None and times:
                answers.used(times)

    @contextmanager
    def _writing(self) -> Iterator[Answers | None]:
        """The file, or None where it cannot be written; an answer is passed on whatever happens here."""
        try:
            yield self._answers if self._is_kept else None
        except (Unwritable, Corrupt) as error:
            self._is_kept = False  # or every answer of a long run would wait for a lock that nobody gives back
            self._note(error)

    def _note(self, error: Exception) -> None:
        note = f"{error}; answers come all the same, and are not kept"
        if note not in self.notes:
            self.notes.append(note)


def for_nothing(reply: Reply) -> Reply:
    """The same reply, as it comes from a cache: its prompt counts as cached, the rest cost nothing."""
    prompt = reply.usage.prompt_tokens
    return replace(reply, usage=Usage(calls=1, prompt_tokens=prompt, cached_tokens=prompt))


def _equal(waiting: Sequence[tuple[int, bytes | None]]) -> list[list[int]]:
    """Places in the batch that one answer serves; a place without a key stands alone."""
    groups: list[list[int]] = []
    by_key: dict[bytes, list[int]] = {}
    for place, key in waiting:
        if key is not None and key in by_key:
            by_key[key].append(place)
            continue
        groups.append([place])
        if key is not None:
            by_key[key] = groups[-1]
    return groups
