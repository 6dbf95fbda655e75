"""A teacher, and the conversation about one list: the listwise ranker's own prompt, judge and parser, and a record."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

from whyrank.errors import BadInput, BudgetSpent, ModelError, ModelUnavailable
from whyrank.lm.base import LM, Reply, Request, check_capabilities
from whyrank.prompts import Passage, Template, load
from whyrank.rankers.listwise import Written, heard_ranking
from whyrank.rankers.matter import Matter, Showing, Shown
from whyrank.rankers.parsing import Parsed, final_answer
from whyrank.rankers.untidy import Policy
from whyrank.teach.conclusions import concluded
from whyrank.teach.reading import reasons, thought
from whyrank.teach.records import USABLE, Mode, Reasons, TeacherRecord, request_key
from whyrank.teach.settings import PROMPTS
from whyrank.types import Document, Ranking, Usage

if TYPE_CHECKING:
    from whyrank.rankers.verdict import Asking, Verdict

PUBLISHED_FOR = 5
"""Documents that the room for an answer in R2R's prompts is meant for; more documents get more room."""


@dataclass(frozen=True)
class Teacher:
    """A language model as a teacher.

    Attributes:
        lm: the model.
        mode: what it is asked for.
        passage_tokens: most tokens of a document that are shown; None for what the prompt says.
        reasoning_tokens: most tokens of reasoning before an answer; 0 for what the prompt says.
        attempts: how often is asked again for an untidy answer; of several answers the best is taken.
        asking: a listwise prompt that is answered with an order; None for that of `mode`.

    Raises:
        BadInput: the model cannot write, or the prompt asks for something else than an order.
        UnknownName: there is no such prompt.
    """

    lm: LM
    mode: Mode = "both"
    passage_tokens: int | None = None
    reasoning_tokens: int = 0
    attempts: int = 1
    asking: str | None = None

    def __post_init__(self) -> None:
        if self.asking is not None and (self._template.kind != "listwise" or self.mode != "ranking"):
            raise BadInput(
                f"the prompt {self.asking} ({self._template.kind}) was named with the mode {self.mode}; name a "
                "listwise one, such as dear, with the mode ranking"
            )
        check_capabilities(self.lm, Written(self._template).needs, "a teacher")

    @cached_property
    def prompt(self) -> str:
        """The name of the prompt, and a fingerprint of all that makes a request of a list."""
        sample = self._template.render("query", [Passage(label, "passage") for label in ("1", "2")])
        about = (self._template, sample, self.passage_tokens, self.reasoning_tokens)
        return f"{self._template.name}@{sha256(repr(about).encode()).hexdigest()[:16]}"

    @property
    def thought_tokens(self) -> int:
        """Tokens that are expected before an answer: as many as a prompt that asks for thoughts says."""
        return self._template.max_tokens if self._template.reasons else 0

    @property
    def _template(self) -> Template:
        return load(self.asking or PROMPTS[self.mode])

    def key(self, ranking: Ranking) -> str:
        """What makes a list the same request."""
        documents = [hit.document for hit in ranking]
        return request_key(ranking.query.text, documents, model=self.lm.name, prompt=self.prompt)

    def judge(self, count: int) -> Written:
        """What puts the question about so many documents, and reads the order."""
        template = self._template
        room = template.max_tokens * max(1, -(-count // PUBLISHED_FOR))
        policy = Policy(("again", "repair"), self.attempts) if self.attempts else Policy(("repair",))
        reasoning = self.reasoning_tokens or (room if template.reasons else 0)
        return Written(replace(template, max_tokens=room), policy, reasoning)


class Task(NamedTuple):
    """A list that a teacher is to be asked about.

    Attributes:
        name: its query's id, and its number among the lists of that query: what requests are tagged with.
        key: what makes it the same request; the key of its record.
        ranking: the query, and the documents in the order in which they are shown.
    """

    name: str
    key: str
    ranking: Ranking


def tasks(lists: Sequence[Ranking], teacher: Teacher) -> list[Task]:
    """The lists with their names and keys; of those that are equal to the letter the first."""
    numbers: Counter[str] = Counter()
    different: dict[str, Task] = {}
    for ranking in lists:
        numbers[ranking.query.id] += 1
        name, key = f"{ranking.query.id}/{numbers[ranking.query.id]}", teacher.key(ranking)
        different.setdefault(key, Task(name, key, ranking))
    return list(different.values())


class Conversation:
    """The question about one list, from its first request to the record.

    Attributes:
        task: the list.
        request: what is to be asked next.

    Raises:
        BadInput: query and prompt leave no room for documents in the model's context.
    """

    def __init__(self, teacher: Teacher, task: Task) -> None:
        self.task, self._teacher, ranking = task, teacher, task.ranking
        self._judge = teacher.judge(len(ranking))
        showing = Showing(self._judge.template, passage_tokens=teacher.passage_tokens)
        self._shown: list[Shown] = []
        self._matter = Matter(
            ranking, task.name, len(ranking), teacher.lm, showing, self._judge.answer_tokens, self._shown.append
        )
        self._asking: Asking[list[int]] = self._judge.ask(self._matter, tuple(range(len(ranking))))
        self._replies: list[Reply | ModelError] = []
        self._verdict: Verdict[list[int]] | None = None
        self.request: Request = _only(next(self._asking))

    @property
    def usage(self) -> Usage:
        """What all its replies cost."""
        heard = self._verdict.heard if self._verdict else ()
        unusable = sum(status not in USABLE for status in heard)
        spent = sum((reply.usage or Usage() for reply in self._replies), Usage())
        return replace(spent, documents=len(self.task.ranking), repaired=heard.count("repaired"), unusable=unusable)

    @property
    def failures(self) -> list[ModelError]:
        """Errors in the places of replies."""
        return [reply for reply in self._replies if isinstance(reply, ModelError)]

    def hear(self, reply: Reply | ModelError) -> bool:
        """Take a reply; whether the conversation has ended with it. If not, there is a new request."""
        self._replies.append(reply)
        try:
            self.request = _only(self._asking.send([reply]))
        except StopIteration as stop:
            self._verdict = stop.value
        return self._verdict is not None

    def record(self, labels: Mapping[str, float]) -> TeacherRecord | None:
        """What it came to; None where the model was not reached or not asked, so that another day may bring more."""
        assert self._verdict is not None, "a conversation that has ended"
        if self._verdict.status == "partial":
            return None
        documents = self._as_shown()
        record = TeacherRecord(
            self.task.key,
            self.task.ranking.query,
            documents,
            model=self._teacher.lm.name,
            prompt=self._judge.template.name,
            mode=self._teacher.mode,
            status=self._verdict.status if self._verdict.status not in USABLE else "error",
            usage=self.usage,
            labels={d.id: float(labels[d.id]) for d in documents if d.id in labels},
        )
        replies = [reply for reply in self._replies if isinstance(reply, Reply)]
        heard = _answered(record, max(map(self._read, replies), key=_worth)) if replies else record
        was_broken_off = isinstance(self._replies[-1], BudgetSpent | ModelUnavailable)
        return None if was_broken_off and not heard.is_usable else heard

    def _read(self, reply: Reply) -> "_Read":
        [shown] = self._shown
        template, count, text = self._judge.template, len(self.task.ranking), shown.read(reply.text)
        if not template.reasons:
            return _Read(reply, heard_ranking(text, reply, count, template), thought(reply))
        parted = concluded(final_answer(text) or "", count, template.labels)
        told = "\n".join(part for part in (thought(reply), parted.thought) if part)
        return _Read(reply, heard_ranking(parted.ranking, reply, count, template), told)

    def _as_shown(self) -> tuple[Document, ...]:
        """The documents, cut as they were shown."""
        cuts = self._matter.cuts()
        return tuple(_without_end(hit.document, cut) for hit, cut in zip(self.task.ranking, cuts, strict=True))


class _Read(NamedTuple):
    """A reply, the order that it states, and what it wrote before."""

    reply: Reply
    parsed: Parsed
    thought: str


def _worth(read: _Read) -> tuple[bool, int]:
    """The reply counts that the judge took: a clean one, or the one that names most; of equals the first."""
    return read.parsed.status == "ok", read.parsed.named


def _answered(record: TeacherRecord, read: _Read) -> TeacherRecord:
    """The record with what a reply says; an order that broke off is none."""
    heard = replace(record, answer=read.reply.text, thought=read.thought)
    if read.parsed.status not in USABLE:
        return replace(heard, status=read.parsed.status)
    labels = [str(number) for number in range(1, len(record.documents) + 1)]
    told = reasons(read.reply.text, labels, record.documents) if record.mode != "ranking" else ()
    status = read.parsed.status if _is_whole(told, record.mode) else "repaired"
    return replace(heard, order=read.parsed.order, reasons=told, status=status)


def _is_whole(told: Sequence[Reasons], mode: Mode) -> bool:
    """Whether every reason that was asked for is there."""
    if mode == "ranking":
        return True
    return bool(told) and all(one.direct and (one.comparison or mode == "direct") for one in told)


def _only(requests: list[Request]) -> Request:
    [request] = requests  # a judge that writes asks for one answer at a time
    return request


def _without_end(document: Document, cut: int) -> Document:
    """The document without the last characters of its full text."""
    if not cut:
        return document
    kept = document.full_text[: len(document.full_text) - cut]
    if not document.title:
        return replace(document, text=kept)
    return replace(document, title=kept[: len(document.title)] or None, text=kept[len(document.title) + 1 :])
